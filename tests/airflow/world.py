"""A sandbox, an Airflow with all DAGs, and the job database between them, as the tests look at them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.job_database import history
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import ExecutionRow
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.settings import DatabaseSettings, SandboxSettings, ServerSettings
from dev.airflow_client import RUN_ENDED, every
from dev.local_airflow import LocalAirflow
from tests.identity_endpoint import TENANT, IdentityEndpoint

TENANTS = "tenants.database.windows.net"
ARCHIVE = "archive.database.windows.net"
SCENARIOS = "scenarios.database.windows.net"
JOBS = "jobs.database.windows.net"

#: What a request to stop a run promises: seconds until the last of its scripts has ended on its server.
STOPPED_WITHIN = 5.0

LOGIN = "elasticjobs"
#: Unlike anything else in the world, so that it can be searched for.
PASSWORD = "Xyzzy-4711-never-to-be-seen"

#: Databases of each scenario in ``dags/scenarios.py``.
SCENARIO_DATABASES: Mapping[str, int] = {
    "worker": 2,
    "capacity": 8,
    "markone": 2,
    "markoneinworker": 2,
    "markrun": 2,
    "queuedrun": 3,
    "cleared": 1,
    "skipped": 1,
    "killed": 2,
    "restarted": 2,
    "rescheduled": 1,
    "rescheduledinworker": 1,
    "crashed": 1,
    "nopool": 1,
    "smallpool": 1,
    "stopped": 2,
    "repeated": 2,
    "empty": 1,
    "fail": 3,
    "chunks": 60,
    "chunkslots": 6,
    "chunkslotsinworker": 6,
    "wide": 9,
    "wideinworkers": 9,
    "lostone": 1,
    "losttwo": 2,
    "lostthree": 1,
    "schedulerless": 1,
    "blink": 3,
    "blinkinworker": 1,
    "gone": 2,
    "goneinworker": 1,
    "canary": 4,
    "allowed": 3,
    "alone": 3,
    "spread": 2,
    "identities": 8,
}

#: Secret of the service principal, as searchable as the password.
CLIENT_SECRET = "Plugh-4711-never-to-be-seen"

#: How each identity other than a login is written in a connection, by its client id; the server knows none ``refused``.
IDENTITIES: Mapping[str, Mapping[str, Any]] = {
    "managed": {"authentication": "managed_identity"},
    "principal": {"authentication": "service_principal", "tenant_id": TENANT},
    "workload": {"authentication": "workload_identity", "tenant_id": TENANT},
    "refused": {"authentication": "managed_identity"},
}

#: Scenarios with an elastic pool of their own, beside their databases, and how many databases are in it.
SCENARIO_POOLS: Mapping[str, int] = {"wide": 3, "wideinworkers": 3}

#: Job databases of scenarios in which they go away, by the Airflow connection that leads to them.
FRAIL_JOB_DATABASES: Mapping[str, str] = {"blinking": "blinking_jobs", "gone": "gone_jobs"}


def token_of(client_id: str) -> str:
    """The one access token of an identity, as searchable as the password."""
    return f"Xyzzy-token-of-{client_id}-never-to-be-seen"


def sandbox_settings() -> SandboxSettings:
    """The servers of the examples and of the scenarios, and the one with the job database."""
    tenants = [DatabaseSettings(f"database{number}", "pool1" if number > 10 else None) for number in range(1, 13)]
    scenarios = [
        DatabaseSettings(f"{name}{number}")
        for name, count in SCENARIO_DATABASES.items()
        for number in range(1, count + 1)
    ]
    scenarios += [
        DatabaseSettings(f"{name}pooled{number}", f"{name}pool")
        for name, count in SCENARIO_POOLS.items()
        for number in range(1, count + 1)
    ]
    databases = {
        TENANTS: tenants,
        ARCHIVE: [DatabaseSettings("history1")],
        SCENARIOS: scenarios,
        JOBS: [DatabaseSettings(name) for name in ("job_database", *FRAIL_JOB_DATABASES.values())],
    }
    logins = {LOGIN: PASSWORD}
    tokens = {token_of(client_id): client_id for client_id in IDENTITIES if client_id != "refused"}
    return SandboxSettings(
        tuple(
            ServerSettings(name, logins=logins, tokens=tokens, databases=tuple(made))
            for name, made in databases.items()
        )
    )


def connections(sandbox: SandboxClient) -> dict[str, dict[str, Any]]:
    """The Airflow connections that lead to the sandbox."""
    extra = {
        "host_map": {name: f"{sandbox.address},{port}" for name, port in sandbox.ports.items()},
        "trust_server_certificate": True,
        "login_timeout": 15,
    }
    common = {"conn_type": "elasticjobs", "login": LOGIN, "password": PASSWORD, "extra": json.dumps(extra)}
    return {
        "elasticjobs_default": common,
        "elasticjobs_job_database": {**common, "host": JOBS, "schema": "job_database"},
        **{
            client_id: {
                "conn_type": "elasticjobs",
                "login": client_id,
                "password": CLIENT_SECRET if client_id == "principal" else None,
                "extra": json.dumps({**extra, **fields}),
            }
            for client_id, fields in IDENTITIES.items()
        },
        **{name: {**common, "host": JOBS, "schema": database} for name, database in FRAIL_JOB_DATABASES.items()},
    }


@dataclass
class Run:
    """One DAG run, and the job that it holds."""

    world: World
    dag_id: str
    run_id: str
    group_id: str
    job_database: JobDatabase

    @property
    def execution(self) -> UUID:
        """The job's ``job_execution_id``."""
        return job_execution_id(self.dag_id, self.run_id, self.group_id)

    def state(self, timeout: float = 150) -> str:
        """Wait for the DAG run's end, and return its state."""
        return self.world.airflow.wait_for_run(self.dag_id, self.run_id, timeout)

    @property
    def tasks(self) -> dict[str, list[dict[str, Any]]]:
        """The task instances, in the order of their map index, by task id without the group's prefix."""
        found: dict[str, list[dict[str, Any]]] = {}
        for instance in self.world.airflow.task_instances(self.dag_id, self.run_id):
            found.setdefault(str(instance["task_id"]).removeprefix(f"{self.group_id}."), []).append(instance)
        return {name: sorted(instances, key=lambda one: one["map_index"]) for name, instances in found.items()}

    def states(self, task: str) -> list[str]:
        """The states of a task's instances."""
        return [str(instance["state"]) for instance in self.tasks[task]]

    def labels(self, task: str) -> list[str]:
        """What the grid calls a task's instances."""
        return [str(instance["rendered_map_index"]) for instance in self.tasks[task]]

    def log(self, task: str, map_index: int = -1, try_number: int = 1) -> str:
        """A task instance's log."""
        return self.world.airflow.task_log(self.dag_id, self.run_id, f"{self.group_id}.{task}", map_index, try_number)

    @property
    def rows(self) -> list[ExecutionRow]:
        """The run's rows in the job database."""
        return history.executions(self.job_database, self.execution)

    @property
    def lifecycle(self) -> str:
        """The lifecycle of the job's row."""
        return str(self.rows[0].lifecycle)

    def lifecycles(self, step_id: int = 1) -> dict[str, str]:
        """The lifecycle of each database in one step."""
        return {
            row.target_database_name: str(row.lifecycle)
            for row in self.rows
            if row.step_id == step_id and row.target_database_name is not None
        }

    def messages(self) -> dict[str, str]:
        """The last message of each database's row."""
        return {row.target_database_name: row.last_message or "" for row in self.rows if row.target_database_name}

    def index_of(self, database: str, task: str) -> int:
        """The map index of a database's task instance."""
        return int(
            next(one["map_index"] for one in self.tasks[task] if one["rendered_map_index"].endswith(f"/{database}"))
        )


