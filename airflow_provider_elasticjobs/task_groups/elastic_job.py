"""A whole job as a task group: its steps one after another, one task for each database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from airflow.sdk import TaskGroup, XComArg
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.parameters import parameters_to_json
from airflow_provider_elasticjobs.operators.begin_wave import BeginWaveOperator
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.operators.job_execution import (
    FinishJobExecutionOperator,
    SettleJobExecutionOperator,
)
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE

__all__ = ["ElasticJob", "valid_id"]

_Task = ResolveTargetGroupOperator | BeginWaveOperator | MappedOperator

#: A step goes on after one whose databases were skipped, or that had none: its resolving task has succeeded all the
#: same. It does not after one that was skipped as a whole, because a branch went another way.
_AFTER_A_STEP = "none_failed_min_one_success"

#: Scripts that a task with several databases runs at a time, unless its author says how many.
_DEFAULT_PARALLELISM = 10

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]+")


def valid_id(name: str) -> str:
    """Return a name as an id that Airflow takes: letters, digits, ``-`` and ``_``.

    :param name: a job's or a step's name.
    :raises DefinitionError: if nothing of it is left.
    """
    found = _NOT_IN_AN_ID.sub("_", name).strip("_")
    if not found:
        raise DefinitionError(f"the name {name!r} holds no letter or digit that an Airflow id could use")
    return found


class ElasticJob(TaskGroup):
    """Runs the steps of a job one after another, each on all databases of its target group at the same time.

    Each step is a group of its own, ``<step>.resolve`` and a mapped ``<step>.run``. A step that is rolled out in waves
    has a mapped ``<step>.wave_1`` and so on before that, and before each but the first a task that counts what failed.
    A step that fails ends the job, one failed database does not stop the others. ``finish`` reports the run and is what
    tasks after the job wait for; ``settle``, a teardown, leaves no row undecided when a run was stopped or a process
    died.

    :param job_name: the job's name, unique in the job database.
    :param steps: the steps in their order.
    :param description: free text, up to 512 characters.
    :param tier: ``JA100``, ``JA200``, ``JA400`` or ``JA800``: the name of the Airflow pool that limits how many
        databases are worked on at a time; ``airflow elasticjobs tier`` creates it. Default: Airflow's default pool.
    :param pool: another pool, in place of the tier's.
    :param targets_per_task: how many databases a task works on; default: one, and above 1,000 databases as few as make
        200 tasks, one script at a time in each.
    :param chunk_parallelism: with ``targets_per_task``, how many scripts a task runs at a time, and how many slots of
        the pool it takes: 10 by default, and never more than it has databases. The pool must have as many.
    :param elasticjobs_conn_id: Airflow connection that runs the scripts of steps and members that name none.
    :param refresh_conn_id: Airflow connection that lists databases in ``master``; default: the step's.
    :param job_database_conn_id: Airflow connection of the job database.
    :param trial: try the job and leave every database as it is: ``plan`` resolves the groups and shows what would run,
        ``parse`` lets the servers parse the scripts, ``rollback`` runs them and rolls back; a template, such as
        ``"{{ params.trial }}"``. Rows end ``Skipped``, or ``Failed``. None runs it.
    :param deferrable: run scripts in the triggerer; default: ``[elasticjobs] deferrable``, which is on.
    :param group_id: id of the task group; default: made from the job's name.
    :param kwargs: further arguments of :class:`~airflow.sdk.TaskGroup`.
    :raises DefinitionError: if the job or a step is not usable, two steps' names make the same id, or the chunks are
        not possible.
    """

    def __init__(
        self,
        job_name: str,
        steps: Iterable[JobStep],
        *,
        description: str = "",
        tier: str | None = None,
        pool: str | None = None,
        targets_per_task: int | None = None,
        chunk_parallelism: int | None = None,
        elasticjobs_conn_id: str = DEFAULT_CONNECTION,
        refresh_conn_id: str | None = None,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        trial: str | None = None,
        deferrable: bool = conf.getboolean("elasticjobs", "deferrable", fallback=True),
        group_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        job = Job(job_name, steps, description=description)
        super().__init__(group_id=group_id or valid_id(job_name), tooltip=description, **kwargs)
        self.job = job
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.refresh_conn_id = refresh_conn_id
        self.job_database_conn_id = job_database_conn_id
        self.trial = trial
        self.deferrable = deferrable
        self.targets_per_task = targets_per_task
        self._run_pool = {"pool": pool or tier} if pool or tier else {}
        self._chunk_slots = _chunk_slots(targets_per_task, chunk_parallelism)
        with self:
            self._add_tasks()

    def _add_tasks(self) -> None:
        ids = [valid_id(step.name) for step in self.job.steps]
        finish = FinishJobExecutionOperator(
            task_id="finish",
            job_group_id=str(self.group_id),
            job_database_conn_id=self.job_database_conn_id,
            trigger_rule=_AFTER_A_STEP,
        )
        before: list[_Task] = []
        runs: list[MappedOperator] = []
        if repeated := {one for one in ids if ids.count(one) > 1}:
            raise DefinitionError(f"job {self.job.name!r}: several steps' names make the id {repeated.pop()!r}")
        for step_id, step in enumerate(self.job.steps, start=1):
            with TaskGroup(ids[step_id - 1]):
                resolve, *waves = self._add_step(step, step_id)
            for earlier in before:
                earlier >> resolve
            before = [resolve, *waves]
            runs += [task for task in waves if isinstance(task, MappedOperator)]
        settle = SettleJobExecutionOperator(
            task_id="settle",
            job_group_id=str(self.group_id),
            finish_task_id=finish.task_id,
            elasticjobs_conn_id=self.elasticjobs_conn_id,
            job_database_conn_id=self.job_database_conn_id,
        )
        before >> finish
        # It waits for every step: the tasks after one give up as soon as one database has failed, its siblings go on.
        # A DAG run that somebody marks failed has nothing but this task to make it fail: all others were skipped. So it
        # is the task that Airflow judges the run by, and it repeats the verdict of the one before it.
        [*runs, finish] >> settle.as_teardown(on_failure_fail_dagrun=True)

    def _add_step(self, step: JobStep, step_id: int) -> list[_Task]:
        """Add the tasks of a step, and return them, the resolving one first."""
        conn_id = step.conn_id or self.elasticjobs_conn_id
        resolve = ResolveTargetGroupOperator(
            task_id="resolve",
            job=self.job,
            step_id=step_id,
            job_group_id=self.group_id,
            elasticjobs_conn_id=conn_id,
            refresh_conn_id=self.refresh_conn_id,
            job_database_conn_id=self.job_database_conn_id,
            targets_per_task=self.targets_per_task,
            trial=self.trial,
            # The first step obeys what comes before the job like any task.
            trigger_rule="all_success" if step_id == 1 else _AFTER_A_STEP,
        )
        waves = step.rollout.waves if step.rollout else ()
        first, *later = [*(f"wave_{number}" for number, _ in enumerate(waves, start=1)), "run"]
        tasks: list[_Task] = [resolve, self._add_run(step, first, resolve.output)]
        for wave, name in enumerate(later, start=2):
            begin = BeginWaveOperator(
                task_id=f"begin_{name}",
                wave=wave,
                after_task_id=tasks[-2].task_id,
                job_group_id=str(self.group_id),
                step_id=step_id,
                targets_per_task=self.targets_per_task,
                elasticjobs_conn_id=conn_id,
                job_database_conn_id=self.job_database_conn_id,
            )
            tasks[-2:] >> begin
            tasks += [begin, self._add_run(step, name, begin.output)]
        return tasks

    def _add_run(self, step: JobStep, task_id: str, targets: XComArg) -> MappedOperator:
        """Add the mapped task that runs a step's script on some of its databases."""
        conn_id = step.conn_id or self.elasticjobs_conn_id
        return ElasticJobOperator.partial(
            task_id=task_id,
            command=step.command,
            elasticjobs_conn_id=conn_id,
            job_database_conn_id=self.job_database_conn_id,
            retry=step.retry.to_json(),
            step_timeout=step.step_timeout_seconds,
            max_parallelism=step.max_parallelism,
            max_parallelism_per_server=step.max_parallelism_per_server,
            idempotent=step.idempotent,
            transaction=step.transaction,
            target_timeout=step.target_timeout,
            lock_timeout=step.lock_timeout,
            refresh_conn_id=self.refresh_conn_id,
            rollout=None if step.rollout is None else step.rollout.to_json(),
            parameters=parameters_to_json(step.parameters),
            bind_parameters=step.bind_parameters,
            trial=self.trial,
            step_output=None if step.output is None else step.output.to_json(),
            # A step has its own retries; Airflow's, perhaps meant for other tasks of the DAG, would multiply them.
            retries=0,
            deferrable=self.deferrable,
            **self._run_pool,
            **self._chunk_slots,
        ).expand(target=targets)


def _chunk_slots(targets_per_task: int | None, chunk_parallelism: int | None) -> dict[str, int]:
    """Return the slots of a chunk, as an argument of the mapped task.

    Airflow gives all mapped tasks the same number of slots, whatever they work on; so where it is not known before the
    run that there will be chunks, each task takes one slot, and a chunk runs one script at a time.
    """
    if targets_per_task is None:
        if chunk_parallelism is not None:
            raise DefinitionError("chunk_parallelism needs targets_per_task")
        return {}
    parallelism = _DEFAULT_PARALLELISM if chunk_parallelism is None else chunk_parallelism
    if parallelism < 1:
        raise DefinitionError(f"chunk_parallelism must be 1 or more, not {parallelism}")
    return {"pool_slots": min(parallelism, targets_per_task)}
