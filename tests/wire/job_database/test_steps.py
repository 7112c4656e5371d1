from __future__ import annotations

from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution, is_cancelled
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import AlreadyFinished, StepStart
from airflow_provider_elasticjobs.job_database.registering import register_targets
from airflow_provider_elasticjobs.job_database.steps import fail_step, retry_step
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, nothing_to_do, step_message
from tests.wire.job_database.runs import Run, databases, new_job

WAITING = "WaitingForChildJobExecutions"


def test_the_first_step_makes_the_run(db: JobDatabase) -> None:
    run = Run(db)
    step = run.start()
    assert step == StepStart(
        run.id, 1, step.claim_id, Lifecycle.IN_PROGRESS, False, 1, "step1", f"group of {run.job.name}", 1,
        step_message(Lifecycle.IN_PROGRESS, 1),
    )  # fmt: skip
    job, row = run.row(), run.row(1)
    assert (job.lifecycle, job.current_attempts, job.last_message) == (
        "InProgress", 0, job_message(Lifecycle.IN_PROGRESS),
    )  # fmt: skip
    assert (row.lifecycle, row.target_type, row.current_attempts) == ("InProgress", "TargetGroup", 1)
    assert row.target_group_name == f"group of {run.job.name}"
    register_targets(db, step, databases(1))
    assert run.lifecycles() == (WAITING, WAITING)


