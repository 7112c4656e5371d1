"""Every hour, how large each tenant's tables are: one row for each table of each database, all in one table elsewhere.

The table ``dbo.TenantTables`` is made when the first database answers. Each run appends its rows; the columns that are
added tell which server a row is from, and which run brought it.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabaseOutput, SqlServer, TargetGroup

TENANTS = "tenants.database.windows.net"
ARCHIVE = "archive.database.windows.net"

with DAG(
    "example_output",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=1_000,
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Collect tables",
        steps=[
            JobStep(
                "collect",
                TargetGroup("Tenants", [SqlServer(TENANTS)]),
                command="sql/tables_of_a_tenant.sql",
                output=SqlDatabaseOutput(
                    ARCHIVE,
                    "history1",
                    "TenantTables",
                    add_columns=["server_name", "job_execution_id"],
                ),
            ),
        ],
        tier="JA100",
    )
