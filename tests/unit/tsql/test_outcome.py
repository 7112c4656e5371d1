from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    OutcomeUnknownError,
    ScriptCancelledError,
    ScriptError,
)
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic
from airflow_provider_elasticjobs.tsql.outcome import ErrorPlace, error_of
from airflow_provider_elasticjobs.tsql.results import Message

_ENGINE = Diagnostic(8134, "Divide by zero", "22012", severity=16, line=2)
_CANCEL = Diagnostic(0, "Operation canceled", "HY008", from_server=False)
_LINK = Diagnostic(104, "Communication link failure", "08S01", from_server=False)
_SEVERE = Diagnostic(0, "A severe error occurred on the current command.", "HY000", severity=11)
_PLACE = ErrorPlace(1, 1, 1)


@pytest.mark.parametrize(
    ("errors", "alive", "cancelled", "expected"),
    [
        ([_ENGINE], True, False, ScriptError),
        ([_ENGINE], True, True, ScriptError),
        ([_ENGINE, _LINK], False, False, ScriptError),
        ([_CANCEL], True, True, ScriptCancelledError),
        ([], True, True, ScriptCancelledError),
        ([_CANCEL], False, True, OutcomeUnknownError),
        ([_CANCEL], True, False, OutcomeUnknownError),
        ([_LINK], False, False, OutcomeUnknownError),
        ([_LINK], False, True, OutcomeUnknownError),
        ([_SEVERE], False, False, OutcomeUnknownError),
        ([_SEVERE], True, False, OutcomeUnknownError),
    ],
)
def test_who_said_what_decides(
    errors: list[Diagnostic], alive: bool, cancelled: bool, expected: type[ElasticJobsError]
) -> None:
    error = error_of(errors, _PLACE, alive=alive, cancelled=cancelled, server="s", database="d")
    assert type(error) is expected
    assert (error.server, error.database) == ("s", "d")


def test_only_the_engines_number_is_kept() -> None:
    assert error_of([_ENGINE], _PLACE, alive=True, cancelled=False).number == 8134
    assert error_of([_LINK], _PLACE, alive=False, cancelled=False).number is None


def test_the_batch_is_named_only_where_there_are_several() -> None:
    several = error_of([_ENGINE], ErrorPlace(2, 3, 10), alive=True, cancelled=False)
    assert str(several) == "Msg 8134, Level 16, Line 2: Divide by zero (in batch 2 of 3 (from line 10))"
    assert "batch" not in str(error_of([_ENGINE], _PLACE, alive=True, cancelled=False))


def test_a_message_counts_lines_from_the_start_of_the_script() -> None:
    message = Message.of(_ENGINE, 10)
    assert message.line == 11
    assert str(message) == "Msg 8134, Level 16, Line 11: Divide by zero"


def test_a_message_of_a_procedure_keeps_its_own_line() -> None:
    inner = Diagnostic(8134, "Divide by zero", "22012", severity=16, line=2, state=1, procedure="dbo.divide")
    message = Message.of(inner, 10)
    assert (message.line, message.state, message.procedure) == (2, 1, "dbo.divide")


def test_a_print_is_shown_bare_and_a_raiserror_with_its_severity() -> None:
    assert str(Message.of(Diagnostic(0, "hello", "01000", severity=0), 1)) == "hello"
    assert str(Message.of(Diagnostic(50000, "mind", "01000", severity=10), 1)) == "Msg 50000, Level 10: mind"


def test_a_complaint_of_the_driver_is_shown_without_its_number() -> None:
    assert str(Message.of(_LINK, 1)) == "Communication link failure"
