"""The operators without the task group: resolve a target group, then one mapped task for each database.

The two tasks are a job of one step by themselves; ``job_name`` is what the job database calls it.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_elasticjobs import (
    ElasticJobOperator,
    ResolveTargetGroupOperator,
    RetryPolicy,
    SqlDatabase,
    SqlServer,
    TargetGroup,
)

SERVER = "tenants.database.windows.net"

NOTE_THE_RUN = """
IF OBJECT_ID('dbo.Visits') IS NULL
    CREATE TABLE dbo.Visits (job_execution_id uniqueidentifier NOT NULL, airflow_run nvarchar(250) NOT NULL);
GO
INSERT INTO dbo.Visits (job_execution_id, airflow_run)
SELECT $(job_execution_id), N'{{ run_id }}'
WHERE NOT EXISTS (SELECT * FROM dbo.Visits WHERE job_execution_id = $(job_execution_id));
PRINT 'Visited by $(job_name)';
"""

with DAG(
    "example_building_blocks",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=1_000,
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    resolve = ResolveTargetGroupOperator(
        task_id="resolve",
        target_group=TargetGroup("Visited", [SqlServer(SERVER), SqlDatabase(SERVER, "database2", exclude=True)]),
        job_name="Visits",
    )
    ElasticJobOperator.partial(
        task_id="visit",
        command=NOTE_THE_RUN,
        retry=RetryPolicy(attempts=2),
        pool="JA100",
    ).expand(target=resolve.output)
