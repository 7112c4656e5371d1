"""Asking a run to stop, as ``jobs.sp_stop_job`` does (reference 1.8): recorded at once, effective as soon as seen."""

from __future__ import annotations

from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import IS_CANCELLED
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = ["cancel_execution", "is_cancelled"]

_CANCEL = Batch(
    """
EXEC jobs_internal.cancel_execution @job_run, @requested_by;
SELECT lifecycle FROM jobs_internal.executions WHERE execution_id = @job_run;
""",
    job_run="uniqueidentifier",
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
    rows = db.run(_CANCEL, job_run=job_execution_id, requested_by=requested_by[:256])
    return Lifecycle(rows[0].lifecycle) if rows else None


_IS_CANCELLED = Batch(f"SELECT CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS answer;", run="uniqueidentifier")


def is_cancelled(db: JobDatabase, job_execution_id: UUID) -> bool:
    """Return whether a run was asked to stop."""
    return bool(db.run(_IS_CANCELLED, run=job_execution_id)[0].answer)
