"""The writer's part for one target: claim its row, begin attempts, wait for retries, finish (reference 3.1 to 3.5).

Each write is one batch: a conditional update of the row as long as it belongs to the claim and the transition is legal.
Sent twice it changes nothing more, and answers the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY
from airflow_provider_elasticjobs.job_database.attempts import (
    BEGIN_ATTEMPT,
    END_ATTEMPT,
    LOSE_ATTEMPT,
    MESSAGE_TYPES,
    OUTCOME,
    message_rows,
)
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import (
    CLAIM_TYPES,
    FENCE,
    IS_CANCELLED,
    IS_NOT_SUPERSEDED,
    TAKE,
    claim_values,
)
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.places import BEGUN, MAY_BEGIN, begin_with_place
from airflow_provider_elasticjobs.job_database.records import (
    Agent,
    AirflowRef,
    AlreadyFinished,
    AttemptMessage,
    AttemptStart,
    Claim,
    Settled,
)
from airflow_provider_elasticjobs.job_database.reopening import reopen
from airflow_provider_elasticjobs.job_database.rollouts import LOCK_ROLLOUT, stop_if_used_up
from airflow_provider_elasticjobs.job_database.sentences import target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE, SETTLED
from airflow_provider_elasticjobs.model.identifiers import work_id
from airflow_provider_elasticjobs.model.lifecycle import TRANSITIONS, Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_WORKER, target_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.parameters import parameters_from_text
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["begin_attempt", "claim_target", "finish_target", "wait_for_retry"]

_CLAIM = Batch(
    f"""
{DECLARATIONS}
DECLARE @step_row uniqueidentifier, @taken int;
SET @settler = @claim;
SELECT @run = job_execution_id, @step = step_id
FROM jobs_internal.executions WHERE execution_id = @execution AND target_type = 'SqlDatabase';
SELECT @step_row = execution_id
FROM jobs_internal.executions WHERE job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup';
{reopen("execution_id = @execution")}
UPDATE jobs_internal.executions SET airflow_clear_number = @clear
WHERE execution_id = @run AND airflow_clear_number < @clear;
IF {IS_CANCELLED}
BEGIN
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions
    SET lifecycle = 'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
        next_attempt_start_time = NULL, waiting_cause = NULL, last_message = {target_sentence(Lifecycle.CANCELED)},
        outcome = CASE WHEN lifecycle = 'InProgress' THEN 'unknown' ELSE 'cancelled' END, {TAKE}
    WHERE execution_id = @execution AND is_active = 1 AND {IS_NOT_SUPERSEDED};
    IF @@ROWCOUNT > 0
        {LOSE_ATTEMPT}
    COMMIT TRANSACTION;
{SETTLE}
END;
UPDATE jobs_internal.executions
SET lost_attempt = CASE WHEN lifecycle = 'InProgress' THEN 1 ELSE lost_attempt END, {TAKE}
WHERE execution_id = @execution AND is_active = 1 AND (claim_id IS NULL OR claim_id <> @claim)
    AND {IS_NOT_SUPERSEDED} AND NOT {IS_CANCELLED};
