"""How an attempt ended, read from what it raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from airflow_provider_elasticjobs.exceptions import (
    ConnectionSettingsError,
    DatabaseDroppedError,
    DefinitionError,
    DriverNotFoundError,
    ElasticJobsError,
    OutcomeUnknownError,
    OutputError,
)
from airflow_provider_elasticjobs.job_database.records import AttemptMessage
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable
from airflow_provider_elasticjobs.tsql.errors import is_transient_error

__all__ = ["Ending", "StopReason", "ending_of", "may_retry"]

#: Errors of this side, which the next attempt would meet again.
_HOPELESS = (DriverNotFoundError, ConnectionSettingsError, DefinitionError)


class StopReason(Enum):
    """Why a script was stopped from this side."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    RELEASED = "given up for another process"


@dataclass(frozen=True)
class Ending:
    """The end of one attempt.

    :param lifecycle: what the row becomes if no other attempt follows.
    :param outcome: what the server did, as far as it is known.
    :param message: the error's text; empty where the documented sentence says it all.
    :param error: what was raised, if anything.
    :param messages: what the script said, as far as it is kept.
    :param in_doubt: whether this attempt or an earlier one may have taken effect without anybody knowing.
    """

    lifecycle: Lifecycle
    outcome: Outcome
    message: str = ""
    error: ElasticJobsError | None = None
    messages: Sequence[AttemptMessage] = ()
    in_doubt: bool = False

    @property
    def error_number(self) -> int | None:
        """The engine's error number, if it gave one."""
        return self.error.number if self.error is not None else None

    @classmethod
    def stopped(cls, reason: StopReason) -> Ending:
        """Return the end of an attempt that was stopped, and known to be over."""
        if reason is StopReason.TIMED_OUT:
            return cls(Lifecycle.TIMED_OUT, Outcome.TIMED_OUT)
        return cls(Lifecycle.CANCELED, Outcome.CANCELLED)


def ending_of(error: ElasticJobsError, stopped: StopReason | None) -> Ending:
    """Return how an attempt that raised ``error`` ended.

    :param error: what the attempt raised.
    :param stopped: why it had been stopped from this side by then; None if it had not.
    """
    if isinstance(error, DatabaseDroppedError):
        return Ending(Lifecycle.SKIPPED, Outcome.SKIPPED, error.message, error)
    unknown = isinstance(error, OutcomeUnknownError)
    if stopped is None:
        return Ending(Lifecycle.FAILED, Outcome.UNKNOWN if unknown else Outcome.FAILED, error.message, error)
    ending = Ending.stopped(stopped)
    return Ending(ending.lifecycle, Outcome.UNKNOWN, error.message, error) if unknown else ending


def may_retry(
    ending: Ending, retry: RetryPolicy, attempt: int, *, idempotent: bool, errors: ErrorTable = DEFAULT_ERRORS
) -> bool:
    """Return whether another attempt follows (reference 3.5).

    :param ending: how the attempt ended.
    :param retry: the step's policy.
    :param attempt: number of the attempt that ended, from 1.
    :param idempotent: whether the script may run again when it may have committed.
    :param errors: the connection's table of error numbers.
    """
    error = ending.error
    if ending.lifecycle is not Lifecycle.FAILED or attempt > retry.attempts or isinstance(error, _HOPELESS):
        return False
    may_have_committed = isinstance(error, OutputError) and error.script_was_sent
    if (ending.outcome is Outcome.UNKNOWN or may_have_committed) and not idempotent:
        return False
    if retry.retry_on == "any":
        return True
    if retry.retry_on == "transient":
        return error is not None and is_transient_error(error, errors)
    return ending.error_number in retry.retry_on
