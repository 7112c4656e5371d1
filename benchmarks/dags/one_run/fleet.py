"""One job on all databases of the fleet; what it does is told by the environment."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlServer, TargetGroup

SERVERS = os.environ["FLEET_SERVERS"].split(",")
SIZES = {"targets_per_task": "FLEET_TARGETS_PER_TASK", "chunk_parallelism": "FLEET_CHUNK_PARALLELISM"}
CHUNKS: dict[str, Any] = {name: int(os.environ[variable]) for name, variable in SIZES.items() if os.environ[variable]}

with DAG("fleet", schedule=None, max_active_tasks=1_000):
    ElasticJob(
        "fleet",
        [JobStep("only", TargetGroup("everyone", [SqlServer(name) for name in SERVERS]), os.environ["FLEET_COMMAND"])],
        pool="fleet",
        **CHUNKS,
    )
