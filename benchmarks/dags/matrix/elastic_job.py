"""The same script on the same databases as an elastic job: one task a database, deferred or in workers, or chunks.

A copy of this file is one DAG; a file that the environment names tells what it does, by the copy's name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

dag_id = Path(__file__).stem
plan = json.loads(Path(os.environ["BENCHMARK_PLAN"]).read_text())[dag_id]
pattern = plan["pattern"]
members = [SqlDatabase(name, pattern) if pattern else SqlServer(name) for name in plan["servers"]]

with DAG(dag_id, schedule=None, max_active_tasks=10_000):
    ElasticJob(
        dag_id,
        [JobStep("only", TargetGroup("everyone", members), plan["command"])],
        pool=plan["pool"],
        deferrable=plan["variant"] != "worker",
        group_id="job",
        targets_per_task=plan["targets_per_task"],
        chunk_parallelism=plan["chunk_parallelism"],
    )