@dataclass
class World:
    """Everything that a test can look at."""

    airflow: LocalAirflow
    sandbox: SandboxClient
    job_database: JobDatabase
    folder: Path
    identities: IdentityEndpoint
    started: dict[str, Run] = field(default_factory=dict)

    def start(
        self,
        dag_id: str,
        group_id: str | None = None,
        conf: Mapping[str, Any] | None = None,
        job_database: JobDatabase | None = None,
    ) -> Run:
        """Start a run of a DAG, whose rows are in another job database perhaps."""
        run_id = self.airflow.trigger(dag_id, conf=conf)
        return Run(self, dag_id, run_id, group_id or dag_id, job_database or self.job_database)

    def start_alone(self, dag_id: str, group_id: str) -> Run:
        """Start a run of a DAG that has a schedule when no other run of it is under way.

        Once it is unpaused, its schedule begins a run, too; on a database that both reach, one of them is skipped.
        """
        self.start(dag_id, group_id).state()
        for _ in every(0.5, 120):
            others = self.airflow.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]
            if all(one["state"] in RUN_ENDED for one in others):
                return self.start(dag_id, group_id)
        raise AssertionError(f"a run of {dag_id} does not end")

    def query(self, sql: str, database: str, server: str = SCENARIOS) -> list[Any]:
        """Ask a database of the sandbox."""
        with self.open(database, server) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def open(self, database: str, server: str) -> Iterator[Any]:
        """Open a connection that no counter is meant to see as a script."""
        with closing(self.sandbox.connect(server, database, APP="test")) as connection:
            yield connection

    def running(self, database: str, server: str = SCENARIOS) -> int:
        """How many scripts run in a database now."""
        return sum(one["outcome"] == "running" for one in self.scripts(database, server))

    def scripts(self, database: str, server: str = SCENARIOS) -> list[dict[str, Any]]:
        """The batches with a WAITFOR that ran in a database."""
        return self.sandbox.statements(server, database=database, containing="WAITFOR")


def until(holds: Callable[[], Any], timeout: float = 60, what: str = "it") -> None:
    """Wait until something holds.

    :raises AssertionError: if it does not in time.
    """
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout:g} s"
        time.sleep(0.2)
