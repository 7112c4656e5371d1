"""Run a script again where an earlier run of any job failed, and nowhere else.

Trigger it with the ``job_execution_id`` of that run, as ``airflow elasticjobs executions list`` shows it. Clearing the
failed tasks of the run itself does the same within that run, with the script as it is then.
"""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.sdk import DAG, Param

from airflow_provider_elasticjobs import ElasticJob, JobStep, TargetGroup

with DAG(
    "example_repeat_failed",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=1_000,
    params={"job_execution_id": Param("", type="string", description="The run whose failed databases are meant")},
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Repeat failed",
        steps=[
            JobStep("step1", TargetGroup.failed_of("{{ params.job_execution_id }}"), command="sql/step1.sql"),
        ],
        tier="JA100",
    )
