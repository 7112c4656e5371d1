"""Conditions and assignments, as T-SQL, that decide whose a row is.

A row remembers the Airflow task that worked on it last: how far it had been cleared then, and its try. A task is
*newer* if it was cleared since, or if its try has grown and the row did not end well; it may begin an ended row anew. A
row that ended before any task had come to it has no try; the first task to come reports it, and a cleared one begins it
anew.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef

__all__ = [
    "CLAIM_TYPES",
    "END_TIME",
    "FENCE",
    "IS_CANCELLED",
    "IS_NEWER",
    "IS_NOT_SUPERSEDED",
    "REOPEN_PARENT",
    "TAKE",
    "TAKE_EACH",
    "claim_values",
]

#: Types of the arguments that say who claims.
CLAIM_TYPES = {
    "claim": "uniqueidentifier",
    "agent": "uniqueidentifier",
    "dag": "nvarchar(250)",
    "dag_run": "nvarchar(250)",
    "task": "nvarchar(250)",
    "map_index": "int",
    "try": "int",
    "clear": "int",
}

#: Whether the claiming task is newer than the one that the row remembers. A higher try alone does not repeat what ended
#: well: that is a task whose process died after the row was written and before Airflow heard of it.
IS_NEWER = """(airflow_clear_number < @clear OR (airflow_clear_number = @clear AND airflow_try_number < @try
        AND lifecycle NOT IN ('Succeeded', 'SucceededWithSkipped', 'Skipped')))"""

#: Whether no later try of this very task has the row already.
IS_NOT_SUPERSEDED = """NOT (claim_id IS NOT NULL AND airflow_try_number IS NOT NULL
        AND airflow_task_id = @task AND airflow_map_index = @map_index
        AND (airflow_clear_number > @clear OR (airflow_clear_number = @clear AND airflow_try_number > @try)))"""

#: Whether the run ``@run`` was asked to stop.
IS_CANCELLED = "EXISTS (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @run)"

_TAKEN_BY = """claim_time = @now, agent_id = @agent,
    airflow_dag_id = @dag, airflow_run_id = @dag_run, airflow_task_id = @task, airflow_map_index = @map_index,
    airflow_try_number = @try, airflow_clear_number = @clear"""

#: Assignments that give the row to the claim.
TAKE = f"claim_id = @claim, {_TAKEN_BY}"

#: Assignments that give each row to a claim of its own.
TAKE_EACH = f"claim_id = NEWID(), {_TAKEN_BY}"

#: When a row ends that another claim may have begun after this batch had looked at the clock.
END_TIME = "CASE WHEN start_time > @now THEN start_time ELSE @now END"

#: The row ``@execution``, as long as it belongs to the claim.
FENCE = "execution_id = @execution AND claim_id = @claim"

#: Assignments that make an ended parent wait for its children again.
REOPEN_PARENT = """lifecycle = 'WaitingForChildJobExecutions', is_active = 1, end_time = NULL,
    next_attempt_start_time = NULL, settled_by = NULL, outcome = NULL, error_number = NULL"""


def claim_values(claim_id: UUID, agent: Agent | None, airflow: AirflowRef) -> dict[str, Any]:
    """Return the values of :data:`CLAIM_TYPES`."""
    return {
        "claim": claim_id,
        "agent": None if agent is None else agent.agent_id,
        "dag": airflow.dag_id,
        "dag_run": airflow.run_id,
        "task": airflow.task_id,
        "map_index": airflow.map_index,
        "try": airflow.try_number,
        "clear": airflow.clear_number,
    }
