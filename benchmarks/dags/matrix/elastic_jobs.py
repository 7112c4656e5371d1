"""The same scripts on the same databases as elastic jobs: one task a database, deferred or in workers, and chunks.

The servers and scripts are told by a file that the environment names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

PLAN = json.loads(Path(os.environ["BENCHMARK_PLAN"]).read_text())
#: The only DAG that is wanted, when a task runs; a user's file would have no other.
WANTED = get_parsing_context().dag_id

for one in PLAN["dags"]:
    if one["variant"] != "expand" and WANTED in {None, one["dag_id"]}:
        pattern = one["pattern"]
        members = [SqlDatabase(name, pattern) if pattern else SqlServer(name) for name in one["servers"]]
        with DAG(one["dag_id"], schedule=None, max_active_tasks=10_000):
            ElasticJob(
                one["dag_id"],
                [JobStep("only", TargetGroup("everyone", members), one["command"])],
                pool=one["pool"],
                deferrable=one["variant"] != "worker",
                group_id="job",
                targets_per_task=one["targets_per_task"],
                chunk_parallelism=one["chunk_parallelism"],
            )
