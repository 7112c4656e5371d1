"""The two tasks at the end of an elastic job: one that reports it, and one that leaves nothing undecided behind."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.operators.airflow_context import execution_of_run
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_elasticjobs.job_database.database import JobDatabase
    from airflow_provider_elasticjobs.job_database.history import ExecutionRow

__all__ = ["FinishJobExecutionOperator", "SettleJobExecutionOperator", "summary", "task_states"]

#: Seconds that a script of a stopped run gets to end before its process is asked whether it still lives.
_PATIENCE_SECONDS = 60.0
#: Seconds of silence from which a process counts as lost once Airflow has no task left that could take over from it.
_SILENCE_SECONDS = 30.0
_POLL_SECONDS = 1.0
#: Looks at the run before anybody is called lost: after a time without job database all processes have been silent, and
#: those that live take so long to be heard of and to write what they have.
_LOOKS_BEFORE = 10
#: Seconds to wait for a server that is asked whether it still runs a lost process's script.
_LOGIN_SECONDS = 5
#: Targets whose message a summary repeats.
_MOST_MESSAGES = 20


class _JobExecutionOperator(BaseOperator):
    """A task that looks at the whole run of a job.

    :param job_group_id: id of the task group that is the job in this DAG.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("job_database_conn_id",)

    def __init__(self, *, job_group_id: str, job_database_conn_id: str = DEFAULT_JOB_DATABASE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_group_id = job_group_id
        self.job_database_conn_id = job_database_conn_id

    def _job_database(self) -> JobDatabase:
        from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

        return open_job_database(connection_settings(self.job_database_conn_id))


class FinishJobExecutionOperator(_JobExecutionOperator):
    """Logs what a job's run came to, and fails if the run did.

    It is the task that comes after the job's last step, so that tasks after the job begin although databases were
    skipped or there were none.

    :param job_group_id: id of the task group that is the job in this DAG.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    ui_color = "#d9ead3"

    def execute(self, context: Context) -> str:
        """Log the summary, and return the job's lifecycle.

        :raises AirflowFailException: if the run ended in ``Failed``, ``TimedOut`` or ``Canceled``, or has not ended.
        """
        from airflow_provider_elasticjobs.job_database.history import executions

        rows = executions(self._job_database(), execution_of_run(context, self.job_group_id))
        for line in summary(rows):
            self.log.info("%s", line)
        lifecycle = rows[0].lifecycle if rows else None
        if lifecycle is None or not lifecycle.is_good:
            raise AirflowFailException(f"the job's run is {lifecycle or 'unknown to the job database'}")
        return str(lifecycle)


class SettleJobExecutionOperator(_JobExecutionOperator):
    """Sees to it that a job's run ends in the job database, whatever became of its tasks; a teardown.

    If somebody marked the DAG run, the whole run of the job is asked to stop, and this task waits until the scripts
    have ended. Rows that no living process holds are ended in its place, unless the server still runs their script
    after a minute: those are left to whatever reconciles next. After a run that went through, there is nothing to do.

    :param job_group_id: id of the task group that is the job in this DAG.
    :param finish_task_id: id of the job's finishing task; it is skipped when somebody marks the DAG run.
    :param elasticjobs_conn_id: Airflow connection that asks servers, for steps and members that name none.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    template_fields: Sequence[str] = ("elasticjobs_conn_id", "job_database_conn_id")
    ui_color = "#eeeeee"

    def __init__(self, *, finish_task_id: str, elasticjobs_conn_id: str = DEFAULT_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.finish_task_id = finish_task_id
        self.elasticjobs_conn_id = elasticjobs_conn_id

    def execute(self, context: Context) -> None:
        """Wait for, stop and settle what is left.

        :raises AirflowFailException: if the finishing task has not succeeded. Airflow judges a DAG run by its last
            task, which is this one; and when somebody marks the run, all others are skipped.
        """
        from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
        from airflow_provider_elasticjobs.job_database.history import job_lifecycle

        database = self._job_database()
        execution = execution_of_run(context, self.job_group_id)
        finished = self._state_of_finish(context)
        lifecycle = job_lifecycle(database, execution)
        if lifecycle is not None and lifecycle.is_active:
            if finished == "skipped":
                self.log.info("The DAG run was marked: stopping what the job still runs")
                cancel_execution(database, execution, requested_by=f"Airflow: {context['ti'].run_id} was marked")
            lifecycle = self._settle(database, execution)
        self.log.info("The job's run is %s", lifecycle or "not in the job database: it never began")
        if finished == "skipped" and lifecycle is None and not self._anything_failed(context):
            self.log.info("A branch went another way: the job was not meant to run")
        elif finished != "success":
            raise AirflowFailException(f"the job did not finish: its last task is {finished}, its run is {lifecycle}")

    def _state_of_finish(self, context: Context) -> str | None:
        return task_states(context, [self.finish_task_id]).get(self.finish_task_id)

    def _anything_failed(self, context: Context) -> bool:
        return not {"failed", "upstream_failed"}.isdisjoint(task_states(context).values())

    def _settle(
        self, database: JobDatabase, execution: UUID, *, wait: Callable[[float], None] = time.sleep
    ) -> Lifecycle | None:
        """Wait until the run has ended, and end the rows of lost processes meanwhile."""
        from airflow_provider_elasticjobs.job_database.history import job_lifecycle

        deadline = time.monotonic() + _PATIENCE_SECONDS
        for look in itertools.count():
            if look >= _LOOKS_BEFORE:
                self._reconcile(database, execution)
            lifecycle = job_lifecycle(database, execution)
            if lifecycle is None or not lifecycle.is_active or time.monotonic() > deadline:
                break
            wait(_POLL_SECONDS)
        return lifecycle

    def _reconcile(self, database: JobDatabase, execution: UUID) -> None:
        from airflow_provider_elasticjobs.execution.reconcile import reconcile
        from airflow_provider_elasticjobs.operators.target_connectors import connectors

        found = reconcile(
            database,
            connectors(self.elasticjobs_conn_id, login_timeout=_LOGIN_SECONDS),
            job_execution_id=execution,
            expiry_seconds=_SILENCE_SECONDS,
            include_created=True,
        )
        for line in found.lines()[:_MOST_MESSAGES]:
            self.log.warning("%s", line)


def task_states(context: Context, task_ids: list[str] | None = None) -> dict[str, str]:
    """Return the states of tasks of this DAG run, by id.

    :param context: of the task that asks.
    :param task_ids: the tasks; all by default.
    """
    instance = context["ti"]
    states = instance.get_task_states(dag_id=instance.dag_id, task_ids=task_ids, run_ids=[instance.run_id])
    return {task_id: str(state) for task_id, state in states.get(instance.run_id, {}).items()}


def summary(rows: Iterable[ExecutionRow]) -> Iterator[str]:
    """Yield the lines that tell what a run came to, in the order of its steps.

    :param rows: the rows of one run, each step's row before those of its targets.
    """
    steps: dict[int | None, ExecutionRow] = {}
    counts: dict[int | None, Counter[str]] = {}
    bad: list[ExecutionRow] = []
    for row in rows:
        if row.target_database_name is None:
            steps[row.step_id] = row
            continue
        counts.setdefault(row.step_id, Counter())[str(row.lifecycle)] += 1
        if not row.lifecycle.is_good:
            bad.append(row)
    for step_id, row in steps.items():
        name = f"Job {row.job_name} ({row.job_execution_id})" if step_id is None else f"Step {step_id} {row.step_name}"
        targets = ", ".join(f"{count} {lifecycle}" for lifecycle, count in counts.get(step_id, Counter()).items())
        yield f"{name}: {row.lifecycle}. {f'Targets: {targets}' if targets else row.last_message or ''}".rstrip()
    for row in bad[:_MOST_MESSAGES]:
        yield f"{row.target_server_name}/{row.target_database_name}: {row.lifecycle}. {row.last_message}"
    if len(bad) > _MOST_MESSAGES:
        yield f"... and {len(bad) - _MOST_MESSAGES} more"
