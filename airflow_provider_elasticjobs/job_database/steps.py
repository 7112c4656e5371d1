"""The writer's part for a step: begin it, retry or fail its resolution (reference 3.1 and 3.2)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import (
    CLAIM_TYPES,
    FENCE,
    IS_CANCELLED,
    IS_NEWER,
    REOPEN_PARENT,
    TAKE,
    claim_values,
)
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import (
    Agent,
    AirflowRef,
    RegisteredJob,
    Settled,
    StepStart,
    step_execution_id,
)
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE, SETTLED
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, step_message

__all__ = ["fail_step", "retry_step", "start_step"]

#: A run's row is made by whoever comes first: the resolver of its first step, or a request to start.
_ENSURE_JOB = """
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, is_active, lifecycle,
    create_time, start_time, current_attempts, last_message, round, lock_count, lost_attempt,
    airflow_dag_id, airflow_run_id, airflow_clear_number)
SELECT @job_run, @job_run, @job, @version, 1, 'InProgress', @now, @now, 0, @job_begun, 1, 0, 0, @dag, @dag_run, @clear
WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @job_run);
"""

#: Whether an ended step is of another DAG run with the same id: one that was deleted and made again counts its tries
#: and clears from the beginning. (A resolver whose process was lost comes back with a higher try.)
_IS_RECREATED = """(is_active = 0 AND (airflow_clear_number > @clear
        OR (airflow_clear_number = @clear AND airflow_try_number >= @try)))"""

#: A run that had ended is begun anew, and a request to stop it is spent, if the step's task is newer than that end.
_REOPEN_JOB = f"""
DECLARE @newer int, @step_exists int;
SELECT @newer = COALESCE(SUM(CASE WHEN {IS_NEWER} OR {_IS_RECREATED} THEN 1 ELSE 0 END), 0)
FROM jobs_internal.executions WHERE execution_id = @execution AND (claim_id IS NULL OR claim_id <> @claim);
SELECT @step_exists = COUNT(*) FROM jobs_internal.executions WHERE execution_id = @execution;
IF @newer = 1 OR (@step_exists = 0 AND @clear > 0)
    DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id = @run
        AND EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run AND is_active = 0);
IF NOT {IS_CANCELLED} AND (@newer = 1 OR @step_exists = 0)
    UPDATE jobs_internal.executions SET {REOPEN_PARENT}, last_message = @job_waiting
    WHERE execution_id = @run AND is_active = 0;
UPDATE jobs_internal.executions SET airflow_clear_number = @clear
WHERE execution_id = @run AND airflow_clear_number < @clear;
UPDATE jobs_internal.executions
SET lifecycle = 'InProgress', start_time = @now, last_message = @job_begun,
    airflow_dag_id = @dag, airflow_run_id = @dag_run
WHERE execution_id = @run AND lifecycle = 'Created' AND NOT {IS_CANCELLED};
"""

_BEGIN_STEP = f"""
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, step_id, is_active,
    lifecycle, create_time, start_time, current_attempts, current_attempt_start_time, last_message, target_type,
    target_id, round, lock_count, lost_attempt, claim_id, claim_time, agent_id,
    airflow_dag_id, airflow_run_id, airflow_task_id, airflow_map_index, airflow_try_number, airflow_clear_number)
SELECT @execution, e.job_execution_id, e.job_id, e.job_version, s.step_id, 1, 'InProgress',
    @now, @now, 1, @now, @message, 'TargetGroup', s.target_group_id,
    1, 0, 0, @claim, @now, @agent, @dag, @dag_run, @task, @map_index, @try, @clear
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.job_steps AS s ON s.job_id = e.job_id AND s.job_version = e.job_version
WHERE e.execution_id = @run AND s.step_id = @step AND NOT {IS_CANCELLED}
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS x WHERE x.execution_id = @execution);
UPDATE jobs_internal.executions
SET lifecycle = 'InProgress', is_active = 1, end_time = NULL, next_attempt_start_time = NULL, settled_by = NULL,
    outcome = NULL, error_number = NULL, last_message = @message,
    start_time = CASE WHEN is_active = 0 OR start_time IS NULL THEN @now ELSE start_time END,
    current_attempts = CASE WHEN is_active = 0 THEN 1 ELSE current_attempts + 1 END,
    current_attempt_start_time = @now,
    round = round + @newer, is_outdated = 0, {TAKE}
