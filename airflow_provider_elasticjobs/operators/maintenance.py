"""Operators that keep the job database tidy: old history removed, rows of lost processes settled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.execution.reconcile import reconcile
from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY
from airflow_provider_elasticjobs.job_database.purge import purge_history
from airflow_provider_elasticjobs.operators.execution_request import execution_id
from airflow_provider_elasticjobs.operators.target_connectors import connectors
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE
from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["DEFAULT_HISTORY", "PurgeJobHistoryOperator", "ReconcileExecutionsOperator"]

#: How long Azure keeps history (reference 7.3).
DEFAULT_HISTORY = timedelta(days=45)

#: Rows that a log repeats.
_MOST_LINES = 100


class PurgeJobHistoryOperator(BaseOperator):
    """Removes runs that ended long ago from the job database, with all their rows.

    Active runs stay, and so does the newest run of every job. What goes is removed in small batches; a task that is
    killed in between can be run again.

    :param older_than: how long ago a run must have ended: a timedelta, or a number of days; a template; 45 days.
    :param job_name: only runs of this job; all jobs by default; a template.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("older_than", "job_name", "job_database_conn_id")
    ui_color = "#eeeeee"

    def __init__(
        self,
        *,
        older_than: timedelta | float | str = DEFAULT_HISTORY,
        job_name: str | None = None,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.older_than = older_than
        self.job_name = job_name
        self.job_database_conn_id = job_database_conn_id

    def execute(self, context: Context) -> int:  # noqa: ARG002 Airflow's signature
        """Remove them, and return how many runs there were.

        :raises DefinitionError: if ``older_than`` is not a time, or a negative one.
        """
        oldest = datetime.now(timezone.utc) - self._age()
        database = open_job_database(connection_settings(self.job_database_conn_id))
        purged = purge_history(database, oldest=oldest, job_name=self.job_name or None)
        self.log.info("Removed %s run(s), %s row(s), that ended before %s", purged.runs, purged.rows, oldest)
        return purged.runs

    def _age(self) -> timedelta:
        try:
            age = self.older_than if isinstance(self.older_than, timedelta) else timedelta(days=float(self.older_than))
        except (ValueError, OverflowError):
            age = timedelta(-1)
        if age < timedelta(0):
            raise DefinitionError(f"older_than is {self.older_than!r}; it must be a timedelta or a number of days")
        return age


class ReconcileExecutionsOperator(BaseOperator):
    """Ends the rows that killed processes left active, except those whose script still runs on its server.

    The server is asked through the lock that a running script holds on its database. A row that is kept, because its
    script runs or because its server does not answer, is found again by the next task.

    :param job_execution_id: the run to look at; all runs by default; a template.
    :param expiry_seconds: seconds without a heartbeat from which a process counts as lost; default 120.
    :param settle_unanswered: also end rows whose server does not answer; for servers that are gone.
    :param elasticjobs_conn_id: Airflow connection that asks, for rows that name none.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("job_execution_id", "elasticjobs_conn_id", "job_database_conn_id")
    ui_color = "#eeeeee"

    def __init__(
        self,
        *,
        job_execution_id: str | None = None,
        expiry_seconds: float = DEFAULT_EXPIRY,
        settle_unanswered: bool = False,
        elasticjobs_conn_id: str = DEFAULT_CONNECTION,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_execution_id = job_execution_id
        self.expiry_seconds = expiry_seconds
        self.settle_unanswered = settle_unanswered
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.job_database_conn_id = job_database_conn_id

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 Airflow's signature
        """Settle what is left, and return how many rows were ``settled``, still run, or were ``unanswered``."""
        found = reconcile(
            open_job_database(connection_settings(self.job_database_conn_id)),
            connectors(self.elasticjobs_conn_id),
            job_execution_id=execution_id(self.job_execution_id) if self.job_execution_id else None,
            expiry_seconds=self.expiry_seconds,
            settle_unanswered=self.settle_unanswered,
        )
        for line in found.lines()[:_MOST_LINES]:
            self.log.warning("%s", line)
        return {
            "settled": len(found.settled),
            "running": len(found.running),
            "unanswered": len(found.unanswered),
        }
