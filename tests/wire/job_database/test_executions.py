from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target, wait_for_retry
from airflow_provider_elasticjobs.job_database.records import AirflowRef, AlreadyFinished, Claim, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, step_message, target_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.job_database.runs import SERVER, Run, internal, new_agent, new_job


def test_a_claim_tells_everything_the_script_may_ask_for(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    target = run.begin([Target(SERVER, "db1", "pool1", "other_conn")])[0]
    claim = run.claim(target, agent=new_agent())
    row = run.row()
    assert claim.target == Target(SERVER, "db1", "pool1", "other_conn")
    assert (claim.job_execution_id, claim.job_id, claim.job_version) == (run.id, run.registered.job_id, 1)
    assert (claim.job_name, claim.step_id, claim.step_name) == (run.job.name, 1, "step1")
    assert claim.target_group_name == f"group of {run.job.name}"
    assert claim.job_execution_create_time == row.create_time
    assert (claim.attempts, claim.lost_attempt) == (0, False)
    assert run.row(1, "db1").lifecycle == "Created"


def test_the_life_of_a_target_that_succeeds(db: JobDatabase) -> None:
    run = Run(db)
    target = run.begin(1)[0]
    claim = run.claim_and_begin(target)
    begun = run.row(1, "db1")
    assert (begun.lifecycle, begun.current_attempts) == ("InProgress", 1)
    assert begun.start_time == begun.current_attempt_start_time
    assert begun.last_message == target_message(Lifecycle.IN_PROGRESS, 1, SERVER, "db1")
    settled = run.finish(claim)
    assert settled == Settled(True, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED)
    ended = run.row(1, "db1")
    assert (ended.lifecycle, ended.is_active, ended.current_attempts) == ("Succeeded", False, 1)
    assert ended.last_message == f"Step 1 succeeded execution on target (server '{SERVER}', database 'db1')."
    assert run.row(1).last_message == step_message(Lifecycle.SUCCEEDED, 1)
    assert run.row().last_message == job_message(Lifecycle.SUCCEEDED)


def test_a_retry_keeps_the_error_and_says_when_it_is_due(db: JobDatabase) -> None:
    run = Run(db)
    target = run.begin(1)[0]
    claim = run.claim_and_begin(target)
    assert wait_for_retry(db, claim, "Divide by zero", delay_seconds=20, error_number=8134)
    waiting = run.row(1, "db1")
    assert (waiting.lifecycle, waiting.last_message) == ("WaitingForRetry", "Divide by zero")
    assert waiting.next_attempt_start_time - waiting.current_attempt_start_time >= timedelta(seconds=20)
    assert internal(db, target.execution_id).error_number == 8134
    assert begin_attempt(db, claim, 2).begun
    second = run.row(1, "db1")
    assert (second.lifecycle, second.current_attempts, second.next_attempt_start_time) == ("InProgress", 2, None)
    assert second.start_time == waiting.start_time < second.current_attempt_start_time
    assert run.finish(claim).written


@pytest.mark.parametrize("lifecycle", [Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED])
def test_a_retry_that_is_not_made_ends_the_row(db: JobDatabase, lifecycle: Lifecycle) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    wait_for_retry(db, claim, "Divide by zero", delay_seconds=1)
    assert run.finish(claim, lifecycle).lifecycle is lifecycle


def test_a_waiting_row_cannot_succeed_without_an_attempt(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    wait_for_retry(db, claim, "Divide by zero", delay_seconds=1)
    assert run.finish(claim) == Settled(False, Lifecycle.WAITING_FOR_RETRY, None, None)


def test_a_target_where_an_earlier_run_still_works_is_skipped(db: JobDatabase) -> None:
    run = Run(db)
    skipped = run.claim(run.begin(1)[0])
    settled = run.finish(skipped, Lifecycle.SKIPPED)
    assert settled == Settled(True, Lifecycle.SKIPPED, Lifecycle.SKIPPED, Lifecycle.SKIPPED)
    assert run.row(1, "db1").start_time is not None


def test_an_error_message_of_any_length_and_letter_is_kept(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    message = "Überlauf 'x' \U0001f4a5 " + "y" * 100_000
    finish_target(db, claim, Lifecycle.FAILED, message, outcome=Outcome.FAILED, error_number=50000)
    row = internal(db, claim.execution_id)
    assert (row.last_message, row.outcome, row.error_number) == (message, "failed", 50000)


def test_every_write_may_be_sent_twice(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    first = internal(db, claim.execution_id)
    assert begin_attempt(db, claim, 1).begun
    assert internal(db, claim.execution_id) == first
    assert wait_for_retry(db, claim, "no", delay_seconds=5)
    first = internal(db, claim.execution_id)
    assert wait_for_retry(db, claim, "no", delay_seconds=5)
    assert internal(db, claim.execution_id) == first
    assert begin_attempt(db, claim, 2).begun
    settled = run.finish(claim)
    first = internal(db, claim.execution_id), internal(db, run.id)
    assert run.finish(claim) == settled
    assert settled.job_lifecycle is Lifecycle.SUCCEEDED
    assert (internal(db, claim.execution_id), internal(db, run.id)) == first


def test_a_row_that_was_never_registered_is_named(db: JobDatabase) -> None:
    missing = uuid4()
    with pytest.raises(JobDatabaseError, match=str(missing)):
        claim_target(db, missing, AirflowRef("dag", "run", "task"))


class TestTakeover:
    def test_writes_of_the_old_claim_are_refused(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        old = run.claim_and_begin(target)
        new = run.claim(target)
        assert (new.attempts, new.lost_attempt) == (1, True)
        assert not wait_for_retry(db, old, "late", delay_seconds=1)
        assert run.finish(old) == Settled(written=False)
        assert not begin_attempt(db, old, 2).begun
        assert run.row(1, "db1").lifecycle == "InProgress"
        assert begin_attempt(db, new, 2).begun
        assert run.finish(new, Lifecycle.FAILED).job_lifecycle is Lifecycle.FAILED
        assert run.row(1, "db1").current_attempts == 2

    def test_a_row_that_waits_for_its_retry_lost_nothing(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        wait_for_retry(db, run.claim_and_begin(target), "no", delay_seconds=60)
        new = run.claim(target)
        assert (new.attempts, new.lost_attempt) == (1, False)
        assert begin_attempt(db, new, 2).begun

    def test_a_row_that_was_only_claimed_lost_nothing(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        old = run.claim(target)
        new = run.claim(target)
        assert (new.attempts, new.lost_attempt) == (0, False)
        assert not begin_attempt(db, old, 1).begun

    def test_an_earlier_try_cannot_take_the_row_from_a_later_one(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        late = run.claim_and_begin(target, try_number=2)
        with pytest.raises(JobDatabaseError, match=r"later try \(2\)"):
            run.try_claim(target, try_number=1)
        assert run.finish(late).written

    def test_another_task_instance_is_not_compared_by_try(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.claim_and_begin(target, try_number=3)
        assert isinstance(claim_target(db, target.execution_id, run.airflow(7, try_number=1)), Claim)


class TestEndedRows:
    @pytest.mark.parametrize("lifecycle", [Lifecycle.SUCCEEDED, Lifecycle.FAILED])
    def test_the_same_try_reports(self, db: JobDatabase, lifecycle: Lifecycle) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.run_target(target, lifecycle)
        answer = run.try_claim(target)
        assert answer == AlreadyFinished(lifecycle, target_message(lifecycle, 1, SERVER, "db1"), None)

    @pytest.mark.parametrize("lifecycle", [Lifecycle.SUCCEEDED, Lifecycle.SKIPPED])
    def test_a_higher_try_alone_does_not_repeat_what_ended_well(self, db: JobDatabase, lifecycle: Lifecycle) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.run_target(target, lifecycle)
        assert isinstance(run.try_claim(target, try_number=2), AlreadyFinished)

    def test_a_higher_try_repeats_what_ended_badly(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one, Lifecycle.FAILED)
        run.run_target(two)
        assert run.lifecycles() == ("Failed", "Failed")
        claim = run.claim(one, try_number=2)
        assert claim.attempts == 0
        assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
        row = run.row(1, "db1")
        assert (row.lifecycle, row.start_time, row.end_time, row.current_attempts) == ("Created", None, None, 0)
        begin_attempt(db, claim, 1)
        assert run.finish(claim) == Settled(True, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED)

    def test_a_cleared_task_repeats_anything(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.run_target(target)
        assert run.run_target(target, try_number=2, clear_number=1).job_lifecycle is Lifecycle.SUCCEEDED
        assert isinstance(run.try_claim(target, try_number=2, clear_number=1), AlreadyFinished)

    def test_begun_anew_twice_only_one_has_it(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.run_target(target, Lifecycle.FAILED)
        first = run.claim_and_begin(target, try_number=2)
        second = run.claim(target, try_number=2)
        assert second.lost_attempt
        assert not run.finish(first).written
        assert run.finish(second).written


class TestStoppedRun:
    def test_a_row_claimed_after_the_request_ends_canceled(self, db: JobDatabase) -> None:
        run = Run(db)
        busy, other = run.begin(2)
        claim = run.claim_and_begin(busy)
        cancel_execution(db, run.id)
        expected = AlreadyFinished(Lifecycle.CANCELED, target_message(Lifecycle.CANCELED, 1, SERVER, "db2"))
        assert run.try_claim(other) == expected
        assert run.finish(claim, Lifecycle.CANCELED).job_lifecycle is Lifecycle.CANCELED

    def test_a_lost_row_is_not_taken_over_but_ended(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        old = run.claim_and_begin(target)
        cancel_execution(db, run.id)
        answer = run.try_claim(target)
        assert isinstance(answer, AlreadyFinished)
        assert answer.lifecycle is Lifecycle.CANCELED
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert not run.finish(old).written

    def test_no_attempt_begins(self, db: JobDatabase) -> None:
        run = Run(db)
        claim = run.claim(run.begin(1)[0])
        cancel_execution(db, run.id)
        start = begin_attempt(db, claim, 1)
        assert (start.begun, start.cancelled) == (False, True)
        assert run.finish(claim, Lifecycle.CANCELED).written

    def test_tasks_that_were_queued_then_report_and_only_a_cleared_one_begins_anew(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        cancel_execution(db, run.id)
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert isinstance(run.try_claim(one, try_number=1), AlreadyFinished)
        assert isinstance(run.try_claim(two, try_number=1), AlreadyFinished)
        claim = run.claim_and_begin(one, try_number=2, clear_number=1)
        assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
        assert run.finish(claim).job_lifecycle is Lifecycle.CANCELED  # db2 is still canceled
        assert run.run_target(two, try_number=2, clear_number=1).job_lifecycle is Lifecycle.SUCCEEDED
