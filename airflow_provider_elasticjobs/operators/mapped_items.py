"""What the mapped tasks of a step are made of: a database each, or a chunk of databases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.chunks import TargetChunk, chunk_size

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.job_database.records import RegisteredTarget

__all__ = ["checked_targets_per_task", "mapped_items", "read_item"]


def mapped_items(
    targets: Sequence[RegisteredTarget],
    *,
    job_execution_id: UUID,
    step_id: int,
    targets_per_task: int | None,
    before: int = 0,
) -> list[str]:
    """Return what the tasks of a step, or of a wave of it, are mapped over: each a small mapping, as JSON text.

    Text, because each mapped task is handed the whole list (Airflow 3.3.2: ``XComArg.resolve`` in
    ``sdk/definitions/xcom_arg.py``), which is validated and converted value by value in the API server, in the
    supervisor and in the task. A thousand mappings are six thousand keys and values to it, a thousand texts a
    thousand.

    :param targets: the databases to run on, one after another in the step's order.
    :param job_execution_id: the run.
    :param step_id: the step.
    :param targets_per_task: how many databases a task takes; None to let their number decide.
    :param before: how many databases of the step come before the first of them.
    """
    size = chunk_size(len(targets), targets_per_task)
    if size is None:
        return [_text({**one.target.to_json(), "execution_id": str(one.execution_id)}) for one in targets]
    chunks = TargetChunk.all_of(job_execution_id, step_id, len(targets), size, before=before)
    return [_text(chunk.to_json()) for chunk in chunks]


def _text(item: Mapping[str, Any]) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def read_item(item: str | Mapping[str, Any], task_id: str) -> Mapping[str, Any]:
    """Return the mapping that an item is.

    :param item: one of :func:`mapped_items`, or a mapping already.
    :param task_id: the task that was given it, for the message.
    :raises DefinitionError: if it is neither.
    """
    try:
        found = json.loads(item) if isinstance(item, str) else item
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise DefinitionError(
            f"task {task_id!r}: target must be an item of a ResolveTargetGroupOperator's result, not {item!r}"
        )
    return found


def checked_targets_per_task(value: int | None, task_id: str) -> int | None:
    """Return the argument of that name.

    :param value: what the author gave.
    :param task_id: the task, for the message.
    :raises DefinitionError: if it is below 1.
    """
    if value is not None and value < 1:
        raise DefinitionError(f"task {task_id!r}: targets_per_task must be 1 or more, not {value}")
    return value
