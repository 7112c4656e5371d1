"""One target on its way through this process, from the plain values that Airflow kept to the result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.target import TargetExecution, TargetResult
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.triggers.output_place import output_place
from airflow_provider_elasticjobs.triggers.process import connection_settings, this_process

if TYPE_CHECKING:
    import pyodbc

__all__ = ["TargetRun"]


class TargetRun:
    """Runs one script on one database in a thread that the caller provides, and can be stopped from any other.

    :param order: :meth:`TargetOrder.to_json` of what to run.
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
        self._order = TargetOrder.from_json(order)
        self._airflow = AirflowRef(**airflow)
        self._elasticjobs_conn_id = elasticjobs_conn_id
        self._job_database_conn_id = job_database_conn_id
        self._log = log
        self._lock = threading.RLock()
        self._execution: TargetExecution | None = None
        self._halt: Callable[[TargetExecution], None] | None = None

    def run(self) -> TargetResult:
        """Run the script to its end; blocks.

        :returns: what the target's row says.
        :raises ElasticJobsError: if a connection's settings or the job database cannot be used, or if another process
            has taken the row over; whatever the script does ends in a result.
        """
        settings = connection_settings(self._elasticjobs_conn_id)
        execution = TargetExecution(
            self._order,
            self._airflow,
            agent=this_process().agent(self._job_database_conn_id),
            connect=connector(settings),
            open_master=self._open_master,
            errors=settings.errors,
            log=self._log,
            output=None if self._order.output is None else output_place(self._order.output),
        )
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

    def _open_master(self, server: str, database: str, application_name: str | None) -> pyodbc.Connection:
        """Open ``master`` by the refresh connection; looked up only then, since it is hardly ever asked."""
        conn_id = self._order.refresh_conn_id or self._elasticjobs_conn_id
        try:
            settings = connection_settings(conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionSettingsError(str(error)) from error
        return connector(settings)(server, database, application_name)

    def _stop(self, halt: Callable[[TargetExecution], None]) -> None:
        with self._lock:
            self._halt = self._halt or halt
            execution = self._execution
        if execution is not None:
            halt(execution)
