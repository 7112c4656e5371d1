"""Rollouts as scripts meet them: after one failure too many no attempt begins, and what runs is drained."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.purge import purge_history
from airflow_provider_elasticjobs.job_database.records import AirflowRef, AlreadyFinished, Claim, Settled
from airflow_provider_elasticjobs.job_database.rollouts import seconds_to_wait
from airflow_provider_elasticjobs.job_database.waves import WaveStart, begin_wave
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]

L = Lifecycle
OUTCOMES = {
    L.SUCCEEDED: Outcome.SUCCEEDED,
    L.FAILED: Outcome.FAILED,
    L.TIMED_OUT: Outcome.TIMED_OUT,
    L.CANCELED: Outcome.CANCELLED,
    L.SKIPPED: Outcome.SKIPPED,
}


@pytest.fixture
def roll_out(new_run: NewRun) -> NewRun:
    """Return a function that begins a run with a rollout, on databases that nobody connects to."""

    def begin(count: int = 4, **rollout: Any) -> Run:
        names = [f"tenant{number:02}" for number in range(1, count + 1)]
        return new_run("SELECT 1;", databases=names, step={"rollout": Rollout(**rollout)})

    return begin


def claim(run: Run, database: str, *, clear_number: int = 0, agent: JobAgent | None = None) -> Claim | AlreadyFinished:
    airflow = AirflowRef("dag", "run", "run", run.databases.index(database), clear_number + 1, clear_number)
    record = (agent or JobAgent(run.job_database)).record
    return claim_target(run.job_database, run.orders[database].execution_id, airflow, record)


def begun(run: Run, database: str, **claimed: Any) -> Claim:
    """Begin an attempt on a database."""
    found = claim(run, database, **claimed)
    assert isinstance(found, Claim)
    assert executions.begin_attempt(run.job_database, found, found.attempts + 1).begun
    return found


def end(run: Run, found: Claim, lifecycle: Lifecycle) -> Settled:
    return executions.finish_target(run.job_database, found, lifecycle, outcome=OUTCOMES[lifecycle])


def attempt(run: Run, database: str, lifecycle: Lifecycle, **claimed: Any) -> Settled:
    """Begin and end an attempt on a database."""
    return end(run, begun(run, database, **claimed), lifecycle)


def states(run: Run) -> list[str]:
    """Return the lifecycles of the databases."""
    return run.lifecycles()[2:]


class TestBudget:
    def test_one_failure_too_many_leaves_out_what_has_not_begun(self, roll_out: NewRun) -> None:
        run = roll_out(4, max_failures=1)
        first, second, third, fourth = run.databases
        assert not attempt(run, first, L.FAILED).rollout_stopped
        assert states(run) == ["Failed", "Created", "Created", "Created"]
        assert attempt(run, second, L.FAILED).rollout_stopped
        for left_out in (third, fourth):
            row = run.target(left_out)
            assert (row.lifecycle, row.current_attempts) == ("Skipped", 0)
            assert row.last_message == (
                f"Step 1 skipped execution on target (server '{run.server.name}', database '{left_out}'): "
                "the rollout was stopped, 2 of 4 databases failed and at most 1 may."
            )
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Failed", "Skipped", "Skipped"]

    def test_the_task_of_what_was_left_out_finds_it_skipped(self, roll_out: NewRun) -> None:
        run = roll_out(2, max_failures=0)
        attempt(run, run.databases[0], L.FAILED)
        found = claim(run, run.databases[1])
        assert isinstance(found, AlreadyFinished)
        assert found.lifecycle is L.SKIPPED
        assert "1 of 2 databases failed and at most 0 may" in (found.message or "")

    def test_what_runs_is_drained(self, roll_out: NewRun) -> None:
        run = roll_out(4, max_failures=0)
        first, second, third, _ = run.databases
        running, other = begun(run, second), begun(run, third)
        attempt(run, first, L.FAILED)
        assert states(run) == ["Failed", "InProgress", "InProgress", "Skipped"]
        assert run.lifecycles()[:2] == ["WaitingForChildJobExecutions"] * 2
        end(run, running, L.SUCCEEDED)
        end(run, other, L.FAILED)
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Succeeded", "Failed", "Skipped"]

    def test_failures_within_the_budget_stop_nothing_and_the_step_fails_in_the_end(self, roll_out: NewRun) -> None:
        run = roll_out(3, max_failures=2)
        for database, lifecycle in zip(run.databases, (L.FAILED, L.TIMED_OUT, L.SUCCEEDED), strict=True):
            attempt(run, database, lifecycle)
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "TimedOut", "Succeeded"]

    @pytest.mark.parametrize(
        ("lifecycle", "counts"), [(L.FAILED, True), (L.TIMED_OUT, True), (L.CANCELED, False), (L.SKIPPED, False)]
    )
    def test_what_counts_as_a_failure(self, roll_out: NewRun, lifecycle: Lifecycle, counts: bool) -> None:
        run = roll_out(2, max_failures=0)
        assert attempt(run, run.databases[0], lifecycle).rollout_stopped is counts
        assert states(run)[1] == ("Skipped" if counts else "Created")

    def test_the_ratio_is_of_a_wave_so_that_a_canary_stops_the_rest(self, roll_out: NewRun) -> None:
        run = roll_out(10, waves=[Wave(count=1)], max_failure_ratio=0.2)
        assert attempt(run, run.databases[0], L.FAILED).rollout_stopped
        assert "1 of 1 databases of wave 1 failed and at most 0 may" in run.target(run.databases[9]).last_message
        assert run.lifecycles() == ["Failed", "Failed", "Failed"] + ["Skipped"] * 9

    def test_the_ratio_without_waves_is_of_the_step(self, roll_out: NewRun) -> None:
        run = roll_out(10, max_failure_ratio=0.2)
        stopped = [attempt(run, database, L.FAILED).rollout_stopped for database in run.databases[:3]]
        assert stopped == [False, False, True]

    def test_what_waits_for_its_retry_ends_failed_with_its_error(self, roll_out: NewRun) -> None:
        run = roll_out(3, max_failures=0)
        waiting = begun(run, run.databases[1])
        executions.wait_for_retry(run.job_database, waiting, "no such table", delay_seconds=600)
        attempt(run, run.databases[0], L.FAILED)
        row = run.target(run.databases[1])
        assert (row.lifecycle, row.next_attempt_start_time) == ("Failed", None)
        assert row.last_message == (
            "no such table No further attempt: the rollout was stopped, 1 of 3 databases failed and at most 0 may."
        )
        again = executions.begin_attempt(run.job_database, waiting, 2)
        assert not again.begun
        assert again.ended == AlreadyFinished(L.FAILED, row.last_message)

    def test_the_attempt_of_a_lost_process_is_begun_again_all_the_same(self, roll_out: NewRun) -> None:
        run = roll_out(3, max_failures=0)
        begun(run, run.databases[1])
        attempt(run, run.databases[0], L.FAILED)
        attempt(run, run.databases[1], L.SUCCEEDED)
        assert states(run) == ["Failed", "Succeeded", "Skipped"]

    def test_a_process_that_died_before_it_could_stop_the_others_stops_them_all_the_same(
        self, roll_out: NewRun
    ) -> None:
        run = roll_out(3, max_failures=0)
        run.job_database.run(
            Batch(
                "UPDATE jobs_internal.executions SET lifecycle = 'Failed', is_active = 0, start_time = @now,"
                " end_time = @now WHERE execution_id = @execution;",
                execution="uniqueidentifier",
            ),
            execution=run.orders[run.databases[0]].execution_id,
        )
        found = claim(run, run.databases[1])
        assert isinstance(found, Claim)
        start = executions.begin_attempt(run.job_database, found, 1)
        assert (start.begun, start.ended and start.ended.lifecycle) == (False, L.SKIPPED)
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Skipped", "Skipped"]

    def test_a_step_without_a_rollout_knows_no_budget(self, new_run: NewRun) -> None:
        run = new_run("SELECT 1;", databases=["a", "b"])
        attempt(run, "a", L.FAILED)
        assert states(run) == ["Failed", "Created"]


class TestClearing:
    def test_clearing_all_that_failed_begins_a_new_budget(self, roll_out: NewRun) -> None:
        run = roll_out(4, max_failures=0)
        first, second, third, fourth = run.databases
        running = begun(run, second)
        attempt(run, first, L.FAILED)
        end(run, running, L.FAILED)
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Failed", "Skipped", "Skipped"]
        assert isinstance(claim(run, third), AlreadyFinished)
        # The other's failure of before does not keep the first from being repeated.
        attempt(run, first, L.SUCCEEDED, clear_number=1)
        attempt(run, third, L.SUCCEEDED, clear_number=1)
        attempt(run, second, L.SUCCEEDED, clear_number=1)
        assert states(run) == ["Succeeded", "Succeeded", "Succeeded", "Skipped"]
        assert run.lifecycles()[:2] == ["SucceededWithSkipped"] * 2
        assert isinstance(claim(run, fourth), AlreadyFinished)

    def test_what_fails_again_counts_again(self, roll_out: NewRun) -> None:
        run = roll_out(3, max_failures=0)
        first, second, third = run.databases
        attempt(run, first, L.FAILED)
        assert isinstance(claim(run, second), AlreadyFinished)
        assert attempt(run, first, L.FAILED, clear_number=1).rollout_stopped
        found = claim(run, second, clear_number=1)
        assert isinstance(found, Claim)
        start = executions.begin_attempt(run.job_database, found, 1)
        assert start.ended is not None
        assert start.ended.lifecycle is L.SKIPPED
        assert states(run) == ["Failed", "Skipped", "Skipped"]
        assert isinstance(claim(run, third), AlreadyFinished)

    def test_what_was_left_out_runs_when_somebody_clears_it_alone(self, roll_out: NewRun) -> None:
        run = roll_out(2, max_failures=0)
        attempt(run, run.databases[0], L.FAILED)
        assert isinstance(claim(run, run.databases[1]), AlreadyFinished)
        attempt(run, run.databases[1], L.SUCCEEDED, clear_number=1)
        assert states(run) == ["Failed", "Succeeded"]


class TestWaves:
    def wave(self, run: Run, number: int) -> WaveStart:
        return begin_wave(run.job_database, run.job_execution_id, 1, number)

    def names(self, start: WaveStart) -> list[str]:
        return [each.target.database_name for each in start.targets]

    def test_the_resolver_gives_out_the_first_wave_and_the_others_follow(self, roll_out: NewRun) -> None:
        run = roll_out(5, waves=[Wave(names=["TENANT04"]), Wave(pattern="*2"), Wave(count=1)])
        assert list(run.orders) == ["tenant04", "tenant02", "tenant01", "tenant03", "tenant05"]
        attempt(run, "tenant04", L.SUCCEEDED)
        second = self.wave(run, 2)
        assert self.names(second) == ["tenant02"]
        assert second.targets[0].execution_id == run.orders["tenant02"].execution_id
        attempt(run, "tenant02", L.SUCCEEDED)
        assert self.names(self.wave(run, 3)) == ["tenant01"]
        attempt(run, "tenant01", L.SUCCEEDED)
        assert self.names(self.wave(run, 4)) == ["tenant03", "tenant05"]
        assert run.lifecycles()[:2] == ["WaitingForChildJobExecutions"] * 2
        for database in ("tenant03", "tenant05"):
            attempt(run, database, L.SUCCEEDED)
        assert run.lifecycles() == ["Succeeded"] * 7

    def test_a_wave_waits_until_the_one_before_has_ended(self, roll_out: NewRun) -> None:
        run = roll_out(3, waves=[Wave(count=2)])
        running = begun(run, "tenant01")
        attempt(run, "tenant02", L.SUCCEEDED)
        assert self.wave(run, 2) == WaveStart(still_active=1)
        end(run, running, L.SUCCEEDED)
        assert self.names(self.wave(run, 2)) == ["tenant03"]

    def test_asking_twice_changes_nothing(self, roll_out: NewRun) -> None:
        run = roll_out(3, waves=[Wave(count=1)])
        attempt(run, "tenant01", L.SUCCEEDED)
        assert self.wave(run, 2) == self.wave(run, 2)

    def test_failures_that_are_allowed_do_not_hold_the_next_wave_up(self, roll_out: NewRun) -> None:
        run = roll_out(4, waves=[Wave(count=2)], max_failures=1)
        attempt(run, "tenant01", L.FAILED)
        attempt(run, "tenant02", L.SUCCEEDED)
        assert self.names(self.wave(run, 2)) == ["tenant03", "tenant04"]

    def test_too_many_failures_leave_it_out_and_end_the_job(self, roll_out: NewRun) -> None:
        run = roll_out(4, waves=[Wave(count=1), Wave(count=1)], max_failures=0)
        attempt(run, "tenant01", L.FAILED)
        for number in (2, 3):
            start = self.wave(run, number)
            assert (start.targets, start.stopped) == ([], "1 of 4 databases failed and at most 0 may")
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Skipped", "Skipped", "Skipped"]

    def test_a_target_that_no_task_had_come_to_counts_as_failed(self, roll_out: NewRun) -> None:
        run = roll_out(3, waves=[Wave(count=1)], max_failures=0)
        start = self.wave(run, 2)
        assert (start.targets, start.stopped) == ([], "1 of 3 databases failed and at most 0 may")
        assert "It was never begun" in run.target("tenant01").last_message
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Skipped", "Skipped"]

    @pytest.mark.parametrize("again", [L.SUCCEEDED, L.FAILED])
    def test_a_cleared_canary_brings_the_later_waves_back(self, roll_out: NewRun, again: Lifecycle) -> None:
        run = roll_out(3, waves=[Wave(count=1), Wave(count=1)], max_failures=0)
        attempt(run, "tenant01", L.FAILED)
        assert self.wave(run, 2).targets == []
        attempt(run, "tenant01", again, clear_number=1)
        start = self.wave(run, 2)
        if again is L.FAILED:
            assert (start.targets, run.lifecycles()) == ([], ["Failed"] * 3 + ["Skipped"] * 2)
            return
        assert self.names(start) == ["tenant02"]
        assert run.lifecycles() == ["WaitingForChildJobExecutions"] * 2 + ["Succeeded", "Created", "Created"]
        # Airflow made the task anew, so it has never been cleared.
        attempt(run, "tenant02", L.SUCCEEDED)
        assert self.names(self.wave(run, 3)) == ["tenant03"]
        attempt(run, "tenant03", L.SUCCEEDED)
        assert run.lifecycles() == ["Succeeded"] * 5

    def test_no_wave_begins_in_a_run_that_is_to_stop_and_a_cleared_one_brings_it_back(self, roll_out: NewRun) -> None:
        run = roll_out(2, waves=[Wave(count=1)])
        running = begun(run, "tenant01")
        cancel_execution(run.job_database, run.job_execution_id)
        end(run, running, L.CANCELED)
        assert self.wave(run, 2) == WaveStart(cancelled=True)
        assert run.lifecycles() == ["Canceled"] * 4
        attempt(run, "tenant01", L.SUCCEEDED, clear_number=1)
        assert self.names(self.wave(run, 2)) == ["tenant02"]
        attempt(run, "tenant02", L.SUCCEEDED)
        assert run.lifecycles() == ["Succeeded"] * 4

    def test_waves_that_hold_nobody_are_empty(self, roll_out: NewRun) -> None:
        run = roll_out(2, waves=[Wave(names=["nobody"]), Wave(count=5)])
        assert len(self.wave(run, 2).targets) == 2
        for database in run.databases:
            attempt(run, database, L.SUCCEEDED)
        assert self.wave(run, 3) == WaveStart()
        assert run.lifecycles() == ["Succeeded"] * 4

    def test_the_view_tells_how_far_it_is(self, roll_out: NewRun) -> None:
        run = roll_out(5, waves=[Wave(count=2)], max_failures=3, max_failure_ratio=0.5)
        attempt(run, "tenant01", L.SUCCEEDED)
        attempt(run, "tenant02", L.FAILED)
        query = Batch(
            "SELECT wave, target_count, max_failures, ended, failed, skipped FROM jobs_ext.rollout_waves"
            " WHERE job_execution_id = @run ORDER BY wave;",
            run="uniqueidentifier",
        )
        rows = [tuple(row) for row in run.job_database.run(query, run=run.job_execution_id)]
        assert rows == [(0, 5, 3, 2, 1, 0), (1, 2, 1, 2, 1, 0), (2, 3, 1, 0, 0, 0)]


def _waiting(run: Run) -> dict[str, tuple[str, str]]:
    query = Batch(
        "SELECT target_database_name, waiting_for, waiting_cause FROM jobs_ext.waiting_targets"
        " WHERE job_execution_id = @run;",
        run="uniqueidentifier",
    )
    rows = run.job_database.run(query, run=run.job_execution_id)
    return {row.target_database_name: (row.waiting_for, row.waiting_cause) for row in rows}


class TestSpread:
    def test_each_target_has_its_own_time_from_the_beginning_of_its_wave(self, roll_out: NewRun) -> None:
        run = roll_out(4, waves=[Wave(count=2)], spread=600)
        waits = [seconds_to_wait(run.job_database, run.orders[database].execution_id) for database in run.databases]
        assert (waits[0], waits[2], waits[3]) == (0, 0, 0)
        assert 240 < waits[1] <= 300
        waiting = _waiting(run)
        assert waiting["tenant01"][0] == "worker"
        assert waiting["tenant02"] == ("turn", run.target("tenant02").last_message)
        assert waiting["tenant03"] == ("wave", "Waiting for wave 2 of the rollout to begin.")
        assert run.target("tenant02").last_message.endswith(" UTC: the starts are spread over 600 s.")

    def test_nobody_begins_before_its_time_and_who_waits_is_told_how_long(self, roll_out: NewRun) -> None:
        run = roll_out(2, spread=600)
        found = claim(run, "tenant02")
        assert isinstance(found, Claim)
        start = executions.begin_attempt(run.job_database, found, 1)
        assert not start.begun
        assert 240 < (start.wait_seconds or 0) <= 300
        assert start.waiting_cause is not None
        assert start.waiting_cause.startswith("Waiting until ")
        attempt(run, "tenant01", L.SUCCEEDED)

    def test_its_time_comes(self, new_run: NewRun) -> None:
        run = new_run("SELECT 1;", databases=2, step={"rollout": Rollout(spread=6)})
        results = [each.result() for each in [Started(run.execution(database)) for database in run.databases]]
        assert [result.lifecycle for result in results] == [L.SUCCEEDED] * 2
        began = Batch(
            "SELECT begin_time FROM jobs_internal.rollout_waves WHERE job_execution_id = @run AND wave = 1;",
            run="uniqueidentifier",
        )
        begin_time = run.job_database.run(began, run=run.job_execution_id)[0].begin_time
        assert (run.target(run.databases[1]).start_time - begin_time).total_seconds() >= 3

    @pytest.mark.parametrize("how", ["its process", "the run", "the rollout"])
    def test_a_stop_ends_the_waiting_at_once(self, roll_out: NewRun, how: str) -> None:
        run = roll_out(2, spread=100_000, max_failures=0)
        waiting = Started(run.execution("tenant02"))
        while not any("spread over" in line for line in run.log):
            time.sleep(0.05)
        if how == "its process":
            waiting.execution.cancel()
        elif how == "the run":
            cancel_execution(run.job_database, run.job_execution_id)
        else:
            run.execution("tenant01", command="GO;", retry=RetryPolicy(attempts=0)).run()
        expected = L.SKIPPED if how == "the rollout" else L.CANCELED
        assert waiting.result(60).lifecycle is expected
        assert run.target("tenant02").lifecycle == str(expected)


class TestScripts:
    """The whole way of a target, on real sessions."""

    def test_what_waits_for_its_retry_in_the_same_process_ends_at_once(self, new_run: NewRun) -> None:
        run = new_run("THROW 50001, 'not here', 1;", databases=2, step={"rollout": Rollout(max_failures=0)})
        patient, hasty = run.databases
        waiting = Started(
            run.execution(patient, retry=RetryPolicy(attempts=1, initial_interval=600, maximum_interval=600))
        )
        while run.target(patient).lifecycle != "WaitingForRetry":
            time.sleep(0.05)
        assert run.execution(hasty, retry=RetryPolicy(attempts=0)).run().lifecycle is L.FAILED
        result = waiting.result(20)
        assert (result.lifecycle, result.attempts) == (L.FAILED, 1)
        assert "not here" in result.message
        assert "No further attempt" in result.message

    def test_with_caps_too_neither_is_exceeded(self, new_run: NewRun, new_database: Callable[[], str]) -> None:
        names = [new_database() for _ in range(6)]
        rollout = Rollout(max_failures=1)
        run = new_run(
            "IF 1 = 1 THROW 50001, 'not here', 1;",
            databases=names,
            pools=dict.fromkeys(names, "p1"),
            step={"rollout": rollout, "max_parallelism": 1},
        )
        once = RetryPolicy(attempts=0)
        results = [each.result() for each in [Started(run.execution(name, retry=once)) for name in names]]
        assert sorted(str(result.lifecycle) for result in results) == ["Failed"] * 2 + ["Skipped"] * 4


def _fail_some(settings: ConnectionSettings, server: str, database: str, rows: list[UUID], seed: int) -> int:
    """Begin and fail targets in some threads of a process of its own; return how many began."""
    chance = random.Random(seed)
    job_database = JobDatabase(
        lambda: LiveServer(server, settings).connect(database), server=server, database=database, pool_size=4
    )
    agent = JobAgent(job_database).record

    def work(numbered: tuple[int, UUID]) -> int:
        number, row = numbered
        found = claim_target(job_database, row, AirflowRef("dag", "run", "run", number), agent)
        if isinstance(found, AlreadyFinished):
            return 0
        time.sleep(chance.uniform(0, 0.05))
        if not executions.begin_attempt(job_database, found, 1).begun:
            return 0
        time.sleep(chance.uniform(0, 0.05))
        executions.finish_target(job_database, found, L.FAILED, outcome=Outcome.FAILED)
        return 1

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(work, enumerate(rows)))


@pytest.mark.parametrize("max_failures", [0, 3])
def test_processes_and_threads_at_once_never_begin_an_attempt_too_many(
    roll_out: NewRun, server: LiveServer, max_failures: int
) -> None:
    run = roll_out(48, max_failures=max_failures)
    rows = [run.orders[database].execution_id for database in run.databases]
    arguments = [(server.settings, server.name, run.job_database.database, rows[first::3], first) for first in range(3)]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        began = sum(pool.starmap(_fail_some, arguments))
    # Whatever was begun already when the budget was used up goes on: at most as many as there are threads.
    assert max_failures < began <= max_failures + 1 + 11
    assert states(run).count("Failed") == began
    assert states(run).count("Skipped") == 48 - began
    late = Batch(
        """
