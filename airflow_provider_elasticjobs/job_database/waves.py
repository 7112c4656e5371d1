"""Beginning a later wave of a step's rollout, once every target of the waves before it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import IS_CANCELLED, REOPEN_PARENT
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import RegisteredTarget
from airflow_provider_elasticjobs.job_database.rollouts import (
    ASK_BUDGET_BEFORE_WAVE,
    DECLARE_ROLLOUT,
    LEAVE_OUT,
    LOCK_ROLLOUT,
)
from airflow_provider_elasticjobs.job_database.sentences import job_sentence, step_sentence, target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import NEVER_BEGUN, WAITING_FOR_WORKER
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["WaveStart", "begin_wave"]


@dataclass(frozen=True)
class WaveStart:
    """Whether a wave may begin, and with which targets.

    :param targets: the wave's targets in their order; empty if it may not begin, or holds none.
    :param still_active: targets of earlier waves that have not ended; ask again later.
    :param cancelled: the run was asked to stop.
    :param stopped: how many targets failed and how many may, if that is too many.
    :param before: how many targets of the step come before these.
    """

    targets: list[RegisteredTarget] = field(default_factory=list)
    still_active: int = 0
    cancelled: bool = False
    stopped: str | None = None
    before: int = 0


_STEP_ROW = "job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup'"
_OF_ROUND = "job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase' AND round = @wave_round"

#: Targets that ended before any task had come to them, because the rollout or the run was stopped, wait again, and so
#: do their parents: what failed was cleared since.
_BRING_BACK = f"""
        UPDATE jobs_internal.executions
        SET lifecycle = 'Created', is_active = 1, start_time = NULL, end_time = NULL, outcome = NULL, claim_id = NULL,
            last_message = @waiting
        WHERE {_OF_ROUND} AND wave >= @wave AND is_active = 0 AND airflow_try_number IS NULL;
        SET @brought_back = @@ROWCOUNT;
        IF @brought_back > 0
        BEGIN
            UPDATE jobs_internal.executions SET {REOPEN_PARENT},
                last_message = {job_sentence("'WaitingForChildJobExecutions'")}
            WHERE execution_id = @run AND is_active = 0;
            UPDATE jobs_internal.executions SET {REOPEN_PARENT},
                last_message = {step_sentence("'WaitingForChildJobExecutions'", "step_id")}
            WHERE {_STEP_ROW} AND is_active = 0;
        END;
        UPDATE jobs_internal.rollout_waves SET begin_time = @now
        WHERE job_execution_id = @run AND step_id = @step AND wave = @wave
            AND (begin_time IS NULL OR @brought_back > 0);"""

_BEGIN_WAVE = Batch(
    f"""
{DECLARATIONS}
{DECLARE_ROLLOUT}
DECLARE @still_active int, @asked_to_stop int, @brought_back int, @wave_round int;
SET @run = @job_run;
SET @step = @step_number;
SET @settler = @claim;
SELECT @asked_to_stop = CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END;
SELECT @wave_round = round FROM jobs_internal.rollout_waves
WHERE job_execution_id = @run AND step_id = @step AND wave = 0;
SELECT @still_active = COUNT(*) FROM jobs_internal.executions
WHERE {_OF_ROUND} AND wave < @wave AND is_active = 1 AND lifecycle <> 'Created';
IF @still_active = 0 AND @asked_to_stop = 0
BEGIN
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @run;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE {_STEP_ROW};
{LOCK_ROLLOUT}
    UPDATE jobs_internal.executions
    SET lifecycle = 'Failed', is_active = 0, start_time = @now, end_time = @now, outcome = 'failed',
        waiting_cause = NULL, last_message = {target_sentence(Lifecycle.FAILED, suffix=NEVER_BEGUN)}
    WHERE {_OF_ROUND} AND wave < @wave AND lifecycle = 'Created';
{ASK_BUDGET_BEFORE_WAVE}
    IF @stopped IS NULL
    BEGIN
{_BRING_BACK}
    END
    ELSE
    BEGIN
{LEAVE_OUT}
    END;
    COMMIT TRANSACTION;
{SETTLE}
END;
SELECT @still_active AS still_active, @asked_to_stop AS cancelled, @stopped AS stopped;
SELECT execution_id, target_server_name, target_database_name, target_elastic_pool_name, conn_id, target_ordinal
FROM jobs_internal.executions
WHERE {_OF_ROUND} AND wave = @wave AND @still_active = 0 AND @asked_to_stop = 0 AND @stopped IS NULL
ORDER BY target_ordinal, execution_id;
""",
    job_run="uniqueidentifier",
    step_number="int",
    wave="int",
    claim="uniqueidentifier",
    waiting="nvarchar(max)",
)


def begin_wave(db: JobDatabase, job_execution_id: UUID, step_id: int, wave: int) -> WaveStart:
    """Begin a wave if every target of the earlier ones has ended and not too many of them failed.

    Only right when Airflow has no task left that could begin a target of an earlier wave: one that nobody has begun
    ends ``Failed`` and counts as such. If too many failed, the targets of this wave and of later ones end ``Skipped``.

    :param db: the job database.
    :param job_execution_id: the run.
    :param step_id: the step.
    :param wave: the wave, from 2; the targets that no wave takes are the last one.
    """
    (answer,), rows = db.results(
        _BEGIN_WAVE,
        job_run=job_execution_id,
        step_number=step_id,
        wave=wave,
        claim=uuid4(),
        waiting=WAITING_FOR_WORKER,
    )
    targets = [RegisteredTarget(UUID(str(row.execution_id)), Target(*row[1:5])) for row in rows]
    before = rows[0].target_ordinal - 1 if rows else 0
    return WaveStart(targets, answer.still_active, bool(answer.cancelled), answer.stopped, before)
