"""One script on a chunk of databases, several at a time: each as if it had a task of its own."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import (
    ClaimLostError,
    ElasticJobsError,
    ExecutionReleasedError,
    JobDatabaseError,
)
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.gathered_log import GatheredLog
from airflow_provider_elasticjobs.execution.target import TargetExecution, TargetResult
from airflow_provider_elasticjobs.execution.turns import Turn, Turns
from airflow_provider_elasticjobs.job_database.chunks import ChunkRow, begin_chunk
from airflow_provider_elasticjobs.job_database.claims import claim_fresh_targets, give_chunk_back
from airflow_provider_elasticjobs.job_database.records import AirflowRef, Claim
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle, combine
from airflow_provider_elasticjobs.outputs.writer import OutputPlace
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable

if TYPE_CHECKING:
    import pyodbc

__all__ = ["MOST_LINES", "ChunkExecution", "ChunkResult"]

#: Lines of one database that a chunk's log takes.
MOST_LINES = 100

#: Rows that are claimed together, ahead of their turns.
_CLAIMED_AT_ONCE = 20

#: Databases that a chunk's message names.
_MOST_NAMED = 5

_Log = Callable[[int, str], None]
_Halt = Callable[[TargetExecution], None]

_CANCEL: _Halt = methodcaller("cancel")
_RELEASE: _Halt = methodcaller("release")


@dataclass(frozen=True)
class TargetAccess:
    """The way to the databases whose rows name the same Airflow connection.

    :param connect: opens a connection to a target in autocommit mode.
    :param errors: the connection's table of error numbers.
    :param open_master: opens a connection to ``master`` of a server; default: ``connect``.
    """

    connect: Connector
    errors: ErrorTable = DEFAULT_ERRORS
    open_master: Connector | None = None


@dataclass(frozen=True)
class ChunkResult:
    """How the work on a chunk ended.

    :param lifecycle: what its databases' lifecycles come to, as for a step; an error that left a row open is a failure.
    :param message: that in words, with the first of those that did not end well.
    :param ends: how each database ended, by its label: what its row says, or what kept the work from its end.
    """

    lifecycle: Lifecycle
    message: str
    ends: Mapping[str, TargetResult | BaseException]


class ChunkExecution:
    """Runs one script on the databases of a chunk that have to be done, so many at a time.

    :param order: the script and the chunk.
    :param airflow: the task instance that does it.
    :param agent: this process, as the job database knows it.
    :param access_by: from the Airflow connection that a row names, None if it names none, to the way to its database;
        called in the caller's thread.
    :param log: receives a logging level and a text: what the scripts said, and what was decided.
    :param output: the place that the order's output names; the databases share it.
    """

    def __init__(
        self,
        order: ChunkOrder,
        airflow: AirflowRef,
        *,
        agent: JobAgent,
        access_by: Callable[[str | None], TargetAccess],
        log: _Log,
        output: OutputPlace | None = None,
    ) -> None:
        self.order = order
        self._airflow = airflow
        self._agent = agent
        self._access_by = access_by
        self._log = GatheredLog(log)
        self._output = output
        self._turns = Turns(order.at_once)
        self._lock = threading.Lock()
        self._running: set[TargetExecution] = set()
        self._halt: _Halt | None = None
        self._is_broken = False
        self._ends: dict[str, TargetResult | BaseException] = {}

    def run(self) -> ChunkResult:
        """Run the script on every database that has to be done; blocks.

        :returns: how it ended; databases that had ended before count as they did.
        :raises ExecutionReleasedError: if :meth:`release` stopped it; rows that have not ended are as active as before.
        :raises ClaimLostError: if another process has taken rows over; the work on all others has ended.
        :raises JobDatabaseError: if the job database does not tell the chunk's targets.
        """
        with self._log:
            return self._run()

    def _run(self) -> ChunkResult:
        chunk = self.order.chunk
        rows = begin_chunk(self._agent.job_database, chunk, self._airflow, self._agent.record)
        open_rows = [row for row in rows if row.lifecycle.is_active]
        self._ends = {row.target.label: TargetResult(row.lifecycle, row.message, 0) for row in rows}
        self._log(logging.INFO, f"{chunk.label}: {len(open_rows)} to do, {self.order.at_once} at a time")
        with self._agent.track(chunk.job_execution_id, self.cancel):
            try:
                self._work_on(open_rows)
            finally:
                if self._is_broken:
                    agent, airflow = self._agent, self._airflow
                    agent.write_later(lambda: give_chunk_back(agent.job_database, chunk, airflow, agent.record))
        if self._halt is _RELEASE:
            raise ExecutionReleasedError(f"{chunk.label} are left for another process to take over")
        for end in self._ends.values():
            if isinstance(end, ClaimLostError):
                raise end
        return self._result()

    def cancel(self) -> None:
        """Stop all scripts on their servers, and let none begin; from any thread, more than once."""
        self._stop(_CANCEL)

    def release(self) -> None:
        """Stop like :meth:`cancel`, but leave the rows active for another process to take over."""
        self._stop(_RELEASE)

    def _stop(self, halt: _Halt) -> None:
        """Stop what runs, and what will begin; the first reason stays, and those who run keep to it."""
        with self._lock:
            if self._halt is not None:
                return
            self._halt = halt
            running = list(self._running)
        for execution in running:
            halt(execution)

    def _work_on(self, rows: Sequence[ChunkRow]) -> None:
        # A thread for each that works or waits: those who wait would keep others from theirs.
        with ThreadPoolExecutor(max(1, len(rows)), thread_name_prefix="elasticjobs-chunk") as threads:
            claims: Mapping[UUID, Claim] = {}
            for place, row in enumerate(rows):
                turn = self._turns.take()
                if self._halt is _RELEASE or self._is_broken:
                    turn.give_back()
                    return
                try:
                    if place % _CLAIMED_AT_ONCE == 0:
                        claims = self._claimed(rows[place : place + _CLAIMED_AT_ONCE])
                    claim, access = claims.get(row.execution_id), self._access(row.target.conn_id)
                    # Airflow finds a task's log by context variables; a thread starts without them.
                    threads.submit(contextvars.copy_context().run, self._run_target, row, access, claim, turn)
                except BaseException:
                    # No thread can be had, for instance. Those who waited aside wait for this turn.
                    self._is_broken = True
                    turn.give_back()
                    raise

    def _claimed(self, rows: Sequence[ChunkRow]) -> Mapping[UUID, Claim]:
        """Claim what is fresh among some rows; what is not claimed here is claimed when its turn comes."""
        ids = [row.execution_id for row in rows]
        agent = self._agent
        try:
            return claim_fresh_targets(agent.job_database, self.order.chunk, ids, self._airflow, agent.record)
        except ElasticJobsError as error:
            self._log(logging.WARNING, f"Rows could not be claimed together: {error}")
            return {}

    def _access(self, conn_id: str | None) -> TargetAccess:
        try:
            return self._access_by(conn_id)
        except ElasticJobsError as error:
            return TargetAccess(_refuse(error))

    def _run_target(self, row: ChunkRow, access: TargetAccess, claim: Claim | None, turn: Turn) -> None:
        label = row.target.label
        try:
            self._ends[label] = self._run_execution(
                TargetExecution(
                    self.order.for_row(row),
                    self._airflow,
                    agent=self._agent,
                    connect=access.connect,
                    open_master=access.open_master,
                    errors=access.errors,
                    log=_bounded(self._log, label),
                    output=self._output,
                    aside=turn.aside,
                    over=turn.give_back,
                    claim=claim,
                )
            )
        except ExecutionReleasedError as error:
            self._ends[label] = error
        except Exception as error:  # noqa: BLE001 it is this database's alone, unless the job database is away
            self._ends[label] = error
            self._is_broken = self._is_broken or isinstance(error, JobDatabaseError)
            self._log(logging.ERROR, f"{label}: {error}")
        finally:
            turn.give_back()

    def _run_execution(self, execution: TargetExecution) -> TargetResult:
        with self._lock:
            self._running.add(execution)
            halt = self._halt
        if halt is not None:
            halt(execution)
        try:
            return execution.run()
        finally:
            with self._lock:
                self._running.remove(execution)

    def _result(self) -> ChunkResult:
        lifecycles = {label: _lifecycle(end) for label, end in self._ends.items()}
        bad = [f"{label} {lifecycle}" for label, lifecycle in lifecycles.items() if not lifecycle.is_good]
        lifecycle = combine(lifecycles.values())
        if not bad:
            return ChunkResult(lifecycle, f"{self.order.chunk.label}: {lifecycle}", self._ends)
        named = ", ".join(bad[:_MOST_NAMED]) + (f" and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else "")
        message = (
            f"{len(bad)} of {len(lifecycles)} databases did not end well: {named}. jobs.job_executions says why; "
            "to clear this task repeats these alone."
        )
        self._log(logging.ERROR, message)
        return ChunkResult(lifecycle, message, self._ends)


def _lifecycle(end: TargetResult | BaseException) -> Lifecycle:
    """Return the end's lifecycle; a row that is still active, because the work on it broke off, is a failure."""
    if isinstance(end, TargetResult) and not end.lifecycle.is_active:
        return end.lifecycle
    return Lifecycle.FAILED


def _refuse(error: ElasticJobsError) -> Connector:
    def connect(server: str, database: str, application_name: str | None = None) -> pyodbc.Connection:  # noqa: ARG001
        raise error

    return connect


def _bounded(log: _Log, label: str) -> _Log:
    """Return a log for one database: its lines with its label before them, and not too many of them."""
    lines = 0

    def say(level: int, text: str) -> None:
        nonlocal lines
        lines += 1
        if lines <= MOST_LINES:
            log(level, f"{label}: {text}")
        elif lines == MOST_LINES + 1:
            log(logging.WARNING, f"{label}: more lines than {MOST_LINES} are left out")

    return say
