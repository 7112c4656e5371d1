"""A job of five steps, as a DAG file that is parsed and not run."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

SERVER = "tenants.database.windows.net"

everyone = TargetGroup("everyone", [SqlServer(SERVER)])
most = TargetGroup("most", [SqlServer(SERVER), SqlDatabase(SERVER, "database2", exclude=True)])

with DAG(
    "five_steps", schedule="0 2 * * *", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), max_active_tasks=1_000
):
    ElasticJob(
        "five steps",
        [
            JobStep("create", everyone, "IF OBJECT_ID('dbo.t') IS NULL CREATE TABLE dbo.t (i int);"),
            JobStep("index", most, "SELECT 1;", max_parallelism=5),
            JobStep("rebuild", most, "SELECT 1;", max_parallelism_per_server=10),
            JobStep("statistics", everyone, "EXEC sp_updatestats;"),
            JobStep("report", everyone, "SELECT COUNT(*) FROM dbo.t;"),
        ],
        tier="JA100",
    )