def test_a_run_that_was_asked_for_is_begun_with_the_version_it_was_asked_with(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;"))
    newer = Run(db, new_job("SELECT 2;", name=run.job.name))
    db.run(_REQUEST, run=newer.id, job=run.registered.job_id)
    assert newer.row().lifecycle == "Created"
    step = newer.start()
    assert step.job_version == 1
    assert newer.row().lifecycle == "InProgress"
    assert newer.run_target(register_targets(db, step, databases(1))[0]).job_lifecycle is Lifecycle.SUCCEEDED


_REQUEST = Batch(
    """
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, is_active, lifecycle,
    create_time, current_attempts, last_message, round, lock_count, lost_attempt, airflow_clear_number)
VALUES (@run, @run, @job, 1, 1, 'Created', @now, 0, N'asked for', 1, 0, 0, 0);
""",
    run="uniqueidentifier",
    job="uniqueidentifier",
)


def test_a_step_that_the_version_lacks_is_named(db: JobDatabase) -> None:
    with pytest.raises(JobDatabaseError, match=r"version 1 .* has no step 2"):
        Run(db).start(2)


def test_a_failed_evaluation_is_retried_with_the_next_attempt(db: JobDatabase) -> None:
    run = Run(db)
    step = run.start()
    assert retry_step(db, step, "server s is down", delay_seconds=5, error_number=40613)
    row = run.row(1)
    assert (row.lifecycle, row.last_message, row.current_attempts) == ("WaitingForRetry", "server s is down", 1)
    assert row.next_attempt_start_time > row.current_attempt_start_time
    again = run.start()
    assert (again.is_begun, again.attempts) == (True, 2)
    assert run.row(1).start_time == row.start_time
    assert not retry_step(db, step, "late", delay_seconds=5)
    run.run_target(register_targets(db, again, databases(1))[0])


def test_a_failed_evaluation_ends_step_and_job(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    step = run.start()
    settled = fail_step(db, step, "server s is down", error_number=18456)
    assert (settled.step_lifecycle, settled.job_lifecycle) == (Lifecycle.FAILED, Lifecycle.FAILED)
    assert run.row(1).last_message == "server s is down"
    assert fail_step(db, step, "again").job_lifecycle is Lifecycle.FAILED
    assert run.row(1).last_message == "server s is down"


def test_writes_of_a_resolver_that_was_replaced_are_refused(db: JobDatabase) -> None:
    run = Run(db)
    old, new = run.start(), run.start()
    assert not fail_step(db, old, "late").written
    with pytest.raises(JobDatabaseError, match="taken over"):
        register_targets(db, old, databases(1))
    run.run_target(register_targets(db, new, databases(1))[0])


def test_a_group_without_databases_ends_the_step_and_says_so(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    assert run.begin(0) == []
    sentence = nothing_to_do(1, f"group of {run.job.name}")
    assert run.lifecycles() == (WAITING, "Succeeded")
    assert (run.row(1).last_message, run.row().last_message) == (sentence, sentence)
    run.begin(0, 2)
    assert run.lifecycles(2) == ("Succeeded", "Succeeded")
    assert run.row().last_message == nothing_to_do(2, f"group of {run.job.name}")


class TestRepeatedResolver:
    def test_one_that_was_lost_after_registering_finds_its_rows(self, db: JobDatabase) -> None:
        run = Run(db)
        first = run.begin(3)
        second = run.begin(3, try_number=2)
        assert first == second
        assert run.lifecycles() == (WAITING, WAITING)
        assert [run.run_target(target).job_lifecycle for target in second] == [None, None, Lifecycle.SUCCEEDED]

    def test_rows_that_nobody_began_and_nobody_lists_any_more_vanish(self, db: JobDatabase) -> None:
        run = Run(db)
        run.begin(3)
        (only,) = run.begin(databases(1), try_number=2)
        assert run.run_target(only).job_lifecycle is Lifecycle.SUCCEEDED

    def test_a_higher_try_of_a_step_that_ended_well_begins_nothing(self, db: JobDatabase) -> None:
        run = Run(db)
        run.run_target(run.begin(1)[0])
        step = run.start(try_number=2)
        assert (step.is_begun, step.lifecycle) == (False, Lifecycle.SUCCEEDED)
        assert run.lifecycles() == ("Succeeded", "Succeeded")

    @pytest.mark.parametrize("end", [Lifecycle.SUCCEEDED, Lifecycle.FAILED])
    def test_one_of_a_dag_run_deleted_and_made_again_begins_everything_anew(
        self, db: JobDatabase, end: Lifecycle
    ) -> None:
        run = Run(db)
        run.run_target(run.begin(1, clear_number=1)[0], end)
        (again,) = run.begin(1)
        assert run.lifecycles() == (WAITING, WAITING)
        assert run.run_target(again).job_lifecycle is Lifecycle.SUCCEEDED

    def test_a_cleared_one_begins_step_job_and_listed_targets_anew(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one)
        run.run_target(two, Lifecycle.FAILED)
        again = run.begin(3, try_number=2, clear_number=1)
        assert [target.execution_id for target in again[:2]] == [one.execution_id, two.execution_id]
        assert run.lifecycles() == (WAITING, WAITING)
        assert {run.row(1, f"db{number}").lifecycle for number in (1, 2, 3)} == {"Created"}
        assert run.row(1, "db1").current_attempts == 0
        settled = [run.run_target(target, try_number=1) for target in again]
        assert settled[-1].job_lifecycle is Lifecycle.SUCCEEDED

    def test_a_database_that_is_gone_from_the_group_counts_no_more(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one)
        run.run_target(two, Lifecycle.FAILED)
        (only,) = run.begin(databases(1), clear_number=1)
        assert run.row(1, "db2").lifecycle == "Failed"
        assert run.run_target(only).job_lifecycle is Lifecycle.SUCCEEDED

    def test_a_target_that_still_runs_stays_with_its_claim(self, db: JobDatabase) -> None:
        run = Run(db)
        claim = run.claim_and_begin(run.begin(1)[0])
        run.begin(1, clear_number=1)
        assert run.row(1, "db1").lifecycle == "InProgress"
        assert run.finish(claim).job_lifecycle is Lifecycle.SUCCEEDED

    def test_a_step_before_the_last_begun_anew_makes_the_job_wait_again(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        run.run_target(run.begin(1)[0], Lifecycle.FAILED)
        (target,) = run.begin(1, clear_number=1)
        assert run.run_target(target).job_lifecycle is None
        assert run.run_target(run.begin(1, 2)[0]).job_lifecycle is Lifecycle.SUCCEEDED


class TestStoppedRun:
    def test_between_steps_nothing_begins(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        run.run_target(run.begin(1)[0])
        cancel_execution(db, run.id)
        step = run.start(2)
        assert (step.lifecycle, step.job_cancelled, step.is_begun) == (None, True, False)
        assert run.row().lifecycle == "Canceled"

    def test_a_cleared_resolver_then_begins_it_and_the_request_is_spent(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        run.run_target(run.begin(1)[0])
        cancel_execution(db, run.id)
        run.start(2)
        (target,) = run.begin(1, 2, clear_number=1, try_number=2)
        assert not is_cancelled(db, run.id)
        assert run.run_target(target).job_lifecycle is Lifecycle.SUCCEEDED

    def test_while_evaluating_the_targets_end_canceled(self, db: JobDatabase) -> None:
        run = Run(db)
        step = run.start()
        assert cancel_execution(db, run.id) is Lifecycle.IN_PROGRESS
        (target,) = register_targets(db, step, databases(1))
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert isinstance(run.try_claim(target), AlreadyFinished)

    def test_while_evaluating_a_failure_is_canceled_too(self, db: JobDatabase) -> None:
        run = Run(db)
        step = run.start()
        cancel_execution(db, run.id)
        assert fail_step(db, step, "gave up").job_lifecycle is Lifecycle.CANCELED

    def test_a_lost_resolver_started_again_is_canceled(self, db: JobDatabase) -> None:
        run = Run(db)
        run.start()
        cancel_execution(db, run.id)
        assert run.start().lifecycle is Lifecycle.CANCELED
        assert run.lifecycles() == ("Canceled", "Canceled")

    def test_without_any_row_nothing_is_recorded(self, db: JobDatabase) -> None:
        missing = uuid4()
        assert cancel_execution(db, missing) is None
        assert not is_cancelled(db, missing)
