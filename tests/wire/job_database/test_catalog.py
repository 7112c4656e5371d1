"""Definitions as the command line reads them."""

from __future__ import annotations

from uuid import uuid4

from airflow_provider_elasticjobs.job_database.catalog import job_steps, jobs, target_group
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.history import latest_runs
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, TargetGroup
from tests.wire.job_database.runs import SERVER, Run, new_job


def test_a_job_with_its_steps_and_its_newest_run(db: JobDatabase) -> None:
    job = new_job("SELECT 1;", "SELECT 2;", description="two things")
    register_job(db, job)
    (row,) = jobs(db, job.name)
    assert (row.job_version, row.description, row.enabled, row.steps, row.last_lifecycle) == (
        1,
        "two things",
        False,
        2,
        None,
    )
    Run(db, job).begin(1)
    newest = Run(db, job)
    newest.begin(1)
    (row,) = jobs(db, job.name)
    assert (row.last_job_execution_id, row.last_lifecycle) == (newest.id, Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS)
    assert [one.job_name for one in jobs(db) if one.job_name == job.name] == [job.name]
    assert [(step.step_id, step.step_name, step.command) for step in job_steps(db, job.name)] == [
        (1, "step1", "SELECT 1;"),
        (2, "step2", "SELECT 2;"),
    ]


def test_what_is_not_there_is_empty(db: JobDatabase) -> None:
    assert (jobs(db, "nobody"), job_steps(db, "nobody"), target_group(db, "nobody")) == ([], [], None)


def test_a_group_comes_back_as_it_was_written(db: JobDatabase) -> None:
    group = TargetGroup(
        f"group {uuid4()}",
        [
            SqlServer(SERVER, refresh_conn_id="lister"),
            SqlElasticPool("other.example", "pool1", exclude=True),
            SqlDatabase(SERVER, "database2", exclude=True),
        ],
    )
    register_job(db, Job(f"job {uuid4()}", [JobStep("one", group, "SELECT 1;")]))
    found = target_group(db, group.name.upper())
    assert found is not None
    assert found.name == group.name
    assert set(found.members) == set(group.members)


def test_only_active_runs_on_request(db: JobDatabase) -> None:
    job = new_job()
    ended, active = Run(db, job), Run(db, job)
    ended.run_target(ended.begin(1)[0])
    active.begin(1)
    assert [row.job_execution_id for row in latest_runs(db, job_name=job.name)] == [active.id, ended.id]
    assert [row.job_execution_id for row in latest_runs(db, job_name=job.name, only_active=True)] == [active.id]
