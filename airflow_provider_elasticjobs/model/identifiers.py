"""Identifiers that are derived, so that a repeated task finds the rows of its first try."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

__all__ = ["job_execution_id", "target_execution_id", "work_id"]

_NAMESPACE = UUID("5b0a3c52-7c0d-5d0e-9d39-3f2f5e1f9a10")


def _derive(kind: str, *parts: str) -> UUID:
    # The separator cannot occur in an Airflow id, so no two different lists of parts read alike.
    return uuid5(_NAMESPACE, "\x1f".join((kind, *parts)))


def job_execution_id(dag_id: str, run_id: str, group_id: str) -> UUID:
    """Return the id of one run of one job: the same for every try and every clear of that DAG run.

    :param dag_id: the DAG's id.
    :param run_id: the DAG run's id.
    :param group_id: id of the task group (or of the resolving task) that is the job in this DAG.
    """
    return _derive("job-execution", dag_id, run_id, group_id)


def target_execution_id(execution: UUID, step_id: int, server_name: str, database_name: str) -> UUID:
    """Return the id of the row of one database in one step of one run; letter case does not matter."""
    return _derive("target", str(execution), str(step_id), server_name.casefold(), database_name.casefold())


def work_id(execution_id: UUID, create_time: datetime, rerun: int) -> UUID:
    """Return the id of one pass of a target's row from ``Created`` to its end, however many processes work on it.

    :param execution_id: the row.
    :param create_time: when it was made: one that is made anew, after its history was purged, is another.
    :param rerun: how often it has begun anew.
    """
    return _derive("work", str(execution_id), create_time.isoformat(), str(rerun))
