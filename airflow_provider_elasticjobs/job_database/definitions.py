"""Jobs as DAGs define them, kept in the job database with their versions (reference 1.1, 1.4, 3.10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.groups import LIVE, Runner, matching_group, write_group
from airflow_provider_elasticjobs.job_database.locking import take_lock
from airflow_provider_elasticjobs.job_database.records import RegisteredJob
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput
from airflow_provider_elasticjobs.model.targets import TargetGroup

__all__ = ["register_job"]


class _StoredStep(NamedTuple):
    """A step as the table holds it, apart from what a DAG cannot say."""

    step_id: int
    step_name: str
    command: str
    credential_name: str | None
    target_group_id: str
    initial_retry_interval_milliseconds: int
    maximum_retry_interval_milliseconds: int
    retry_interval_backoff_multiplier: float
    retry_attempts: int
    step_timeout_milliseconds: int
    max_parallelism: int | None
    max_parallelism_per_server: int | None
    rollout: str | None
    output_type: str | None
    output_credential_name: str | None
    output_server_name: str | None
    output_database_name: str | None
    output_schema_name: str | None
    output_table_name: str | None
    output_options: str | None

    def equals(self, other: _StoredStep) -> bool:
        """Whether both say the same; the multiplier is stored as a ``real``, which has seven digits."""
        multiplier = self.retry_interval_backoff_multiplier
        near = abs(multiplier - other.retry_interval_backoff_multiplier) <= 1e-6 * abs(multiplier)
        return near and self._replace(retry_interval_backoff_multiplier=0) == other._replace(
            retry_interval_backoff_multiplier=0
        )


_STEP_COLUMNS = ", ".join(_StoredStep._fields)
_KEY = "job_name = @name AND tombstone_id = @live"
_KEY_TYPES = {"name": "nvarchar(128)", "live": "uniqueidentifier"}

_READ = Batch(
    f"""
SELECT job_id, job_version, job_name, description FROM jobs_internal.jobs WHERE {_KEY};
SELECT {", ".join(f"s.{column}" for column in _StoredStep._fields)}
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.job_steps AS s ON s.job_id = j.job_id AND s.job_version = j.job_version
WHERE j.{_KEY}
ORDER BY s.step_id;
""",
    **_KEY_TYPES,
)

#: A job of a DAG has no schedule of its own: Airflow's starts it. So ``enabled`` is 0 and the rest as by default.
_CREATE = Batch(
    """
INSERT INTO jobs_internal.jobs (job_id, job_name, tombstone_id, job_version, description, enabled,
    schedule_interval_type, schedule_interval_count, schedule_start_time, schedule_end_time, create_time)
VALUES (@job, @name, @live, 0, @description, 0, N'Once', 1, '0001-01-01T00:00:00', '9999-12-31T11:59:59', @now);
""",
    job="uniqueidentifier",
    description="nvarchar(512)",
    **_KEY_TYPES,
)
#: The procedures of schema jobs lock a job by such a write; what is read after it stays true.
_LOCK = Batch(f"UPDATE jobs_internal.jobs SET job_version = job_version WHERE {_KEY};", **_KEY_TYPES)
_UPDATE = Batch(
    "UPDATE jobs_internal.jobs SET job_name = @name, description = @description, job_version = @version"
    " WHERE job_id = @job;",
    job="uniqueidentifier",
    name="nvarchar(128)",
    description="nvarchar(512)",
    version="int",
)
_ADD_VERSION = Batch(
    "INSERT INTO jobs_internal.job_versions (job_id, job_version, create_time) VALUES (@job, @version, @now);",
    job="uniqueidentifier",
    version="int",
)
_ADD_STEP = Batch(
    f"""
