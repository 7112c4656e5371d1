"""``airflow elasticjobs jobs``: what the job database knows of jobs and their steps."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.job_database import job_database_of
from airflow_provider_elasticjobs.cli.output import show, show_json
from airflow_provider_elasticjobs.job_database import catalog

__all__ = ["list_jobs", "show_job"]

_JOB_COLUMNS = ("job_name", "job_version", "steps", "enabled", "last_lifecycle", "last_create_time", "description")
_STEP_COLUMNS = (
    "step_id",
    "step_name",
    "target_group_name",
    "credential_name",
    "retry_attempts",
    "step_timeout_seconds",
    "max_parallelism",
    "command",
)


@suppress_logs_and_warning
@providers_configuration_loaded
def list_jobs(args: Namespace) -> None:
    """Print the jobs, each with its newest run.

    :param args: ``output`` and ``conn_id`` of the command line.
    """
    with job_database_of(args) as database:
        rows = [asdict(row) for row in catalog.jobs(database)]
    if args.output != "json":
        rows = [{column: row[column] for column in _JOB_COLUMNS} for row in rows]
    show(rows, args.output)


@suppress_logs_and_warning
@providers_configuration_loaded
def show_job(args: Namespace) -> None:
    """Print a job and the steps of its current version.

    :param args: ``job_name``, ``output`` and ``conn_id`` of the command line.
    :raises SystemExit: if there is no such job.
    """
    with job_database_of(args) as database:
        found = catalog.jobs(database, args.job_name)
        steps = [asdict(step) for step in catalog.job_steps(database, args.job_name)]
    if not found:
        raise SystemExit(f"There is no job {args.job_name!r}; 'airflow elasticjobs jobs list' tells the names")
    job = asdict(found[0])
    if args.output == "json":
        show_json({**job, "steps": steps})
        return
    show([{column: job[column] for column in _JOB_COLUMNS}], args.output)
    show([{column: step[column] for column in _STEP_COLUMNS} for step in steps], args.output)