SET @taken = @@ROWCOUNT;
UPDATE jobs_internal.executions
SET airflow_task_id = @task, airflow_map_index = @map_index, airflow_try_number = @try, airflow_clear_number = @clear
WHERE execution_id = @execution AND is_active = 0 AND airflow_try_number IS NULL;
SELECT @taken AS taken, e.claim_id, e.is_active, e.lifecycle, e.last_message, e.error_number, e.job_execution_id,
    e.job_id, e.job_version, e.step_id, e.current_attempts, e.lost_attempt, e.target_server_name,
    e.target_database_name, e.target_elastic_pool_name, e.conn_id, e.airflow_try_number,
    r.create_time AS job_execution_create_time, j.job_name, s.step_name, g.target_group_name,
    s.max_parallelism, s.max_parallelism_per_server, e.target_ordinal, e.wave, e.parameters,
    e.create_time, e.rerun, DATEDIFF(second, e.start_time, @now) AS elapsed_seconds
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.executions AS r ON r.execution_id = e.job_execution_id
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
INNER JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
INNER JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
WHERE e.execution_id = @execution AND e.target_type = 'SqlDatabase';
""",
    execution="uniqueidentifier",
    waiting="nvarchar(max)",
    **CLAIM_TYPES,
)


def claim_target(
    db: JobDatabase, execution_id: UUID, airflow: AirflowRef, agent: Agent | None = None
) -> Claim | AlreadyFinished:
    """Claim a target's row for a task, so that only this claim can write it from now on.

    A row that ended is begun anew, with its step and its job and attempts from 0, by a task that was cleared since, or,
    if it did not end well, by a later try; for any other task it is :class:`AlreadyFinished`. An active row is taken
    over from an earlier claim, whose writes are refused from then on. In a run that was asked to stop, the row ends
    ``Canceled``.

    :param db: the job database.
    :param execution_id: the row.
    :param airflow: the task.
    :param agent: the process that will run the script; its heartbeat keeps the claim alive.
    :raises JobDatabaseError: if there is no such row, or a later try of the same task has claimed it.
    """
    claim_id = uuid4()
    rows = db.run(_CLAIM, execution=execution_id, waiting=WAITING_FOR_WORKER, **claim_values(claim_id, agent, airflow))
    if not rows:
        message = f"no target execution {execution_id} in the job database (was its history purged?)"
        raise JobDatabaseError(message, server=db.server, database=db.database)
    row = rows[0]
    if not row.is_active:
        return AlreadyFinished(Lifecycle(row.lifecycle), row.last_message, row.error_number)
    # A claim that was taken and lost again at once is still a claim: its first write will be refused.
    if not row.taken and UUID(str(row.claim_id)) != claim_id:
        message = f"target execution {execution_id} was claimed by a later try ({row.airflow_try_number}) of the task"
        raise JobDatabaseError(message, server=db.server, database=db.database)
    return _claim(row, execution_id, claim_id)


def _claim(row: Any, execution_id: UUID, claim_id: UUID) -> Claim:
    return Claim(
        execution_id=execution_id,
        claim_id=claim_id,
        job_execution_id=UUID(str(row.job_execution_id)),
        job_execution_create_time=row.job_execution_create_time,
        job_id=UUID(str(row.job_id)),
        job_name=row.job_name,
        job_version=row.job_version,
        step_id=row.step_id,
        step_name=row.step_name,
        target_group_name=row.target_group_name,
        target=Target(
            row.target_server_name,
            row.target_database_name,
            row.target_elastic_pool_name,
            row.conn_id,
            parameters_from_text(row.parameters),
        ),
        attempts=row.current_attempts,
        lost_attempt=bool(row.lost_attempt),
        work_id=work_id(execution_id, row.create_time, row.rerun),
        elapsed_seconds=row.elapsed_seconds or 0,
        max_parallelism=row.max_parallelism,
        max_parallelism_per_server=row.max_parallelism_per_server,
        target_ordinal=row.target_ordinal or 0,
        wave=row.wave,
    )


_FENCE_TYPES = {"execution": "uniqueidentifier", "claim": "uniqueidentifier"}

_BEGIN = Batch(
    f"""
DECLARE @run uniqueidentifier;
SELECT @run = job_execution_id FROM jobs_internal.executions WHERE execution_id = @execution;
BEGIN TRANSACTION;
UPDATE jobs_internal.executions SET {BEGUN} WHERE {MAY_BEGIN};
{BEGIN_ATTEMPT}
COMMIT TRANSACTION;
SELECT CASE WHEN lifecycle = 'InProgress' AND current_attempts = @attempt AND claim_id = @claim
        THEN 1 ELSE 0 END AS begun,
    CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS cancelled
FROM jobs_internal.executions WHERE execution_id = @execution;
""",
    attempt="int",
    message="nvarchar(max)",
    **_FENCE_TYPES,
)


def begin_attempt(
    db: JobDatabase, claim: Claim, attempt: int, *, expiry_seconds: float = DEFAULT_EXPIRY
) -> AttemptStart:
    """Record that an attempt of the script begins now: ``InProgress``.

    Where the step has a cap, the attempt begins only if there is a place for it, which it holds until its row is
    finished or waits for a retry, or its process is lost. In a rollout it begins only at its time, and not after too
    many targets have failed. One round trip, with a cap or a rollout or without.

    :param db: the job database.
    :param claim: the claim on the row.
    :param attempt: the attempt, ``claim.attempts + 1`` for the first of this claim.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost, and its places as free.
    :return: whether it may run; if the run was asked to stop, or the claim was lost, it must not, and if it says what
        it waits for, ask again soon.
    """
    message = _sentence(claim, Lifecycle.IN_PROGRESS)
    if claim.needs_place or claim.wave is not None:
        return begin_with_place(db, claim, attempt, message, expiry_seconds=expiry_seconds)
    rows = db.run(_BEGIN, execution=claim.execution_id, claim=claim.claim_id, attempt=attempt, message=message)
    if not rows:
        return AttemptStart(begun=False, cancelled=False)
    return AttemptStart(begun=bool(rows[0].begun), cancelled=bool(rows[0].cancelled))


_WAIT = Batch(
    f"""
BEGIN TRANSACTION;
UPDATE jobs_internal.executions
SET lifecycle = 'WaitingForRetry', next_attempt_start_time = DATEADD(millisecond, @delay, @now),
    last_message = @message, outcome = @outcome, error_number = @error_number, lost_attempt = @lost_attempt,
    waiting_cause = NULL
