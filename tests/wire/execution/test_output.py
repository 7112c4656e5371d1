"""A target's script with an output: what is there, and what the row says, when something goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.execution.target import TargetExecution
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.outputs.sql_database import SqlDatabasePlace
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.execution.conftest import QUICK, Run, Started

NewRun = Callable[..., Run]


class Collecting:
    """A run whose targets' results go to a table."""

    def __init__(self, run: Run, home: str) -> None:
        self.run, self.home = run, home
        self.output = SqlDatabaseOutput(run.server.name, home, f"t_{uuid4().hex[:8]}")

    def execution(self, database: str | None = None, **changes: Any) -> TargetExecution:
        order = replace(self.run.orders[database or self.run.databases[0]], output=self.output, **changes)
        connect = connector(self.run.server.settings)
        return TargetExecution(
            order,
            AirflowRef("dag", "run", "run"),
            agent=self.run.agent,
            connect=connect,
            log=lambda _, text: self.run.log.append(text),
            output=SqlDatabasePlace(self.output, connect),
        )

    def rows(self, columns: str = "a") -> list[tuple[Any, ...]]:
        """Return what is in the table; nothing if there is none."""
        found = self.run.server.execute(f"SELECT OBJECT_ID('{self.output.table_name}')", self.home)
        if found == [(None,)]:
            return []
        return self.run.server.execute(f"SELECT {columns} FROM {self.output.table_name} ORDER BY 1", self.home)


@pytest.fixture(scope="module")
def home(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def collecting(new_run: NewRun, home: str) -> Callable[..., Collecting]:
    return lambda command="SELECT 1 AS a UNION ALL SELECT 2", **fields: Collecting(new_run(command, **fields), home)


def test_every_targets_rows_are_in_one_table_with_its_rows_id(collecting: Callable[..., Collecting]) -> None:
    collected = collecting("SELECT DB_NAME() AS a", databases=2)
    for database in collected.run.databases:
        assert collected.execution(database).run().lifecycle == "Succeeded"
    ids = {name: str(order.execution_id) for name, order in collected.run.orders.items()}
    rows = collected.rows("a, LOWER(CAST(internal_execution_id AS varchar(36)))")
    assert dict(rows) == ids
    assert "1 row(s) written to the output" in collected.run.log


def test_a_failed_attempts_rows_are_replaced_by_the_next_ones(collecting: Callable[..., Collecting], home: str) -> None:
    flag = f"flag_{uuid4().hex[:8]}"
    collected = collecting(
        f"SELECT 1 AS a\nGO\nIF OBJECT_ID('{flag}') IS NULL BEGIN EXEC('CREATE TABLE {flag} (x int)'); "
        "RAISERROR('once', 16, 1) END"
    )
    result = collected.execution().run()
    assert (result.lifecycle, result.attempts) == ("Succeeded", 2)
    assert collected.rows() == [(1,)]


@pytest.mark.parametrize("command", ["SELECT 1/0 AS a", "SELECT 1 AS a; SELECT 1/0 AS b"])
def test_a_script_that_fails_leaves_no_row(collecting: Callable[..., Collecting], command: str) -> None:
    collected = collecting(command)
    assert collected.execution().run().lifecycle == "Failed"
    assert "8134" in collected.run.target().last_message
    assert collected.rows() == []


def test_a_table_that_does_not_fit_fails_the_target_and_says_so(collecting: Callable[..., Collecting]) -> None:
    collected = collecting()
    collected.run.server.execute(f"CREATE TABLE {collected.output.table_name} (a bigint)", collected.home)
    assert collected.execution().run().lifecycle == "Failed"
    message = collected.run.target().last_message
    assert "column a: expected int, found bigint" in message
    assert collected.rows() == []


def test_a_trial_writes_nothing(collecting: Callable[..., Collecting]) -> None:
    collected = collecting()
    assert collected.execution(trial=Trial.ROLLBACK).run().lifecycle == "Skipped"
    assert collected.rows() == []


def test_a_transaction_left_open_writes_nothing(collecting: Callable[..., Collecting]) -> None:
    collected = collecting("BEGIN TRANSACTION; SELECT 1 AS a")
    assert collected.execution().run().lifecycle == "Failed"
    assert collected.rows() == []


@pytest.mark.sandbox_only
class TestOutputDatabaseAway:
    @pytest.mark.parametrize(
        ("kind", "containing"),
        [
            ("database_unavailable", None),
            ("login_dropped", None),
            ("dropped_before", "OBJECT_ID"),
            ("dropped_after", "CREATE NONCLUSTERED"),
            ("dropped_before", "INSERT INTO #elasticjobs_output"),
            ("dropped_before", "DELETE FROM"),
            ("dropped_after", "DELETE FROM"),
            ("deadlock", "DELETE FROM"),
            ("throttled", "CREATE TABLE #"),
        ],
    )
    def test_a_passing_fault_is_retried_and_every_row_is_there_once(
        self, collecting: Callable[..., Collecting], sandbox: SandboxClient, kind: str, containing: str | None
    ) -> None:
        collected = collecting()
        sandbox.add_fault(kind, containing=containing, database=collected.home)
        result = collected.execution(retry=replace(QUICK, retry_on="transient")).run()
        assert (result.lifecycle, result.attempts) == ("Succeeded", 2)
        assert sandbox.pending_faults() == []
        assert collected.rows() == [(1,), (2,)]
        (failed,) = [text for text in collected.run.log if text.startswith("Attempt 1 failed")]
        assert collected.home in failed

    def test_one_that_stays_fails_the_target_with_the_outputs_name(
        self, collecting: Callable[..., Collecting], sandbox: SandboxClient
    ) -> None:
        collected = collecting()
        sandbox.add_fault("login_refused", database=collected.home, times=10)
        assert collected.execution().run().attempts == 3
        row = collected.run.target()
        assert row.lifecycle == "Failed"
        assert f"output [dbo].[{collected.output.table_name}] on {collected.run.server.name}/{collected.home}" in (
            row.last_message
        )
        assert "the login failed" in row.last_message

    @pytest.mark.parametrize(("containing", "attempts"), [(None, 2), ("DELETE FROM", 1)])
    def test_a_script_that_was_sent_is_not_repeated_unless_it_may(
        self,
        collecting: Callable[..., Collecting],
        sandbox: SandboxClient,
        containing: str | None,
        attempts: int,
    ) -> None:
        collected = collecting()
        kind = "dropped_before" if containing else "database_unavailable"
        sandbox.add_fault(kind, containing=containing, database=collected.home)
        assert collected.execution(idempotent=False).run().attempts == attempts

    @pytest.mark.parametrize("containing", ["OBJECT_ID", "INSERT INTO #elasticjobs_output", "DELETE FROM"])
    @pytest.mark.parametrize("reason", ["cancel", "time out"])
    def test_a_stop_reaches_the_outputs_server(
        self, collecting: Callable[..., Collecting], sandbox: SandboxClient, reason: str, containing: str
    ) -> None:
        collected = collecting()
        sandbox.add_fault("slow", containing=containing, database=collected.home, seconds=120)
        execution = collected.execution(step_timeout=2 if reason == "time out" else 600)
        running = Started(execution)
        if reason == "cancel":
            while sandbox.pending_faults():
                assert running.ended is None
            execution.cancel()
        assert running.result(60).lifecycle == ("Canceled" if reason == "cancel" else "TimedOut")
        assert collected.rows() == []
