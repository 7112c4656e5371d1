"""The operator that resolves a target group into databases, one mapped task each."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jinja2
from airflow.sdk import BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.outputs import output_from_json
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.targets import TargetGroup
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.operators.airflow_context import airflow_ref, execution_of_run
from airflow_provider_elasticjobs.operators.command_source import with_command_sources
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator, as_rollout
from airflow_provider_elasticjobs.operators.mapped_items import checked_targets_per_task, mapped_items
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_elasticjobs.job_database.database import JobDatabase
    from airflow_provider_elasticjobs.job_database.records import RegisteredTarget

__all__ = ["ResolveTargetGroupOperator"]

#: Arguments of the mapped operator that belong to a step's definition, too.
_STEP_ARGUMENTS = (
    "step_timeout",
    "max_parallelism",
    "max_parallelism_per_server",
    "idempotent",
    "transaction",
    "target_timeout",
    "lock_timeout",
)

#: A run's start asks about so many lost scripts of earlier runs at most, all at once, and waits so long for each.
_RECONCILE_MOST = 16
_RECONCILE_LOGIN_SECONDS = 5


class ResolveTargetGroupOperator(BaseOperator):
    """Asks the servers which databases a target group holds now, and begins the step in the job database.

    Its result is a list of JSON texts, each a small mapping (``server``, ``database``, ``execution_id``), for the
    mapped :class:`ElasticJobOperator` after it; above 1,000 databases, or with ``targets_per_task``, of chunks, whose
    databases that operator reads from the job database. With a ``job`` and ``step_id`` it begins that step; alone, it
    makes a job of one step out of itself and the operator after it. A group without databases ends the step with
    nothing to do.

    :param target_group: the group; not needed with ``job``.
    :param job: the job that the step belongs to, or its JSON.
    :param step_id: the step of the job, from 1.
    :param job_name: name of the one-step job; default: ``<dag_id>.<task_id>``.
    :param job_group_id: id of what is the job in this DAG; default: this task's id.
    :param targets_per_task: how many databases a task works on; default: one, and above 1,000 databases as few as make
        200 tasks.
    :param elasticjobs_conn_id: Airflow connection that runs the scripts; it lists databases unless another is named.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``, unless a member names its own.
    :param job_database_conn_id: Airflow connection of the job database.
    :param trial: ``plan`` to show the databases, end their rows ``Skipped`` and hand none on; a template.
    :raises DefinitionError: if both or neither of ``target_group`` and ``job`` are given, or ``targets_per_task`` is
        below 1.
    """

    template_fields: Sequence[str] = ("elasticjobs_conn_id", "refresh_conn_id", "job_database_conn_id", "trial")
    ui_color = "#d9ead3"

    def __init__(
        self,
        *,
        target_group: TargetGroup | Mapping[str, Any] | None = None,
        job: Job | Mapping[str, Any] | None = None,
        step_id: int = 1,
        job_name: str | None = None,
        job_group_id: str | None = None,
        targets_per_task: int | None = None,
        elasticjobs_conn_id: str = DEFAULT_CONNECTION,
        refresh_conn_id: str | None = None,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        trial: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (target_group is None) == (job is None):
            raise DefinitionError(f"task {self.task_id!r}: give either a target_group or a job with a step_id")
        self.target_group = target_group
        self.job = job
        self.step_id = step_id
        self.job_name = job_name
        self.job_group_id = job_group_id
        self.targets_per_task = checked_targets_per_task(targets_per_task, self.task_id)
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.refresh_conn_id = refresh_conn_id
        self.job_database_conn_id = job_database_conn_id
        self.trial = trial

    def execute(self, context: Context) -> list[str]:
        """Register the definition, resolve the group, register its databases, and return those of the first wave.

        :raises TargetGroupError: if a server could not be asked; the step's row says so.
        :raises DefinitionError: if the job cannot be read from the DAG.
        :raises ElasticJobsError: if the run was asked to stop, or the job database cannot be used.
        """
        from airflow_provider_elasticjobs.execution.step import begin_step
        from airflow_provider_elasticjobs.operators.measuring import measurer
        from airflow_provider_elasticjobs.operators.resolving import resolver
        from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

        trial = Trial.of(self.trial, f"task {self.task_id!r}")
        execution_id = execution_of_run(context, self.job_group_id or self.task_id)
        job_database = open_job_database(connection_settings(self.job_database_conn_id))
        if self.step_id == 1:
            self._settle_lost(job_database)
        registered = begin_step(
            job_database,
            with_command_sources(self._job(), self),
            self.step_id,
            job_execution_id=execution_id,
            airflow=airflow_ref(context),
            resolve=resolver(
                self.refresh_conn_id or self.elasticjobs_conn_id,
                job_database,
                render=lambda written: self.rendered(written, context),
            ),
            log=self._say,
            measure=measurer(
                self.group(),
                self.refresh_conn_id or self.elasticjobs_conn_id,
                lambda text: self._say(logging.WARNING, text),
            ),
        )
        if trial is Trial.PLAN:
            self._plan(job_database, execution_id, registered)
            return []
        first = [one for one in registered if one.wave in {None, 1}]
        return mapped_items(
            first, job_execution_id=execution_id, step_id=self.step_id, targets_per_task=self.targets_per_task
        )

    def group(self) -> TargetGroup:
        """Return the group that this task resolves.

        :raises DefinitionError: if it cannot be read from its JSON.
        """
        if self.job is not None:
            return self._job().step(self.step_id).target_group
        group = self.target_group
        return group if isinstance(group, TargetGroup) else TargetGroup.from_json(group or {})

    def _plan(self, job_database: JobDatabase, job_execution_id: UUID, registered: Sequence[RegisteredTarget]) -> None:
        from airflow_provider_elasticjobs.job_database.planning import plan_targets

        for one in registered:
            pool = f" (elastic pool {one.target.elastic_pool_name})" if one.target.elastic_pool_name else ""
            wave = f", wave {one.wave}" if one.wave else ""
            self._say(logging.INFO, f"Planned: {one.target.label}{pool}{wave}")
        plan_targets(job_database, job_execution_id, self.step_id)

    def rendered(self, written: Any, context: Any) -> Any:
        """Return a value of a member of the group with its templates rendered.

        :param written: a text, or texts within mappings and lists.
        :param context: what the templates may name.
        :raises DefinitionError: if a template cannot be rendered.
        """
        try:
            return self.render_template(written, context)
        except jinja2.TemplateError as error:
            raise DefinitionError(f"task {self.task_id!r}: a template of its target group: {error}") from error

    def _settle_lost(self, job_database: JobDatabase) -> None:
        """Settle a few rows that killed processes left behind in any run; this one begins whatever comes of it."""
        from airflow_provider_elasticjobs.execution.reconcile import reconcile
        from airflow_provider_elasticjobs.operators.target_connectors import connectors

        try:
            found = reconcile(
                job_database,
                connectors(self.elasticjobs_conn_id, login_timeout=_RECONCILE_LOGIN_SECONDS),
                most=_RECONCILE_MOST,
                max_workers=_RECONCILE_MOST,
            )
        except Exception:
            self.log.warning("Rows of lost processes could not be looked at", exc_info=True)
            return
        for line in found.lines():
            self.log.info("Of an earlier run: %s", line)

    def _job(self) -> Job:
        if self.job is not None:
            return self.job if isinstance(self.job, Job) else Job.from_json(self.job)
        return Job(self.job_name or f"{self.dag_id}.{self.task_id}", [self._step(self.group())])

    def _step(self, group: TargetGroup) -> JobStep:
        """Read the only step from the arguments of the mapped operator after this task."""
        mapped = [
            task
            for task in self.downstream_list
            if isinstance(task, MappedOperator) and issubclass(task.operator_class, ElasticJobOperator)
        ]
        if len(mapped) != 1:
            raise DefinitionError(
                f"task {self.task_id!r}: exactly one ElasticJobOperator.partial(...).expand(target=...) must follow "
                f"it, not {len(mapped)}; or give it a job and a step_id"
            )
        arguments = mapped[0].partial_kwargs
        retry = arguments.get("retry") or {}
        rollout = as_rollout(arguments.get("rollout"))
        if rollout is not None and rollout.waves:
            raise DefinitionError(
                f"task {self.task_id!r}: each wave needs tasks of its own: give it a job with a step_id, and a"
                " BeginWaveOperator before each further wave; or use ElasticJob"
            )
        output = arguments.get("step_output")
        return JobStep(
            mapped[0].label or mapped[0].task_id,
            group,
            arguments.get("command", ""),
            retry=retry if isinstance(retry, RetryPolicy) else RetryPolicy.from_json(retry),
            conn_id=arguments.get("elasticjobs_conn_id", DEFAULT_CONNECTION),
            rollout=rollout,
            output=output_from_json(output) if isinstance(output, Mapping) else output,
            **{name: arguments[name] for name in _STEP_ARGUMENTS if name in arguments},
        )

    def _say(self, level: int, text: str) -> None:
        self.log.log(level, "%s", text)