INSERT INTO jobs_internal.job_steps (job_id, job_version, command_type, command_source, {_STEP_COLUMNS})
VALUES (@job, @version, N'TSql', N'Inline', {", ".join(f"@{column}" for column in _StoredStep._fields)});
""",
    job="uniqueidentifier",
    version="int",
    step_id="int",
    step_name="nvarchar(128)",
    command="nvarchar(max)",
    credential_name="nvarchar(128)",
    target_group_id="uniqueidentifier",
    initial_retry_interval_milliseconds="int",
    maximum_retry_interval_milliseconds="int",
    retry_interval_backoff_multiplier="real",
    retry_attempts="int",
    step_timeout_milliseconds="int",
    max_parallelism="int",
    max_parallelism_per_server="int",
    rollout="nvarchar(max)",
    output_type="nvarchar(50)",
    output_credential_name="nvarchar(128)",
    output_server_name="nvarchar(256)",
    output_database_name="nvarchar(128)",
    output_schema_name="nvarchar(128)",
    output_table_name="nvarchar(128)",
    output_options="nvarchar(max)",
)


def register_job(db: JobDatabase, job: Job) -> RegisteredJob:
    """Make the stored job what the DAG says; steps that differ make the next version.

    The description changes no version, nor do the members of a target group. Nothing is written where nothing differs.
    Several processes may register the same job at once.

    :param db: the job database.
    :param job: the job, with its commands as text.
    :return: its id, and the version that says what ``job`` says.
    """
    return _stored(db, job) or db.transact(lambda session: _write(session, job))


def _groups(job: Job) -> dict[str, TargetGroup]:
    return {step.target_group.name.casefold(): step.target_group for step in job.steps}


def _stored(runner: Runner, job: Job) -> RegisteredJob | None:
    """Return the job if it is stored exactly as given."""
    groups: dict[str, UUID] = {}
    for name, group in _groups(job).items():
        group_id = matching_group(runner, group)
        if group_id is None:
            return None
        groups[name] = group_id
    heads, steps = runner.results(_READ, name=job.name, live=LIVE)
    if not heads or (heads[0].job_name, heads[0].description) != (job.name, job.description):
        return None
    same = _same_steps(steps, _wanted(job, groups))
    return RegisteredJob(UUID(str(heads[0].job_id)), heads[0].job_version) if same else None


def _write(session: Session, job: Job) -> RegisteredJob:
    take_lock(session, "definitions")
    groups = {name: write_group(session, group) for name, group in _groups(job).items()}
    session.run(_LOCK, name=job.name, live=LIVE)
    heads, stored_steps = session.results(_READ, name=job.name, live=LIVE)
    job_id = UUID(str(heads[0].job_id)) if heads else uuid4()
    version = heads[0].job_version if heads else 0
    if not heads:
        session.run(_CREATE, job=job_id, name=job.name, live=LIVE, description=job.description)
    wanted = _wanted(job, groups)
    if not _same_steps(stored_steps, wanted):
        version += 1
        session.run(_ADD_VERSION, job=job_id, version=version)
        for step in wanted:
            session.run(_ADD_STEP, job=job_id, version=version, **step._asdict())
    session.run(_UPDATE, job=job_id, name=job.name, description=job.description, version=version)
    return RegisteredJob(job_id, version)


def _wanted(job: Job, groups: Mapping[str, UUID]) -> list[_StoredStep]:
    return [
        _step(step_id, step, groups[step.target_group.name.casefold()]) for step_id, step in enumerate(job.steps, 1)
    ]


def _step(step_id: int, step: JobStep, group_id: UUID) -> _StoredStep:
    return _StoredStep(
        step_id,
        step.name,
        step.command,
        step.conn_id,
        str(group_id),
        round(step.retry.initial_interval * 1000),
        round(step.retry.maximum_interval * 1000),
        step.retry.backoff_multiplier,
        step.retry.attempts,
        step.step_timeout_seconds * 1000,
        step.max_parallelism,
        step.max_parallelism_per_server,
        None if step.rollout is None else json.dumps(step.rollout.to_json()),
        *_output_columns(step.output),
    )


def _output_columns(output: SqlDatabaseOutput | ParquetOutput | None) -> tuple[str | None, ...]:
    """Return the values of the columns about an output, in their order; what Elastic Jobs does not know is the last."""
    if isinstance(output, SqlDatabaseOutput):
        names = (output.server_name, output.database_name, output.schema_name, output.table_name)
        options = output.options()
        return (output.output_type, output.conn_id, *names, json.dumps(options) if options else None)
    return (*[None] * 6, None if output is None else json.dumps(output.to_json()))


def _same_steps(rows: list[Any], wanted: list[_StoredStep]) -> bool:
    stored = [_StoredStep(*row) for row in rows]
    stored = [step._replace(target_group_id=str(step.target_group_id).lower()) for step in stored]
    return len(stored) == len(wanted) and all(one.equals(other) for one, other in zip(stored, wanted, strict=True))
