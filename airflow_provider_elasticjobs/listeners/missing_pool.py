"""Says at the start of a DAG run that a pool is missing or too small, which Airflow itself only whispers.

A task whose pool does not exist, or has fewer slots than the task takes, stays ``scheduled`` for ever; the scheduler
writes a warning to its own log, and the DAG processor's check for it is switched off (Airflow 3.3). A worker cannot ask
for pools. The scheduler can: it is told here which run begins, before any of the run's tasks has.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

__all__ = ["on_dag_run_running", "useless_pools"]

_log = logging.getLogger(__name__)

_RUN_OPERATOR = "ElasticJobOperator"


def useless_pools(tasks: list[Any], pools: Mapping[str, float]) -> dict[str, str]:
    """Return which tasks cannot ever run: the id of each task that must not begin, with what is wrong with the pool.

    :param tasks: a DAG's tasks. Those that run scripts are looked at; those that resolve their targets must not begin.
    :param pools: the slots of each pool, by its name.
    """
    found: dict[str, str] = {}
    for task in tasks:
        if task.task_type == _RUN_OPERATOR and pools.get(task.pool, 0) < task.pool_slots:
            first = list(task.upstream_task_ids) or [task.task_id]
            found.update(dict.fromkeys(first, _fault(task, pools)))
    return found


def _fault(task: Any, pools: Mapping[str, float]) -> str:
    if task.pool not in pools:
        return f"The pool {task.pool!r} does not exist. Create it with {_command(task.pool)!r}, then clear this task."
    return (
        f"The pool {task.pool!r} has {pools[task.pool]:g} slot(s), and each task of {task.task_id!r} takes "
        f"{task.pool_slots}. Give the pool more or the task fewer (chunk_parallelism), then clear this task."
    )


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001 Airflow's signature
    """Fail the tasks that resolve targets for a pool that cannot serve them, with a note that says so.

    Nothing has begun then, and there is nothing in the job database; when the pool is there, the tasks can be cleared.
    """
    dag = getattr(dag_run, "dag", None)
    if dag is None or not any(task.task_type == _RUN_OPERATOR for task in dag.tasks):
        return
    # The plugin is loaded in every process of Airflow; only the scheduler comes here, and has these at hand.
    from airflow.models.pool import Pool  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415
    from sqlalchemy.orm import object_session  # noqa: PLC0415

    session = object_session(dag_run)
    if session is None:
        return
    pools = session.execute(select(Pool.pool, Pool.slots))
    useless = useless_pools(dag.tasks, {str(name): math.inf if slots < 0 else slots for name, slots in pools})
    for instance in dag_run.get_task_instances(session=session) if useless else ():
        if instance.task_id in useless and instance.state is None:
            text = useless[instance.task_id]
            _log.error("DAG %s, run %s, task %s: %s", dag_run.dag_id, dag_run.run_id, instance.task_id, text)
            instance.note = text
            instance.set_state("failed", session=session)


def _command(pool: str) -> str:
    # The plugin is loaded in every process of Airflow, the commands are hardly ever needed there.
    from airflow_provider_elasticjobs.cli.definition import TIERS  # noqa: PLC0415

    return (
        f"airflow elasticjobs tier {pool}"
        if pool in TIERS
        else f"airflow pools set {pool} SLOTS elasticjobs --include-deferred"
    )
