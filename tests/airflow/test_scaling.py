"""Two triggerers that share one run of 500 databases, while one is killed and the other restarted; and their queues."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.job_database import history, install
from airflow_provider_elasticjobs.job_database.attempt_history import AttemptRow, attempts
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from benchmarks.fleet import Fleet
from dev import guard
from dev.local_airflow import COMPONENTS, LocalAirflow
from tests.airflow.world import until
from tests.job_database_invariants import broken_invariants

ROOT = Path(__file__).resolve().parents[2]

DATABASES = 500
#: Scripts at a time, all triggerers together.
SLOTS = 100
#: Databases of a task: one each would take the scheduler of a small machine two minutes.
TARGETS_PER_TASK = int(os.environ.get("ELASTICJOBS_TEST_TARGETS_PER_TASK", "10"))

DAGS = """
import os

from airflow.sdk import DAG

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlServer, TargetGroup

SERVER = os.environ["FLEET_SERVER"]
PER_TASK = int(os.environ["FLEET_TARGETS_PER_TASK"])
VISIT = '''
IF OBJECT_ID('dbo.Visits') IS NULL CREATE TABLE dbo.Visits (x int);
WAITFOR DELAY '00:00:03';
INSERT INTO dbo.Visits VALUES (1);
'''

with DAG("shared", schedule=None, max_active_tasks=1_000):
    step = JobStep("only", TargetGroup("everyone", [SqlServer(SERVER)]), VISIT)
    ElasticJob("shared", [step], pool="wide", targets_per_task=PER_TASK, chunk_parallelism=PER_TASK)

for place, queue in enumerate(("one", "two")):
    with DAG(f"queue_{queue}", schedule=None, default_args={"queue": queue}):
        members = [SqlDatabase(SERVER, f"database{place * 2 + number:05}") for number in range(2)]
        ElasticJob(f"queue_{queue}", [JobStep("only", TargetGroup(queue, members), "WAITFOR DELAY '00:00:05';")])
"""

#: Every trigger has a queue, that of its task; each triggerer has one of its own beside the queue that they share.
TRIGGERERS = {"triggerer": "default,one", "triggerer-2": "default,two"}
SETTINGS = {
    "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True",
    # A killed triggerer's work goes to the other one while the test waits.
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
}

_AT_WORK = Batch(
    """
SELECT e.agent_id, a.process_id, COUNT(*) AS row_count
FROM jobs_internal.executions AS e INNER JOIN jobs_internal.agents AS a ON a.agent_id = e.agent_id
WHERE e.job_execution_id = @run AND e.target_type = 'SqlDatabase' AND e.lifecycle = 'InProgress'
GROUP BY e.agent_id, a.process_id;
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
    fleet: Fleet
    job_database: JobDatabase
    server: str

    def at_work(self, execution: UUID) -> dict[str, Counter[str]]:
        """Rows in progress by triggerer, and by what the job database calls its process."""
        found: dict[str, Counter[str]] = {}
        rows = self.job_database.run(_AT_WORK, run=execution)
        for name in TRIGGERERS:
            processes = guard.descendants(self.airflow.component(name).pid)
            found[name] = Counter({str(row.agent_id): row.row_count for row in rows if row.process_id in processes})
        return found

    def ended_by(self, execution: UUID) -> dict[str, int]:
        """Rows that have ended, by the process that ended them."""
        return {str(row.agent_id): row.row_count for row in self.job_database.run(_ENDED_BY, run=execution)}

    def visits(self, database: str) -> int:
        """How often the script took effect in a database, by the database's own word."""
        with closing(self.fleet.clients[self.server].connect(self.server, database, APP="test")) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM dbo.Visits").fetchone()[0])

    def scripts(self) -> list[dict[str, Any]]:
        """The scripts that reached the server."""
        return self.fleet.clients[self.server].statements(self.server, containing="INSERT INTO dbo.Visits")

    def end(self, name: str, how: signal.Signals) -> None:
        """End a triggerer, as a machine that fails or is taken away does."""
        component = self.airflow.component(name)
        component.kill(how, with_children=how is signal.SIGKILL)
        component.wait(40)
        component.stop()


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
            yield Machines(airflow, fleet, job_database, server)


@pytest.fixture(autouse=True)
def no_rule_is_broken(machines: Machines) -> Iterator[None]:
    yield
    assert broken_invariants(machines.job_database) == []


def test_a_tasks_trigger_goes_to_the_triggerer_of_its_queue(machines: Machines) -> None:
    airflow = machines.airflow
    runs = {dag_id: airflow.trigger(dag_id) for dag_id in ("queue_one", "queue_two")}
    for dag_id, run_id in runs.items():
        queue = dag_id.removeprefix("queue_")
        expected = {name: 2 if queue in queues.split(",") else 0 for name, queues in TRIGGERERS.items()}
        execution = job_execution_id(dag_id, run_id, dag_id)

        def runs_there(execution: UUID = execution, expected: dict[str, int] = expected) -> bool:
            return {name: rows.total() for name, rows in machines.at_work(execution).items()} == expected

        until(runs_there, 90, f"both scripts in the triggerer of queue {queue}")
        assert {task["queue"] for task in airflow.task_instances(dag_id, run_id)} == {queue}
    assert {airflow.wait_for_run(dag_id, run_id) for dag_id, run_id in runs.items()} == {"success"}


def test_two_triggerers_share_500_databases_one_is_killed_and_the_other_restarted(machines: Machines) -> None:
    airflow = machines.airflow
    run_id = airflow.trigger("shared")
    execution = job_execution_id("shared", run_id, "shared")
    first: dict[str, Counter[str]] = {}

    def both_work() -> bool:
        first.update(machines.at_work(execution))
        ended_by = machines.ended_by(execution)
        return all(rows and set(rows) <= set(ended_by) for rows in first.values())

    until(both_work, 90, "work of both triggerers")
    machines.end("triggerer", signal.SIGKILL)
    airflow.start_component("triggerer")
    machines.end("triggerer-2", signal.SIGTERM)
    airflow.start_component("triggerer-2")
    assert airflow.wait_for_run("shared", run_id) == "success"

    rows = history.executions(machines.job_database, execution)
    assert Counter(str(row.lifecycle) for row in rows) == {"Succeeded": DATABASES + len(("job", "step"))}
    ended_by = machines.ended_by(execution)
    print(ended_by, first, Counter(row.current_attempts for row in rows))
    assert len(ended_by) > len(first), "what the two had begun was ended by those that came after them"
    client = machines.fleet.clients[machines.server]
    peak = client.peak_running(machines.server, containing="INSERT INTO dbo.Visits")
    print("peak", peak)
    assert SLOTS / 2 <= peak <= SLOTS

    made: dict[str, list[AttemptRow]] = {}
    for attempt in attempts(machines.job_database, execution):
        made.setdefault(attempt.target_database_name, []).append(attempt)
    with ThreadPoolExecutor(4) as threads:
        visits = dict(zip(made, threads.map(machines.visits, made), strict=True))
    sent = Counter(one["database"] for one in machines.scripts())
    took_effect = Counter(one["database"] for one in machines.scripts() if one["outcome"] == "succeeded")
    print(Counter((len(made[n]), tuple(a.outcome for a in made[n]), sent[n], took_effect[n], visits[n]) for n in made))
    assert visits == took_effect
