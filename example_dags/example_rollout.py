"""A script that reaches a canary first, then a few more databases, then the rest, and stops when too many fail.

``database1`` comes first, then two databases, then all the others: those one after another over a minute, the largest
first. The failure of the canary, or of more than two databases in all, stops the rollout: what runs comes to its end,
and what has not begun is skipped, with the reason.

It needs what ``example_elastic_job`` needs.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, Rollout, SqlServer, TargetGroup, Wave

SERVER = "tenants.database.windows.net"

with DAG(
    "example_rollout",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=1_000,
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Rollout",
        steps=[
            JobStep(
                "add_index",
                TargetGroup("Everyone", [SqlServer(SERVER)]),
                command="sql/add_index.sql",
                rollout=Rollout(
                    waves=[Wave(names=["database1"]), Wave(count=2)],
                    max_failures=2,
                    max_failure_ratio=0.5,
                    spread=60,
                    largest_first=True,
                ),
            ),
        ],
        description="Adds an index to the table of a tenant, carefully",
        tier="JA100",
    )