WHERE {FENCE} AND lifecycle = 'InProgress';
{END_ATTEMPT}
COMMIT TRANSACTION;
SELECT lifecycle FROM jobs_internal.executions WHERE {FENCE};
""",
    MESSAGE_TYPES,
    delay="int",
    message="nvarchar(max)",
    outcome="nvarchar(20)",
    error_number="int",
    lost_attempt="bit",
    **_FENCE_TYPES,
)


def wait_for_retry(
    db: JobDatabase,
    claim: Claim,
    message: str,
    *,
    delay_seconds: float,
    outcome: Outcome = Outcome.FAILED,
    error_number: int | None = None,
    lost_attempt: bool = False,
    messages: Sequence[AttemptMessage] = (),
) -> bool:
    """Record that an attempt failed and another will follow: ``WaitingForRetry``, with the error as message.

    :param db: the job database.
    :param claim: the claim on the row.
    :param message: the error's text; it stays while the next attempt is waited for.
    :param delay_seconds: when the next attempt is due, counted from the server's present time.
    :param outcome: what the attempt came to.
    :param error_number: the engine's number of the error, if it gave one.
    :param lost_attempt: whether some attempt was lost and not reckoned with, because its target was not reached since;
        who takes over the row is told.
    :param messages: what the script said during the attempt, at most :data:`~.attempts.MOST_MESSAGES`.
    :return: whether the row says so; False if the claim was lost or the run was stopped.
    """
    rows = db.run(
        _WAIT,
        message_rows(messages),
        execution=claim.execution_id,
        claim=claim.claim_id,
        delay=round(delay_seconds * 1000),
        message=message,
        outcome=outcome,
        error_number=error_number,
        lost_attempt=lost_attempt,
    )
    return bool(rows) and rows[0].lifecycle == Lifecycle.WAITING_FOR_RETRY


def _finish_batch(lifecycle: Lifecycle, lock: str = "") -> Batch:
    sources = ", ".join(f"'{source}'" for source, follow in TRANSITIONS.items() if lifecycle in follow)
    return Batch(
        f"""
{DECLARATIONS}
SET @settler = @claim;
SET @run = @job_run;
SET @step = @step_number;
BEGIN TRANSACTION;
{lock}
UPDATE jobs_internal.executions
SET lifecycle = '{lifecycle}', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
    next_attempt_start_time = NULL, last_message = @message, error_number = @error_number,
    outcome = CASE WHEN @in_doubt = 1 THEN 'unknown' ELSE {OUTCOME} END, waiting_cause = NULL
WHERE {FENCE} AND lifecycle IN ({sources});
{END_ATTEMPT}
COMMIT TRANSACTION;
{SETTLE}
SELECT e.lifecycle, {SETTLED} FROM jobs_internal.executions AS e WHERE e.{FENCE};
""",
        MESSAGE_TYPES,
        job_run="uniqueidentifier",
        step_number="int",
        message="nvarchar(max)",
        in_doubt="bit",
        outcome="nvarchar(20)",
        error_number="int",
        **_FENCE_TYPES,
    )


_ENDS = (Lifecycle.SUCCEEDED, Lifecycle.SKIPPED, Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED)
_FINISH = {lifecycle: _finish_batch(lifecycle) for lifecycle in _ENDS}
#: In a rollout, a failure is written behind the lock behind which attempts begin.
_FAIL_IN_ROLLOUT = {end: _finish_batch(end, LOCK_ROLLOUT) for end in (Lifecycle.FAILED, Lifecycle.TIMED_OUT)}


def finish_target(
    db: JobDatabase,
    claim: Claim,
    lifecycle: Lifecycle,
    message: str | None = None,
    *,
    outcome: Outcome,
    error_number: int | None = None,
    in_doubt: bool = False,
    messages: Sequence[AttemptMessage] = (),
) -> Settled:
    """End a target's row; if it is the last of its step, the step is settled, and then the job.

    In a rollout, a failure that is one too many also ends the rows of the step that wait.

    :param db: the job database.
    :param claim: the claim on the row.
    :param lifecycle: ``Succeeded``, ``Skipped``, ``Failed``, ``TimedOut`` or ``Canceled``.
    :param message: the error's text; by default the sentence of the lifecycle.
    :param outcome: what the last attempt came to.
    :param error_number: the engine's number of the error, if it gave one.
    :param in_doubt: whether an earlier attempt may have taken effect: the row's outcome is unknown then, whatever the
        last attempt's.
    :param messages: what the script said during the attempt that ends, at most :data:`~.attempts.MOST_MESSAGES`.
    """
    counted = claim.wave is not None and lifecycle in _FAIL_IN_ROLLOUT
    rows = db.run(
        _FAIL_IN_ROLLOUT[lifecycle] if counted else _FINISH[lifecycle],
        message_rows(messages),
        execution=claim.execution_id,
        claim=claim.claim_id,
        job_run=claim.job_execution_id,
        step_number=claim.step_id,
        message=_sentence(claim, lifecycle) if message is None else message,
        outcome=outcome,
        in_doubt=in_doubt,
        error_number=error_number,
    )
    if not rows:
        return Settled(written=False)
    now, step, job = (
        None if value is None else Lifecycle(value)
        for value in (rows[0].lifecycle, rows[0].step_lifecycle, rows[0].job_lifecycle)
    )
    stopped = counted and stop_if_used_up(db, claim) is not None
    return Settled(now is lifecycle, now, step, job, stopped)


def _sentence(claim: Claim, lifecycle: Lifecycle) -> str:
    return target_message(lifecycle, claim.step_id, claim.target.server_name, claim.target.database_name)
