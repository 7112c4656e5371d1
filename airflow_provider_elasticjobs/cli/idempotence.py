"""``airflow elasticjobs check-idempotent``: a task's script run twice on one database, and rolled back."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jinja2
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowException
from airflow.utils.cli import get_bagged_dag, suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.airflow_connection import settings_of
from airflow_provider_elasticjobs.cli.output import show_json
from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.execution.idempotence import IdempotenceReport, check_idempotence
from airflow_provider_elasticjobs.execution.script import batches_with
from airflow_provider_elasticjobs.model.parameters import ParameterValue, read_parameters
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow.sdk import DAG

__all__ = ["check_idempotent"]

#: Arguments of the operator that the script is run with.
_ARGUMENTS = ("command", "elasticjobs_conn_id", "parameters", "bind_parameters")
_APPLICATION = "elasticjobs check-idempotent"


@suppress_logs_and_warning
@providers_configuration_loaded
def check_idempotent(args: Namespace) -> None:
    """Run the script of a task twice on one database, roll back, and print what the second run failed with or changed.

    :param args: ``dag_id``, ``task_id``, ``target``, ``max_rows``, ``elasticjobs_conn_id`` and ``output``.
    :raises SystemExit: with code 1 if the script is not idempotent, or could not be tried, saying why.
    """
    try:
        dag = get_bagged_dag(None, args.dag_id)
        arguments = _arguments(dag, args.task_id)
        report = _check(dag, args, arguments)
    except (AirflowException, ElasticJobsError, jinja2.TemplateError) as error:
        raise SystemExit(f"The script could not be tried: {error}") from error
    _print(report, args)
    if not report.is_idempotent:
        raise SystemExit(1)


def _arguments(dag: DAG, task_id: str) -> Mapping[str, Any]:
    task = dag.task_dict.get(task_id)
    if isinstance(task, MappedOperator) and issubclass(task.operator_class, ElasticJobOperator):
        return task.partial_kwargs
    if isinstance(task, ElasticJobOperator):
        return {name: getattr(task, name) for name in _ARGUMENTS}
    runs = [
        each.task_id
        for each in dag.tasks
        if isinstance(each, ElasticJobOperator)
        or (isinstance(each, MappedOperator) and issubclass(each.operator_class, ElasticJobOperator))
    ]
    raise SystemExit(f"{task_id!r} is not a task of {dag.dag_id!r} that runs a script: {', '.join(runs) or 'none'} is")


def _check(dag: DAG, args: Namespace, arguments: Mapping[str, Any]) -> IdempotenceReport:
    server, _, database = args.target.rpartition("/")
    target = Target(server, database)
    batches = batches_with(
        _rendered(dag, str(arguments["command"])),
        _variables(dag, args.task_id),
        _parameters(dag, args.task_id, arguments),
        bind=bool(arguments.get("bind_parameters")),
    )
    conn_id = args.elasticjobs_conn_id or arguments.get("elasticjobs_conn_id") or DEFAULT_CONNECTION
    connection = connector(settings_of(conn_id, "--elasticjobs-conn-id"))(server, database, _APPLICATION)
    try:
        return check_idempotence(connection, batches, target, max_rows=args.max_rows)
    finally:
        connection.close()


def _rendered(dag: DAG, command: str) -> str:
    """Return the script with its templates rendered for a run that would begin now."""
    environment = dag.get_template_env()
    template = (
        environment.get_template(command)
        if command.endswith(tuple(ElasticJobOperator.template_ext))
        else environment.from_string(command)
    )
    return template.render(**_context(dag))


def _context(dag: DAG) -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    return {
        "dag": dag,
        "params": dag.params.dump(),
        "logical_date": now,
        "ds": f"{now:%Y-%m-%d}",
        "ds_nodash": f"{now:%Y%m%d}",
        "ts": now.isoformat(),
    }


def _parameters(dag: DAG, task_id: str, arguments: Mapping[str, Any]) -> dict[str, ParameterValue]:
    """Return the step's parameters, rendered like the script; a target's own are known in a run only."""
    rendered = dag.task_dict[task_id].render_template(arguments.get("parameters") or {}, _context(dag))  # type: ignore[arg-type]
    return read_parameters(rendered, f"task {task_id!r}")


def _variables(dag: DAG, task_id: str) -> dict[str, object]:
    """Return values of the built-in variables, the same for both runs, as a retry has them."""
    return {
        "job_execution_create_time": datetime.now(timezone.utc),
        "job_execution_id": uuid4(),
        "job_id": uuid4(),
        "job_name": dag.dag_id,
        "job_version": 1,
        "step_id": 1,
        "step_name": task_id,
        "target_group_name": task_id,
    }


def _print(report: IdempotenceReport, args: Namespace) -> None:
    if args.output == "json":
        show_json({"is_idempotent": report.is_idempotent, **asdict(report)})
        return
    lines = ["The second run changed nothing more." if report.is_idempotent else "The script is not idempotent."]
    if report.failure is not None:
        lines.append(f"The second run failed: {report.failure}")
    for title, found in (
        ("The second run changed", report.changed),
        ("It answered otherwise", report.answered),
        ("The first run changed", report.first_changed),
        (f"Counted only, for more than {args.max_rows} rows or columns that cannot be read", report.not_compared),
    ):
        lines += [f"{title}:", *(f"  {each}" for each in found)] if found else []
    sys.stdout.write("\n".join(lines) + "\n")
