"""Trials, as far as no server is needed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError, ScriptError
from airflow_provider_elasticjobs.execution.trial import check_can_be_tried, parsed_only
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.tsql.batches import split_batches

TARGET = Target("s.database.windows.net", "d")


class Deaf:
    """A server that accepts SET PARSEONLY and runs what it is sent: none of those at hand does that."""

    description = (("", int, None, None, None, None, None),)

    def cursor(self) -> Deaf:
        return self

    __enter__ = cursor

    def __exit__(self, *exception: object) -> None:
        return None

    def execute(self, question: str) -> None:
        self.description = Deaf.description if question.startswith("SELECT") else None  # type: ignore[assignment]

    def nextset(self) -> bool:
        return False

    def fetchval(self) -> int:
        return 1


def test_a_server_that_would_run_the_script_is_not_sent_it() -> None:
    connection: Any = Deaf()
    with pytest.raises(ScriptError, match="does not heed SET PARSEONLY"), parsed_only(connection, TARGET):
        pytest.fail("the script would be sent here")


@pytest.mark.parametrize(
    ("trial", "script"),
    [
        (Trial.PARSE, "SELECT 1\nGO\nset  parseonly\n off"),
        (Trial.ROLLBACK, "set implicit_transactions off"),
        (Trial.ROLLBACK, "WHILE @@TRANCOUNT > 0 ROLLBACK"),
        (Trial.ROLLBACK, "while((@@trancount <> 0)) commit"),
    ],
)
def test_scripts_that_would_get_around_a_trial(trial: Trial, script: str) -> None:
    with pytest.raises(DefinitionError, match=f"cannot be tried with trial='{trial}'"):
        check_can_be_tried(trial, split_batches(script))


@pytest.mark.parametrize("trial", list(Trial))
@pytest.mark.parametrize(
    "script",
    ["SELECT 'SET PARSEONLY OFF'", "-- IMPLICIT_TRANSACTIONS", "BEGIN TRAN; COMMIT", "SELECT [PARSEONLY] FROM t"],
)
def test_scripts_that_can_be_tried(trial: Trial, script: str) -> None:
    check_can_be_tried(trial, split_batches(script))


@pytest.mark.parametrize("value", [None, "", "None"])
def test_no_trial(value: str | None) -> None:
    assert Trial.of(value, "task 't'") is None


def test_a_trial_by_its_name() -> None:
    assert [Trial.of(str(each), "task 't'") for each in Trial] == list(Trial)


@pytest.mark.parametrize("value", ["Parse", "rolback", "true", " "])
def test_a_misspelt_trial_is_not_a_run_in_earnest(value: str) -> None:
    with pytest.raises(DefinitionError, match="task 't': trial must be 'plan', 'parse', 'rollback' or None"):
        Trial.of(value, "task 't'")
