"""Caps as scripts meet them: they never run in greater number, whoever dies, waits, is stopped or comes again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import _GeneratorContextManager
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.deadlines import Deadlines
from airflow_provider_elasticjobs.execution.ending import StopReason
from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.agents import heartbeat
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.records import AirflowRef, Claim
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LACKS, LIVE_SERVER, LiveServer
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]

#: Babelfish has a procedure of its own in place of WAITFOR.
PAUSE = "EXEC pg_sleep 1;" if "waitfor" in LACKS else "WAITFOR DELAY '00:00:00.200';"
#: Creating a database takes a live server a second.
TARGETS = 6 if LIVE_SERVER else 20
#: Writes down when it ran, and fails once where it was told to.
TIMED = f"""
INSERT INTO visits VALUES (SYSUTCDATETIME(), NULL);
{PAUSE}
UPDATE visits SET ended = SYSUTCDATETIME() WHERE ended IS NULL;
IF (SELECT COUNT(*) FROM visits) <= (SELECT MAX(failures) FROM luck) THROW 50001, 'come again', 1;
"""
SLOW = "RAISERROR('begun', 0, 1) WITH NOWAIT; WAITFOR DELAY '00:02:00';"


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


def _prepare(server: LiveServer, database: str, failures: int = 0) -> None:
    server.execute("CREATE TABLE visits (begun datetime2(6), ended datetime2(6))", database)
    server.execute("CREATE TABLE luck (failures int)", database)
    server.execute(f"INSERT INTO luck VALUES ({failures})", database)


def _visits(server: LiveServer, database: str) -> list[tuple[dt.datetime, dt.datetime]]:
    return server.execute("SELECT begun, ended FROM visits", database)


def _most_at_once(visits: list[tuple[dt.datetime, dt.datetime]]) -> int:
    edges = sorted([(ended, -1) for _, ended in visits] + [(begun, 1) for begun, _ in visits])
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


@pytest.fixture
def pooled_run(new_run: NewRun, new_database: Callable[[], str]) -> Callable[..., Run]:
    """Return a function that begins a run with caps on fresh databases, which take turns in the pools."""

    def begin(command: str, count: int, *, pools: tuple[str, ...] = ("p1",), **step: Any) -> Run:
        names = [new_database() for _ in range(count)]
        of = {name: pools[index % len(pools)] for index, name in enumerate(names)}
        return new_run(command, databases=names, pools=of, step=step)

    return begin


def _ended(run: Run, started: list[Started]) -> list[Lifecycle]:
    return [each.result(120).lifecycle for each in started]


class TestUnderLoad:
    """Many targets at once, from two processes, some of which fail and come again."""

    @pytest.mark.parametrize("cap", [2, 3])
    def test_no_pool_runs_more_than_its_cap_and_all_come_through(
        self, pooled_run: NewRun, server: LiveServer, cap: int
    ) -> None:
        run = pooled_run(TIMED, TARGETS, pools=("p1", "p2"), max_parallelism=cap)
        for index, database in enumerate(run.databases):
            _prepare(server, database, failures=int(index % 4 == 0))
        agents = [run.agent, JobAgent(run.job_database)]
        started = [Started(run.execution(each, agent=agents[i % 2])) for i, each in enumerate(run.databases)]
        assert _ended(run, started) == [Lifecycle.SUCCEEDED] * TARGETS
        assert run.lifecycles() == ["Succeeded"] * (TARGETS + 2)
        for pool in ("p1", "p2"):
            visits = [visit for each in run.databases if run.pools[each] == pool for visit in _visits(server, each)]
            assert 1 <= _most_at_once(visits) <= cap
            assert all(ended is not None for _, ended in visits)

    def test_a_server_runs_no_more_than_its_cap_in_pools_or_not(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run(TIMED, databases=6, step={"max_parallelism_per_server": 2})
        for database in run.databases:
            _prepare(server, database)
        assert _ended(run, [Started(run.execution(each)) for each in run.databases]) == [Lifecycle.SUCCEEDED] * 6
        assert _most_at_once([visit for each in run.databases for visit in _visits(server, each)]) <= 2

    def test_the_server_itself_sees_no_more(self, pooled_run: NewRun, sandbox: SandboxClient) -> None:
        run = pooled_run(f"/* counted here */ {PAUSE}", 8, max_parallelism=3)
        started = [Started(run.execution(each)) for each in run.databases]
        assert _ended(run, started) == [Lifecycle.SUCCEEDED] * 8
        assert 1 <= sandbox.peak_running(containing="counted here") <= 3

    def test_without_a_cap_nothing_waits(self, pooled_run: NewRun, server: LiveServer) -> None:
        run = pooled_run(TIMED, 3)
        for database in run.databases:
            _prepare(server, database)
        assert _ended(run, [Started(run.execution(each)) for each in run.databases]) == [Lifecycle.SUCCEEDED] * 3
        assert not any("Waiting" in line for line in run.log)


def _killed(run: Run, database: str, attempt: int = 1, *, beats: bool = False) -> Claim:
    """Begin an attempt in a process that then dies."""
    agent = JobAgent(run.job_database).record
    if beats:
        heartbeat(run.job_database, agent)
    airflow = AirflowRef("dag", "run", "run", run.databases.index(database))
    claim = claim_target(run.job_database, run.orders[database].execution_id, airflow, agent)
    assert isinstance(claim, Claim)
    assert executions.begin_attempt(run.job_database, claim, attempt).begun
    return claim


class TestKilledProcesses:
    """A place is a lease: it runs out with the heartbeat of the process that holds it."""

    @pytest.mark.parametrize("beats", [True, False])
    def test_the_place_of_a_killed_process_is_free_again_after_a_while(self, pooled_run: NewRun, beats: bool) -> None:
        run = pooled_run("SELECT 1;", 2, max_parallelism=1)
        dead, alive = run.databases
        _killed(run, dead, beats=beats)
        patient, quick = JobAgent(run.job_database), JobAgent(run.job_database, expiry_seconds=1)
        waiting = Started(run.execution(alive, agent=patient))
        _until(lambda: "only place" in run.target(alive).last_message)
        waiting.execution.release()
        with pytest.raises(ExecutionReleasedError):
            waiting.result(20)
        assert Started(run.execution(alive, agent=quick)).result().lifecycle is Lifecycle.SUCCEEDED
        assert run.target(dead).lifecycle == "InProgress"
        assert run.execution(dead).run().lifecycle is Lifecycle.SUCCEEDED

    def test_nothing_leaks_however_often_processes_die(self, pooled_run: NewRun) -> None:
        run = pooled_run("SELECT 1;", 3, max_parallelism=1)
        first = run.databases[0]
        for attempt in range(1, 51):
            claim = _killed(run, first, attempt)
        executions.wait_for_retry(run.job_database, claim, "no", delay_seconds=0)
        assert _ended(run, [Started(run.execution(each)) for each in run.databases]) == [Lifecycle.SUCCEEDED] * 3

    def test_the_attempt_that_takes_over_does_not_wait_for_its_own_place(self, pooled_run: NewRun) -> None:
        run = pooled_run("SELECT 1;", 1, max_parallelism=1)
        _killed(run, run.databases[0])
        result = run.execution().run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
        assert not any("Waiting" in line for line in run.log)


class _Clock(Deadlines):
    """Counts the time-outs that have begun."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    def within(self, seconds: float, call: Callable[[], None]) -> _GeneratorContextManager[None]:
        self.begun += 1
        return super().within(seconds, call)


