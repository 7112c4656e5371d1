"""The writer's part for a trial that only plans: the rows of a step's targets end before anybody comes to them."""

from __future__ import annotations

from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.sentences import planned_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE

__all__ = ["plan_targets"]

#: The waves go, so that none of them begins.
_PLAN = Batch(
    f"""
{DECLARATIONS}
SET @run = @job_run;
SET @step = @step_number;
UPDATE jobs_internal.executions
SET lifecycle = 'Skipped', is_active = 0, start_time = @now, end_time = @now, outcome = 'skipped',
    waiting_cause = NULL, last_message = {planned_sentence()}
WHERE job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase' AND lifecycle = 'Created'
    AND claim_id IS NULL;
DELETE FROM jobs_internal.rollout_waves WHERE job_execution_id = @run AND step_id = @step;
{SETTLE}
""",
    job_run="uniqueidentifier",
    step_number="int",
)


def plan_targets(db: JobDatabase, job_execution_id: UUID, step_id: int) -> None:
    """End the rows of a step's targets ``Skipped``, planned and not run, and settle the step, and then the job.

    :param db: the job database.
    :param job_execution_id: the run.
    :param step_id: the step, whose targets are registered and not claimed.
    """
    db.run(_PLAN, job_run=job_execution_id, step_number=step_id)
