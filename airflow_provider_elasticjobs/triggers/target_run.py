"""What one task works on, on its way through this process: from the plain values that Airflow kept to the result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.execution.chunk import ChunkExecution, ChunkResult, TargetAccess
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.target import TargetExecution, TargetResult
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.triggers.output_place import output_place
from airflow_provider_elasticjobs.triggers.process import this_process

if TYPE_CHECKING:
    import pyodbc

__all__ = ["TargetRun"]

_Execution = TargetExecution | ChunkExecution


class TargetRun:
    """Runs one script on one database, or on a chunk of them, in the caller's thread; any other may stop it.

    :param order: :meth:`TargetOrder.to_json` or :meth:`ChunkOrder.to_json` of what to run.
    :param airflow: the fields of :class:`AirflowRef`, where in Airflow it belongs.
    :param elasticjobs_conn_id: Airflow connection that runs the script.
    :param job_database_conn_id: Airflow connection of the job database.
    :param log: receives a logging level and a text for everything that happens.
    """

    def __init__(
        self,
        *,
        order: Mapping[str, Any],
        airflow: Mapping[str, Any],
        elasticjobs_conn_id: str,
        job_database_conn_id: str,
        log: Callable[[int, str], None],
    ) -> None:
        self._chunk = ChunkOrder.from_json(order) if ChunkOrder.is_json(order) else None
        self._order = TargetOrder.from_json(order) if self._chunk is None else self._chunk.pattern
        self._airflow = AirflowRef(**airflow)
        self._elasticjobs_conn_id = elasticjobs_conn_id
        self._job_database_conn_id = job_database_conn_id
        self._log = log
        self._lock = threading.RLock()
        self._execution: _Execution | None = None
        self._halt: Callable[[_Execution], None] | None = None

    def run(self) -> TargetResult | ChunkResult:
        """Run the script to its end; blocks.

        :returns: what the target's row says, or what the rows of the chunk come to.
        :raises ElasticJobsError: if a connection's settings or the job database cannot be used, or if another process
            has taken the row over; whatever the script does ends in a result.
        """
        execution = self._new_execution()
        with self._lock:
            self._execution = execution
            halt = self._halt
        if halt is not None:
            halt(execution)
        return execution.run()

    def cancel(self) -> None:
        """Stop the script on the server, or keep it from beginning; its row ends ``Canceled``."""
        self._stop(methodcaller("cancel"))

    def release(self) -> None:
        """Stop the script on the server and leave its row to the next attempt."""
        self._stop(methodcaller("release"))

    def _new_execution(self) -> _Execution:
        agent = this_process().agent(self._job_database_conn_id)
        output = None if self._order.output is None else output_place(self._order.output)
        if self._chunk is not None:
            return ChunkExecution(
                self._chunk, self._airflow, agent=agent, access_by=self._access, log=self._log, output=output
            )
        access = self._access(None)
        return TargetExecution(
            self._order,
            self._airflow,
            agent=agent,
            connect=access.connect,
            open_master=access.open_master,
            errors=access.errors,
            log=self._log,
            output=output,
        )

    def _access(self, conn_id: str | None) -> TargetAccess:
        """Return the way to the databases whose rows name an Airflow connection, or none."""
        used = conn_id or self._elasticjobs_conn_id
        settings = _settings(used)

        def open_master(server: str, database: str, application_name: str | None) -> pyodbc.Connection:
            # By the refresh connection; looked up only now, since it is hardly ever asked.
            refresh = connector(_settings(self._order.refresh_conn_id or used))
            return refresh(server, database, application_name)

        return TargetAccess(connector(settings), settings.errors, open_master)

    def _stop(self, halt: Callable[[_Execution], None]) -> None:
        with self._lock:
            self._halt = self._halt or halt
            execution = self._execution
        if execution is not None:
            halt(execution)


def _settings(conn_id: str) -> ConnectionSettings:
    try:
        return this_process().settings(conn_id)
    except AirflowNotFoundException as error:
        raise ConnectionSettingsError(str(error)) from error
