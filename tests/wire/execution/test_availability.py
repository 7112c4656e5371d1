"""A database that is not available yet, and one that is gone: what is waited for, and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import TargetConnectionError
from airflow_provider_elasticjobs.execution import availability
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.tsql.error_numbers import ErrorTable
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import QUICK, Run, Started, until

NewRun = Callable[..., Run]
INSERT = "CREATE TABLE t (a int); /* the script */"
_ROW = Batch(
    "SELECT outcome, error_number, waiting_cause, waiting_time FROM jobs_internal.executions"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase';",
    run="uniqueidentifier",
)


def private(run: Run) -> Any:
    (row,) = run.job_database.run(_ROW, run=run.job_execution_id)
    return row


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_FIRST_PAUSE", 0.1)
    monkeypatch.setattr(availability, "_LONGEST_PAUSE", 0.2)


@pytest.mark.sandbox_only
class TestWaiting:
    @pytest.mark.parametrize("kind", ["database_unavailable", "unknown_database", "login_refused"])
    def test_a_database_that_comes_back_costs_no_attempt(
        self, new_run: NewRun, sandbox: SandboxClient, kind: str
    ) -> None:
        run = new_run(INSERT)
        sandbox.add_fault(kind, database=run.databases[0], times=4)
        result = run.execution().run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)
        assert private(run).waiting_cause is None
        assert sum("Waiting for database" in line for line in run.log) == 1

    def test_the_row_says_what_it_waits_for_and_a_stop_ends_it(
        self, new_run: NewRun, sandbox: SandboxClient, server: LiveServer
    ) -> None:
        run = new_run(INSERT)
        fault = sandbox.add_fault("database_unavailable", database=run.databases[0], times=0)
        started = Started(run.execution())
        until(lambda: private(run).waiting_cause)
        cause = f"Waiting for database '{run.databases[0]}' on server '{server.name}', which answers error 40613."
        row = private(run)
        assert row.waiting_cause == cause
        assert row.waiting_time is not None
        assert (run.target().lifecycle, run.target().current_attempts) == ("InProgress", 1)
        started.execution.cancel()
        assert started.result(20).lifecycle is Lifecycle.CANCELED
        assert (private(run).outcome, private(run).waiting_cause) == ("cancelled", None)
        sandbox.control("sp_remove_fault", fault_id=fault)
        assert sandbox.statements(database=run.databases[0], containing="the script") == []

    def test_when_it_is_back_the_row_says_that_the_script_runs(self, new_run: NewRun, sandbox: SandboxClient) -> None:
        run = new_run("WAITFOR DELAY '00:02:00';")
        sandbox.add_fault("database_unavailable", database=run.databases[0], times=2)
        started = Started(run.execution())
        until(lambda: sandbox.statements(database=run.databases[0], containing="WAITFOR"))
        assert private(run).waiting_cause is None
        assert "started execution" in run.target().last_message
        started.execution.cancel()
        started.result(20)

    def test_with_the_budget_used_up_the_documented_retries_go_on(
        self, new_run: NewRun, sandbox: SandboxClient
    ) -> None:
        run = new_run(INSERT)
        fault = sandbox.add_fault("database_unavailable", database=run.databases[0], times=0)
        result = run.execution(retry=replace(QUICK, availability_timeout=0.5)).run()
        sandbox.control("sp_remove_fault", fault_id=fault)
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, QUICK.attempts + 1)
        assert (private(run).outcome, private(run).error_number) == ("failed", 40613)
        assert any("Not waited for any longer" in line for line in run.log)
        # One budget for all attempts: the second did not wait again.
        assert sum("Waiting for database" in line for line in run.log) == 1

    def test_without_a_budget_it_is_an_error_like_any_other(self, new_run: NewRun, sandbox: SandboxClient) -> None:
        run = new_run(INSERT)
        sandbox.add_fault("database_unavailable", database=run.databases[0])
        result = run.execution(retry=replace(QUICK, availability_timeout=0)).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)

    def test_the_step_timeout_holds_while_it_is_waited_for(self, new_run: NewRun, sandbox: SandboxClient) -> None:
        run = new_run(INSERT)
        fault = sandbox.add_fault("database_unavailable", database=run.databases[0], times=0)
        result = run.execution(step_timeout=1).run()
        sandbox.control("sp_remove_fault", fault_id=fault)
        assert (result.lifecycle, result.attempts) == (Lifecycle.TIMED_OUT, 1)
        assert (private(run).outcome, private(run).waiting_cause) == ("timed_out", None)

    def test_a_failed_login_gets_a_short_grace_only(
        self, new_run: NewRun, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(availability, "LOGIN_GRACE_SECONDS", 0.5)
        run = new_run(INSERT)
        fault = sandbox.add_fault("login_refused", database=run.databases[0], times=0)
        began = time.monotonic()
        result = run.execution(retry=replace(QUICK, retry_on="transient")).run()
        sandbox.control("sp_remove_fault", fault_id=fault)
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
        assert private(run).error_number == 18456
        assert time.monotonic() - began < QUICK.availability_timeout

    def test_a_login_that_a_connection_calls_final_gets_none(self, new_run: NewRun, sandbox: SandboxClient) -> None:
        run = new_run(INSERT)
        sandbox.add_fault("login_refused", database=run.databases[0])
        result = run.execution(
            errors=ErrorTable.overridden({"script": [18456]}), retry=replace(QUICK, retry_on="transient")
        ).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
        assert not any("Waiting" in line for line in run.log)


class TestDropped:
    """What ``master`` says of a database that cannot be opened."""

    def test_a_database_dropped_since_it_was_resolved_is_skipped(
        self, new_run: NewRun, server: LiveServer, new_database: Callable[[], str]
    ) -> None:
        run = new_run(INSERT)
        server.execute(f"DROP DATABASE {run.databases[0]}")
        result = run.execution().run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SKIPPED, 1)
        assert (
            run.target().last_message
            == result.message
            == (
                "Step 1 skipped execution, because the database is not on the server any more, on target "
                f"(server '{server.name}', database '{run.databases[0]}')."
            )
        )
        assert private(run).outcome == "skipped"
        assert private(run).error_number in (911, 4060)
        assert run.lifecycles() == ["Skipped"] * 3

    @pytest.mark.sandbox_only
    def test_one_that_is_dropped_while_it_is_waited_for_is_skipped(
        self, new_run: NewRun, sandbox: SandboxClient, server: LiveServer
    ) -> None:
        run = new_run(INSERT)
        fault = sandbox.add_fault("database_unavailable", database=run.databases[0], times=0)
        started = Started(run.execution())
        until(lambda: private(run).waiting_cause)
        server.execute(f"DROP DATABASE {run.databases[0]}")
        sandbox.control("sp_remove_fault", fault_id=fault)
        result = started.result()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SKIPPED, 1)

    def test_master_is_asked_by_the_connection_that_is_given_for_it(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run(INSERT)
        server.execute(f"DROP DATABASE {run.databases[0]}")
        asked: list[tuple[str, str]] = []

        def open_master(server_name: str, database: str, application_name: str | None) -> pyodbc.Connection:
            asked.append((server_name, database))
            return connector(server.settings)(server_name, database, application_name)

        assert run.execution(open_master=open_master).run().lifecycle is Lifecycle.SKIPPED
        assert asked == [(server.name, "master")]

    def test_who_cannot_be_asked_does_not_make_it_gone(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run(INSERT)
        server.execute(f"DROP DATABASE {run.databases[0]}")

        def refuse(server_name: str, database: str, application_name: str | None) -> pyodbc.Connection:
            raise TargetConnectionError("master is closed to this identity")

        result = run.execution(open_master=refuse, retry=replace(QUICK, availability_timeout=0.3)).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, QUICK.attempts + 1)
        assert run.databases[0] in result.message
        assert any("master is closed to this identity" in line for line in run.log)

    @pytest.mark.sandbox_only
    def test_an_identity_that_may_not_see_databases_does_not_make_it_gone(
        self, new_run: NewRun, server: LiveServer
    ) -> None:
        run = new_run(INSERT)
        login = f"short_sighted_{run.databases[0]}"
        server.execute(f"CREATE LOGIN {login} WITH PASSWORD = 'Str0ng!Passw0rd'")
        server.execute(f"CREATE USER {login} FOR LOGIN {login}")
        server.execute(f"DROP DATABASE {run.databases[0]}")
        identity = replace(server.settings, authentication=SqlLogin(login, "Str0ng!Passw0rd"))
        result = run.execution(
            open_master=connector(identity), retry=replace(QUICK, attempts=0, availability_timeout=0.3)
        ).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
