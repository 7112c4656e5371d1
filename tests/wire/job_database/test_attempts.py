"""Every attempt on a target and what its script said: made, ended and lost with the row that they belong to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.agents import heartbeat, settle_leftovers
from airflow_provider_elasticjobs.job_database.attempt_history import AttemptRow, attempts, messages
from airflow_provider_elasticjobs.job_database.attempts import LOST, MOST_MESSAGES
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target, wait_for_retry
from airflow_provider_elasticjobs.job_database.places import note_waiting
from airflow_provider_elasticjobs.job_database.records import AlreadyFinished, AttemptMessage, RegisteredTarget
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.job_database.runs import SERVER, Run, internal, new_agent, new_job

HELLO = AttemptMessage("message", "hello", 0, 0, 1, 3)
OUCH = AttemptMessage("error", "Divide by zero", 8134, 16, 2, 4, "dbo.divide")


def outcomes(run: Run) -> list[tuple[int, int, str | None]]:
    """Return rerun, number and outcome of all attempts of a run."""
    return [(one.rerun, one.attempt, one.outcome) for one in attempts(run.db, run.id)]


def age(run: Run, *, seconds: int) -> None:
    """Let all claims of a run be that much older."""
    run.db.run(_AGE, run=run.id, seconds=seconds)


_AGE = Batch(
    "UPDATE jobs_internal.executions SET claim_time = DATEADD(second, -@seconds, claim_time)"
    " WHERE job_execution_id = @run;",
    run="uniqueidentifier",
    seconds="int",
)


#: As ``jobs.sp_stop_job`` does first; what waits ends a moment later.
_REQUEST_STOP = Batch(
    """INSERT INTO jobs_internal.job_cancellations (job_execution_id, request_time, requested_by)
