"""What a running task knows of itself, as far as the operators look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def context(
    *,
    task: Any = None,
    map_index: int | None = 0,
    try_number: int = 1,
    max_tries: int = 0,
    retries: int = 0,
    states: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
) -> Any:
    instance = SimpleNamespace(
        dag_id="a_dag",
        run_id="a_run",
        task_id="a_task",
        map_index=map_index,
        try_number=try_number,
        max_tries=max_tries,
        task=task or SimpleNamespace(retries=retries),
        get_task_states=lambda **_: {"a_run": states or {}},
    )
    return {"ti": instance, "params": params or {}}
