"""What the job database wants to know of a running task, read from Airflow's context."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from airflow_provider_elasticjobs.model.identifiers import job_execution_id

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_elasticjobs.job_database.records import AirflowRef

__all__ = ["airflow_ref", "execution_of_run"]


def airflow_ref(context: Context) -> AirflowRef:
    """Return where in Airflow the running task is.

    ``max_tries - retries`` grows when the task is cleared, and neither when it is retried nor when the scheduler runs
    it again after a crash: so it tells a re-run that somebody wants from one that only repeats what was lost.

    :param context: the task's context.
    """
    from airflow_provider_elasticjobs.job_database.records import AirflowRef

    instance = context["ti"]
    return AirflowRef(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=-1 if instance.map_index is None else instance.map_index,
        try_number=instance.try_number,
        clear_number=max(0, instance.max_tries - (instance.task.retries or 0)),
    )


def execution_of_run(context: Context, group_id: str) -> UUID:
    """Return the ``job_execution_id`` of the job in the running DAG run.

    :param context: the task's context.
    :param group_id: id of the task group, or of the resolving task, that is the job in this DAG.
    """
    return job_execution_id(context["ti"].dag_id, context["ti"].run_id, group_id)