WHERE execution_id = @execution AND claim_id <> @claim AND (is_active = 1 OR @newer = 1) AND NOT {IS_CANCELLED};
IF @newer = 1 AND NOT {IS_CANCELLED}
    UPDATE jobs_internal.executions SET is_outdated = 1
    WHERE job_execution_id = @run AND target_type = 'TargetGroup' AND step_id > @step AND is_active = 0;
UPDATE jobs_internal.executions
SET lifecycle = 'Canceled', is_active = 0, end_time = @now, start_time = COALESCE(start_time, @now),
    next_attempt_start_time = NULL, outcome = 'cancelled', last_message = @canceled_message, {TAKE}
WHERE execution_id = @execution AND is_active = 1 AND lifecycle <> 'WaitingForChildJobExecutions' AND {IS_CANCELLED};
"""

_START = Batch(
    f"""
{DECLARATIONS}
SET @run = @job_run;
SET @step = @step_number;
SET @settler = @claim;
{_ENSURE_JOB}
BEGIN TRANSACTION;
UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @run;
UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @execution;
{_REOPEN_JOB}
{_BEGIN_STEP}
COMMIT TRANSACTION;
IF {IS_CANCELLED}
BEGIN
{SETTLE}
END;
SELECT e.job_version, s.step_name, g.target_group_name, x.lifecycle, x.current_attempts, x.last_message,
    x.claim_id, CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS job_cancelled
FROM jobs_internal.executions AS e
LEFT JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = @step
LEFT JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
LEFT JOIN jobs_internal.executions AS x ON x.execution_id = @execution
WHERE e.execution_id = @run;
""",
    job_run="uniqueidentifier",
    execution="uniqueidentifier",
    job="uniqueidentifier",
    version="int",
    step_number="int",
    message="nvarchar(max)",
    canceled_message="nvarchar(max)",
    job_begun="nvarchar(max)",
    job_waiting="nvarchar(max)",
    **CLAIM_TYPES,
)


def start_step(
    db: JobDatabase,
    *,
    job_execution_id: UUID,
    registered: RegisteredJob,
    step_id: int,
    airflow: AirflowRef,
    agent: Agent | None = None,
) -> StepStart:
    """Begin a step: its row becomes ``InProgress`` (its targets are being evaluated); the run's row is made if need be.

    A run that exists keeps the version it began with. A newer try (a cleared resolver) begins an ended step anew, and
    with it the run; later steps that had ended do not count until they have begun anew too, or nobody is left to.
    A run that was asked to stop begins nothing: its step, if there is one, ends ``Canceled``.

    :param db: the job database.
    :param job_execution_id: the run.
    :param registered: the job and its version as of now, for a run that begins.
    :param step_id: the step, from 1.
    :param airflow: the resolving task.
    :param agent: the process that resolves, if it has a heartbeat; without one the step is not taken for a leftover.
    :raises JobDatabaseError: if the run's version has no such step.
    """
    claim_id = uuid4()
    rows = db.run(
        _START,
        job_run=job_execution_id,
        execution=step_execution_id(job_execution_id, step_id),
        job=registered.job_id,
        version=registered.job_version,
        step_number=step_id,
        message=step_message(Lifecycle.IN_PROGRESS, step_id),
        canceled_message=step_message(Lifecycle.CANCELED, step_id),
        job_begun=job_message(Lifecycle.IN_PROGRESS),
        job_waiting=job_message(Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS),
        **claim_values(claim_id, agent, airflow),
    )
    return _step_start(db, rows[0], job_execution_id, step_id, claim_id)


def _step_start(db: JobDatabase, row: Any, run: UUID, step_id: int, claim_id: UUID) -> StepStart:
    if row.step_name is None:
        raise JobDatabaseError(
            f"run {run} executes version {row.job_version} of its job, which has no step {step_id}",
            server=db.server,
            database=db.database,
        )
    return StepStart(
        job_execution_id=run,
        step_id=step_id,
        claim_id=claim_id,
        lifecycle=None if row.lifecycle is None else Lifecycle(row.lifecycle),
        job_cancelled=bool(row.job_cancelled),
        job_version=row.job_version,
        step_name=row.step_name,
        target_group_name=row.target_group_name,
        attempts=row.current_attempts or 0,
        last_message=row.last_message,
    )


_STEP_TYPES = {"execution": "uniqueidentifier", "claim": "uniqueidentifier"}

_RETRY = Batch(
    f"""
