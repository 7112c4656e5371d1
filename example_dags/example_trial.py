"""A job that is tried before it is run: choose ``plan``, ``parse`` or ``rollback`` when the DAG is triggered.

``plan`` shows which databases each step would run on, ``parse`` lets every server parse the scripts, ``rollback`` runs
them in a transaction and rolls it back. The databases stay as they are; a row ends ``Skipped`` and says what was found,
or ``Failed``. ``run`` runs the job.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlElasticPool, TargetGroup

SERVER = "tenants.database.windows.net"

pool = TargetGroup("Pool1", [SqlElasticPool(SERVER, "pool1")])

PREPARE = """
IF OBJECT_ID(N'dbo.Visits') IS NULL
    CREATE TABLE dbo.Visits (visit_id int NOT NULL, visited_at datetime2(7) NOT NULL);
GO
IF NOT EXISTS (SELECT 1 FROM dbo.Visits WHERE visit_id = 0)
    INSERT INTO dbo.Visits (visit_id, visited_at) VALUES (0, SYSUTCDATETIME());
"""

with DAG(
    "example_trial",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"trial": Param("plan", enum=["plan", "parse", "rollback", "run"])},
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "TriedJob",
        steps=[
            JobStep("prepare", pool, PREPARE),
            JobStep("count", pool, "SELECT COUNT(*) FROM dbo.Visits;"),
        ],
        trial="{{ params.trial if params.trial != 'run' else '' }}",
    )
