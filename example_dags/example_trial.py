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
IF OBJECT_ID(N'dbo.Holidays') IS NULL
    CREATE TABLE dbo.Holidays (day date NOT NULL, name nvarchar(50) NOT NULL);
GO
IF NOT EXISTS (SELECT 1 FROM dbo.Holidays WHERE day = '2026-01-01')
    INSERT INTO dbo.Holidays (day, name) VALUES ('2026-01-01', N'New Year');
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
            JobStep("count", pool, "SELECT COUNT(*) FROM dbo.Holidays;"),
        ],
        trial="{{ params.trial if params.trial != 'run' else '' }}",
    )
