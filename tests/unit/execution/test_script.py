from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.execution.script import script_batches
from airflow_provider_elasticjobs.job_database.records import Claim
from airflow_provider_elasticjobs.model.targets import Target

CLAIM = Claim(
    execution_id=UUID(int=1),
    claim_id=UUID(int=2),
    work_id=UUID(int=7),
    job_execution_id=UUID(int=3),
    job_execution_create_time=datetime.fromisoformat("2026-01-02T03:04:05"),
    job_id=UUID(int=4),
    job_name="it's",
    job_version=5,
    step_id=6,
    step_name="step",
    target_group_name="group",
    target=Target("s", "d"),
    attempts=0,
    lost_attempt=False,
)


def texts(command: str, **options: object) -> list[str]:
    return [batch.text for batch in script_batches(command, CLAIM, **options)]  # type: ignore[arg-type]


def test_built_in_variables_and_parameters_are_literals() -> None:
    command = "SELECT $(job_name), $(Step_Id), $(TENANT), $(price)"
    assert texts(command, parameters={"tenant": "O'Hara", "price": None}) == ["SELECT N'it''s', 6, N'O''Hara', NULL"]


@pytest.mark.parametrize("value", ["$(job_name)", "$(b)", "'; GO\n", "\nGO\n", "]", '"'])
def test_a_value_is_not_looked_at_again(value: str) -> None:
    (text,) = texts("SELECT $(a);", parameters={"a": value, "b": "again"})
    assert text == "SELECT N'" + value.replace("'", "''") + "';"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a]b", "SELECT 'a]b', [a]]b], \"a]b\" -- $(v)"),
        ("a'b", "SELECT 'a''b', [a'b], \"a'b\" -- $(v)"),
        ('a"b', 'SELECT \'a"b\', [a"b], "a""b" -- $(v)'),
        (-1, "SELECT '-1', [-1], \"-1\" -- $(v)"),
    ],
)
def test_where_a_variable_stands_decides_what_it_becomes(value: object, text: str) -> None:
    assert texts("SELECT '$(v)', [$(v)], \"$(v)\" -- $(v)", parameters={"v": value}) == [text]


def test_a_negative_number_does_not_make_a_comment_of_a_minus() -> None:
    assert texts("SELECT 1-$(n), -$(n)", parameters={"n": -5}) == ["SELECT 1- -5, - -5"]


def test_real_parameters_on_request_only() -> None:
    command = "SELECT @a;\nGO\nSELECT 1;"
    assert [batch.parameters for batch in script_batches(command, CLAIM, {"a": 1, "b": 2})] == [{}, {}]
    bound = script_batches(command, CLAIM, {"a": 1, "b": 2}, bind=True)
    assert [batch.parameters for batch in bound] == [{"a": 1}, {}]


def test_a_value_that_mentions_a_parameter_is_no_mention() -> None:
    (batch,) = script_batches("SELECT $(a);", CLAIM, {"a": "@b", "b": 1}, bind=True)
    assert batch.parameters == {}


def test_a_value_without_a_literal_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no T-SQL literal"):
        texts("SELECT $(a)", parameters={"a": object()})
