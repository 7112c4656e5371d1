"""Removing the history of runs that have ended, as ``jobs.sp_purge_jobhistory`` does (reference 1.13, 7.3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

__all__ = ["KEPT_DAYS", "purge_history", "purge_old_history"]

#: Days that Elastic Jobs keeps the history of a run.
KEPT_DAYS = 45

_TYPES = {"name": "nvarchar(128)", "id": "uniqueidentifier", "oldest": "datetime2(7)"}
_PURGE = Batch(
    "EXEC jobs.sp_purge_jobhistory @job_name = @name, @job_id = @id, @oldest_date = @oldest;",
    **_TYPES,
)
_JOBS = Batch(
    """
SELECT DISTINCT e.job_id, DATEADD(second, -@kept, @now) AS oldest
FROM jobs_internal.executions AS e
WHERE e.step_id IS NULL AND e.is_active = 0 AND e.end_time < DATEADD(second, -@kept, @now);
""",
    kept="int",
)


def purge_history(
    db: JobDatabase,
    *,
    job_name: str | None = None,
    job_id: UUID | None = None,
    oldest_date: datetime | None = None,
) -> None:
    """Remove the runs of one job that have ended.

    Runs that are active stay, and so does the latest run of a job that is not deleted. Nothing is done for a job that
    does not exist.

    :param db: the job database.
    :param job_name: the job's name; either this or ``job_id``.
    :param job_id: the job's id; of a deleted job too.
    :param oldest_date: remove only what ended before it; UTC, unless it has a time zone. Default: all that has ended.
    :raises JobDatabaseError: if both or neither of name and id are given, or the server refuses.
    """
    db.run(_PURGE, name=job_name, id=job_id, oldest=oldest_date)


def purge_old_history(db: JobDatabase, *, kept: timedelta = timedelta(days=KEPT_DAYS)) -> int:
    """Remove what ended longer ago than ``kept``, of all jobs and also of deleted ones.

    :param db: the job database.
    :param kept: how long history is kept, by the job database's clock; default 45 days, as in Elastic Jobs.
    :return: the number of jobs with runs as old as that.
    """
    rows = db.run(_JOBS, kept=round(kept.total_seconds()))
    for row in rows:
        purge_history(db, job_id=UUID(str(row.job_id)), oldest_date=row.oldest)
    return len(rows)
