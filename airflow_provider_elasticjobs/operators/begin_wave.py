"""The operator that begins a later wave of a step's rollout."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_provider_elasticjobs.operators.airflow_context import execution_of_run
from airflow_provider_elasticjobs.operators.job_execution import task_states
from airflow_provider_elasticjobs.operators.mapped_items import checked_targets_per_task, mapped_items
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_elasticjobs.job_database.database import JobDatabase
    from airflow_provider_elasticjobs.job_database.waves import WaveStart

__all__ = ["BeginWaveOperator"]

#: Seconds that a target of an earlier wave gets whose task has ended and whose row has not, beyond those after which
#: its process counts as lost.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 2.0
#: Seconds to wait for a server that is asked whether it still runs a lost process's script.
_LOGIN_SECONDS = 5


class BeginWaveOperator(BaseOperator):
    """Begins a wave of a rollout once every database of the waves before it has ended, and returns its databases.

    Its result is a list as that of :class:`ResolveTargetGroupOperator`, for the mapped :class:`ElasticJobOperator`
    after it. If too many databases have failed, the list is empty: the databases of this wave and of the later ones are
    ``Skipped`` in the job database, with the reason, and no task is made for them.

    It comes directly after the task that began the wave before and the mapped task of that wave, with the trigger rule
    ``all_done``, which is its default: failures that the rollout allows must not hold it up.

    :param step_id: the step of the job, from 1.
    :param wave: the wave, from 2; after a rollout's last wave comes one more, with the rest.
    :param after_task_id: id of the task that began the wave before: the resolving task, or one like this.
    :param job_group_id: id of what is the job in this DAG.
    :param targets_per_task: how many databases a task works on; default: one, and above 1,000 databases as few as make
        200 tasks.
    :param elasticjobs_conn_id: Airflow connection that asks servers whether they still run scripts of lost processes.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("elasticjobs_conn_id", "job_database_conn_id")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        wave: int,
        after_task_id: str,
        job_group_id: str,
        step_id: int = 1,
        targets_per_task: int | None = None,
        elasticjobs_conn_id: str = DEFAULT_CONNECTION,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        trigger_rule: str = "all_done",
        **kwargs: Any,
    ) -> None:
        super().__init__(trigger_rule=trigger_rule, **kwargs)
        self.wave = wave
        self.after_task_id = after_task_id
        self.job_group_id = job_group_id
        self.step_id = step_id
        self.targets_per_task = checked_targets_per_task(targets_per_task, self.task_id)
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.job_database_conn_id = job_database_conn_id

    def execute(self, context: Context) -> list[str]:
        """Wait for what is left of the earlier waves, count what failed, and return the wave's databases.

        :raises AirflowSkipException: if the wave before did not begin: it failed, or a branch went another way.
        :raises AirflowFailException: if the run was asked to stop, or databases of earlier waves do not come to an end.
        """
        began = task_states(context, [self.after_task_id]).get(self.after_task_id)
        if began is None:
            raise AirflowFailException(f"there is no task {self.after_task_id!r} that began the wave before")
        if began != "success":
            raise AirflowSkipException(f"wave {self.wave} does not begin: task {self.after_task_id} is {began}")
        from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

        database = open_job_database(connection_settings(self.job_database_conn_id))
        execution = execution_of_run(context, self.job_group_id)
        start = self._begin(database, execution)
        if start.cancelled:
            raise AirflowFailException(f"wave {self.wave} does not begin: the run was asked to stop")
        if start.still_active:
            raise AirflowFailException(
                f"wave {self.wave} does not begin: {start.still_active} database(s) of earlier waves have not ended"
            )
        if start.stopped is not None:
            self.log.warning(
                "The rollout was stopped: %s. Nothing further of step %d begins", start.stopped, self.step_id
            )
        else:
            self.log.info("Wave %d: %d database(s) to run on", self.wave, len(start.targets))
        return mapped_items(
            start.targets,
            job_execution_id=execution,
            step_id=self.step_id,
            targets_per_task=self.targets_per_task,
            before=start.before,
        )

    def _begin(
        self, database: JobDatabase, execution: UUID, *, wait: Callable[[float], None] = time.sleep
    ) -> WaveStart:
        """Begin the wave, once the rows of tasks that have ended have ended too; end those of lost processes."""
        from airflow_provider_elasticjobs.execution.reconcile import reconcile
        from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY
        from airflow_provider_elasticjobs.job_database.waves import begin_wave
        from airflow_provider_elasticjobs.operators.target_connectors import connectors

        deadline = time.monotonic() + DEFAULT_EXPIRY + _PATIENCE_SECONDS
        while True:
            start = begin_wave(database, execution, self.step_id, self.wave)
            if not start.still_active or time.monotonic() > deadline:
                return start
            wait(_POLL_SECONDS)
            found = reconcile(
                database,
                connectors(self.elasticjobs_conn_id, login_timeout=_LOGIN_SECONDS),
                job_execution_id=execution,
            )
            for line in found.lines():
                self.log.warning("%s", line)