VALUES (@run, @now, N'');""",
    run="uniqueidentifier",
)


_BEGIN_LATER = Batch(
    "UPDATE jobs_internal.executions SET start_time = DATEADD(second, 5, @now) WHERE execution_id = @execution;",
    execution="uniqueidentifier",
)


def waiting(run: Run) -> dict[str, Any]:
    """Return the waiting targets of a run by their database."""
    return {row.target_database_name: row for row in run.db.run(_WAITING, run=run.id)}


_WAITING = Batch("SELECT * FROM jobs_ext.waiting_targets WHERE job_execution_id = @run;", run="uniqueidentifier")


class TestOneAttempt:
    def test_it_is_open_while_it_runs_and_has_its_task(self, db: JobDatabase) -> None:
        run = Run(db)
        run.claim_and_begin(run.begin(1)[0], try_number=2)
        (one,) = attempts(db, run.id)
        assert one == AttemptRow(
            *(1, SERVER, "db1", 0, 1, run.row(1, "db1").current_attempt_start_time, None, None, None, None, None),
            *("dag", f"run {run.id}", "run", 0, 2),
        )

    def test_its_end_is_its_rows_end(self, db: JobDatabase) -> None:
        run = Run(db)
        run.run_target(run.begin(1)[0])
        (one,), row = attempts(db, run.id), run.row(1, "db1")
        assert (one.start_time, one.end_time, one.outcome) == (row.start_time, row.end_time, "succeeded")
        assert (one.error_number, one.message) == (None, row.last_message)
        assert one.duration_milliseconds is not None
        assert one.end_time is not None
        exact = (one.end_time - one.start_time).total_seconds() * 1000
        assert abs(one.duration_milliseconds - exact) <= 1

    def test_a_row_that_ends_before_an_attempt_has_none(self, db: JobDatabase) -> None:
        run = Run(db)
        run.finish(run.claim(run.begin(1)[0]), Lifecycle.SKIPPED)
        assert attempts(db, run.id) == []


class TestRetries:
    def test_each_attempt_keeps_its_own_error_and_messages(self, db: JobDatabase) -> None:
        run = Run(db)
        claim = run.claim_and_begin(run.begin(1)[0])
        wait_for_retry(db, claim, "first", delay_seconds=0, error_number=8134, messages=[HELLO, OUCH])
        begin_attempt(db, claim, 2)
        finish_target(db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=[HELLO])
        one, two = attempts(db, run.id)
        assert (one.outcome, one.error_number, one.message) == ("failed", 8134, "first")
        assert (two.outcome, two.error_number, two.message) == ("succeeded", None, run.row(1, "db1").last_message)
        said = [(m.attempt, m.ordinal, m.kind, m.text, m.procedure_name) for m in messages(db, run.id)]
        assert said == [
            (1, 1, "message", "hello", None),
            (1, 2, "error", "Divide by zero", "dbo.divide"),
            (2, 1, "message", "hello", None),
        ]
        ouch = messages(db, run.id)[1]
        assert (ouch.number, ouch.severity, ouch.state, ouch.line, ouch.row_count) == (8134, 16, 2, 4, None)

    def test_what_is_sent_twice_is_written_once(self, db: JobDatabase) -> None:
        run = Run(db)
        claim = run.claim_and_begin(run.begin(1)[0])
        assert begin_attempt(db, claim, 1).begun
        for _ in range(2):
            assert wait_for_retry(db, claim, "first", delay_seconds=0, messages=[HELLO])
        assert begin_attempt(db, claim, 2).begun
        for _ in range(2):
            finish_target(db, claim, Lifecycle.FAILED, "second", outcome=Outcome.FAILED, messages=[HELLO, OUCH])
        assert [(one.attempt, one.message) for one in attempts(db, run.id)] == [(1, "first"), (2, "second")]
        assert [(one.attempt, one.ordinal) for one in messages(db, run.id)] == [(1, 1), (2, 1), (2, 2)]

    def test_a_row_ended_while_it_waits_leaves_the_attempt_as_it_was(self, db: JobDatabase) -> None:
        run = Run(db)
        claim = run.claim_and_begin(run.begin(1)[0])
        wait_for_retry(db, claim, "first", delay_seconds=60, messages=[HELLO])
        finish_target(db, claim, Lifecycle.CANCELED, outcome=Outcome.CANCELLED, messages=[HELLO])
        assert outcomes(run) == [(0, 1, "failed")]
        assert len(messages(db, run.id)) == 1
        assert internal(db, claim.execution_id).outcome == "cancelled"

    def test_a_write_of_a_claim_that_was_lost_says_nothing(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        old = run.claim_and_begin(target)
        run.claim(target)
        finish_target(db, old, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=[HELLO])
        assert outcomes(run) == [(0, 1, None)]
        assert messages(db, run.id) == []


def test_as_many_messages_as_are_kept_fit_in_one_write(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    longest = "\U0001f4a5" * 2000
    said = [AttemptMessage("error", longest, 2**31 - 1, 25, 255, 2**31 - 1, "p" * 128, 2**63 - 1)] * MOST_MESSAGES
    finish_target(db, claim, Lifecycle.FAILED, longest, outcome=Outcome.FAILED, error_number=1, messages=said)
    kept = messages(db, run.id)
    assert [one.ordinal for one in kept] == list(range(1, MOST_MESSAGES + 1))
    assert (kept[-1].text, kept[-1].row_count, kept[-1].procedure_name) == (longest, 2**63 - 1, "p" * 128)


class TestLost:
    def test_one_taken_over_ends_as_unknown_when_the_next_begins(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.claim_and_begin(target)
        second = run.claim(target)
        assert (second.attempts, second.lost_attempt) == (1, True)
        assert outcomes(run) == [(0, 1, None)], "its script may still run"
        begin_attempt(db, second, 2)
        assert outcomes(run) == [(0, 1, "unknown"), (0, 2, None)]
        run.finish(second)
        assert [one.message for one in attempts(db, run.id)] == [LOST, run.row(1, "db1").last_message]

    def test_one_lost_twice_is_told_until_its_target_was_reached(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.claim_and_begin(target)
        second = run.claim_and_begin(target)
        assert second.lost_attempt
        wait_for_retry(db, second, "no connection", delay_seconds=0, lost_attempt=True)
        third = run.claim_and_begin(target)
        assert third.lost_attempt
        wait_for_retry(db, third, "Divide by zero", delay_seconds=0)
        fourth = run.claim(target)
        assert not fourth.lost_attempt
        assert outcomes(run) == [(0, 1, "unknown"), (0, 2, "failed"), (0, 3, "failed")]

    @pytest.mark.parametrize("how", ["stopped", "stopped by its task", "left behind"])
    def test_one_that_is_lost_makes_a_row_unknown_that_ends_while_it_waits(self, db: JobDatabase, how: str) -> None:
        run, agent = Run(db), new_agent()
        target = run.begin(1)[0]
        claim = run.claim_and_begin(target, agent=agent)
        wait_for_retry(db, claim, "no answer", delay_seconds=60, outcome=Outcome.UNKNOWN, lost_attempt=True)
        claim = run.claim_and_begin(target, agent=agent)
        wait_for_retry(db, claim, "no connection", delay_seconds=60, outcome=Outcome.FAILED, lost_attempt=True)
        if how == "left behind":
            age(run, seconds=600)
            settle_leftovers(db, run.id)
        elif how == "stopped":
            cancel_execution(db, run.id)
        else:
            db.run(_REQUEST_STOP, run=run.id)
            assert isinstance(run.try_claim(target), AlreadyFinished)
        row = run.row(1, "db1")
        assert row.lifecycle == ("Failed" if how == "left behind" else "Canceled")
        assert row.last_message.endswith(" Whether an earlier attempt took effect is unknown.")
        assert internal(db, target.execution_id).outcome == "unknown"

    @pytest.mark.parametrize("by_its_task", [False, True])
    def test_none_ends_before_it_began(self, db: JobDatabase, by_its_task: bool) -> None:
        """A stop looks at the clock first; what is begun while it waits for its turn has begun later."""
        run = Run(db)
        target = run.begin(1)[0]
        claim = run.claim_and_begin(target)
        wait_for_retry(db, claim, "no", delay_seconds=60)
        db.run(_BEGIN_LATER, execution=target.execution_id)
        if by_its_task:
            db.run(_REQUEST_STOP, run=run.id)
            run.try_claim(target)
        else:
            cancel_execution(db, run.id)
        row = run.row(1, "db1")
        assert (row.lifecycle, row.end_time) == ("Canceled", row.start_time)

    def test_one_that_a_reconciliation_ends(self, db: JobDatabase) -> None:
        run, agent = Run(db), new_agent()
        lost, waits = run.begin(2)
        run.claim_and_begin(lost, agent=agent)
        claim = run.claim_and_begin(waits, agent=agent)
        wait_for_retry(db, claim, "no answer", delay_seconds=0, outcome=Outcome.UNKNOWN)
        age(run, seconds=600)
        assert len(settle_leftovers(db, run.id)) == 2
        assert [(one.outcome, one.message) for one in attempts(db, run.id)] == [
            ("unknown", LOST),
            ("unknown", "no answer"),
        ]
        assert {internal(db, each.execution_id).outcome for each in (lost, waits)} == {"unknown"}

    @pytest.mark.parametrize("by_claim", [True, False])
    def test_one_of_a_stopped_run_is_not_called_cancelled(self, db: JobDatabase, by_claim: bool) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        run.claim_and_begin(target)
        second = None if by_claim else run.claim(target)
        cancel_execution(db, run.id)
        if second is None:
            assert isinstance(run.try_claim(target), AlreadyFinished)
        else:
            assert begin_attempt(db, second, 2).cancelled
            finish_target(db, second, Lifecycle.CANCELED, outcome=Outcome.CANCELLED, messages=[HELLO])
        row = internal(db, target.execution_id)
        assert (row.lifecycle, row.outcome) == ("Canceled", "unknown")
        assert outcomes(run) == [(0, 1, "unknown")]
        assert messages(db, run.id) == []


class TestReruns:
    def test_a_cleared_task_counts_from_1_again_beside_what_was(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        claim = run.claim_and_begin(target)
        finish_target(db, claim, Lifecycle.FAILED, "no", outcome=Outcome.FAILED, messages=[HELLO])
        again = run.claim_and_begin(target, try_number=2, clear_number=1)
        finish_target(db, again, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=[HELLO])
        assert outcomes(run) == [(0, 1, "failed"), (1, 1, "succeeded")]
        assert [(one.rerun, one.text) for one in messages(db, run.id)] == [(0, "hello"), (1, "hello")]
        assert [one.try_number for one in attempts(db, run.id)] == [1, 2]

    def test_a_cleared_step_does_so_for_each_target(self, db: JobDatabase) -> None:
        run = Run(db)
        for target in run.begin(2):
            run.run_target(target)
        for target in run.begin(2, try_number=2, clear_number=1):
            run.run_target(target, try_number=2, clear_number=1)
        assert outcomes(run) == [(0, 1, "succeeded"), (1, 1, "succeeded")] * 2


class TestWaiting:
    def test_what_each_target_waits_for(self, db: JobDatabase) -> None:
        run, alive = Run(db), new_agent()
        heartbeat(db, alive)
        targets = run.begin(6)
        claims = [run.claim_and_begin(target, agent=alive) for target in targets[1:]]
        wait_for_retry(db, claims[0], "Divide by zero", delay_seconds=60)
        note_waiting(db, claims[1], "Waiting for the moon.")
        run.finish(claims[2])
        age(run, seconds=600)
        db.run(_TAKE, execution=targets[5].execution_id, agent=new_agent().agent_id)
        found = waiting(run)
        assert {name: row.waiting_for for name, row in found.items()} == {
            "db1": "worker",
            "db2": "retry",
            "db3": "turn",
            "db6": "process",
        }
        assert found["db3"].waiting_cause == "Waiting for the moon."
        assert found["db2"].next_attempt_start_time == run.row(1, "db2").next_attempt_start_time
        assert all(row.waiting_cause.startswith("Waiting") for row in found.values())
        assert (found["db2"].task_id, found["db2"].lifecycle) == ("run", "WaitingForRetry")
        note_waiting(db, claims[1], None)
        assert "db3" not in waiting(run)
        for claim in claims:
            run.finish(claim, Lifecycle.CANCELED)

    def test_a_claim_that_was_lost_notes_nothing(self, db: JobDatabase) -> None:
        run = Run(db)
        target = run.begin(1)[0]
        old = run.claim_and_begin(target)
        run.claim(target)
        note_waiting(db, old, "Waiting for the moon.")
        assert internal(db, target.execution_id).waiting_cause is None


_TAKE = Batch(
    "UPDATE jobs_internal.executions SET agent_id = @agent WHERE execution_id = @execution;",
    execution="uniqueidentifier",
    agent="uniqueidentifier",
)


_ORPHANS = """
SELECT COUNT(*) AS found FROM jobs_internal.messages AS m
WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.attempts AS a
    WHERE a.execution_id = m.execution_id AND a.rerun = m.rerun AND a.attempt = m.attempt);
