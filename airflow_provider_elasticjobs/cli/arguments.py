"""Arguments that several commands take."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import Arg

from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_JOB_DATABASE

__all__ = ["JOB_DATABASE", "PACKAGE", "argument"]

#: Where the commands' functions are.
PACKAGE = "airflow_provider_elasticjobs.cli"


def argument(*flags: str, **options: Any) -> Arg:
    """Return an argument of a command, as :meth:`argparse.ArgumentParser.add_argument` takes it."""
    return Arg(flags, **options)  # type: ignore[no-untyped-call]


#: The job database that a command works on.
JOB_DATABASE = argument(
    "--conn-id",
    help="Airflow connection of the job database; its schema field names the database",
    default=DEFAULT_JOB_DATABASE,
)
