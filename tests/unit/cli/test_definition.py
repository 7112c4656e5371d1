from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from uuid import UUID

import pytest
from airflow.cli.cli_config import ActionCommand, GroupCommand
from airflow.sdk.module_loading import import_string

from airflow_provider_elasticjobs.cli.definition import TIERS, get_cli_commands


def leaves(commands: Iterator[object], path: str = "") -> Iterator[tuple[str, ActionCommand]]:
    for command in commands:
        if isinstance(command, GroupCommand):
            yield from leaves(iter(command.subcommands), f"{path} {command.name}")
        elif isinstance(command, ActionCommand):
            yield f"{path} {command.name}".strip(), command


COMMANDS = dict(leaves(iter(get_cli_commands())))


def parser_of(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    for argument in COMMANDS[name].args:
        argument.add_to_parser(parser)
    return parser


def test_the_commands() -> None:
    assert sorted(COMMANDS) == [
        "elasticjobs check-idempotent",
        "elasticjobs db check",
        "elasticjobs db downgrade",
        "elasticjobs db upgrade",
        "elasticjobs executions list",
        "elasticjobs executions show",
        "elasticjobs executions stop",
        "elasticjobs executions watch",
        "elasticjobs jobs list",
        "elasticjobs jobs show",
        "elasticjobs reconcile",
        "elasticjobs sandbox",
        "elasticjobs targets resolve",
        "elasticjobs tier",
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("elasticjobs check-idempotent", "idempotence.check_idempotent"),
        ("elasticjobs db check", "job_database.check"),
        ("elasticjobs db downgrade", "job_database.downgrade"),
        ("elasticjobs db upgrade", "job_database.upgrade"),
        ("elasticjobs executions list", "executions.list_executions"),
        ("elasticjobs executions show", "executions.show_execution"),
        ("elasticjobs executions stop", "executions.stop"),
        ("elasticjobs executions watch", "executions.watch"),
        ("elasticjobs jobs list", "jobs.list_jobs"),
        ("elasticjobs jobs show", "jobs.show_job"),
        ("elasticjobs reconcile", "reconcile.reconcile_executions"),
        ("elasticjobs targets resolve", "targets.resolve_targets"),
        ("elasticjobs sandbox", "sandbox.serve"),
        ("elasticjobs tier", "tier.set_tier"),
    ],
)
def test_each_command_has_its_function(name: str, path: str) -> None:
    assert COMMANDS[name].func.__name__ == path.rpartition(".")[2]
    assert callable(import_string(f"airflow_provider_elasticjobs.cli.{path}"))


def test_the_job_database_has_a_usual_connection() -> None:
    assert parser_of("elasticjobs db upgrade").parse_args([]).conn_id == "elasticjobs_job_database"
    assert parser_of("elasticjobs db check").parse_args(["--conn-id", "mine"]).conn_id == "mine"


def test_tiers_are_those_of_the_agent() -> None:
    assert TIERS == {"JA100": 100, "JA200": 200, "JA400": 400, "JA800": 800}
    assert parser_of("elasticjobs tier").parse_args(["JA200", "--slots", "3"]).slots == 3
    with pytest.raises(SystemExit):
        parser_of("elasticjobs tier").parse_args(["JA1"])


RUN = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_a_run_is_named_by_its_id() -> None:
    assert parser_of("elasticjobs executions show").parse_args([RUN.upper()]).job_execution_id == UUID(RUN)
    assert parser_of("elasticjobs reconcile").parse_args([]).job_execution_id is None


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("elasticjobs executions show", ["job1"], "'job1' is not a job_execution_id"),
        ("elasticjobs executions stop", [], "required: ID"),
        ("elasticjobs executions list", ["--limit", "0"], "0 is not a number from 1"),
        ("elasticjobs executions watch", [RUN, "--interval", "0"], "0 is not a number of seconds above 0"),
        ("elasticjobs executions watch", [RUN, "--interval", "soon"], "invalid"),
        ("elasticjobs reconcile", ["--expiry", "3"], "processes that live would be taken for dead"),
        ("elasticjobs jobs list", ["--output", "xml"], "invalid choice"),
        ("elasticjobs db check", ["--output", "xml"], "invalid choice"),
        ("elasticjobs db downgrade", [], "required: --to-version"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_reason(
    name: str, arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser_of(name).parse_args(arguments)
    assert complaint in capsys.readouterr().err


def test_what_is_not_said_has_its_usual_value() -> None:
    listed = parser_of("elasticjobs executions list").parse_args([])
    assert (listed.job, listed.active, listed.limit, listed.output) == (None, False, 20, "table")
    left = parser_of("elasticjobs reconcile").parse_args([])
    assert (left.expiry, left.settle_unanswered, left.elasticjobs_conn_id) == (120, False, "elasticjobs_default")
    assert parser_of("elasticjobs targets resolve").parse_args(["ServerGroup"]).dag is False


def test_the_commands_are_defined_without_a_driver_or_airflows_database() -> None:
    code = (
        "import sys; from airflow_provider_elasticjobs.cli.definition import get_cli_commands; get_cli_commands();"
        "print([name for name in ('pyodbc', 'azure', 'airflow.models.dag') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
