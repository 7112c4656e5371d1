"""What the scripts of one process share: threads, and for each job database its connections and its heartbeat."""

from __future__ import annotations

import functools
import os
import threading
import time

from airflow.sdk.configuration import conf

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.hooks.elasticjobs import ElasticJobsHook
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.triggers.script_threads import ScriptThreads

__all__ = [
    "DEFAULT_PATIENCE",
    "DEFAULT_TRIGGER_THREADS",
    "ScriptProcess",
    "connection_settings",
    "open_job_database",
    "this_process",
]

#: Scripts that run at a time in one triggerer, unless ``[elasticjobs] trigger_threads`` says otherwise.
DEFAULT_TRIGGER_THREADS = 1000

#: Seconds that a write is tried again while the job database is away, unless ``[elasticjobs] job_database_patience``
#: says otherwise.
DEFAULT_PATIENCE = 120.0

#: Seconds for which what Airflow said of a connection holds: hundreds of scripts that begin together ask once.
_SETTINGS_SECONDS = 10.0

#: Connections that a process keeps to its job database; writers take turns on them.
_JOB_DATABASE_CONNECTIONS = 8


def connection_settings(conn_id: str) -> ConnectionSettings:
    """Return where an Airflow connection leads and as whom; asks Airflow each time.

    :param conn_id: the connection, of type ``elasticjobs``, ``mssql`` or ``odbc``.
    """
    return ElasticJobsHook(elasticjobs_conn_id=conn_id).settings


def open_job_database(settings: ConnectionSettings) -> JobDatabase:
    """Return the job database that settings lead to; it connects when it is first used.

    :param settings: their ``server`` and ``database`` are the job database's.
    """
    return JobDatabase(
        lambda: connect(settings, application_name="elasticjobs job database"),
        server=settings.server or "",
        database=settings.database or "",
        pool_size=_JOB_DATABASE_CONNECTIONS,
        patience=conf.getfloat("elasticjobs", "job_database_patience", fallback=DEFAULT_PATIENCE),
    )


class ScriptProcess:
    """This process, as the scripts that run in it see it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: dict[str, tuple[ConnectionSettings, JobAgent]] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._settings: dict[str, tuple[float, ConnectionSettings]] = {}

    @functools.cached_property
    def threads(self) -> ScriptThreads:
        """The threads that run scripts for triggers; work above their number waits."""
        return ScriptThreads(conf.getint("elasticjobs", "trigger_threads", fallback=DEFAULT_TRIGGER_THREADS))

    def settings(self, conn_id: str) -> ConnectionSettings:
        """Return where an Airflow connection leads and as whom; a change is seen after ten seconds at the latest.

        :param conn_id: as :func:`connection_settings` takes it.
        """
        with self._lock:
            asking = self._asking.setdefault(conn_id, threading.Lock())
        with asking:
            until, settings = self._settings.get(conn_id, (0.0, None))
            if settings is None or until < time.monotonic():
                settings = connection_settings(conn_id)
                self._settings[conn_id] = time.monotonic() + _SETTINGS_SECONDS, settings
            return settings

    def agent(self, conn_id: str) -> JobAgent:
        """Return this process's agent for a job database: the same one as long as the connection does not change.

        :param conn_id: Airflow connection of the job database.
        """
        settings = self.settings(conn_id)
        with self._lock:
            known = self._agents.get(conn_id)
            if known is None or known[0] != settings:
                known = self._agents[conn_id] = settings, JobAgent(open_job_database(settings))
            return known[1]


@functools.cache
def _process(process_id: int) -> ScriptProcess:  # noqa: ARG001 a forked child must not share its parent's threads
    return ScriptProcess()


def this_process() -> ScriptProcess:
    """Return what this process shares."""
    return _process(os.getpid())
