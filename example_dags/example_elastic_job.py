"""The job of Azure's own tutorial: two steps, the second on all databases of a server but one.

It needs an Airflow connection ``elasticjobs_default``, whose login may create tables in the databases and connect to
``master``; a connection ``elasticjobs_job_database``, with the job database installed by ``airflow elasticjobs db
upgrade``; and the pool ``JA100``, made by ``airflow elasticjobs tier JA100``.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

SERVER = "tenants.database.windows.net"

everyone = TargetGroup("ServerGroup", [SqlServer(SERVER)])
all_but_db2 = TargetGroup(
    "ServerGroupExcludingDb2", [SqlServer(SERVER), SqlDatabase(SERVER, "database2", exclude=True)]
)

with DAG(
    "example_elastic_job",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # One task for each database: the pool limits how many run, not the DAG.
    max_active_tasks=1_000,
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Job1",
        steps=[
            JobStep("step1", everyone, command="sql/step1.sql"),
            JobStep("step2", all_but_db2, command="sql/step2.sql", max_parallelism=5),
        ],
        description="Creates Step1Table everywhere, and Step2Table everywhere but in database2",
        tier="JA100",
    )