UPDATE jobs_internal.executions
SET lifecycle = 'WaitingForRetry', next_attempt_start_time = DATEADD(millisecond, @delay, @now),
    last_message = @message, outcome = 'failed', error_number = @error_number
WHERE {FENCE} AND lifecycle = 'InProgress';
SELECT lifecycle FROM jobs_internal.executions WHERE {FENCE};
""",
    delay="int",
    message="nvarchar(max)",
    error_number="int",
    **_STEP_TYPES,
)


def retry_step(
    db: JobDatabase, step: StepStart, message: str, *, delay_seconds: float, error_number: int | None = None
) -> bool:
    """Record that the targets could not be evaluated and will be again: ``WaitingForRetry``.

    The next attempt begins with :func:`start_step`.

    :param step: what :func:`start_step` returned.
    :param message: the error, for ``last_message``.
    :param delay_seconds: when the next attempt is due, counted from the server's present time.
    :return: whether the row says so; False if the step was taken over or stopped.
    """
    rows = db.run(
        _RETRY,
        execution=step_execution_id(step.job_execution_id, step.step_id),
        claim=step.claim_id,
        delay=round(delay_seconds * 1000),
        message=message,
        error_number=error_number,
    )
    return bool(rows) and rows[0].lifecycle == Lifecycle.WAITING_FOR_RETRY


_FAIL = Batch(
    f"""
{DECLARATIONS}
SET @settler = @claim;
SELECT @run = job_execution_id, @step = step_id FROM jobs_internal.executions WHERE execution_id = @execution;
UPDATE jobs_internal.executions
SET lifecycle = CASE WHEN {IS_CANCELLED} THEN 'Canceled' ELSE @lifecycle END, is_active = 0, end_time = @now,
    next_attempt_start_time = NULL, last_message = @message, outcome = @outcome, error_number = @error_number
WHERE {FENCE} AND lifecycle IN ('InProgress', 'WaitingForRetry');
{SETTLE}
SELECT e.lifecycle, {SETTLED} FROM jobs_internal.executions AS e WHERE e.{FENCE};
""",
    lifecycle="nvarchar(50)",
    message="nvarchar(max)",
    outcome="nvarchar(20)",
    error_number="int",
    **_STEP_TYPES,
)


def fail_step(
    db: JobDatabase,
    step: StepStart,
    message: str,
    *,
    lifecycle: Lifecycle = Lifecycle.FAILED,
    error_number: int | None = None,
) -> Settled:
    """End a step whose targets could not be evaluated; the job is settled with it.

    :param step: what :func:`start_step` returned.
    :param message: the error, for ``last_message``.
    :param lifecycle: ``Failed``, ``TimedOut`` or ``Canceled``.
    """
    outcomes = {Lifecycle.FAILED: "failed", Lifecycle.TIMED_OUT: "timed_out", Lifecycle.CANCELED: "cancelled"}
    rows = db.run(
        _FAIL,
        execution=step_execution_id(step.job_execution_id, step.step_id),
        claim=step.claim_id,
        lifecycle=lifecycle,
        message=message,
        outcome=outcomes[lifecycle],
        error_number=error_number,
    )
    if not rows:
        return Settled(written=False)
    now = Lifecycle(rows[0].lifecycle)
    job = rows[0].job_lifecycle
    return Settled(not now.is_active, now, now, None if job is None else Lifecycle(job))
