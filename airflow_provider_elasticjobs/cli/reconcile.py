"""``airflow elasticjobs reconcile``: end the rows that killed processes left active."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from airflow.utils.cli import suppress_logs_and_warning
from airflow.utils.providers_configuration_loader import providers_configuration_loaded

from airflow_provider_elasticjobs.cli.job_database import job_database_of
from airflow_provider_elasticjobs.cli.output import show
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation, reconcile
from airflow_provider_elasticjobs.operators.target_connectors import connectors

__all__ = ["reconcile_executions"]


@suppress_logs_and_warning
@providers_configuration_loaded
def reconcile_executions(args: Namespace) -> None:
    """Settle what is left behind, and print each row and what became of it.

    :param args: ``job_execution_id``, ``expiry``, ``settle_unanswered``, ``elasticjobs_conn_id``, ``output`` and
        ``conn_id`` of the command line.
    :raises SystemExit: with the reason, if the job database cannot be used.
    """
    with job_database_of(args) as database:
        found = reconcile(
            database,
            connectors(args.elasticjobs_conn_id),
            job_execution_id=args.job_execution_id,
            expiry_seconds=args.expiry,
            settle_unanswered=args.settle_unanswered,
        )
    rows = _rows(found)
    if rows or args.output == "json":
        show(rows, args.output)
    else:
        sys.stdout.write("Nothing was left behind\n")


def _rows(found: Reconciliation) -> list[dict[str, Any]]:
    lost = [(script, "still runs on the server") for script in found.running]
    lost += [(one.script, f"not asked: {one.reason}") for one in found.unanswered]
    settled = [
        {
            "job_execution_id": row.job_execution_id,
            "step_id": row.step_id,
            "server_name": row.server_name,
            "database_name": row.database_name,
            "result": f"ended: {row.lifecycle}",
        }
        for row in found.settled
    ]
    return settled + [
        {
            "job_execution_id": script.job_execution_id,
            "step_id": script.step_id,
            "server_name": script.target.server_name,
            "database_name": script.target.database_name,
            "result": result,
        }
        for script, result in lost
    ]
