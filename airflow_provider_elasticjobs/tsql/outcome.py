"""Which error a failed batch ends with: the engine's refusal, a confirmed cancel, or an outcome that nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    OutcomeUnknownError,
    ScriptCancelledError,
    ScriptError,
)
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic, first_number, joined_text

__all__ = ["ErrorPlace", "error_of"]


@dataclass(frozen=True)
class ErrorPlace:
    """A batch of a script, for error texts.

    :param batch: its number, from 1.
    :param batches: how many the script has.
    :param first_line: line of the script on which it begins, from 1.
    """

    batch: int
    batches: int
    first_line: int

    def __str__(self) -> str:
        if self.batches == 1:
            return "the script"
        return f"batch {self.batch} of {self.batches} (from line {self.first_line})"


def error_of(
    errors: Sequence[Diagnostic],
    place: ErrorPlace,
    *,
    alive: bool,
    cancelled: bool,
    server: str | None = None,
    database: str | None = None,
) -> ElasticJobsError:
    """Return the error that a batch ends with, once it has been sent.

    :param errors: its error records, in order; may be empty for a stopped batch.
    :param place: which batch.
    :param alive: whether the connection still answered afterwards.
    :param cancelled: whether this side asked to stop.
    :param server: logical server name.
    :param database: database name.
    """
    number = first_number(errors)
    text = joined_text(errors)
    if number is not None:
        suffix = "" if place.batches == 1 else f" (in {place})"
        return ScriptError(text + suffix, server=server, database=database, number=number)
    if alive and cancelled:
        reason = f"cancelled while {place} was running; what it had committed before stays"
        return ScriptCancelledError(reason, server=server, database=database)
    state = "the connection still answers" if alive else "the connection is lost"
    return OutcomeUnknownError(
        f"{place} was sent and its end is not known, {state}; it may have run and committed: {text or 'no answer'}",
        server=server,
        database=database,
    )
