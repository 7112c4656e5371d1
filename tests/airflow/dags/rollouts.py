"""DAGs whose scripts reach their databases in waves, with a budget of failures."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_elasticjobs import (
    ElasticJob,
    ElasticJobOperator,
    JobStep,
    ResolveTargetGroupOperator,
    RetryPolicy,
    Rollout,
    SqlDatabase,
    TargetGroup,
    Wave,
)

SERVER = "scenarios.database.windows.net"
ONCE = RetryPolicy(attempts=0)
#: Fails on the first database, until it is repaired.
BREAKS = "IF DB_NAME() LIKE '%1' AND OBJECT_ID('dbo.Repaired') IS NULL SELECT 1/0; PRINT 'fine';"


def group(name: str, count: int) -> TargetGroup:
    return TargetGroup(name, [SqlDatabase(SERVER, f"{name}{number}") for number in range(1, count + 1)])


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, max_active_tasks=100)


with dag("canary"):
    # A pool with one slot: a wave that waits must not hold what an earlier one needs.
    careful = Rollout(waves=[Wave(names=["canary1"]), Wave(count=1)], max_failures=0)
    ElasticJob("canary", [JobStep("only", group("canary", 4), BREAKS, retry=ONCE, rollout=careful)], pool="one")

with dag("allowed"):
    lenient = Rollout(waves=[Wave(pattern="allowed[12]")], max_failures=1)
    ElasticJob("allowed", [JobStep("only", group("allowed", 3), BREAKS, retry=ONCE, rollout=lenient)], tier="JA100")

with dag("spread"):
    slow = Rollout(spread=7200)
    ElasticJob("spread", [JobStep("only", group("spread", 2), "SELECT 1;", retry=ONCE, rollout=slow)], pool="one")

with dag("alone"):
    resolve = ResolveTargetGroupOperator(task_id="resolve", target_group=group("alone", 3))
    ElasticJobOperator.partial(
        task_id="run", command=BREAKS, retry=ONCE, rollout=Rollout(max_failures=0).to_json(), pool="one"
    ).expand(target=resolve.output)
