"""``airflow elasticjobs executions``: runs of jobs, looked at, stopped and followed to their end."""

from __future__ import annotations

import getpass
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, NoReturn
from uuid import UUID

from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.attempts import attempt_lines, message_lines, nested
from airflow_provider_elasticjobs.cli.job_database import job_database_of
from airflow_provider_elasticjobs.cli.output import show, show_json
from airflow_provider_elasticjobs.job_database import attempt_history, history
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import ExecutionRow
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = ["list_executions", "show_execution", "stop", "watch"]


@suppress_logs_and_warning
@providers_configuration_loaded
def list_executions(args: Namespace) -> None:
    """Print the newest runs, newest first.

    :param args: ``job``, ``active``, ``limit``, ``output`` and ``conn_id`` of the command line.
    """
    with job_database_of(args) as database:
        rows = history.latest_runs(database, job_name=args.job, only_active=args.active, count=args.limit)
    if args.output == "json":
        show([_full(row) for row in rows], "json")
        return
    columns = ("job_execution_id", "job_name", "job_version", "lifecycle", "create_time", "end_time", "last_message")
    show([{column: getattr(row, column) for column in columns} for row in rows], args.output)


@suppress_logs_and_warning
@providers_configuration_loaded
def show_execution(args: Namespace) -> None:
    """Print all rows of a run: the job's, each step's and its targets', with every attempt on them.

    :param args: ``job_execution_id``, ``messages``, ``output`` and ``conn_id`` of the command line.
    :raises SystemExit: if there is no such run.
    """
    with job_database_of(args) as database:
        rows = history.executions(database, args.job_execution_id)
        if not rows:
            _refuse_unknown(args.job_execution_id)
        attempts = attempt_history.attempts(database, args.job_execution_id)
        messages = attempt_history.messages(database, args.job_execution_id) if args.messages else []
    if args.output == "json":
        show(nested(rows, attempts, messages if args.messages else None), "json")
        return
    for table in ([_short(row) for row in rows], attempt_lines(attempts), message_lines(messages)):
        if table:
            show(table, args.output)


@suppress_logs_and_warning
@providers_configuration_loaded
def stop(args: Namespace) -> None:
    """Ask a run to stop; its scripts are cancelled by the processes that run them, within a few seconds.

    :param args: ``job_execution_id``, ``output`` and ``conn_id`` of the command line.
    :raises SystemExit: if there is no such run.
    """
    with job_database_of(args) as database:
        before = history.job_lifecycle(database, args.job_execution_id)
        user = f"airflow elasticjobs executions stop, by {getpass.getuser()}"
        lifecycle = cancel_execution(database, args.job_execution_id, requested_by=user)
    if before is None or lifecycle is None:
        _refuse_unknown(args.job_execution_id)
    if args.output == "json":
        show_json({"job_execution_id": args.job_execution_id, "requested": before.is_active, "lifecycle": lifecycle})
    elif before.is_active:
        sys.stdout.write(f"Run {args.job_execution_id} is asked to stop; it is {lifecycle}\n")
    else:
        sys.stdout.write(f"Run {args.job_execution_id} had ended: {lifecycle}; there is nothing to stop\n")


@suppress_logs_and_warning
@providers_configuration_loaded
def watch(args: Namespace) -> None:
    """Print how many targets are in each lifecycle, whenever that changes, until the run has ended.

    :param args: ``job_execution_id``, ``interval``, ``output`` and ``conn_id`` of the command line.
    :raises SystemExit: with 1 if the run ended in ``Failed``, ``TimedOut`` or ``Canceled``; 130 if it is interrupted;
        with a text if there is no such run.
    """
    try:
        with job_database_of(args) as database:
            lifecycle = _follow(database, args.job_execution_id, args.interval, args.output)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if not lifecycle.is_good:
        raise SystemExit(1)


def _follow(database: JobDatabase, run: UUID, interval: float, output: str) -> Lifecycle:
    shown: dict[str, Any] = {}
    while True:
        lifecycle = history.job_lifecycle(database, run)
        if lifecycle is None:
            _refuse_unknown(run)
        # Read after the job's row: when that has ended, so have they.
        counts = {str(each): count for each, count in history.count_targets(database, run).items()}
        seen = {"lifecycle": str(lifecycle), "targets": counts}
        if seen != shown:
            shown = seen
            _tell(seen, output)
        if not lifecycle.is_active:
            return lifecycle
        time.sleep(interval)


def _tell(seen: Mapping[str, Any], output: str) -> None:
    now = datetime.now(timezone.utc)
    if output == "json":
        show_json({"time": now.replace(tzinfo=None, microsecond=0), **seen}, indent=None)
        return
    counts = seen["targets"]
    targets = ", ".join(f"{count} {lifecycle}" for lifecycle, count in counts.items())
    total = f"{sum(counts.values())} targets: {targets}" if counts else "no targets yet"
    sys.stdout.write(f"{now:%H:%M:%S}  {seen['lifecycle']}  {total}\n")
    sys.stdout.flush()


def _full(row: ExecutionRow) -> dict[str, Any]:
    return asdict(row)


def _short(row: ExecutionRow) -> dict[str, Any]:
    """Return what a person wants to see of one row of a run, whose id and job they know."""
    if row.target_database_name is not None:
        what = f"{row.target_server_name}/{row.target_database_name}"
    else:
        what = f"job {row.job_name}" if row.step_id is None else f"step {row.step_name}"
    return {
        "step_id": row.step_id,
        "what": what,
        "lifecycle": row.lifecycle,
        "attempts": row.current_attempts,
        "start_time": row.start_time,
        "end_time": row.end_time,
        "last_message": row.last_message,
    }


def _refuse_unknown(run: UUID) -> NoReturn:
    raise SystemExit(f"There is no run {run} in the job database; 'airflow elasticjobs executions list' tells the runs")
