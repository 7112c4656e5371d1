"""Removing the history of finished runs, in batches (reference 1.13 and 7.3)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.groups import LIVE

__all__ = ["Purged", "purge_history"]

_PAUSE_SECONDS = 0.05

_PURGE = Batch(
    """
DECLARE @runs int = 0, @rows int = 0;
IF @name IS NOT NULL
    SELECT @job = job_id FROM jobs_internal.jobs WHERE job_name = @name AND tombstone_id = @live;
IF @name IS NULL OR @job IS NOT NULL
    EXEC jobs_internal.purge_runs @job, @oldest, @most_runs, @most_rows, @runs OUTPUT, @rows OUTPUT;
SELECT @runs AS runs, @rows AS total;
""",
    oldest="datetime2(7)",
    job="uniqueidentifier",
    name="nvarchar(128)",
    live="uniqueidentifier",
    most_runs="int",
    most_rows="int",
)


@dataclass(frozen=True)
class Purged:
    """What a purge removed: whole runs, and their rows in ``jobs.job_executions``, of all levels."""

    runs: int
    rows: int


def purge_history(
    db: JobDatabase,
    *,
    oldest: datetime | None = None,
    job_name: str | None = None,
    job_id: UUID | None = None,
    runs_at_once: int = 50,
    rows_at_once: int = 1000,
    pause: Callable[[float], None] = time.sleep,
) -> Purged:
    """Remove finished runs from the history, the oldest first; a name that no live job has removes nothing.

    Active runs stay, and so does the newest run of every job that is not deleted. Each batch is a transaction of its
    own, with a short pause after it, so that writers get their turn; a purge that is interrupted can be repeated.

    :param db: the job database.
    :param oldest: remove only runs that ended before this moment, UTC unless it has a zone; by default all that ended.
    :param job_name: only runs of this job; all jobs by default.
    :param job_id: the same by id, also of a job that is deleted.
    :param runs_at_once: most runs in one batch.
    :param rows_at_once: most target rows in one batch.
    :param pause: waits between batches, given seconds; tests replace it.
    :raises DefinitionError: if both a name and an id are given.
    """
    if job_name is not None and job_id is not None:
        raise DefinitionError("give job_name or job_id, not both")
    total = Purged(0, 0)
    while True:
        row = db.run(
            _PURGE,
            oldest=oldest,
            job=job_id,
            name=job_name,
            live=LIVE,
            most_runs=runs_at_once,
            most_rows=rows_at_once,
        )[0]
        if not row.total:
            return total
        total = Purged(total.runs + row.runs, total.rows + row.total)
        pause(_PAUSE_SECONDS)
