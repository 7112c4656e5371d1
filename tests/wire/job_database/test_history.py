from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import (
    count_targets,
    executions,
    job_lifecycle,
    latest_runs,
    registered_targets,
)
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import SERVER, Run, databases, new_job


def test_the_rows_of_a_run_come_in_the_order_of_work(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    for step_id in (1, 2):
        for target in run.begin(2, step_id):
            run.run_target(target)
    rows = executions(db, run.id)
    assert [(row.step_id, row.target_type, row.target_database_name) for row in rows] == [
        (None, None, None),
        (1, "TargetGroup", None), (1, "SqlDatabase", "db1"), (1, "SqlDatabase", "db2"),
        (2, "TargetGroup", None), (2, "SqlDatabase", "db1"), (2, "SqlDatabase", "db2"),
    ]  # fmt: skip
    assert {row.lifecycle for row in rows} == {Lifecycle.SUCCEEDED}
    assert {row.job_execution_id for row in rows} == {run.id}
    assert executions(db, uuid4()) == []


def test_targets_are_counted_by_lifecycle(db: JobDatabase) -> None:
    run = Run(db)
    one, two, _ = run.begin(3)
    run.run_target(one)
    run.run_target(two, Lifecycle.FAILED)
    expected = {Lifecycle.CREATED: 1, Lifecycle.SUCCEEDED: 1, Lifecycle.FAILED: 1}
    assert count_targets(db, run.id) == count_targets(db, run.id, 1) == expected
    assert count_targets(db, run.id, 2) == {}
    assert job_lifecycle(db, run.id) is Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS
    assert job_lifecycle(db, uuid4()) is None


def test_the_newest_runs_come_first(db: JobDatabase) -> None:
    first = Run(db)
    second = Run(db, first.job)
    first.start()
    second.start()
    assert [row.job_execution_id for row in latest_runs(db, job_name=first.job.name)] == [second.id, first.id]
    assert [row.job_execution_id for row in latest_runs(db, count=1)] == [second.id]
    assert {row.step_id for row in latest_runs(db)} == {None}


def test_a_chunk_of_a_steps_targets_is_read_in_their_order(db: JobDatabase) -> None:
    run = Run(db)
    targets = [Target(SERVER, "z", "pool1", "conn"), *databases(4)]
    registered = run.begin(targets)
    assert registered_targets(db, run.id, 1, count=10) == registered
    assert registered_targets(db, run.id, 1, first=1, count=2) == registered[1:3]


def test_five_thousand_targets_are_registered_in_order(server: LiveServer, new_database: Callable[[], str]) -> None:
    db = server.job_database(new_database())
    upgrade(db)
    run = Run(db)
    registered = run.begin(5000)
    assert count_targets(db, run.id) == {Lifecycle.CREATED: 5000}
    assert registered_targets(db, run.id, 1, first=4990, count=100) == registered[4990:]
    db.close()
