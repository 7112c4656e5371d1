"""Beginning a step: its definition written down, its target group resolved, a row made for each database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.execution.ending import ending_of, may_retry
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.records import AirflowRef, RegisteredTarget, StepStart
from airflow_provider_elasticjobs.job_database.registering import register_targets
from airflow_provider_elasticjobs.job_database.rollouts import register_rollout
from airflow_provider_elasticjobs.job_database.steps import fail_step, retry_step, start_step
from airflow_provider_elasticjobs.model.job import Job
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.model.targets import Target, TargetGroup
from airflow_provider_elasticjobs.targets.resolve import Resolution
from airflow_provider_elasticjobs.targets.waves import into_waves

__all__ = ["begin_step"]


def begin_step(
    job_database: JobDatabase,
    job: Job,
    step_id: int,
    *,
    job_execution_id: UUID,
    airflow: AirflowRef,
    resolve: Callable[[TargetGroup], Resolution],
    log: Callable[[int, str], None],
    measure: Callable[[Sequence[Target]], Mapping[tuple[str, str], float]] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> list[RegisteredTarget]:
    """Begin one step of a run, and return the databases that it runs on, in the order to run them.

    Of a step that is rolled out in waves, those of the first wave may run now.

    A group that cannot be resolved is tried again by the step's own retry policy, with the step's row in
    ``WaitingForRetry`` meanwhile (reference 3.1); then the step and the job end ``Failed``.

    :param job_database: where the rows are.
    :param job: the definition; a change of its steps makes the job's next version.
    :param step_id: the step, from 1.
    :param job_execution_id: the run.
    :param airflow: the task that resolves.
    :param resolve: asks the servers which databases a group holds now.
    :param log: receives a logging level and a text.
    :param measure: tells the sizes of databases by :attr:`Target.key`, for ``largest_first``; none by default.
    :param wait: waits between two tries, given seconds.
    :returns: the targets with the ids of their rows, and their waves if there is a rollout; empty if the step had
        nothing to do and has ended.
    :raises TargetGroupError: if the group could not be resolved; the row says so.
    :raises ElasticJobsError: if the run was asked to stop, or the job database refuses a write.
    """
    step = job.step(step_id)
    registered = register_job(job_database, job)
    while True:
        start = start_step(
            job_database, job_execution_id=job_execution_id, registered=registered, step_id=step_id, airflow=airflow
        )
        if not start.is_begun:
            return _nothing_to_begin(start)
        try:
            resolution = resolve(step.target_group)
        except ElasticJobsError as error:
            if not may_retry(ending_of(error, None), step.retry, start.attempts, idempotent=True):
                fail_step(job_database, start, error.message, error_number=error.number)
                raise
            delay = step.retry.delay(start.attempts)
            log(logging.WARNING, f"{error.message}; trying again in {delay:g} s")
            retry_step(job_database, start, error.message, delay_seconds=delay, error_number=error.number)
            wait(delay)
            continue
        _report(resolution, log)
        if step.rollout is None:
            return register_targets(job_database, start, resolution.targets)
        sizes = measure(resolution.targets) if measure is not None and step.rollout.largest_first else {}
        waves = into_waves(resolution.targets, step.rollout, sizes)
        log(logging.INFO, f"In waves of {', '.join(str(len(wave)) for wave in waves)} database(s)")
        return _register_waves(job_database, start, step.rollout, waves)


def _register_waves(
    job_database: JobDatabase, start: StepStart, rollout: Rollout, waves: list[list[Target]]
) -> list[RegisteredTarget]:
    wave_of = {target.key: number for number, wave in enumerate(waves, start=1) for target in wave}
    registered = register_targets(job_database, start, [target for wave in waves for target in wave])
    registered = [replace(each, wave=wave_of[each.target.key]) for each in registered]
    register_rollout(job_database, start, rollout, registered)
    return registered


def _nothing_to_begin(start: StepStart) -> list[RegisteredTarget]:
    if start.job_cancelled or start.lifecycle is None or not start.lifecycle.is_good:
        state = start.lifecycle or Lifecycle.CANCELED
        raise ElasticJobsError(
            f"step {start.step_id} ({start.step_name}) of run {start.job_execution_id} does not begin: {state}, "
            f"{start.last_message or 'the run was asked to stop'}",
            step_name=start.step_name,
        )
    return []


def _report(resolution: Resolution, log: Callable[[int, str], None]) -> None:
    for left_out in resolution.not_online:
        log(logging.WARNING, f"{left_out.target.label} is {left_out.state_desc}, not ONLINE: left out")
    log(logging.INFO, f"{len(resolution.targets)} database(s) to run on")
