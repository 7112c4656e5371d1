"""Operators that ask for a run of a job in the job database, or ask one to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.starting import start_job
from airflow_provider_elasticjobs.model.identifiers import job_execution_id as derived_id
from airflow_provider_elasticjobs.operators.airflow_context import airflow_ref
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_JOB_DATABASE
from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["StartElasticJobOperator", "StopElasticJobOperator", "execution_id"]


def execution_id(text: str | UUID) -> UUID:
    """Return the id of a run from its text.

    :raises DefinitionError: if it is not the text of an id.
    """
    try:
        return UUID(str(text))
    except ValueError:
        raise DefinitionError(f"{text!r} is not a job_execution_id, like {UUID(int=0)}") from None


class StartElasticJobOperator(BaseOperator):
    """Records a run of a job's latest version in the job database, as ``jobs.sp_start_job`` does, and returns its id.

    The run's row is ``Created``. Nothing in this package picks such a run up by itself yet: it begins when something
    that runs jobs out of the job database takes it. A job that is written in a DAG is started by a run of that DAG.

    A retry of the task finds the run that its first try recorded; clearing the task records another one, unless an id
    is given.

    :param job_name: the job, which the job database must know; a template.
    :param job_execution_id: the run's id, unless one is to be made; a template.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("job_name", "job_execution_id", "job_database_conn_id")
    ui_color = "#cfe2f3"

    def __init__(
        self,
        *,
        job_name: str,
        job_execution_id: str | None = None,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.job_execution_id = job_execution_id
        self.job_database_conn_id = job_database_conn_id

    def execute(self, context: Context) -> str:
        """Record the run, and return its id.

        :raises JobDatabaseError: if there is no such job, it has no steps, or the given id is another run's.
        :raises DefinitionError: if the given id is not one.
        """
        task = airflow_ref(context)
        own = derived_id(task.dag_id, task.run_id, f"{task.task_id}[{task.map_index}] start {task.clear_number}")
        run = start_job(
            open_job_database(connection_settings(self.job_database_conn_id)),
            self.job_name,
            execution_id(self.job_execution_id) if self.job_execution_id else own,
            request_id=own,
        )
        self.log.info("Job %s: run %s is Created", self.job_name, run)
        return str(run)


class StopElasticJobOperator(BaseOperator):
    """Asks a run of a job to stop, as ``jobs.sp_stop_job`` does; its scripts are cancelled within a few seconds.

    The task does not wait for that; :class:`ElasticJobExecutionSensor` does. A run that has ended is left as it is.

    :param job_execution_id: the run; a template.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("job_execution_id", "job_database_conn_id")
    ui_color = "#f4cccc"

    def __init__(
        self, *, job_execution_id: str, job_database_conn_id: str = DEFAULT_JOB_DATABASE, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.job_execution_id = job_execution_id
        self.job_database_conn_id = job_database_conn_id

    def execute(self, context: Context) -> str:
        """Record the request, and return the run's lifecycle of this moment.

        :raises AirflowFailException: if there is no such run.
        :raises DefinitionError: if the id is not one.
        """
        database = open_job_database(connection_settings(self.job_database_conn_id))
        instance = context["ti"]
        lifecycle = cancel_execution(
            database,
            execution_id(self.job_execution_id),
            requested_by=f"Airflow: {instance.dag_id} {instance.run_id} {instance.task_id}",
        )
        if lifecycle is None:
            raise AirflowFailException(f"there is no run {self.job_execution_id} in the job database")
        self.log.info("Run %s is asked to stop, and is %s", self.job_execution_id, lifecycle)
        return str(lifecycle)
