"""Asking a run to stop (reference 1.8): recorded at once, effective as soon as its processes see it."""

from __future__ import annotations

from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import IS_CANCELLED
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.sentences import step_sentence, target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = ["cancel_execution", "is_cancelled"]

#: What waits ends here: nothing of it is running. What runs is ended by its own process, which its heartbeat tells.
_CANCEL = Batch(
    f"""
{DECLARATIONS}
DECLARE @clear int;
SET @run = @job_run;
SET @settler = @request;
INSERT INTO jobs_internal.job_cancellations (job_execution_id, request_time, requested_by)
SELECT @run, @now, @requested_by
FROM jobs_internal.executions
WHERE execution_id = @run AND is_active = 1 AND NOT {IS_CANCELLED};
IF {IS_CANCELLED}
BEGIN
    SELECT @clear = airflow_clear_number FROM jobs_internal.executions WHERE execution_id = @run;
    UPDATE jobs_internal.executions
    SET lifecycle = 'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
        next_attempt_start_time = NULL, outcome = 'cancelled', waiting_cause = NULL,
        last_message = {target_sentence(Lifecycle.CANCELED)},
        airflow_clear_number = CASE WHEN claim_id IS NULL THEN @clear ELSE airflow_clear_number END
    WHERE job_execution_id = @run AND target_type = 'SqlDatabase' AND lifecycle IN ('Created', 'WaitingForRetry');
    UPDATE jobs_internal.executions
    SET lifecycle = 'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
        next_attempt_start_time = NULL, outcome = 'cancelled',
        last_message = {step_sentence("'Canceled'", "step_id")}
    WHERE job_execution_id = @run AND target_type = 'TargetGroup' AND lifecycle IN ('Created', 'WaitingForRetry');
    SELECT @step = MAX(step_id) FROM jobs_internal.executions
    WHERE job_execution_id = @run AND target_type = 'TargetGroup' AND is_active = 1;
{SETTLE}
END;
SELECT CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS is_cancelled,
    lifecycle FROM jobs_internal.executions WHERE execution_id = @run;
""",
    job_run="uniqueidentifier",
    request="uniqueidentifier",
    requested_by="nvarchar(256)",
)


def cancel_execution(db: JobDatabase, job_execution_id: UUID, *, requested_by: str = "") -> Lifecycle | None:
    """Ask a whole run to stop.

    Rows that wait (``Created``, ``WaitingForRetry``) end ``Canceled`` at once; rows in progress are ended by the
    process that runs them, which learns of it from its next heartbeat. When nothing is in progress, the step and the
    job are settled here. A run that has ended is left as it is.

    :param db: the job database.
    :param job_execution_id: the run.
    :param requested_by: who asks, kept with the request.
    :return: the job's lifecycle now; None if there is no such run.
    """
    rows = db.run(_CANCEL, job_run=job_execution_id, request=job_execution_id, requested_by=requested_by[:256])
    return Lifecycle(rows[0].lifecycle) if rows else None


_IS_CANCELLED = Batch(f"SELECT CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS answer;", run="uniqueidentifier")


def is_cancelled(db: JobDatabase, job_execution_id: UUID) -> bool:
    """Return whether a run was asked to stop."""
    return bool(db.run(_IS_CANCELLED, run=job_execution_id)[0].answer)
