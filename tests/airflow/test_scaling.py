"""Two triggerers that share one run of 500 databases, while one is killed and the other restarted; and their queues.

Airflow's database is SQLite, where it deals triggers out without a lock (3.3.2: ``with_row_locks`` has no
``SKIP LOCKED`` there). So both may begin the same trigger, about once in such a run, and scripts run again for that.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.job_database import history, install
from airflow_provider_elasticjobs.job_database.attempt_history import attempts
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from benchmarks.fleet import Fleet
from dev import guard
from dev.airflow_client import every
from dev.local_airflow import COMPONENTS, LocalAirflow
from tests.airflow.world import until
from tests.job_database_invariants import broken_invariants

ROOT = Path(__file__).resolve().parents[2]

DATABASES = 500
#: Tells the script from all else that the server saw.
MARK = "INSERT INTO dbo.Visits"
#: Scripts at a time, all triggerers together.
SLOTS = 100
#: Databases of a task: a small machine's scheduler would take two minutes to begin 500. With 1, there are no chunks.
TARGETS_PER_TASK = int(os.environ.get("ELASTICJOBS_TEST_TARGETS_PER_TASK", "10"))

DAGS = """
import os

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

SERVER = os.environ["FLEET_SERVER"]
PER_TASK = int(os.environ["FLEET_TARGETS_PER_TASK"])
CHUNKS = {"targets_per_task": PER_TASK, "chunk_parallelism": PER_TASK} if PER_TASK > 1 else {}
VISIT = '''
IF OBJECT_ID('dbo.Visits') IS NULL CREATE TABLE dbo.Visits (x int);
WAITFOR DELAY '00:00:02.5';
INSERT INTO dbo.Visits VALUES (1);
'''

with DAG("shared", schedule=None, max_active_tasks=1_000):
    step = JobStep("only", TargetGroup("everyone", [SqlServer(SERVER)]), VISIT)
    ElasticJob("shared", [step], pool="wide", **CHUNKS)

for place, queue in enumerate(("one", "two")):
    with DAG(f"queue_{queue}", schedule=None, default_args={"queue": queue}):
        members = [SqlDatabase(SERVER, f"database{place * 2 + number:05}") for number in range(2)]
        ElasticJob(f"queue_{queue}", [JobStep("only", TargetGroup(queue, members), "WAITFOR DELAY '00:00:05';")])
"""

#: Every trigger has a queue, that of its task; each triggerer has one of its own beside the queue that they share.
TRIGGERERS = {"triggerer": "default,one", "triggerer-2": "default,two"}
SETTINGS = {
    "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True",
    # Neither takes everything, as whichever asks first would: ten chunks are at work at a time, or a hundred databases.
    "AIRFLOW__TRIGGERER__CAPACITY": str(6 * SLOTS // 10 // TARGETS_PER_TASK),
    # A killed triggerer's work goes to the other one while the test waits.
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}

_AT_WORK = Batch(
    """
SELECT a.process_id FROM jobs_internal.executions AS e INNER JOIN jobs_internal.agents AS a ON a.agent_id = e.agent_id
WHERE e.job_execution_id = @run AND e.target_type = 'SqlDatabase' AND e.lifecycle = 'InProgress';
""",
    run="uniqueidentifier",
)
_ENDED_BY = Batch(
    """
SELECT agent_id, COUNT(*) AS row_count FROM jobs_internal.executions
WHERE job_execution_id = @run AND target_type = 'SqlDatabase' AND is_active = 0 GROUP BY agent_id;
""",
    run="uniqueidentifier",
)


@dataclass
class Machines:
    """An Airflow with two triggerers, a server with 500 databases, and the job database."""

    airflow: LocalAirflow
    sandbox: SandboxClient
    job_database: JobDatabase

    def start(self, dag_id: str) -> tuple[str, UUID]:
        """Start a DAG whose job is called like it; return the ids of its run."""
        run_id = self.airflow.trigger(dag_id)
        return run_id, job_execution_id(dag_id, run_id, dag_id)

    def at_work(self, execution: UUID) -> dict[str, int]:
        """How many scripts each triggerer runs; those of a process before its first heartbeat are not seen."""
        processes = [row.process_id for row in self.job_database.run(_AT_WORK, run=execution)]
        below = {name: guard.descendants(self.airflow.component(name).pid) for name in TRIGGERERS}
        return {name: sum(process in below[name] for process in processes) for name in TRIGGERERS}

    def end(self, name: str, how: signal.Signals) -> None:
        """End a triggerer, as a machine that fails or is taken away does."""
        component = self.airflow.component(name)
        component.kill(how, with_children=how is signal.SIGKILL)
        component.wait(40)
        component.stop()

    def visits(self, database: str) -> int:
        """How often the script took effect in a database, by the database's own word."""
        with closing(self.sandbox.connect(database=database, APP="test")) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM dbo.Visits").fetchone()[0])


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("scaling")
    (folder / "dags").mkdir()
    (folder / "dags" / "scaling.py").write_text(DAGS)
    components = {**COMPONENTS, **{name: (*COMPONENTS["triggerer"], "--queues", of) for name, of in TRIGGERERS.items()}}
    with Fleet(DATABASES, 1) as fleet:
        (server,) = fleet.databases
        environment = {**SETTINGS, "FLEET_SERVER": server, "FLEET_TARGETS_PER_TASK": str(TARGETS_PER_TASK)}
        airflow = LocalAirflow(
            folder / "home",
            folder / "dags",
            components=components,
            environment=environment,
            database_cache=ROOT / ".cache" / "airflow",
        )
        with closing(fleet.job_database) as job_database, airflow:
            install.upgrade(job_database)
            for conn_id, connection in fleet.airflow_connections().items():
                airflow.add_connection(conn_id, connection)
            airflow.set_pool("wide", SLOTS)
            yield Machines(airflow, fleet.clients[server], job_database)