"""


class TestStepBegunAnew:
    def test_later_steps_do_not_count_as_they_were(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        for step in (1, 2):
            run.run_target(run.begin(1, step)[0])
        assert run.lifecycles() == ("Succeeded", "Succeeded")
        anew: dict[str, Any] = {"try_number": 2, "clear_number": 1}
        settled = run.run_target(run.begin(1, 1, **anew)[0], **anew)
        assert (settled.step_lifecycle, settled.job_lifecycle) == (Lifecycle.SUCCEEDED, None)
        assert run.lifecycles(2) == ("WaitingForChildJobExecutions", "Succeeded")
        settled = run.run_target(run.begin(1, 2, **anew)[0], Lifecycle.FAILED, **anew)
        assert (settled.step_lifecycle, settled.job_lifecycle) == (Lifecycle.FAILED, Lifecycle.FAILED)

    def test_a_bad_result_of_a_later_step_does_not_end_the_job(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        run.run_target(run.begin(1, 1)[0])
        run.run_target(run.begin(1, 2)[0], Lifecycle.FAILED)
        anew: dict[str, Any] = {"try_number": 2, "clear_number": 1}
        run.run_target(run.begin(1, 1, **anew)[0], **anew)
        assert run.lifecycles(2) == ("WaitingForChildJobExecutions", "Failed")
        run.run_target(run.begin(1, 2, **anew)[0], **anew)
        assert run.lifecycles(2) == ("Succeeded", "Succeeded")

    def test_one_that_fails_ends_the_job_without_them(self, db: JobDatabase) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        for step in (1, 2):
            run.run_target(run.begin(1, step)[0])
        anew: dict[str, Any] = {"try_number": 2, "clear_number": 1}
        run.run_target(run.begin(1, 1, **anew)[0], Lifecycle.FAILED, **anew)
        assert run.lifecycles() == ("Failed", "Failed")

    @pytest.mark.parametrize(
        ("options", "lifecycle"),
        [({}, "WaitingForChildJobExecutions"), ({"include_created": True}, "Succeeded"), ({"expiry": 0}, "Succeeded")],
    )
    def test_they_count_again_when_nobody_comes_to_them(
        self, db: JobDatabase, options: dict[str, Any], lifecycle: str
    ) -> None:
        run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
        for step in (1, 2):
            run.run_target(run.begin(1, step)[0])
        anew: dict[str, Any] = {"try_number": 2, "clear_number": 1}
        run.run_target(run.begin(1, 1, **anew)[0], **anew)
        expiry = options.pop("expiry", 120)
        assert settle_leftovers(db, run.id, expiry_seconds=expiry, **options) == []
        assert run.row().lifecycle == lifecycle

    def test_a_target_is_in_the_pool_that_it_is_in_now(self, db: JobDatabase) -> None:
        run = Run(db)
        run.run_target(run.begin([Target(SERVER, "db1", "old")])[0])
        anew: dict[str, Any] = {"try_number": 2, "clear_number": 1}
        again = run.begin([Target(SERVER, "db1", "new", "other_conn")], **anew)[0]
        assert run.row(1, "db1").target_elastic_pool_name == "new"
        assert run.claim(again, **anew).target == Target(SERVER, "db1", "new", "other_conn")

    def test_a_database_that_is_gone_takes_its_earlier_attempts_with_it(self, db: JobDatabase) -> None:
        run = Run(db)
        for target in run.begin(2):
            finish_target(
                db, run.claim_and_begin(target), Lifecycle.FAILED, "no", outcome=Outcome.FAILED, messages=[HELLO]
            )
        run.begin(2, try_number=2, clear_number=1)
        (left,) = run.begin(1, try_number=3, clear_number=2)
        assert {one.target_database_name for one in attempts(db, run.id)} == {left.target.database_name}
        assert db.run(Batch(_ORPHANS))[0].found == 0

    def test_one_that_runs_keeps_the_pool_that_it_has_its_place_in(self, db: JobDatabase) -> None:
        run = Run(db)
        gone, runs = run.begin([Target(SERVER, "db1", "old"), Target(SERVER, "db2", "old")])
        claim = run.claim_and_begin(runs)
        run.run_target(gone)
        run.begin([Target(SERVER, "db1"), Target(SERVER, "db2", "new")], try_number=2, clear_number=1)
        assert run.row(1, "db2").target_elastic_pool_name == "old"
        assert run.finish(claim).written


class TestAtOnce:
    """Whatever comes first, each row ends with its attempts in order; the rules of the rows are looked at after it."""

    def test_one_process_finishes_what_another_takes_over(self, db: JobDatabase) -> None:
        run = Run(db)
        targets = run.begin(30)
        claims = [run.claim_and_begin(target) for target in targets]

        def take_over(target: RegisteredTarget) -> int:
            claim = run.try_claim(target)
            if isinstance(claim, AlreadyFinished) or not begin_attempt(db, claim, claim.attempts + 1).begun:
                return 0
            return int(run.finish(claim).written)

        with ThreadPoolExecutor(8) as threads:
            finished = [threads.submit(run.finish, claim) for claim in claims]
            taken = [threads.submit(take_over, target) for target in targets]
        assert sum(each.result().written for each in finished) + sum(each.result() for each in taken) == 30
        assert run.lifecycles() == ("Succeeded", "Succeeded")
        last = {one.target_database_name: one.outcome for one in attempts(db, run.id)}
        assert list(last.values()) == ["succeeded"] * 30

    def test_a_run_is_stopped_while_its_attempts_begin_and_end(self, db: JobDatabase) -> None:
        run = Run(db)
        targets = run.begin(30)

        def work(target: RegisteredTarget) -> None:
            claim = run.try_claim(target)
            if isinstance(claim, AlreadyFinished):
                return
            if begin_attempt(db, claim, 1).begun and wait_for_retry(db, claim, "no", delay_seconds=0):
                begin_attempt(db, claim, 2)
            run.finish(claim, Lifecycle.CANCELED)

        with ThreadPoolExecutor(8) as threads:
            working = [threads.submit(work, target) for target in targets]
            cancel_execution(db, run.id)
        assert [each.result() for each in working] == [None] * 30
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert all(one.outcome in ("failed", "cancelled") for one in attempts(db, run.id))
