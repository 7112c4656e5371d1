"""What the mapped tasks of a step are made of: a database each, or a chunk of databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.chunks import TargetChunk, chunk_size

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.job_database.records import RegisteredTarget

__all__ = ["checked_targets_per_task", "mapped_items"]


def mapped_items(
    targets: Sequence[RegisteredTarget],
    *,
    job_execution_id: UUID,
    step_id: int,
    targets_per_task: int | None,
    before: int = 0,
) -> list[dict[str, Any]]:
    """Return what the tasks of a step, or of a wave of it, are mapped over: small mappings, plain JSON.

    :param targets: the databases to run on, one after another in the step's order.
    :param job_execution_id: the run.
    :param step_id: the step.
    :param targets_per_task: how many databases a task takes; None to let their number decide.
    :param before: how many databases of the step come before the first of them.
    """
    size = chunk_size(len(targets), targets_per_task)
    if size is None:
        return [{**one.target.to_json(), "execution_id": str(one.execution_id)} for one in targets]
    chunks = TargetChunk.all_of(job_execution_id, step_id, len(targets), size, before=before)
    return [chunk.to_json() for chunk in chunks]


def checked_targets_per_task(value: int | None, task_id: str) -> int | None:
    """Return the argument of that name.

    :param value: what the author gave.
    :param task_id: the task, for the message.
    :raises DefinitionError: if it is below 1.
    """
    if value is not None and value < 1:
        raise DefinitionError(f"task {task_id!r}: targets_per_task must be 1 or more, not {value}")
    return value