@pytest.fixture(scope="module")
def shared(machines: Machines) -> UUID:
    """A run of 500 databases that one triggerer was killed in, and the other restarted."""
    airflow = machines.airflow
    run_id, execution = machines.start("shared")
    until(lambda: min(machines.at_work(execution).values()) >= 2 * TARGETS_PER_TASK, 90, "the work of both")
    machines.end("triggerer", signal.SIGKILL)
    airflow.start_component("triggerer")
    until(lambda: machines.at_work(execution)["triggerer-2"], 60, "work of the one that was left")
    machines.end("triggerer-2", signal.SIGTERM)
    airflow.start_component("triggerer-2")
    assert airflow.wait_for_run("shared", run_id, 280) == "success"
    return execution


@pytest.fixture(autouse=True)
def no_rule_is_broken(machines: Machines) -> Iterator[None]:
    yield
    assert any(not broken_invariants(machines.job_database) for _ in every(0.5, 10))


def test_a_trigger_goes_to_the_triggerer_of_its_tasks_queue(machines: Machines) -> None:
    own = {name: queues.partition(",")[2] for name, queues in TRIGGERERS.items()}
    runs = {name: machines.start(f"queue_{queue}") for name, queue in own.items()}
    expected = {name: {other: 2 * (other == name) for other in own} for name in own}
    until(
        lambda: {name: machines.at_work(execution) for name, (_, execution) in runs.items()} == expected,
        90,
        "two scripts in each triggerer",
    )
    for name, queue in own.items():
        tasks = machines.airflow.task_instances(f"queue_{queue}", runs[name][0])
        assert {task["queue"] for task in tasks} == {queue}


@pytest.mark.timeout(500)
def test_two_triggerers_share_500_databases_one_is_killed_and_the_other_restarted(
    machines: Machines, shared: UUID
) -> None:
    rows = history.executions(machines.job_database, shared)
    assert Counter(str(row.lifecycle) for row in rows) == {"Succeeded": DATABASES + len(("job", "step"))}
    ended_by = {row.agent_id: row.row_count for row in machines.job_database.run(_ENDED_BY, run=shared)}
    assert sum(ended_by.values()) == DATABASES
    assert len(ended_by) >= 2, "whoever ended rows before a restart is not the one who did after it"
    assert 5 * TARGETS_PER_TASK <= machines.sandbox.peak_running(containing=MARK) <= SLOTS


@pytest.mark.timeout(500)
def test_the_rows_say_of_each_script_what_its_database_says(machines: Machines, shared: UUID) -> None:
    """What was broken off ran again, since the step is idempotent, and none ran twice at once."""
    made: dict[str, list[str | None]] = {}
    for attempt in attempts(machines.job_database, shared):
        made.setdefault(attempt.target_database_name, []).append(attempt.outcome)
    assert len(made) == DATABASES
    assert {outcomes[-1] for outcomes in made.values()} == {"succeeded"}
    again = {database for database, outcomes in made.items() if len(outcomes) > 1}
    assert {outcome for database in again for outcome in made[database][:-1]} == {"unknown"}

    sent = machines.sandbox.statements(containing=MARK)
    answered = Counter(one["database"] for one in sent if one["outcome"] == "succeeded")
    with ThreadPoolExecutor(4) as threads:
        took_effect = dict(zip(made, threads.map(machines.visits, made), strict=True))
    assert {(answered[database], took_effect[database]) for database in made.keys() - again} == {(1, 1)}
    # What is broken off between its last statement and its answer has taken effect, and only the database knows.
    assert all(1 <= answered[database] <= took_effect[database] <= len(made[database]) for database in again)
    assert {machines.sandbox.peak_running(database=database, containing=MARK) for database in again} == {1}
