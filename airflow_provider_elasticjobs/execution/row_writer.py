"""The rows of a process's targets, those of one step written together where several threads write at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from airflow_provider_elasticjobs.execution.grouped_calls import GroupedCalls
from airflow_provider_elasticjobs.job_database import executions, together
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import AttemptMessage, AttemptStart, Claim, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome

__all__ = ["RowWriter"]

#: How long a success that nobody waits for waits for others. A killed process leaves it unwritten at least as long.
_LINGER_SECONDS = 0.02


class RowWriter:
    """Writes the beginnings of this process's attempts, and its successes, before anybody is told of them.

    :param job_database: where the rows are.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost, and its places as free.
    """

    def __init__(self, job_database: JobDatabase, expiry_seconds: float) -> None:
        self._job_database = job_database
        self._expiry_seconds = expiry_seconds
        self._beginnings = GroupedCalls[tuple[Claim, int], AttemptStart](
            lambda starts: together.begin_attempts(job_database, starts), together.MOST_BEGINNINGS
        )
        self._successes = GroupedCalls[tuple[Claim, Sequence[AttemptMessage]], Settled](
            lambda ends: together.succeed_targets(job_database, ends), together.MOST_ENDS
        )

    def begin(self, claim: Claim, attempt: int) -> AttemptStart:
        """Record that an attempt begins now; as :func:`~.job_database.executions.begin_attempt`."""
        if not claim.is_plain:
            return executions.begin_attempt(self._job_database, claim, attempt, expiry_seconds=self._expiry_seconds)
        return self._beginnings.ask(_line(claim), (claim, attempt))

    def succeed(self, claim: Claim, messages: Sequence[AttemptMessage], *, linger: bool) -> Settled:
        """End the row of a target whose script succeeded; as :func:`~.job_database.executions.finish_target`.

        :param claim: the claim on the row; it must be plain.
        :param messages: what the script said during the attempt that ends.
        :param linger: whether nobody is kept waiting if the write waits a moment for others.
        """
        if len(messages) > together.MOST_MESSAGES_TOGETHER:
            return executions.finish_target(
                self._job_database, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=messages
            )
        return self._successes.ask(_line(claim), (claim, messages), linger=_LINGER_SECONDS if linger else 0.0)


def _line(claim: Claim) -> Hashable:
    return claim.job_execution_id, claim.step_id
