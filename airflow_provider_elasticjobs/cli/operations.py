"""Names, arguments and help of the commands that look at runs and jobs, and act on them."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_provider_elasticjobs.cli.arguments import JOB_DATABASE, PACKAGE, argument
from airflow_provider_elasticjobs.execution.idempotence import DEFAULT_MAX_ROWS
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION

__all__ = ["OPERATIONS"]

#: Below it, a process that is alive and well could be taken for dead between two of its heartbeats.
_LEAST_EXPIRY = 10.0


def _execution_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a job_execution_id, like {UUID(int=0)}") from None


def _expiry(text: str) -> float:
    seconds = float(text)
    if seconds < _LEAST_EXPIRY:
        raise ArgumentTypeError(
            f"{text} s is less than {_LEAST_EXPIRY:g} s: processes that live would be taken for dead"
        )
    return seconds


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} is not a number from 1")
    return number


def _interval(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return seconds


def _json_object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ArgumentTypeError(f'{text!r} is no JSON object, like \'{{"name": "value"}}\'')
    return given


def _target(text: str) -> str:
    server, _, database = text.rpartition("/")
    if not server or not database:
        raise ArgumentTypeError(f"{text!r} is not a server and a database, like tenants.database.windows.net/tenant1")
    return text


_EXECUTION = argument("job_execution_id", type=_execution_id, metavar="ID", help="The run's job_execution_id")
_ANY_EXECUTION = argument(
    "job_execution_id", type=_execution_id, metavar="ID", nargs="?", help="Only this run; all runs by default"
)
_JOB = argument("--job", metavar="NAME", help="Only runs of this job")
_JOB_NAME = argument("job_name", metavar="NAME", help="The job's name")
_ACTIVE = argument("--active", action="store_true", help="Only runs that have not ended")
_LIMIT = argument("--limit", type=_positive, metavar="N", default=20, help="At most so many runs (default: 20)")
_MESSAGES = argument(
    "--messages", action="store_true", help="Also show what the scripts said: messages, errors and row counts"
)
_INTERVAL = argument(
    "--interval", type=_interval, metavar="SECONDS", default=2.0, help="Seconds between two looks (default: 2)"
)
_GROUP_OR_DAG = argument(
    "name", metavar="GROUP|DAG", help="A target group of the job database, or a DAG with elastic jobs"
)
_IS_DAG = argument("--dag", action="store_true", help="The name is a DAG's, also if there is a group of that name")
_TARGETS = argument(
    "--elasticjobs-conn-id",
    default=DEFAULT_CONNECTION,
    help="Airflow connection to servers and databases for which none is named (default: %(default)s)",
)
_PARAMS = argument(
    "--conf",
    type=_json_object,
    metavar="JSON",
    default={},
    help="Values of the DAG's params, for groups with templates; default: the DAG's own defaults",
)
_EXPIRY = argument(
    "--expiry",
    type=_expiry,
    metavar="SECONDS",
    default=120.0,
    help="Seconds without a sign of life from which a process counts as lost (default: 120; at least 10)",
)
_UNANSWERED = argument(
    "--settle-unanswered",
    action="store_true",
    help="Also end rows whose server cannot be asked whether it still runs the script; for servers that are gone",
)
_DAG = argument("dag_id", metavar="DAG", help="The DAG")
_TASK = argument("task_id", metavar="TASK", help="The task that runs the script, like Job1.step1.run")
_TARGET = argument(
    "--target", type=_target, metavar="SERVER/DATABASE", required=True, help="The database to try the script on"
)
_OTHER_CONNECTION = argument("--elasticjobs-conn-id", help="Another Airflow connection than the task's")
_MAX_ROWS = argument(
    "--max-rows",
    type=_positive,
    metavar="N",
    default=DEFAULT_MAX_ROWS,
    help="Tables with more rows are counted, and their contents not compared (default: %(default)s)",
)


def _command(name: str, function: str, text: str, *arguments: Arg) -> ActionCommand:
    return ActionCommand(
        name=name,
        help=text,
        func=lazy_load_command(f"{PACKAGE}.{function}"),
        args=(*arguments, JOB_DATABASE, ARG_OUTPUT, ARG_VERBOSE),
    )


#: The groups ``executions``, ``jobs`` and ``targets``, and ``reconcile``.
OPERATIONS = (
    GroupCommand(
        name="executions",
        help="Look at runs of jobs, and stop them",
        subcommands=(
            _command("list", "executions.list_executions", "Show the newest runs", _JOB, _ACTIVE, _LIMIT),
            _command(
                "show",
                "executions.show_execution",
                "Show a run's steps and targets, and every attempt on them",
                _EXECUTION,
                _MESSAGES,
            ),
            _command("stop", "executions.stop", "Stop a run: its scripts are cancelled on every target", _EXECUTION),
            _command(
                "watch",
                "executions.watch",
                "Count a run's targets by lifecycle until it ends (exit code 0 if it ended well, 1 if not)",
                _EXECUTION,
                _INTERVAL,
            ),
        ),
    ),
    GroupCommand(
        name="jobs",
        help="Look at the jobs in the job database",
        subcommands=(
            _command("list", "jobs.list_jobs", "Show the jobs, each with its newest run"),
            _command("show", "jobs.show_job", "Show a job and its steps", _JOB_NAME),
        ),
    ),
    GroupCommand(
        name="targets",
        help="Look at target groups",
        subcommands=(
            _command(
                "resolve",
                "targets.resolve_targets",
                "Show which databases a target group, or each group of a DAG, holds now; nothing is run",
                _GROUP_OR_DAG,
                _IS_DAG,
                _TARGETS,
                _PARAMS,
            ),
        ),
    ),
    _command(
        "reconcile",
        "reconcile.reconcile_executions",
        "End the rows that killed processes left active, unless their script still runs on the server",
        _ANY_EXECUTION,
        _EXPIRY,
        _UNANSWERED,
        _TARGETS,
    ),
    ActionCommand(
        name="check-idempotent",
        help="Run a task's script twice on one database, roll back, and tell what the second run changed",
        func=lazy_load_command(f"{PACKAGE}.idempotence.check_idempotent"),
        args=(_DAG, _TASK, _TARGET, _MAX_ROWS, _OTHER_CONNECTION, ARG_OUTPUT, ARG_VERBOSE),
    ),
)