class TestWaiting:
    """What a target does that has no place yet."""

    def test_it_holds_no_connection_and_says_what_it_waits_for(self, pooled_run: NewRun, server: LiveServer) -> None:
        run = pooled_run("SELECT 1;", 2, max_parallelism=1)
        busy, waits = run.databases
        holder = _killed(run, busy, beats=True)
        opened: list[str] = []

        def connect(server_name: str, database: str, name: str | None = None) -> pyodbc.Connection:
            opened.append(database)
            return connector(server.settings)(server_name, database, name)

        waiting = Started(run.execution(waits, connect=connect))
        sentence = f"Waiting for the only place of elastic pool 'p1' on server '{server.name}'."
        _until(lambda: run.target(waits).last_message == sentence)
        row = run.target(waits)
        assert (row.lifecycle, row.start_time, row.current_attempts, opened) == ("Created", None, 0, [])
        executions.finish_target(run.job_database, holder, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED)
        assert waiting.result().lifecycle is Lifecycle.SUCCEEDED
        assert opened == [waits]
        assert run.log.count(sentence) == 1

    def test_waiting_is_not_the_steps_time(self, pooled_run: NewRun) -> None:
        run = pooled_run("SELECT 1;", 2, max_parallelism=1)
        busy, waits = run.databases
        holder = _killed(run, busy, beats=True)
        agent = JobAgent(run.job_database)
        agent.deadlines = clock = _Clock()
        waiting = Started(run.execution(waits, agent=agent))
        _until(lambda: "Waiting" in run.target(waits).last_message)
        assert clock.begun == 0
        executions.finish_target(run.job_database, holder, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED)
        assert waiting.result().lifecycle is Lifecycle.SUCCEEDED
        assert clock.begun == 1

    def test_a_stopped_run_ends_it_without_an_attempt(self, pooled_run: NewRun) -> None:
        run = pooled_run("SELECT 1;", 2, max_parallelism=1)
        busy, waits = run.databases
        holder = _killed(run, busy, beats=True)
        waiting = Started(run.execution(waits))
        _until(lambda: "Waiting" in run.target(waits).last_message)
        cancel_execution(run.job_database, run.job_execution_id)
        assert waiting.result(20).lifecycle is Lifecycle.CANCELED
        executions.finish_target(run.job_database, holder, Lifecycle.CANCELED, outcome=Outcome.CANCELLED)
        assert run.lifecycles() == ["Canceled"] * 4
        assert run.target(waits).current_attempts == 0

    @pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.RELEASED])
    def test_its_own_process_may_stop_it(self, pooled_run: NewRun, reason: StopReason) -> None:
        run = pooled_run("SELECT 1;", 2, max_parallelism=1)
        busy, waits = run.databases
        _killed(run, busy, beats=True)
        waiting = Started(run.execution(waits))
        _until(lambda: "Waiting" in run.target(waits).last_message)
        if reason is StopReason.CANCELLED:
            waiting.execution.cancel()
            assert waiting.result(20).lifecycle is Lifecycle.CANCELED
            assert run.target(waits).lifecycle == "Canceled"
        else:
            waiting.execution.release()
            with pytest.raises(ExecutionReleasedError):
                waiting.result(20)
            assert run.target(waits).lifecycle == "Created"
        assert run.execution(busy).run().lifecycle is Lifecycle.SUCCEEDED

    def test_two_that_always_fail_take_turns_on_one_place(self, pooled_run: NewRun) -> None:
        run = pooled_run("THROW 50001, 'come again', 1;", 2, max_parallelism=1)
        retry = RetryPolicy(attempts=3, initial_interval=0.1, maximum_interval=0.1)
        results = [each.result() for each in [Started(run.execution(each, retry=retry)) for each in run.databases]]
        assert [(each.lifecycle, each.attempts) for each in results] == [(Lifecycle.FAILED, 4)] * 2

    def test_a_target_that_waits_for_its_retry_lets_others_in(self, pooled_run: NewRun, server: LiveServer) -> None:
        run = pooled_run(TIMED, 2, max_parallelism=1)
        fails, other = run.databases
        _prepare(server, fails, failures=9)
        _prepare(server, other)
        failing = Started(run.execution(fails, retry=RetryPolicy(attempts=1, initial_interval=100)))
        _until(lambda: run.target(fails).lifecycle == "WaitingForRetry")
        assert run.execution(other).run().lifecycle is Lifecycle.SUCCEEDED
        failing.execution.cancel()
        assert failing.result(20).lifecycle is Lifecycle.CANCELED

    @pytest.mark.needs_waitfor
    @pytest.mark.needs_cancel
    def test_a_script_that_is_stopped_gives_its_place_to_the_next(self, pooled_run: NewRun) -> None:
        run = pooled_run(SLOW, 2, max_parallelism=1)
        slow, next_one = run.databases
        running = Started(run.execution(slow, step_timeout=3600))
        _until(lambda: any("begun" in line for line in run.log))
        waiting = Started(run.execution(next_one, command="SELECT 1;"))
        _until(lambda: "Waiting" in run.target(next_one).last_message)
        running.execution.cancel()
        assert running.result(20).lifecycle is Lifecycle.CANCELED
        assert waiting.result(20).lifecycle is Lifecycle.SUCCEEDED
