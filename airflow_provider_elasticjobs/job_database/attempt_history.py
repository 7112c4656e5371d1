"""The reader of what happened on each target: its attempts, and what its script said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

__all__ = ["AttemptRow", "MessageRow", "attempts", "messages"]


@dataclass(frozen=True)
class AttemptRow:
    """A row of ``jobs_ext.job_attempts``, of a run that is known."""

    step_id: int
    target_server_name: str
    target_database_name: str
    rerun: int
    attempt: int
    start_time: datetime
    end_time: datetime | None
    duration_milliseconds: int | None
    outcome: str | None
    error_number: int | None
    message: str | None
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    try_number: int | None


@dataclass(frozen=True)
class MessageRow:
    """A row of ``jobs_ext.job_messages``, of a run that is known."""

    step_id: int
    target_server_name: str
    target_database_name: str
    rerun: int
    attempt: int
    ordinal: int
    kind: str
    number: int | None
    severity: int | None
    state: int | None
    line: int | None
    procedure_name: str | None
    row_count: int | None
    text: str


_ORDER = "step_id, target_server_name, target_database_name, rerun, attempt"
_ATTEMPTS = Batch(
    f"SELECT {', '.join(AttemptRow.__dataclass_fields__)} FROM jobs_ext.job_attempts"
    f" WHERE job_execution_id = @run ORDER BY {_ORDER};",
    run="uniqueidentifier",
)
_MESSAGES = Batch(
    f"SELECT {', '.join(MessageRow.__dataclass_fields__)} FROM jobs_ext.job_messages"
    f" WHERE job_execution_id = @run ORDER BY {_ORDER}, ordinal;",
    run="uniqueidentifier",
)


def attempts(db: JobDatabase, job_execution_id: UUID) -> list[AttemptRow]:
    """Return all attempts of a run, by step and target, in the order in which they were made."""
    return [AttemptRow(*row) for row in db.run(_ATTEMPTS, run=job_execution_id)]


def messages(db: JobDatabase, job_execution_id: UUID) -> list[MessageRow]:
    """Return what was kept of everything that the scripts of a run said, by step, target and attempt, in its order."""
    return [MessageRow(*row) for row in db.run(_MESSAGES, run=job_execution_id)]
