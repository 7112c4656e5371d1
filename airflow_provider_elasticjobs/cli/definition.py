"""The commands' names, arguments and help; what they do is loaded when one of them is called."""

from __future__ import annotations

from pathlib import Path

from airflow.cli.cli_config import ARG_VERBOSE, ActionCommand, CLICommand, GroupCommand, lazy_load_command

from airflow_provider_elasticjobs.cli.arguments import JOB_DATABASE, PACKAGE, argument
from airflow_provider_elasticjobs.cli.operations import OPERATIONS

__all__ = ["TIERS", "get_cli_commands"]

#: The agent's tiers and how many targets each runs at a time (reference 7.1).
TIERS = {"JA100": 100, "JA200": 200, "JA400": 400, "JA800": 800}

_TIER = argument(
    "tier", help="JA100, JA200, JA400 or JA800: the number is the targets that run at a time", choices=TIERS
)
_SLOTS = argument("--slots", type=int, help="Another number of targets that run at a time")
_SANDBOX_FILE = argument(
    "file",
    nargs="?",
    type=Path,
    help="JSON description of servers, databases and logins; without it, two servers with thirteen databases",
)

_CHECK_OUTPUT = argument("-o", "--output", choices=("text", "json"), default="text", help="Output format")
_TO_VERSION = argument(
    "--to-version", type=int, required=True, help="Version to go back to; 0 removes the whole job database"
)
_YES = argument("-y", "--yes", action="store_true", help="Go on although rows are lost")

_DB = GroupCommand(
    name="db",
    help="Install, look at or remove the job database",
    subcommands=(
        ActionCommand(
            name="upgrade",
            help="Install the job database's schema, or bring it up to date; may be repeated",
            func=lazy_load_command(f"{PACKAGE}.job_database.upgrade"),
            args=(JOB_DATABASE, ARG_VERBOSE),
        ),
        ActionCommand(
            name="check",
            help="Tell whether the job database can be reached, is up to date and gives the rights that are needed"
            " (exit code 1 if not)",
            func=lazy_load_command(f"{PACKAGE}.job_database.check"),
            args=(JOB_DATABASE, _CHECK_OUTPUT, ARG_VERBOSE),
        ),
        ActionCommand(
            name="downgrade",
            help="Take the schema back to an earlier version; refused while jobs run",
            func=lazy_load_command(f"{PACKAGE}.job_database.downgrade"),
            args=(JOB_DATABASE, _TO_VERSION, _YES, ARG_VERBOSE),
        ),
    ),
)


def get_cli_commands() -> list[CLICommand]:
    """Return the group ``elasticjobs`` for Airflow's command line."""
    tier = ActionCommand(
        name="tier",
        help="Create or resize the pool that limits how many targets run at a time; deferred tasks are counted",
        func=lazy_load_command(f"{PACKAGE}.tier.set_tier"),
        args=(_TIER, _SLOTS, ARG_VERBOSE),
    )
    sandbox = ActionCommand(
        name="sandbox",
        help="Serve a local stand-in for SQL Server, for trying and testing, until it is interrupted",
        func=lazy_load_command(f"{PACKAGE}.sandbox.serve"),
        args=(_SANDBOX_FILE,),
    )
    commands = (_DB, *OPERATIONS, tier, sandbox)
    return [GroupCommand(name="elasticjobs", help="Elastic jobs on fleets of databases", subcommands=commands)]
