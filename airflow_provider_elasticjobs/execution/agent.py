"""This process as the job database knows it: alive, and asked now and then to stop something."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import ElasticJobsError, JobDatabaseAwayError
from airflow_provider_elasticjobs.execution.deadlines import Deadlines
from airflow_provider_elasticjobs.execution.row_writer import RowWriter
from airflow_provider_elasticjobs.execution.waiting_room import WaitingRoom
from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY, heartbeat, retire
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Agent

__all__ = ["HEARTBEAT_SECONDS", "JobAgent"]

_log = logging.getLogger(__name__)

#: Seconds between two heartbeats, which is how long a request to stop may go unseen. A process that has been silent for
#: the far longer ``job_database.agents.DEFAULT_EXPIRY`` is taken for dead, and its rows are settled by others.
HEARTBEAT_SECONDS = 2.0

#: Rows left over from a time without job database that are written between two heartbeats.
_WRITES_A_BEAT = 100


class JobAgent:
    """One process that runs scripts for one job database.

    Its heartbeat is the lease of every row that it has claimed: one small update for all of them. The same round trip
    brings the runs that somebody asked to stop. It has a connection of its own, so that it does not wait behind
    hundreds of rows that are being written.

    :param job_database: where the rows are.
    :param expiry_seconds: age of another process's heartbeat from which that process counts as lost, and the places
        that it held in elastic pools and on servers as free.
    """

    def __init__(self, job_database: JobDatabase, *, expiry_seconds: float = DEFAULT_EXPIRY) -> None:
        self.record = Agent(uuid4(), socket.gethostname(), os.getpid())
        self.job_database = job_database
        self.expiry_seconds = expiry_seconds
        self.deadlines = Deadlines()
        self.waiting_room = WaitingRoom()
        self.rows = RowWriter(job_database, expiry_seconds)
        self._pulse = job_database.alongside()
        self._tracked: dict[object, tuple[UUID, Callable[[], None]]] = {}
        self._unwritten: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def track(self, job_execution_id: UUID, cancel: Callable[[], None]) -> Iterator[None]:
        """Keep this process's heart beating within the block, and call ``cancel`` when the run is asked to stop.

        :param job_execution_id: the run.
        :param cancel: must return at once; it may be called more than once, and a moment after the block, from the
            agent's thread.
        """
        key = object()
        with self._changed:
            self._tracked[key] = job_execution_id, cancel
            self._start_beating()
        try:
            yield
        finally:
            with self._changed:
                del self._tracked[key]
                self._changed.notify()

    def write_later(self, write: Callable[[], object]) -> None:
        """Write what could not be written once the job database is back, if this process lives to see it.

        Its heart beats until then, so that nobody settles the row as a lost process's.

        :param write: writes one row; called from the agent's thread, again and again while the job database is away.
        """
        with self._changed:
            self._unwritten.append(write)
            self._start_beating()

    def _start_beating(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="elasticjobs-agent", daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        """Renew the lease until there is none; a process that had one is forgotten then, until it takes another."""
        is_known = False
        while self._wait():
            # This beat's answer is not for those who begin later: their run may have been cleared after its stop.
            tracked = self._all_tracked()
            try:
                stopped = set(heartbeat(self._pulse, self.record))
                is_known = True
                self._write_some()
            except Exception:  # noqa: BLE001 the job database may be away for a while; scripts go on
                _log.warning("The job database did not take the heartbeat; trying again", exc_info=True)
                continue
            for job_execution_id, cancel in tracked:
                if job_execution_id in stopped:
                    cancel()
        if is_known:
            # One that stays is removed when its heartbeat is old.
            with suppress(ElasticJobsError):
                retire(self._pulse, self.record)

    def _write_some(self) -> None:
        for _ in range(min(_WRITES_A_BEAT, len(self._unwritten))):
            try:
                self._unwritten[0]()
            except JobDatabaseAwayError:
                raise
            except Exception:  # noqa: BLE001 the row is another's by now, or nobody may write it any more
                _log.warning("A row could not be written after the job database had been away", exc_info=True)
            self._unwritten.popleft()

    def _wait(self) -> bool:
        """Wait for the next beat; False when there is nothing left to live for and the thread may end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._tracked and not self._unwritten, timeout=HEARTBEAT_SECONDS)
            if self._tracked or self._unwritten:
                return True
            self._thread = None
            return False

    def _all_tracked(self) -> list[tuple[UUID, Callable[[], None]]]:
        with self._changed:
            return list(self._tracked.values())
