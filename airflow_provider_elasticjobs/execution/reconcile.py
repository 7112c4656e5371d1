"""Settling what lost processes left behind, after asking the servers which of the scripts they still run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.execution.session import step_is_running, step_lock_name
from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY, lost_scripts, settle_leftovers
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Leftover, LostScript

__all__ = ["Reconciliation", "Unanswered", "reconcile"]

_APPLICATION_NAME = "elasticjobs reconciler"
_Connectors = Mapping["str | None", "Connector | ElasticJobsError"]


@dataclass(frozen=True)
class Unanswered:
    """A lost script whose server did not say whether it still runs, and why not."""

    script: LostScript
    reason: str


@dataclass(frozen=True)
class Reconciliation:
    """What became of the rows that lost processes had left active.

    :param settled: rows that were ended.
    :param running: scripts that still run on their servers; their rows stay in progress.
    :param unanswered: scripts that nobody could ask about.
    """

    settled: list[Leftover] = field(default_factory=list)
    running: list[LostScript] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return one line for each row, for a log."""
        return [
            *(f"{row.label} was left behind: {row.lifecycle}" for row in self.settled),
            *(f"{one.target.label} still runs the script of a lost process" for one in self.running),
            *(f"{one.script.target.label} could not be asked: {one.reason}" for one in self.unanswered),
        ]


def reconcile(
    job_database: JobDatabase,
    connector_of: Callable[[str | None], Connector],
    *,
    job_execution_id: UUID | None = None,
    expiry_seconds: float = DEFAULT_EXPIRY,
    include_created: bool = False,
    most: int = 1000,
    settle_unanswered: bool = False,
    max_workers: int = 16,
) -> Reconciliation:
    """Settle the rows of lost processes, except those whose script still runs on its server.

    A script holds its step's lock on the target as long as its session lives, even when the process that started it is
    gone; so the lock is asked about on a connection of its own. A row that is kept is found again by the next call.

    :param job_database: where the rows are.
    :param connector_of: from the Airflow connection that a row names, None if it names none, to what opens connections;
        called in the caller's thread.
    :param job_execution_id: the run to look at; all runs by default.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost.
    :param include_created: also end rows that nobody has begun; only right when nothing is left that could begin them.
    :param most: how many scripts are asked about at most; the others are left to the next call.
    :param settle_unanswered: also end rows whose server does not answer, as unknown; for servers that are gone.
    :param max_workers: most servers asked at the same time.
    :raises JobDatabaseError: if the job database cannot be used.
    """
    lost = lost_scripts(job_database, job_execution_id, expiry_seconds=expiry_seconds, most=most)
    answers = _ask(lost, _connectors(connector_of, lost), max_workers)
    running = [script for script, answer in answers if answer is True]
    unanswered = [Unanswered(script, answer.message) for script, answer in answers if not isinstance(answer, bool)]
    ended = [script.claim_id for script, answer in answers if answer is False]
    if settle_unanswered:
        ended += [one.script.claim_id for one in unanswered]
    settled = settle_leftovers(
        job_database,
        job_execution_id,
        expiry_seconds=expiry_seconds,
        include_created=include_created,
        ended_claims=ended,
    )
    return Reconciliation(settled, running, [] if settle_unanswered else unanswered)


def _connectors(connector_of: Callable[[str | None], Connector], lost: Iterable[LostScript]) -> _Connectors:
    def connector_or_error(conn_id: str | None) -> Connector | ElasticJobsError:
        try:
            return connector_of(conn_id)
        except ElasticJobsError as error:
            return error

    return {conn_id: connector_or_error(conn_id) for conn_id in {script.target.conn_id for script in lost}}


def _ask(
    lost: list[LostScript], connectors: _Connectors, max_workers: int
) -> list[tuple[LostScript, bool | ElasticJobsError]]:
    """Return for each script whether it runs, or why that is not known."""
    if not lost:
        return []
    with ThreadPoolExecutor(min(max_workers, len(lost)), thread_name_prefix="elasticjobs-reconcile") as pool:
        return list(pool.map(lambda script: (script, _is_running(script, connectors[script.target.conn_id])), lost))


def _is_running(script: LostScript, connect: Connector | ElasticJobsError) -> bool | ElasticJobsError:
    if isinstance(connect, ElasticJobsError):
        return connect
    target = script.target
    name = step_lock_name(script.job_id, script.step_name, target.database_name)
    try:
        connection = connect(target.server_name, target.database_name, _APPLICATION_NAME)
        try:
            return step_is_running(connection, name, target)
        finally:
            # A broken connection cannot be closed politely, and what broke it is on its way up already.
            with contextlib.suppress(Exception):
                connection.close()
    except ElasticJobsError as error:
        return error
