"""The reader: what ran, for people and for tasks that look at a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = ["ExecutionRow", "count_targets", "executions", "job_lifecycle", "latest_runs"]


@dataclass(frozen=True)
class ExecutionRow:
    """A row of ``jobs.job_executions``, without the columns that only Azure's own portal fills."""

    job_execution_id: UUID
    job_name: str
    job_version: int
    step_id: int | None
    step_name: str | None
    lifecycle: Lifecycle
    create_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    current_attempts: int
    last_message: str | None
    target_type: str | None
    target_group_name: str | None
    target_server_name: str | None
    target_database_name: str | None
    target_elastic_pool_name: str | None


_COLUMNS = ", ".join(ExecutionRow.__dataclass_fields__)


def _row(row: Any) -> ExecutionRow:
    values = dict(zip(ExecutionRow.__dataclass_fields__, row, strict=True))
    values["job_execution_id"] = UUID(str(values["job_execution_id"]))
    values["lifecycle"] = Lifecycle(values["lifecycle"])
    return ExecutionRow(**values)


_EXECUTIONS = Batch(
    f"""
SELECT {_COLUMNS} FROM jobs.job_executions WHERE job_execution_id = @run
ORDER BY COALESCE(step_id, 0), CASE WHEN target_type = 'SqlDatabase' THEN 1 ELSE 0 END,
    target_server_name, target_database_name;
""",
    run="uniqueidentifier",
)


def executions(db: JobDatabase, job_execution_id: UUID) -> list[ExecutionRow]:
    """Return all rows of a run: the job's, then each step's followed by its targets'; empty if there is no such run."""
    return [_row(row) for row in db.run(_EXECUTIONS, run=job_execution_id)]


_COUNTS = Batch(
    """
SELECT lifecycle, COUNT(*) AS targets FROM jobs_internal.executions
WHERE job_execution_id = @run AND target_type = 'SqlDatabase' AND (@step = 0 OR step_id = @step)
GROUP BY lifecycle;
""",
    run="uniqueidentifier",
    step="int",
)


def count_targets(db: JobDatabase, job_execution_id: UUID, step_id: int | None = None) -> dict[Lifecycle, int]:
    """Return how many targets of a run, or of one step of it, are in each lifecycle; those with none are left out."""
    rows = db.run(_COUNTS, run=job_execution_id, step=step_id or 0)
    found = {Lifecycle(row.lifecycle): int(row.targets) for row in rows}
    return {lifecycle: found[lifecycle] for lifecycle in Lifecycle if lifecycle in found}


_LIFECYCLE = Batch("SELECT lifecycle FROM jobs_internal.executions WHERE execution_id = @run;", run="uniqueidentifier")


def job_lifecycle(db: JobDatabase, job_execution_id: UUID) -> Lifecycle | None:
    """Return the lifecycle of a run's job row, None if there is no such run."""
    rows = db.run(_LIFECYCLE, run=job_execution_id)
    return Lifecycle(rows[0].lifecycle) if rows else None


_LATEST = Batch(
    f"""
SELECT TOP (@count) {_COLUMNS} FROM jobs.job_executions
WHERE step_id IS NULL AND (@job_name = N'' OR job_name = @job_name) AND (@only_active = 0 OR is_active = 1)
ORDER BY create_time DESC;
""",
    count="int",
    job_name="nvarchar(128)",
    only_active="bit",
)


def latest_runs(
    db: JobDatabase, *, job_name: str | None = None, only_active: bool = False, count: int = 20
) -> list[ExecutionRow]:
    """Return the job rows of the newest runs, newest first.

    :param db: the job database.
    :param job_name: only runs of this job; all jobs by default.
    :param only_active: only runs that have not ended.
    :param count: how many at most.
    """
    rows = db.run(_LATEST, count=count, job_name=job_name or "", only_active=only_active)
    return [_row(row) for row in rows]
