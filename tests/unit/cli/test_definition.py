from __future__ import annotations

import argparse
from collections.abc import Iterator

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
        "elasticjobs db check",
        "elasticjobs db upgrade",
        "elasticjobs sandbox",
        "elasticjobs tier",
    ]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("elasticjobs db check", "job_database.check"),
        ("elasticjobs db upgrade", "job_database.upgrade"),
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
