"""This process as the job database knows it: alive, and asked now and then to stop something."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.execution.deadlines import Deadlines
from airflow_provider_elasticjobs.execution.waiting_room import WaitingRoom
from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY, heartbeat, retire
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Agent

__all__ = ["HEARTBEAT_SECONDS", "JobAgent"]

_log = logging.getLogger(__name__)

#: Seconds between two heartbeats, which is how long a request to stop may go unseen. A process that has been silent for
#: the far longer ``job_database.agents.DEFAULT_EXPIRY`` is taken for dead, and its rows are settled by others.
HEARTBEAT_SECONDS = 2.0


class JobAgent:
    """One process that runs scripts for one job database.

    Its heartbeat is the lease of every row that it has claimed: one small update for all of them. The same round trip
    brings the runs that somebody asked to stop.

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
        self._tracked: dict[object, tuple[UUID, Callable[[], None]]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def track(self, job_execution_id: UUID, cancel: Callable[[], None]) -> Iterator[None]:
        """Keep this process's heart beating within the block, and call ``cancel`` when the run is asked to stop.

        :param job_execution_id: the run.
        :param cancel: must return at once; it may be called more than once, from the agent's thread.
        """
        key = object()
        with self._changed:
            self._tracked[key] = job_execution_id, cancel
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="elasticjobs-agent", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                del self._tracked[key]
                self._changed.notify()

    def _beat(self) -> None:
        """Renew the lease until there is none; a process that had one is forgotten then, until it takes another."""
        is_known = False
        while self._wait():
            try:
                stopped = set(heartbeat(self.job_database, self.record))
                is_known = True
            except Exception:  # noqa: BLE001 the job database may be away for a while; scripts go on
                _log.warning("The job database did not take the heartbeat; trying again", exc_info=True)
                continue
            for cancel in self._cancels(stopped):
                cancel()
        if is_known:
            # One that stays is removed when its heartbeat is old.
            with suppress(ElasticJobsError):
                retire(self.job_database, self.record)

    def _wait(self) -> bool:
        """Wait for the next beat; False when nothing is tracked any more and the thread may end."""
        with self._changed:
            self._changed.wait_for(lambda: not self._tracked, timeout=HEARTBEAT_SECONDS)
            if self._tracked:
                return True
            self._thread = None
            return False

    def _cancels(self, stopped: set[UUID]) -> list[Callable[[], None]]:
        with self._changed:
            return [cancel for job_execution_id, cancel in self._tracked.values() if job_execution_id in stopped]
