"""Removing finished runs, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target, wait_for_retry
from airflow_provider_elasticjobs.job_database.history import executions
from airflow_provider_elasticjobs.job_database.purge import Purged, purge_history
from airflow_provider_elasticjobs.job_database.records import AttemptMessage
from airflow_provider_elasticjobs.model.job import Job
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from tests.wire.job_database.procedures import Procedures
from tests.wire.job_database.runs import Run, new_job

_AGE = Batch(
    """
UPDATE jobs_internal.executions
SET create_time = DATEADD(day, -@days, create_time), start_time = DATEADD(day, -@days, start_time),
    end_time = DATEADD(day, -@days, end_time)
WHERE job_execution_id = @run;
""",
    run="uniqueidentifier",
    days="int",
)
_DELETE_JOB = Batch(
    "UPDATE jobs_internal.jobs SET delete_requested_time = @now, tombstone_id = job_id WHERE job_name = @name;",
    name="nvarchar(128)",
)
_COUNTS = Batch(
    """
SELECT (SELECT COUNT(*) FROM jobs_internal.executions WHERE job_execution_id = @run) AS executions,
    (SELECT COUNT(*) FROM jobs_internal.job_cancellations WHERE job_execution_id = @run) AS requests;
""",
    run="uniqueidentifier",
)


def finished(db: JobDatabase, job: Job, *, days: int, targets: int = 2, **options: Any) -> Run:
    """Return a run that ended so many days ago."""
    run = Run(db, job)
    for target in run.begin(targets):
        run.run_target(target, **options)
    db.run(_AGE, run=run.id, days=days)
    return run


def left(db: JobDatabase, *runs: Run) -> list[int]:
    return [len(executions(db, run.id)) for run in runs]


def days_ago(days: int) -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=days)


def test_runs_that_ended_before_a_moment_go_with_all_their_rows(db: JobDatabase) -> None:
    job = new_job()
    old, older = finished(db, job, days=50), finished(db, job, days=60, lifecycle=Lifecycle.FAILED)
    young, newest = finished(db, job, days=40), finished(db, job, days=1)
    assert purge_history(db, oldest=days_ago(45), job_name=job.name) == Purged(2, 8)
    assert left(db, older, old, young, newest) == [0, 0, 4, 4]
    assert purge_history(db, oldest=days_ago(45), job_name=job.name) == Purged(0, 0)


def test_without_a_moment_all_that_ended_goes_but_the_newest_run_stays(db: JobDatabase) -> None:
    job = new_job()
    runs = [finished(db, job, days=days) for days in (3, 2, 1)]
    assert purge_history(db, job_name=job.name).runs == 2
    assert left(db, *runs) == [0, 0, 4]


def test_the_newest_run_of_a_deleted_job_goes_too(db: JobDatabase) -> None:
    job = new_job()
    run = finished(db, job, days=1)
    assert purge_history(db, job_id=run.registered.job_id).runs == 0
    db.run(_DELETE_JOB, name=job.name)
    assert purge_history(db, job_name=job.name) == Purged(0, 0), "its name is no job's any more"
    assert purge_history(db, job_id=run.registered.job_id) == Purged(1, 4)


def test_active_runs_stay_however_old(db: JobDatabase) -> None:
    job = new_job()
    active = Run(db, job)
    active.begin(2)
    db.run(_AGE, run=active.id, days=100)
    newest = finished(db, job, days=0)
    assert purge_history(db, job_name=job.name) == Purged(0, 0)
    assert left(db, active, newest) == [4, 4]
    cancel_execution(db, active.id)


def test_a_run_that_was_stopped_takes_its_request_with_it(db: JobDatabase) -> None:
    job = new_job()
    stopped = Run(db, job)
    stopped.begin(2)
    cancel_execution(db, stopped.id)
    finished(db, job, days=0)
    assert (db.run(_COUNTS, run=stopped.id)[0].requests, purge_history(db, job_name=job.name).runs) == (1, 1)
    assert tuple(db.run(_COUNTS, run=stopped.id)[0]) == (0, 0)


def test_other_jobs_are_not_touched_and_a_name_that_nobody_has_removes_nothing(db: JobDatabase) -> None:
    one, other = new_job(), new_job()
    runs = [finished(db, job, days=days) for job in (one, other) for days in (2, 1)]
    purge_history(db, job_name=one.name)
    assert left(db, *runs) == [0, 4, 4, 4]
    assert purge_history(db, job_name=f"nobody {uuid4()}") == Purged(0, 0)


def test_all_jobs_are_purged_when_none_is_named(db: JobDatabase) -> None:
    one, other = new_job(), new_job()
    runs = [finished(db, job, days=days) for job in (one, other) for days in (500, 1)]
    assert purge_history(db, oldest=days_ago(400)).runs >= 2
    assert left(db, *runs) == [0, 4, 0, 4]


def test_a_large_run_goes_in_batches_children_first(db: JobDatabase) -> None:
    job = new_job()
    large = finished(db, job, days=2, targets=7)
    finished(db, job, days=1)
    seen: list[int] = []

    def look(_: float) -> None:
        seen.extend(left(db, large))

    assert purge_history(db, job_name=job.name, rows_at_once=3, pause=look) == Purged(1, 9)
    assert seen == [6, 3, 0]


def test_name_and_id_are_two_ways_to_say_one_thing(db: JobDatabase) -> None:
    with pytest.raises(DefinitionError, match="not both"):
        purge_history(db, job_name="a", job_id=uuid4())


@pytest.mark.parametrize("by_procedure", [True, False])
def test_attempts_and_messages_go_with_their_targets(db: JobDatabase, sql: Procedures, by_procedure: bool) -> None:
    job = new_job()
    old, newest = Run(db, job), Run(db, job)
    claims = [run.claim_and_begin(run.begin(1)[0]) for run in (old, newest)]
    for claim in claims:
        said = [AttemptMessage("message", "hello", 0)]
        finish_target(db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=said)
    assert [_kept(db, claim.execution_id) for claim in claims] == [(1, 1), (1, 1)]
    if by_procedure:
        sql.call("sp_purge_jobhistory", job.name)
    else:
        assert purge_history(db, job_name=job.name) == Purged(1, 3)
    assert [_kept(db, claim.execution_id) for claim in claims] == [(0, 0), (1, 1)]


def _kept(db: JobDatabase, execution_id: UUID) -> tuple[int, int]:
    return tuple(db.run(_KEPT, id=execution_id)[0])


_KEPT = Batch(
    """
SELECT (SELECT COUNT(*) FROM jobs_internal.attempts WHERE execution_id = @id) AS attempts,
    (SELECT COUNT(*) FROM jobs_internal.messages WHERE execution_id = @id) AS messages;
""",
    id="uniqueidentifier",
)


@pytest.mark.parametrize("kind", ["messages", "attempts"])
def test_more_messages_or_attempts_than_a_transaction_takes_go_too(db: JobDatabase, kind: str) -> None:
    job = new_job()
    rows = []
    for run in (Run(db, job), Run(db, job)):
        claim = run.claim_and_begin(run.begin(1)[0])
        rows.append(claim.execution_id)
        for attempt in range(2, 10 if kind == "attempts" else 2):
            wait_for_retry(db, claim, "no", delay_seconds=0)
            assert begin_attempt(db, claim, attempt).begun
        said = [AttemptMessage("message", "hello", 0)] * (9 if kind == "messages" else 0)
        finish_target(db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=said)
    kept = (1, 9) if kind == "messages" else (9, 0)
    assert [_kept(db, row) for row in rows] == [kept, kept]
    assert purge_history(db, job_name=job.name, rows_at_once=1) == Purged(1, 3)
    assert [_kept(db, row) for row in rows] == [(0, 0), kept]
