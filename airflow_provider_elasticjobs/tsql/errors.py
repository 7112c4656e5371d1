"""Whether an error of this package may pass by itself."""

from __future__ import annotations

from airflow_provider_elasticjobs.exceptions import (
    OutcomeUnknownError,
    OutputError,
    ScriptError,
    ServerUnreachableError,
    TargetConnectionError,
)
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable

__all__ = ["is_transient_error"]


def is_transient_error(error: BaseException, errors: ErrorTable = DEFAULT_ERRORS) -> bool:
    """Return whether the same attempt may succeed when repeated, as ``retry_on="transient"`` asks.

    A lost answer counts as transient: whether it may be repeated at all is the step's ``idempotent``, asked elsewhere.

    :param error: what an attempt ended with.
    :param errors: the connection's table of error numbers.
    """
    if isinstance(error, (OutcomeUnknownError, ServerUnreachableError)):
        return True
    if isinstance(error, OutputError):
        return error.__cause__ is not None and is_transient_error(error.__cause__)
    if isinstance(error, TargetConnectionError):
        return error.number is not None and errors.is_transient(error.number, connecting=True)
    return isinstance(error, ScriptError) and errors.is_transient(error.number)
