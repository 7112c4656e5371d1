"""One sandbox and one Airflow for all tests here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.sandbox.process import SandboxProcess
from dev.airflow_client import every
from dev.local_airflow import LocalAirflow
from tests.airflow.world import JOBS, World, connections, sandbox_settings, token_of
from tests.identity_endpoint import IdentityEndpoint
from tests.job_database_invariants import broken_invariants

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

SETTINGS = {
    # Whatever dies is noticed while the test waits.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    # Only this finds what a killed scheduler's workers had begun; the scheduler that follows looks every five minutes.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "5",
    # Longer than the minute that a job database is away for, and shorter than a test may take.
    "AIRFLOW__ELASTICJOBS__JOB_DATABASE_PATIENCE": "75",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.airflow)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("airflow")
    dags = folder / "dags"
    shutil.copytree(ROOT / "example_dags", dags)
    shutil.copytree(HERE / "dags", dags, dirs_exist_ok=True)
    (folder / "identities").mkdir()
    identities = IdentityEndpoint(folder / "identities", make=token_of)
    environment = {**SETTINGS, **identities.environment}
    airflow = LocalAirflow(
        folder / "home", dags, environment=environment, parallelism=8, database_cache=ROOT / ".cache" / "airflow"
    )
    with closing(identities), SandboxProcess(sandbox_settings()) as sandbox, airflow:
        for conn_id, connection in connections(sandbox).items():
            airflow.add_connection(conn_id, connection)
        job_database = JobDatabase(lambda: sandbox.connect(JOBS, "job_database"), server=JOBS, database="job_database")
        upgraded = airflow.cli("elasticjobs", "db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stdout
        airflow.set_pool("three", 3)
        airflow.set_pool("one", 1)
        airflow.set_pool("five", 5)
        tier = airflow.cli("elasticjobs", "tier", "JA100")
        assert tier.returncode == 0, tier.stdout
        yield World(airflow, sandbox, job_database, folder, identities)


@pytest.fixture(autouse=True)
def no_rule_is_broken(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test the job database's rows keep the rules; a run that goes on may be between two writes."""
    yield
    if "world" in request.fixturenames:
        db = request.getfixturevalue("world").job_database
        assert any(not broken_invariants(db) for _ in every(0.5, 10)), broken_invariants(db)
