"""The clocks of a step: one attempt's, all attempts' of a target, and a lock's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import QUICK, Run, Started, until

NewRun = Callable[..., Run]
SLOW = "WAITFOR DELAY '00:02:00';"
FAILS = "THROW 50001, 'come again', 1;"
_ROW = Batch(
    "SELECT outcome, error_number, waiting_cause FROM jobs_internal.executions"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase' AND target_database_name = @database;",
    run="uniqueidentifier",
    database="nvarchar(128)",
)


def row(run: Run, database: str | None = None) -> Any:
    (found,) = run.job_database.run(_ROW, run=run.job_execution_id, database=database or run.databases[0])
    return found


class TestTargetTimeout:
    def test_it_ends_the_wait_for_a_retry(self, new_run: NewRun) -> None:
        run = new_run(FAILS)
        result = run.execution(target_timeout=1, retry=replace(QUICK, initial_interval=600, maximum_interval=600)).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.TIMED_OUT, 1)
        assert "timed out" in run.target().last_message
        assert (run.target().next_attempt_start_time, row(run).outcome) == (None, "timed_out")
        assert run.lifecycles() == ["TimedOut"] * 3

    @pytest.mark.needs_waitfor
    @pytest.mark.needs_cancel
    def test_it_ends_a_script_on_the_server(self, new_run: NewRun) -> None:
        run = new_run(SLOW)
        result = run.execution(target_timeout=1).run()
        assert (result.lifecycle, result.attempts, row(run).outcome) == (Lifecycle.TIMED_OUT, 1, "timed_out")

    def test_it_counts_all_attempts_and_the_waits_between_them(self, new_run: NewRun) -> None:
        run = new_run(FAILS)
        policy = replace(QUICK, attempts=1000, initial_interval=1, maximum_interval=1)
        result = run.execution(target_timeout=6, retry=policy).run()
        assert result.lifecycle is Lifecycle.TIMED_OUT
        assert 1 < result.attempts < 8

    @pytest.mark.sandbox_only
    def test_it_counts_the_wait_for_a_database(self, new_run: NewRun, sandbox: SandboxClient) -> None:
        run = new_run("SELECT 1;")
        fault = sandbox.add_fault("database_unavailable", database=run.databases[0], times=0)
        result = run.execution(target_timeout=1).run()
        sandbox.control("sp_remove_fault", fault_id=fault)
        assert (result.lifecycle, result.attempts) == (Lifecycle.TIMED_OUT, 1)

    def test_a_process_that_takes_over_counts_what_went_before(self, new_run: NewRun) -> None:
        run = new_run(FAILS)
        policy = replace(QUICK, attempts=1000, initial_interval=600, maximum_interval=600)
        first = Started(run.execution(target_timeout=60, retry=policy))
        until(lambda: run.target().lifecycle == "WaitingForRetry")
        first.execution.release()
        with pytest.raises(ExecutionReleasedError):
            first.result(20)
        _age(run, seconds=58)
        second = Started(run.execution(target_timeout=60, retry=policy, agent=JobAgent(run.job_database)))
        assert second.result(30).lifecycle is Lifecycle.TIMED_OUT

    @pytest.mark.sandbox_only
    def test_the_outcome_of_an_attempt_that_was_lost_stays_unknown(
        self, new_run: NewRun, sandbox: SandboxClient
    ) -> None:
        run = new_run("/* unlucky */ SELECT 1;")
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="unlucky")
        policy = replace(QUICK, initial_interval=600, maximum_interval=600)
        result = run.execution(target_timeout=4, retry=policy).run()
        assert (result.lifecycle, row(run).outcome) == (Lifecycle.TIMED_OUT, "unknown")
        assert result.message.endswith("Whether an earlier attempt took effect is unknown.")


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
class TestTurns:
    """Both clocks begin when the target's turn does."""

    def test_waiting_for_a_place_is_not_counted(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run(
            "IF EXISTS (SELECT * FROM pace) WAITFOR DELAY '00:02:00';",
            databases=2,
            step={"max_parallelism_per_server": 1},
        )
        first, second = run.databases
        for database in run.databases:
            server.execute("CREATE TABLE pace (a int);", database)
        server.execute("INSERT INTO pace VALUES (1);", first)
        holder = Started(run.execution(first))
        until(lambda: run.target(first).lifecycle == "InProgress")
        waiter = Started(run.execution(second, step_timeout=1, target_timeout=1))
        until(lambda: row(run, second).waiting_cause)
        _stay(lambda: run.target(second).lifecycle == "Created", seconds=1.5)
        holder.execution.cancel()
        assert holder.result(20).lifecycle is Lifecycle.CANCELED
        assert waiter.result(20).lifecycle is Lifecycle.SUCCEEDED

    def test_each_attempt_has_the_whole_of_its_own(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run(
            "DECLARE @n int; INSERT INTO tries VALUES (1); SELECT @n = COUNT(*) FROM tries;"
            "WAITFOR DELAY '00:00:00.700'; IF @n < 3 THROW 50001, 'come again', 1;"
        )
        server.execute("CREATE TABLE tries (a int)", run.databases[0])
        result = run.execution(step_timeout=2).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 3)


class TestLockTimeout:
    @contextmanager
    def locked(self, server: LiveServer, run: Run) -> Iterator[None]:
        server.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1);", run.databases[0])
        holder = server.connect(run.databases[0])
        holder.execute("BEGIN TRANSACTION; UPDATE t SET a = 2;")
        try:
            yield
        finally:
            holder.close()

    @pytest.mark.sandbox_only  # Babelfish has a number of its own for it
    @pytest.mark.parametrize("transaction", [False, True])
    def test_a_statement_that_waits_longer_fails_with_1222(
        self, new_run: NewRun, server: LiveServer, transaction: bool
    ) -> None:
        run = new_run("UPDATE t SET a = 3;")
        if transaction:
            # Its marker is written before the script, and where one writer locks all it must not wait for that.
            Run(server, run.job_database, run.databases, "SELECT 1;").execution(transaction=True).run()
        with self.locked(server, run):
            result = run.execution(
                lock_timeout=0.2, transaction=transaction, retry=replace(QUICK, attempts=1, retry_on="transient")
            ).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 2)
        assert (row(run).outcome, row(run).error_number) == ("failed", 1222)

    def test_without_it_a_statement_waits_until_the_lock_is_free(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run("UPDATE t SET a = 3;")
        with self.locked(server, run):
            started = Started(run.execution())
            until(lambda: run.target().lifecycle == "InProgress")
            _stay(lambda: run.target().lifecycle == "InProgress", seconds=1)
        assert started.result(20).lifecycle is Lifecycle.SUCCEEDED
        assert server.execute("SELECT a FROM t", run.databases[0]) == [(3,)]


def _age(run: Run, *, seconds: int) -> None:
    """Let the row's first attempt have begun that much earlier."""
    run.job_database.run(
        Batch(
            "UPDATE jobs_internal.executions SET start_time = DATEADD(second, -@seconds, start_time),"
            " create_time = DATEADD(second, -@seconds, create_time) WHERE job_execution_id = @run;",
            run="uniqueidentifier",
            seconds="int",
        ),
        run=run.job_execution_id,
        seconds=seconds,
    )


def _stay(holds: Callable[[], bool], *, seconds: float) -> None:
    """Look for a while whether something goes on."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds()
        time.sleep(0.1)
