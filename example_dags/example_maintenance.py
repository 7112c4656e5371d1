"""Every night: remove old history from the job database, and settle what killed processes left behind.

Azure keeps 45 days; here any other number can be given when the DAG is triggered. ``reconcile`` ends rows that are in
progress although their process is gone, unless the server still runs their script. Both are safe to run at any time.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param

from airflow_provider_elasticjobs import PurgeJobHistoryOperator, ReconcileExecutionsOperator

with DAG(
    "example_maintenance",
    schedule="30 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    params={"days": Param(45, type="integer", minimum=0, description="Runs that ended this many days ago are removed")},
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    reconcile = ReconcileExecutionsOperator(task_id="reconcile")
    purge = PurgeJobHistoryOperator(task_id="purge", older_than="{{ params.days }}")
    reconcile >> purge
