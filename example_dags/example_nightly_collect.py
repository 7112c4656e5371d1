"""Every night at two, by the clocks of Berlin: ask an elastic pool and single databases of two servers what they hold.

The time zone is what Azure's own schedules lack. Each database's task logs how many rows its result set has.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, RetryPolicy, SqlDatabase, SqlElasticPool, TargetGroup

TENANTS = "tenants.database.windows.net"
ARCHIVE = "archive.database.windows.net"

collected = TargetGroup(
    "Collected",
    [
        SqlElasticPool(TENANTS, "pool1"),
        SqlDatabase(TENANTS, "database1"),
        SqlDatabase(ARCHIVE, "history1"),
    ],
)

with DAG(
    "example_nightly_collect",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_tasks=1_000,
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Nightly collect",
        steps=[
            JobStep(
                "tables",
                collected,
                command="sql/tables_of_a_tenant.sql",
                retry=RetryPolicy(attempts=3, initial_interval=5, retry_on="transient"),
                step_timeout=timedelta(minutes=10),
            ),
        ],
        tier="JA100",
    )
