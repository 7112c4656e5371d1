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

#: A run that has ended, by its job row ``e``. The newest of a live job stays: the next due time follows from it.
_IS_DISPENSABLE = """e.step_id IS NULL AND e.is_active = 0 AND (@oldest IS NULL OR e.end_time < @oldest)
    AND (@job IS NULL OR e.job_id = @job)
    AND (@name IS NULL OR (j.job_name = @name AND j.tombstone_id = @live))
    AND (j.delete_requested_time IS NOT NULL OR EXISTS (SELECT 1 FROM jobs_internal.executions AS n
        WHERE n.job_id = e.job_id AND n.step_id IS NULL AND (n.create_time > e.create_time
            OR (n.create_time = e.create_time AND n.execution_id > e.execution_id))))
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
        WHERE c.job_execution_id = e.execution_id AND c.is_active = 1)"""

_OF_RUNS = "job_execution_id IN (SELECT run FROM @runs)"
_CHILDLESS = """NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
    WHERE c.job_execution_id = {table}.job_execution_id AND c.target_type IN ({levels}))"""

#: The job rows are locked first, as all writers do, and looked at again: one that a cleared task has begun anew stays.
_PURGE = Batch(
    f"""
DECLARE @targets int, @steps int, @ended int;
DECLARE @runs TABLE (run uniqueidentifier NOT NULL PRIMARY KEY);
INSERT INTO @runs (run)
SELECT TOP (@most_runs) e.execution_id
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
WHERE {_IS_DISPENSABLE}
ORDER BY e.end_time, e.execution_id;
BEGIN TRANSACTION;
UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id IN (SELECT run FROM @runs);
DELETE FROM @runs
WHERE run IN (SELECT execution_id FROM jobs_internal.executions WHERE step_id IS NULL AND is_active = 1);
DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT TOP (@most_rows) execution_id
    FROM jobs_internal.executions WHERE {_OF_RUNS} AND target_type = 'SqlDatabase');
SET @targets = @@ROWCOUNT;
DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT s.execution_id
    FROM jobs_internal.executions AS s WHERE s.{_OF_RUNS} AND s.target_type = 'TargetGroup'
        AND {_CHILDLESS.format(table="s", levels="'SqlDatabase'")});
SET @steps = @@ROWCOUNT;
DELETE FROM jobs_internal.job_cancellations WHERE {_OF_RUNS}
    AND {_CHILDLESS.format(table="jobs_internal.job_cancellations", levels="'SqlDatabase', 'TargetGroup'")};
DELETE FROM jobs_internal.rollout_waves WHERE {_OF_RUNS}
    AND {_CHILDLESS.format(table="jobs_internal.rollout_waves", levels="'SqlDatabase', 'TargetGroup'")};
DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT p.execution_id
    FROM jobs_internal.executions AS p WHERE p.{_OF_RUNS} AND p.step_id IS NULL
        AND {_CHILDLESS.format(table="p", levels="'SqlDatabase', 'TargetGroup'")});
SET @ended = @@ROWCOUNT;
COMMIT TRANSACTION;
SELECT @ended AS runs, @targets + @steps + @ended AS total;
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
    """What a purge removed: whole runs, and rows of all levels."""

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
