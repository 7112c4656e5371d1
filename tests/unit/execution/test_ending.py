from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import (
    DefinitionError,
    DriverNotFoundError,
    ElasticJobsError,
    LoginFailedError,
    OutcomeUnknownError,
    OutputError,
    ScriptCancelledError,
    ScriptError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.execution.ending import Ending, StopReason, ending_of, may_retry
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy

DIVISION = ScriptError("Msg 8134: Divide by zero", number=8134)
DEADLOCK = ScriptError("Msg 1205: chosen as victim", number=1205)
LOST = OutcomeUnknownError("sent, no answer")
STOPPED = ScriptCancelledError("cancelled while running")


def test_the_servers_refusal_is_a_failure_with_its_text_and_number() -> None:
    ending = ending_of(DIVISION, None)
    assert (ending.lifecycle, ending.outcome, ending.message) == (Lifecycle.FAILED, Outcome.FAILED, DIVISION.message)
    assert ending.error_number == 8134


def test_a_lost_answer_is_of_unknown_outcome() -> None:
    assert ending_of(LOST, None).outcome is Outcome.UNKNOWN
    assert ending_of(LOST, None).lifecycle is Lifecycle.FAILED


@pytest.mark.parametrize(
    ("reason", "lifecycle", "outcome"),
    [
        (StopReason.CANCELLED, Lifecycle.CANCELED, Outcome.CANCELLED),
        (StopReason.TIMED_OUT, Lifecycle.TIMED_OUT, Outcome.TIMED_OUT),
    ],
)
def test_a_stop_decides_the_lifecycle_and_a_lost_answer_still_the_outcome(
    reason: StopReason, lifecycle: Lifecycle, outcome: Outcome
) -> None:
    for error in (STOPPED, DIVISION):
        assert ending_of(error, reason) == Ending(lifecycle, outcome)
    unknown = ending_of(LOST, reason)
    assert (unknown.lifecycle, unknown.outcome, unknown.message) == (lifecycle, Outcome.UNKNOWN, LOST.message)


def _retried(error: ElasticJobsError, *, attempt: int = 1, idempotent: bool = True, **policy: Any) -> bool:
    return may_retry(ending_of(error, None), RetryPolicy(**policy), attempt, idempotent=idempotent)


def test_every_error_is_retried_by_default() -> None:
    assert _retried(DIVISION)
    assert _retried(LoginFailedError("no", number=18456))
    assert _retried(LOST)


def test_attempts_are_one_more_than_retries() -> None:
    assert _retried(DIVISION, attempt=10)
    assert not _retried(DIVISION, attempt=11)
    assert not _retried(DIVISION, attempts=0)


def test_an_unknown_outcome_is_not_repeated_unless_idempotent() -> None:
    assert not _retried(LOST, idempotent=False)
    assert _retried(DIVISION, idempotent=False)


def test_an_output_that_failed_after_the_script_was_sent_is_not_repeated_unless_idempotent() -> None:
    before, after = OutputError("away"), OutputError("away")
    after.script_was_sent = True
    assert _retried(before, idempotent=False)
    assert not _retried(after, idempotent=False)
    assert _retried(after)


def test_an_output_is_as_transient_as_what_kept_it_from_being_written() -> None:
    def caused(cause: ElasticJobsError | None) -> OutputError:
        error = OutputError("not written")
        error.__cause__ = cause
        return error

    assert _retried(caused(LOST), retry_on="transient")
    assert _retried(caused(LoginFailedError("paused", number=40613)), retry_on="transient")
    assert not _retried(caused(DIVISION), retry_on="transient")
    assert not _retried(caused(None), retry_on="transient")


@pytest.mark.parametrize("error", [DriverNotFoundError("no driver"), DefinitionError("GO;")])
def test_what_this_side_cannot_do_is_not_repeated(error: ElasticJobsError) -> None:
    assert not _retried(error)


def test_transient_errors_are_told_by_number() -> None:
    assert _retried(DEADLOCK, retry_on="transient")
    assert _retried(ServerUnreachableError("no answer"), retry_on="transient")
    assert _retried(LOST, retry_on="transient")
    assert not _retried(DIVISION, retry_on="transient")
    assert not _retried(LoginFailedError("no", number=18456), retry_on="transient")


def test_numbers_can_be_named() -> None:
    assert _retried(DIVISION, retry_on=(8134,))
    assert not _retried(DEADLOCK, retry_on=(8134,))


@pytest.mark.parametrize("reason", list(StopReason))
def test_what_was_stopped_or_succeeded_is_not_repeated(reason: StopReason) -> None:
    assert not may_retry(Ending.stopped(reason), RetryPolicy(), 1, idempotent=True)
    assert not may_retry(Ending(Lifecycle.SUCCEEDED, Outcome.SUCCEEDED), RetryPolicy(), 1, idempotent=True)
