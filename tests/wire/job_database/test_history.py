from __future__ import annotations

from uuid import uuid4

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import (
    count_targets,
    executions,
    job_lifecycle,
    latest_runs,
)
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from tests.wire.job_database.runs import Run, new_job


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
