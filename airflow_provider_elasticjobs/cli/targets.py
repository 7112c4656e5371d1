"""``airflow elasticjobs targets``: which databases a target group holds now; nothing is run on them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.utils.cli import get_bagged_dag, suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.job_database import job_database_of
from airflow_provider_elasticjobs.cli.output import show
from airflow_provider_elasticjobs.job_database import catalog
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.targets import TargetGroup
from airflow_provider_elasticjobs.operators.resolving import resolver
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["resolve_targets"]


class _Question(NamedTuple):
    """A group to resolve: by which task, with which connection, and how its templates are rendered."""

    task_id: str | None
    group: TargetGroup
    conn_id: str
    render: Callable[[Any], Any] | None = None


@suppress_logs_and_warning
@providers_configuration_loaded
def resolve_targets(args: Namespace) -> None:
    """Ask the servers which databases a group of the job database, or each group of a DAG, holds now, and print them.

    Templates of a DAG's groups are rendered with the DAG's params; all else that they name exists in a run only.

    :param args: ``name``, ``dag``, ``elasticjobs_conn_id``, ``conf``, ``output`` and ``conn_id`` of the command line.
    :raises SystemExit: if neither a group nor a DAG has that name, or a server cannot be asked.
    """
    with job_database_of(args) as database:
        group = None if args.dag else catalog.target_group(database, args.name)
        if group is not None:
            questions = [_Question(None, group, args.elasticjobs_conn_id)]
        else:
            questions = list(_questions(_dag(args.name), args.conf))
        if not questions:
            raise SystemExit(f"DAG {args.name!r} has no task that resolves a target group")
        show([row for question in questions for row in _rows(question, database)], args.output)


def _dag(name: str) -> DAG:
    try:
        return get_bagged_dag(None, name)
    except AirflowException as error:
        raise SystemExit(f"There is no target group {name!r} in the job database, and no DAG: {error}") from error


def _questions(dag: DAG, conf: Mapping[str, Any]) -> Iterator[_Question]:
    context: Any = {"dag": dag, "params": {**dag.params.dump(), **conf}}
    for task in dag.tasks:
        if isinstance(task, ResolveTargetGroupOperator):
            conn_id = task.refresh_conn_id or task.elasticjobs_conn_id
            yield _Question(task.task_id, task.group(), conn_id, partial(task.rendered, context=context))


def _rows(question: _Question, database: JobDatabase) -> Iterator[dict[str, Any]]:
    try:
        resolution = resolver(question.conn_id, database, render=question.render)(question.group)
    except AirflowNotFoundException as error:
        raise SystemExit(f"{error}: add the connection, or name another with --elasticjobs-conn-id") from error
    states = [(target, "ONLINE") for target in resolution.targets]
    states += [(left_out.target, left_out.state_desc) for left_out in resolution.not_online]
    for target, state in states:
        yield {
            **({} if question.task_id is None else {"task_id": question.task_id}),
            "target_group_name": question.group.name,
            "server_name": target.server_name,
            "database_name": target.database_name,
            "elastic_pool_name": target.elastic_pool_name,
            "state": state,
        }
