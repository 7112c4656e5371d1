"""The writer's part for one target: claim its row, begin attempts, wait for retries, finish (reference 3.1 to 3.5).

Each write is one batch: a conditional update of the row as long as it belongs to the claim and the transition is legal.
Sent twice it changes nothing more, and answers the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_provider_elasticjobs.job_database.agents import DEFAULT_EXPIRY
from airflow_provider_elasticjobs.job_database.attempts import END_ATTEMPT, MESSAGE_TYPES, OUTCOME, message_rows
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import FENCE
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.places import begin_with_place
from airflow_provider_elasticjobs.job_database.records import (
    AttemptMessage,
    AttemptStart,
    Claim,
    Settled,
)
from airflow_provider_elasticjobs.job_database.rollouts import LOCK_ROLLOUT, stop_if_used_up
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE, SETTLED, settled_of
from airflow_provider_elasticjobs.job_database.together import begin_attempts
from airflow_provider_elasticjobs.model.lifecycle import TRANSITIONS, Lifecycle
from airflow_provider_elasticjobs.model.messages import target_message
from airflow_provider_elasticjobs.model.outcome import Outcome

__all__ = ["begin_attempt", "finish_target", "wait_for_retry"]

_FENCE_TYPES = {"execution": "uniqueidentifier", "claim": "uniqueidentifier"}


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
    if not claim.is_plain:
        message = _sentence(claim, Lifecycle.IN_PROGRESS)
        return begin_with_place(db, claim, attempt, message, expiry_seconds=expiry_seconds)
    return begin_attempts(db, [(claim, attempt)])[0]


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
    stopped = counted and stop_if_used_up(db, claim) is not None
    return replace(settled_of(rows[0], lifecycle), rollout_stopped=stopped)


def _sentence(claim: Claim, lifecycle: Lifecycle) -> str:
    return target_message(lifecycle, claim.step_id, claim.target.server_name, claim.target.database_name)