SELECT COUNT(*) AS late FROM jobs_internal.executions AS p
WHERE p.job_execution_id = @run AND p.target_type = 'SqlDatabase' AND (
    SELECT COUNT(*) FROM jobs_internal.executions AS f
    WHERE f.job_execution_id = @run AND f.target_type = 'SqlDatabase' AND f.lifecycle = 'Failed'
        AND f.end_time < p.current_attempt_start_time) > @allowed;
""",
        run="uniqueidentifier",
        allowed="int",
    )
    assert run.job_database.run(late, run=run.job_execution_id, allowed=max_failures)[0].late == 0


class TestLock:
    """What happens at the same moment happens one after the other."""

    LOCK = """
SET XACT_ABORT ON; BEGIN TRANSACTION;
UPDATE jobs_internal.rollout_waves SET flag = 1 - flag WHERE job_execution_id = ? AND wave = 0;
"""
    FAIL = """
UPDATE jobs_internal.executions SET lifecycle = 'Failed', is_active = 0, end_time = SYSUTCDATETIME()
WHERE execution_id = ?;
"""

    def test_an_attempt_that_is_about_to_begin_waits_for_a_failure_that_is_being_written(
        self, roll_out: NewRun, server: LiveServer
    ) -> None:
        run = roll_out(2, max_failures=0)
        failing = begun(run, "tenant01")
        waits = claim(run, "tenant02")
        assert isinstance(waits, Claim)
        with ThreadPoolExecutor(1) as pool, closing(server.connect(run.job_database.database)) as other:
            other.execute(self.LOCK + self.FAIL, str(run.job_execution_id), str(failing.execution_id))
            asked = pool.submit(executions.begin_attempt, run.job_database, waits, 1)
            wait([asked], timeout=1)
            other.execute("COMMIT TRANSACTION;")
            start = asked.result(60)
        assert (start.begun, start.ended and start.ended.lifecycle) == (False, L.SKIPPED)
        self._tidy(run, failing)

    def test_a_failure_waits_for_an_attempt_that_is_about_to_begin(self, roll_out: NewRun, server: LiveServer) -> None:
        run = roll_out(1, max_failures=0)
        failing = begun(run, "tenant01")
        with ThreadPoolExecutor(1) as pool, closing(server.connect(run.job_database.database)) as other:
            other.execute(self.LOCK, str(run.job_execution_id))
            written = pool.submit(end, run, failing, L.FAILED)
            wait([written], timeout=1)
            until = other.execute("SELECT SYSUTCDATETIME();").fetchone()[0]
            other.execute("COMMIT TRANSACTION;")
            assert written.result(60).rollout_stopped
        assert run.target("tenant01").end_time >= until

    def _tidy(self, run: Run, failing: Claim) -> None:
        """Write down the attempt that the test has ended behind the writer's back."""
        run.job_database.run(
            Batch(
                "UPDATE jobs_internal.attempts SET end_time = @now, outcome = 'failed', message = N'no'"
                " WHERE execution_id = @execution;",
                execution="uniqueidentifier",
            ),
            execution=failing.execution_id,
        )


def test_the_waves_of_purged_runs_are_purged(roll_out: NewRun) -> None:
    run = roll_out(1, max_failures=0)
    attempt(run, "tenant01", L.SUCCEEDED)
    newer = Run(run.server, run.job_database, ["tenant01"], run.command, job_name=run.job_name)
    purge_history(run.job_database, job_name=run.job_name)
    left = Batch(
        "SELECT COUNT(*) AS n FROM jobs_internal.rollout_waves WHERE job_execution_id = @run;", run="uniqueidentifier"
    )
    assert run.job_database.run(left, run=run.job_execution_id)[0].n == 0
    attempt(newer, "tenant01", L.SUCCEEDED)
