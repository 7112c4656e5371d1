"""DAGs that go through what can happen to a job; each has its own databases, so that they can all run at once."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG

from airflow_provider_elasticjobs import (
    ElasticJob,
    ElasticJobOperator,
    JobStep,
    ResolveTargetGroupOperator,
    RetryPolicy,
    SqlDatabase,
    SqlElasticPool,
    TargetGroup,
)

SERVER = "scenarios.database.windows.net"
ONCE = RetryPolicy(attempts=0)

PRINTS = "PRINT 'hello from a worker';\nGO\nSELECT name FROM sys.tables;"
SHORT = "/* capacity */ WAITFOR DELAY '00:00:01';"
LONG = "/* long */ WAITFOR DELAY '00:10:00';"
DIVIDES = "IF DB_NAME() = 'fail2' AND OBJECT_ID('dbo.Repaired') IS NULL SELECT 1/0; PRINT 'fine';"
MARKED_ONE = "IF DB_NAME() LIKE '%1' WAITFOR DELAY '00:10:00'; PRINT 'the other one';"
AGAIN = "IF OBJECT_ID('dbo.Seen') IS NULL BEGIN CREATE TABLE dbo.Seen (x int); WAITFOR DELAY '00:10:00'; END;"
CHUNKED = """
IF OBJECT_ID('dbo.Visits') IS NULL CREATE TABLE dbo.Visits (x int);
INSERT INTO dbo.Visits VALUES (1);
IF DB_NAME() = 'chunks1' AND OBJECT_ID('dbo.Repaired') IS NULL THROW 50001, 'not yet repaired', 1;
IF DB_NAME() = 'chunks9' AND (SELECT COUNT(*) FROM dbo.Visits) = 1 WAITFOR DELAY '00:10:00';
"""
AWAITED = "WHILE OBJECT_ID('dbo.Released') IS NULL WAITFOR DELAY '00:00:00.2';"


def wide(name: str, **arguments: Any) -> None:
    """Begin twelve targets: some run, two fail and wait ten minutes, all but one of a pool wait for a place."""
    members = [SqlDatabase(SERVER, f"{name}{number}") for number in range(1, 10)]
    targets = TargetGroup(name, [*members, SqlElasticPool(SERVER, f"{name}pool")])
    command = f"IF DB_NAME() IN ('{name}2', '{name}9') THROW 50001, 'come again', 1; WAITFOR DELAY '00:10:00';"
    patient = RetryPolicy(attempts=3, initial_interval=600, maximum_interval=600)
    with dag(name):
        ElasticJob(name, [JobStep("only", targets, command, retry=patient, max_parallelism=1)], **arguments)


def group(name: str, count: int) -> TargetGroup:
    return TargetGroup(name, [SqlDatabase(SERVER, f"{name}{number}") for number in range(1, count + 1)])


def dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, max_active_tasks=100, render_template_as_native_obj=False)


def scenario(name: str, count: int, command: str, **arguments: Any) -> None:
    with dag(name):
        step = JobStep("only", group(name, count), command, retry=ONCE)
        ElasticJob(name, [step], **{"tier": "JA100", **arguments})


scenario("worker", 2, PRINTS, deferrable=False)
scenario("capacity", 8, SHORT, tier=None, pool="three")
scenario("markone", 2, MARKED_ONE)
scenario("markoneinworker", 2, MARKED_ONE, deferrable=False)
scenario("markrun", 2, LONG)
scenario("queuedrun", 3, LONG, tier=None, pool="one")
scenario("cleared", 1, AGAIN)
scenario("skipped", 1, AWAITED)
scenario("killed", 2, LONG, deferrable=False)
scenario("restarted", 2, AGAIN)
scenario("rescheduled", 1, AWAITED)
scenario("rescheduledinworker", 1, AWAITED, deferrable=False)
scenario("crashed", 1, AGAIN)
scenario("stopped", 2, LONG)
scenario("smallpool", 1, PRINTS, tier=None, pool="three", targets_per_task=50, chunk_parallelism=4)
scenario("repeated", 2, "IF DB_NAME() = 'repeated2' THROW 50001, 'not here', 1;")
scenario("nopool", 1, PRINTS, tier="JA800")
scenario("chunks", 60, CHUNKED, targets_per_task=20, chunk_parallelism=5)
TWO_OF_THREE = {"tier": None, "pool": "three", "targets_per_task": 3, "chunk_parallelism": 2}
scenario("chunkslots", 6, "/* chunk slots */ WAITFOR DELAY '00:00:01';", **TWO_OF_THREE)
scenario("chunkslotsinworker", 6, "/* slots in worker */ WAITFOR DELAY '00:00:01';", **TWO_OF_THREE, deferrable=False)

scenario("lostone", 1, AGAIN)
scenario("losttwo", 2, AGAIN)
scenario("lostthree", 1, AGAIN)
scenario("schedulerless", 1, AGAIN, deferrable=False)
scenario("blink", 3, AWAITED, job_database_conn_id="blinking")
scenario("blinkinworker", 1, AWAITED, job_database_conn_id="blinking", deferrable=False)
scenario("gone", 2, AWAITED, job_database_conn_id="gone")
scenario("goneinworker", 1, AWAITED, job_database_conn_id="gone", deferrable=False)
wide("wide", tier="JA100")
wide("wideinworkers", pool="five", deferrable=False)

with dag("empty"):
    nothing = TargetGroup("nothing", [SqlElasticPool(SERVER, "emptypool")])
    job = ElasticJob("empty", [JobStep("none", nothing, PRINTS), JobStep("some", group("empty", 1), PRINTS)])
    job >> EmptyOperator(task_id="after")

with dag("resolving"):
    asked = TargetGroup("asked", [SqlElasticPool("nowhere.database.windows.net", "pool1")])
    patient = RetryPolicy(attempts=5, initial_interval=600, maximum_interval=600)
    ElasticJob("resolving", [JobStep("only", asked, PRINTS, retry=patient)])

with dag("branch"):
    branch = BranchPythonOperator(task_id="branch", python_callable=lambda: "other")
    job = ElasticJob(
        "branch_job", [JobStep("first", group("empty", 1), PRINTS), JobStep("second", group("empty", 1), PRINTS)]
    )
    branch >> [EmptyOperator(task_id="other"), job]

with dag("fail"):
    ElasticJob(
        "fail",
        [JobStep("first", group("fail", 3), DIVIDES, retry=ONCE), JobStep("second", group("fail", 3), PRINTS)],
        tier="JA100",
    )

with dag("unreachable"):
    nowhere = TargetGroup("nowhere", [SqlElasticPool("nowhere.database.windows.net", "pool1")])
    resolve = ResolveTargetGroupOperator(task_id="resolve", target_group=nowhere)
    ElasticJobOperator.partial(task_id="run", command=PRINTS, retry=ONCE).expand(target=resolve.output)

with dag("identities"):
    # Two databases for each identity but the last, which no server knows; a login is the default.
    named = [None, None, "managed", "managed", "principal", "principal", "workload", "refused"]
    members = [SqlDatabase(SERVER, f"identities{number}", conn_id=conn_id) for number, conn_id in enumerate(named, 1)]
    says = "DECLARE @me nvarchar(128) = SUSER_SNAME(); PRINT @me; CREATE TABLE dbo.Ran (by_whom nvarchar(128));\n"
    ElasticJob(
        "identities",
        [
            JobStep("only", TargetGroup("identities", members), says + "INSERT INTO dbo.Ran VALUES (@me);", retry=ONCE),
        ],
        tier="JA100",
    )
