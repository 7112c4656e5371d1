"""The reader of definitions: which jobs, steps and target groups the job database holds (reference 2.1 to 2.7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.names import has_wildcard
from airflow_provider_elasticjobs.model.targets import MembershipType, TargetGroup, TargetType

__all__ = ["JobRow", "JobStepRow", "job_steps", "jobs", "target_group"]


@dataclass(frozen=True)
class JobRow:
    """A row of ``jobs.jobs``, with the number of its steps and its newest run, if it ever ran."""

    job_name: str
    job_id: UUID
    job_version: int
    description: str
    enabled: bool
    schedule_interval_type: str
    schedule_interval_count: int
    schedule_start_time: datetime
    schedule_end_time: datetime
    steps: int
    last_job_execution_id: UUID | None
    last_lifecycle: Lifecycle | None
    last_create_time: datetime | None


_JOBS = Batch(
    """
SELECT j.job_name, j.job_id, j.job_version, j.description, j.enabled, j.schedule_interval_type,
    j.schedule_interval_count, j.schedule_start_time, j.schedule_end_time,
    (SELECT COUNT(*) FROM jobs.jobsteps AS s WHERE s.job_id = j.job_id) AS steps,
    e.job_execution_id, e.lifecycle, e.create_time
FROM jobs.jobs AS j
LEFT JOIN jobs.job_executions AS e ON e.job_id = j.job_id AND e.step_id IS NULL
    AND e.job_execution_id = (SELECT TOP (1) n.job_execution_id FROM jobs.job_executions AS n
        WHERE n.job_id = j.job_id AND n.step_id IS NULL ORDER BY n.create_time DESC, n.job_execution_id DESC)
WHERE @name = N'' OR j.job_name = @name
ORDER BY j.job_name;
""",
    name="nvarchar(128)",
)


def jobs(db: JobDatabase, job_name: str | None = None) -> list[JobRow]:
    """Return the jobs in the order of their names.

    :param db: the job database.
    :param job_name: only this one; all by default.
    """
    return [_job(row) for row in db.run(_JOBS, name=job_name or "")]


def _job(row: Any) -> JobRow:
    values = dict(zip(JobRow.__dataclass_fields__, row, strict=True))
    values["job_id"] = UUID(str(row.job_id))
    values["enabled"] = bool(row.enabled)
    if row.lifecycle is not None:
        values["last_job_execution_id"] = UUID(str(row.job_execution_id))
        values["last_lifecycle"] = Lifecycle(row.lifecycle)
    return JobRow(**values)


@dataclass(frozen=True)
class JobStepRow:
    """A row of ``jobs.jobsteps``: a step of a job's current version."""

    step_id: int
    step_name: str
    target_group_name: str | None
    credential_name: str | None
    initial_retry_interval_seconds: int
    maximum_retry_interval_seconds: int
    retry_interval_backoff_multiplier: float
    retry_attempts: int
    step_timeout_seconds: int
    max_parallelism: int | None
    command: str | None


_STEPS = Batch(
    f"SELECT {', '.join(JobStepRow.__dataclass_fields__)} FROM jobs.jobsteps WHERE job_name = @name ORDER BY step_id;",
    name="nvarchar(128)",
)


def job_steps(db: JobDatabase, job_name: str) -> list[JobStepRow]:
    """Return the steps of a job's current version; empty if there is no such job."""
    return [JobStepRow(*row) for row in db.run(_STEPS, name=job_name)]


_GROUP = Batch(
    """
SELECT target_group_name, target_type, membership_type, refresh_credential_name,
    server_name, database_name, elastic_pool_name, shard_map_name, is_pattern, definition, conn_id
FROM jobs_ext.target_group_members WHERE target_group_name = @name
ORDER BY membership_type DESC, server_name, elastic_pool_name, database_name, target_type;
""",
    name="nvarchar(128)",
)


def target_group(db: JobDatabase, name: str) -> TargetGroup | None:
    """Return a target group as the job database holds it, None if there is none of this name or it has no members.

    :param db: the job database.
    :param name: the group's name.
    :raises DefinitionError: if it includes nothing, or has a member of a type that this package does not know.
    """
    rows = db.run(_GROUP, name=name)
    if not rows:
        return None
    members = [_member(row) for row in rows]
    return TargetGroup.from_json({"target_group_name": rows[0].target_group_name, "members": members})


def _member(row: Any) -> dict[str, Any]:
    names = {"server_name": row.server_name, "database_name": row.database_name}
    # A database that an elastic pool is written beside is still one database.
    if row.target_type != TargetType.SQL_DATABASE:
        names["elastic_pool_name"] = row.elastic_pool_name
    if row.target_type != TargetType.SQL_DATABASE or row.is_pattern:
        names["refresh_conn_id"] = row.refresh_credential_name
    return {
        "target_type": row.target_type,
        "membership_type": row.membership_type or str(MembershipType.INCLUDE),
        **names,
        "shard_map_name": row.shard_map_name,
        "conn_id": row.conn_id,
        # A procedure writes no patterns: what looks like one is a name.
        **({"literal": True} if not row.is_pattern and _has_wildcard(row) else {}),
        **(json.loads(row.definition) if row.definition else {}),
    }


def _has_wildcard(row: Any) -> bool:
    kinds = (TargetType.SQL_DATABASE, TargetType.SQL_ELASTIC_POOL)
    return row.target_type in kinds and has_wildcard((row.database_name or "") + (row.elastic_pool_name or ""))
