"""Says at the start of a DAG run that a pool is missing, which Airflow itself only whispers.

A task whose pool does not exist stays ``scheduled`` for ever; the scheduler writes a warning to its own log, and the
DAG processor's check for it is switched off (Airflow 3.3). A worker cannot ask for pools. The scheduler can: it is told
here which run begins, before any of the run's tasks has.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from airflow_provider_elasticjobs.cli.definition import TIERS

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

__all__ = ["missing_pools", "on_dag_run_running"]

_log = logging.getLogger(__name__)

_RUN_OPERATOR = "ElasticJobOperator"


def missing_pools(tasks: list[Any], pools: set[str]) -> dict[str, str]:
    """Return which tasks cannot ever run: the id of each task that must not begin, with the pool that is missing.

    :param tasks: a DAG's tasks. Those that run scripts are looked at; those that resolve their targets must not begin.
    :param pools: the names of all pools.
    """
    found: dict[str, str] = {}
    for task in tasks:
        if task.task_type == _RUN_OPERATOR and task.pool not in pools:
            first = list(task.upstream_task_ids) or [task.task_id]
            found.update(dict.fromkeys(first, task.pool))
    return found


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:  # noqa: ARG001 Airflow's signature
    """Fail the tasks that resolve targets for a pool that does not exist, with a note that says so.

    Nothing has begun then, and there is nothing in the job database; when the pool exists, the tasks can be cleared.
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
    missing = missing_pools(dag.tasks, set(session.scalars(select(Pool.pool))))
    for instance in dag_run.get_task_instances(session=session) if missing else ():
        if instance.task_id in missing and instance.state is None:
            pool = missing[instance.task_id]
            text = f"The pool {pool!r} does not exist. Create it with {_command(pool)!r}, then clear this task."
            _log.error("DAG %s, run %s, task %s: %s", dag_run.dag_id, dag_run.run_id, instance.task_id, text)
            instance.note = text
            instance.set_state("failed", session=session)


def _command(pool: str) -> str:
    return (
        f"airflow elasticjobs tier {pool}"
        if pool in TIERS
        else f"airflow pools set {pool} SLOTS elasticjobs --include-deferred"
    )
