"""Asking for a run of a job (reference 1.7): recorded at once, as ``jobs.sp_start_job`` does it."""

from __future__ import annotations

from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.groups import LIVE
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message

__all__ = ["start_job"]

#: The request is kept where other rows keep their claim, so that one that is sent again finds its own run.
_START = Batch(
    """
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, is_active, lifecycle,
    create_time, current_attempts, last_message, round, lock_count, lost_attempt, airflow_clear_number, claim_id)
SELECT @run, @run, j.job_id, j.job_version, 1, 'Created', @now, 0, @message, 1, 0, 0, 0, @request
FROM jobs_internal.jobs AS j
WHERE j.job_name = @name AND j.tombstone_id = @live
    AND EXISTS (SELECT 1 FROM jobs_internal.job_steps AS s
        WHERE s.job_id = j.job_id AND s.job_version = j.job_version)
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run);
SELECT
    (SELECT COUNT(*) FROM jobs_internal.executions WHERE execution_id = @run AND claim_id = @request) AS started,
    (SELECT COUNT(*) FROM jobs_internal.executions WHERE execution_id = @run) AS known,
    (SELECT COUNT(*) FROM jobs_internal.jobs WHERE job_name = @name AND tombstone_id = @live) AS jobs;
""",
    run="uniqueidentifier",
    request="uniqueidentifier",
    name="nvarchar(128)",
    live="uniqueidentifier",
    message="nvarchar(max)",
)


def start_job(
    db: JobDatabase, job_name: str, job_execution_id: UUID | None = None, *, request_id: UUID | None = None
) -> UUID:
    """Record a run of a job's latest version in ``Created``; it begins when something picks it up.

    :param db: the job database.
    :param job_name: a job with at least one step.
    :param job_execution_id: the run's id; a new one by default.
    :param request_id: tells one request from another: sent again with the same id it finds its own run.
    :return: the run's id.
    :raises JobDatabaseError: if there is no such job, it has no steps, or the id is another run's.
    """
    run = job_execution_id or uuid4()
    rows = db.run(
        _START,
        run=run,
        request=request_id or uuid4(),
        name=job_name,
        live=LIVE,
        message=job_message(Lifecycle.CREATED),
    )
    if not rows[0].started:
        raise JobDatabaseError(
            _refusal(job_name, run, rows[0].known, rows[0].jobs), server=db.server, database=db.database
        )
    return run


def _refusal(job_name: str, run: UUID, known: int, jobs: int) -> str:
    if known:
        return f"a run with the id {run} exists already; give another id, or none"
    if not jobs:
        return f"there is no job {job_name!r} in the job database; 'airflow elasticjobs jobs list' tells the names"
    return f"job {job_name!r} has no steps, so it cannot be started"
