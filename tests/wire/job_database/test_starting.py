"""A run that is asked for and that nobody has begun."""

from __future__ import annotations

from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.agents import settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import executions
from airflow_provider_elasticjobs.job_database.starting import start_job
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from tests.wire.job_database.runs import Run, new_job

_EMPTY_JOB = Batch(
    """
INSERT INTO jobs_internal.jobs (job_id, job_name, tombstone_id, job_version, description, enabled,
    schedule_interval_type, schedule_interval_count, schedule_start_time, schedule_end_time, create_time)
VALUES (@job, @name, '00000000-0000-0000-0000-000000000000', 0, N'', 0, N'Once', 1,
    '0001-01-01T00:00:00', '9999-12-31T11:59:59', @now);
""",
    job="uniqueidentifier",
    name="nvarchar(128)",
)


def test_it_is_recorded_in_created_for_the_latest_version(db: JobDatabase) -> None:
    run = Run(db)
    newer = Run(db, new_job("SELECT 1;", "SELECT 2;", name=run.job.name))
    started = start_job(db, run.job.name)
    (row,) = executions(db, started)
    assert (row.job_name, row.lifecycle, row.step_id) == (run.job.name, Lifecycle.CREATED, None)
    assert (row.job_version, newer.registered.job_version) == (2, 2)
    assert (row.start_time, row.end_time, row.last_message) == (None, None, "Job execution is created.")


def test_a_chosen_id_is_the_runs_id_once(db: JobDatabase) -> None:
    run, chosen = Run(db), uuid4()
    assert start_job(db, run.job.name, chosen) == chosen
    with pytest.raises(JobDatabaseError, match=f"a run with the id {chosen} exists already"):
        start_job(db, run.job.name, chosen)


def test_a_request_that_is_sent_again_finds_its_own_run(db: JobDatabase) -> None:
    run, chosen, request = Run(db), uuid4(), uuid4()
    assert start_job(db, run.job.name, chosen, request_id=request) == chosen
    assert start_job(db, run.job.name, chosen, request_id=request) == chosen
    assert len(executions(db, chosen)) == 1


def test_a_job_that_is_not_there(db: JobDatabase) -> None:
    with pytest.raises(JobDatabaseError, match=r"there is no job 'nobody'.* jobs list"):
        start_job(db, "nobody")


def test_a_job_without_steps_cannot_be_started(db: JobDatabase) -> None:
    name = f"empty {uuid4()}"
    db.run(_EMPTY_JOB, job=uuid4(), name=name)
    with pytest.raises(JobDatabaseError, match="has no steps"):
        start_job(db, name)


def test_a_task_that_comes_to_it_begins_it(db: JobDatabase) -> None:
    run = Run(db)
    start_job(db, run.job.name, run.id)
    (target,) = run.begin(1)
    assert run.row().start_time is not None
    run.run_target(target)
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_it_is_stopped_at_once_and_is_nobodys_leftover(db: JobDatabase) -> None:
    run = Run(db)
    start_job(db, run.job.name, run.id)
    assert settle_leftovers(db, run.id, expiry_seconds=0, include_created=True) == []
    assert run.row().lifecycle == "Created"
    assert cancel_execution(db, run.id) is Lifecycle.CANCELED
    assert len(executions(db, run.id)) == 1
