"""``airflow elasticjobs db``: install the job database, look at it, take it back; and all commands' way to it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.airflow_connection import settings_of
from airflow_provider_elasticjobs.cli.output import show_json
from airflow_provider_elasticjobs.exceptions import ElasticJobsError, JobDatabaseError
from airflow_provider_elasticjobs.job_database import install
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.downgrade import downgrade as downgrade_steps
from airflow_provider_elasticjobs.job_database.inspection import inspect_job_database
from airflow_provider_elasticjobs.triggers.process import open_job_database

__all__ = ["check", "downgrade", "job_database_of", "upgrade"]


@suppress_logs_and_warning
@providers_configuration_loaded
def upgrade(args: Namespace) -> None:
    """Install what the job database lacks, and say what that was.

    :param args: ``conn_id`` of the command line.
    :raises SystemExit: with the reason, if it cannot be done.
    """
    with job_database_of(args) as database:
        applied = install.upgrade(database)
        version = install.current_version(database)
    done = f"applied {', '.join(applied)}" if applied else "nothing to do"
    sys.stdout.write(f"{database.server}/{database.database} has version {version} of the schema: {done}\n")


@suppress_logs_and_warning
@providers_configuration_loaded
def check(args: Namespace) -> None:
    """Say whether the job database can be reached, is up to date, and lets this login do its work.

    :param args: ``conn_id`` and ``output`` (``text`` or ``json``) of the command line.
    :raises SystemExit: with the reasons, if not.
    """
    with job_database_of(args) as database:
        found = inspect_job_database(database)
    if args.output == "json":
        show_json(found.to_json())
        raise SystemExit(0 if found.is_ready else 1)
    where = f"{found.server}/{found.database}"
    for warning in found.facts.warnings:
        sys.stdout.write(f"Warning: {warning}\n")
    if not found.is_ready:
        raise SystemExit("\n".join(f"{where} is not ready: {problem}" for problem in found.problems))
    sys.stdout.write(f"{where} is ready: version {found.version} of the schema\n")


@suppress_logs_and_warning
@providers_configuration_loaded
def downgrade(args: Namespace) -> None:
    """Take schema steps back, and say which.

    :param args: ``conn_id``, ``to_version`` and ``yes`` (rows may be lost) of the command line.
    :raises SystemExit: with the reason, if it cannot be done.
    """
    with job_database_of(args) as database:
        undone = downgrade_steps(database, args.to_version, accept_loss=args.yes)
        version = install.current_version(database)
    done = f"undone {', '.join(undone)}" if undone else "nothing to do"
    state = f"has version {version} of the schema" if version else "holds nothing of the job database any more"
    sys.stdout.write(f"{database.server}/{database.database} {state}: {done}\n")


@contextmanager
def job_database_of(args: Namespace) -> Iterator[JobDatabase]:
    """Open the job database for a command, and end the command with one line if it cannot be used.

    :param args: ``conn_id`` of the command line.
    :raises SystemExit: with the reason, for every error of this package that is raised in the block.
    """
    database = None
    try:
        database = _open(args.conn_id)
        yield database
    except ElasticJobsError as error:
        raise SystemExit(_reason(error, database)) from error
    finally:
        if database is not None:
            database.close()


def _reason(error: ElasticJobsError, database: JobDatabase | None) -> str:
    """Return the error's text; whatever it says, if the schema is not there, that is why."""
    if isinstance(error, JobDatabaseError) and error.number is not None and database is not None:
        with suppress(ElasticJobsError):
            if install.current_version(database) == 0:
                where = f"{database.server}/{database.database}"
                return f"{where} is not installed as a job database: run 'airflow elasticjobs db upgrade'"
    return str(error)


def _open(conn_id: str) -> JobDatabase:
    return open_job_database(settings_of(conn_id, "--conn-id"))
