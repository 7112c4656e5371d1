"""A step in one transaction: what its marker tells after a lost answer, at whatever point that was lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError, ServerUnreachableError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.execution.target import TargetExecution
from airflow_provider_elasticjobs.execution.transaction import MARKER_TABLE
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.identifiers import work_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import QUICK, Run, Started, until

NewRun = Callable[..., Run]
SCRIPT = "INSERT INTO t VALUES (1); /* first */\nGO\nINSERT INTO t VALUES (2); /* second */"
ONCE: dict[str, Any] = {"transaction": True, "idempotent": False, "retry": replace(QUICK, availability_timeout=2)}
_ROW = Batch(
    "SELECT outcome, error_number, execution_id, create_time, rerun FROM jobs_internal.executions"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase';",
    run="uniqueidentifier",
)


def private(run: Run) -> Any:
    (row,) = run.job_database.run(_ROW, run=run.job_execution_id)
    return row


class Discarding:
    """An output that takes no rows."""

    def open(self, run: object) -> Discarding:
        return self

    def begin(self, columns: object) -> bool:
        return False

    def take(self, block: object) -> None:
        raise AssertionError("rows came that were not wanted")

    def commit(self) -> int:
        return 0

    def close(self) -> None:
        pass


def own_marker(run: Run) -> UUID:
    row = private(run)
    return work_id(UUID(str(row.execution_id)), row.create_time, row.rerun)


@pytest.fixture
def table_run(new_run: NewRun, server: LiveServer) -> NewRun:
    """Return a function that begins a run on a database with the table ``t``."""

    def begin(command: str = SCRIPT, **fields: Any) -> Run:
        run = new_run(command, **fields)
        server.execute("CREATE TABLE t (a int NOT NULL)", run.databases[0])
        return run

    return begin


def unreachable_after(server: LiveServer, run: Run, logins: int, *, times: int) -> Connector:
    """Return a way to the target that works for some logins, and then is cut for some."""
    connect, made = connector(server.settings), itertools.count(1)

    def open_connection(server_name: str, database: str, application_name: str | None) -> pyodbc.Connection:
        if logins < next(made) <= logins + times:
            raise ServerUnreachableError("no answer", server=server_name, database=database)
        return connect(server_name, database, application_name)

    return open_connection


def rows(server: LiveServer, run: Run) -> int:
    ((count,),) = server.execute("SELECT COUNT(*) FROM t", run.databases[0])
    return int(str(count))


def markers(server: LiveServer, run: Run) -> list[tuple[UUID, bool]]:
    found = server.execute(f"SELECT work_id, done FROM {MARKER_TABLE}", run.databases[0])
    return [(UUID(str(key)), bool(done)) for key, done in found]


def test_the_script_and_its_marker_commit_together(table_run: NewRun, server: LiveServer) -> None:
    run = table_run()
    result = run.execution(**ONCE).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)
    assert rows(server, run) == 2
    assert markers(server, run) == [(own_marker(run), True)]


def test_an_error_in_a_late_batch_leaves_nothing_of_the_early_ones(table_run: NewRun, server: LiveServer) -> None:
    run = table_run(
        "INSERT INTO t VALUES (1);\nGO\nINSERT INTO t VALUES (2); SELECT 1/0;\nGO\nINSERT INTO t VALUES (3);"
    )
    result = run.execution(**ONCE).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
    assert private(run).outcome == "failed"
    assert rows(server, run) == 0
    assert markers(server, run) == []


def test_without_it_the_early_batches_stay(table_run: NewRun, server: LiveServer) -> None:
    run = table_run("INSERT INTO t VALUES (1);\nGO\nSELECT 1/0;")
    assert run.execution(retry=replace(QUICK, attempts=0)).run().lifecycle is Lifecycle.FAILED
    assert rows(server, run) == 1


def test_a_second_run_has_a_marker_of_its_own(table_run: NewRun, server: LiveServer) -> None:
    first = table_run()
    first.execution(**ONCE).run()
    second = Run(server, first.job_database, first.databases, SCRIPT, job_name=first.job_name)
    assert second.execution(**ONCE).run().lifecycle is Lifecycle.SUCCEEDED
    assert rows(server, first) == 4
    assert len(markers(server, first)) == 2


@pytest.mark.parametrize("in_chunks", [False])  # reaches into the execution of one target
def test_a_row_that_a_cleared_task_begins_anew_has_a_new_marker(table_run: NewRun, server: LiveServer) -> None:
    run = table_run()
    run.execution(**ONCE).run()
    before = own_marker(run)
    again = run.execution(**ONCE)
    assert isinstance(again, TargetExecution)
    again._airflow = AirflowRef("dag", "run", "run", 0, try_number=2, clear_number=1)
    assert again.run().lifecycle is Lifecycle.SUCCEEDED
    assert own_marker(run) != before
    assert rows(server, run) == 4


def test_old_markers_are_removed(table_run: NewRun, server: LiveServer) -> None:
    run = table_run()
    run.execution(**ONCE).run()
    server.execute(f"UPDATE {MARKER_TABLE} SET create_time = DATEADD(day, -31, create_time)", run.databases[0])
    again = Run(server, run.job_database, run.databases, SCRIPT, job_name=run.job_name)
    again.execution(**ONCE).run()
    assert markers(server, again) == [(own_marker(again), True)]


@pytest.mark.parametrize(
    "ending",
    [
        "COMMIT TRANSACTION;",
        "ROLLBACK TRANSACTION;",
        "COMMIT TRANSACTION;\nGO\nINSERT INTO t VALUES (3); /* never */",
        "BEGIN TRANSACTION; COMMIT TRANSACTION; COMMIT TRANSACTION;",
        "COMMIT TRANSACTION; BEGIN TRANSACTION;",
        "ROLLBACK TRANSACTION; BEGIN TRANSACTION;\nGO\nINSERT INTO t VALUES (3); /* never */",
    ],
)
def test_a_script_that_ends_the_transaction_by_itself_is_refused(
    table_run: NewRun, server: LiveServer, ending: str
) -> None:
    run = table_run(f"INSERT INTO t VALUES (1);\n{ending}")
    result = run.execution(**ONCE).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
    assert "has ended the transaction" in result.message
    assert rows(server, run) == (0 if "ROLLBACK" in ending else 1)


def test_a_transaction_that_the_script_leaves_open_is_refused(table_run: NewRun, server: LiveServer) -> None:
    run = table_run("BEGIN TRANSACTION; INSERT INTO t VALUES (1);")
    result = run.execution(**ONCE).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
    assert "1 transaction(s) of its own open" in result.message
    assert rows(server, run) == 0


def test_transactions_of_the_script_may_be_inside(table_run: NewRun, server: LiveServer) -> None:
    run = table_run("BEGIN TRANSACTION; INSERT INTO t VALUES (1);\nGO\nINSERT INTO t VALUES (2); COMMIT TRANSACTION;")
    assert run.execution(**ONCE).run().lifecycle is Lifecycle.SUCCEEDED
    assert rows(server, run) == 2


@pytest.mark.sandbox_only  # Babelfish makes a database inside of one, and commits
def test_a_statement_that_cannot_run_in_a_transaction_gives_the_servers_error(table_run: NewRun) -> None:
    run = table_run("CREATE DATABASE elasticjobs_never_made;")
    result = run.execution(**{**ONCE, "retry": replace(QUICK, attempts=0)}).run()
    assert result.lifecycle is Lifecycle.FAILED
    assert "transaction" in result.message.lower()


@pytest.mark.sandbox_only
class TestRights:
    """An identity that may write its own table only."""

    def identity(self, server: LiveServer, run: Run) -> tuple[str, Any]:
        login = f"login_of_{run.databases[0]}"
        server.execute(f"CREATE LOGIN {login} WITH PASSWORD = 'Str0ng!Passw0rd'")
        server.execute(f"CREATE USER {login} FOR LOGIN {login}; GRANT INSERT, SELECT ON t TO {login}", run.databases[0])
        identity = SqlLogin(login, "Str0ng!Passw0rd")
        return login, replace(server.settings, authentication=identity)

    def test_without_them_and_without_the_table_the_error_says_what_is_needed(
        self, table_run: NewRun, server: LiveServer
    ) -> None:
        run = table_run()
        _, settings = self.identity(server, run)
        result = run.execution(connect=connector(settings), **{**ONCE, "retry": replace(QUICK, attempts=0)}).run()
        assert result.lifecycle is Lifecycle.FAILED
        assert f"needs the table {MARKER_TABLE}, or the rights to create it" in result.message
        assert rows(server, run) == 0

    def test_with_the_table_the_rights_on_it_are_enough(self, table_run: NewRun, server: LiveServer) -> None:
        run = table_run()
        run.execution(**ONCE).run()
        login, settings = self.identity(server, run)
        server.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {MARKER_TABLE} TO {login}", run.databases[0])
        again = Run(server, run.job_database, run.databases, SCRIPT, job_name=run.job_name)
        assert again.execution(connect=connector(settings), **ONCE).run().lifecycle is Lifecycle.SUCCEEDED
        assert rows(server, run) == 4


@pytest.mark.sandbox_only
class TestLostConnection:
    """The connection breaks at some point; the script is not idempotent, and yet nothing stays unknown."""

    @pytest.mark.parametrize(
        ("kind", "containing"),
        [
            ("dropped_before", "BEGIN TRANSACTION"),
            ("dropped_after", "BEGIN TRANSACTION"),
            ("dropped_before", "first"),
            ("dropped_after", "first"),
            ("dropped_before", "second"),
            ("dropped_after", "second"),
            ("dropped_before", "COMMIT TRANSACTION"),
        ],
    )
    def test_before_the_commit_nothing_has_happened_and_it_is_repeated(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient, kind: str, containing: str
    ) -> None:
        run = table_run()
        sandbox.add_fault(kind, database=run.databases[0], containing=containing)
        result = run.execution(**ONCE).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
        assert rows(server, run) == 2

    def test_after_the_commit_all_has_happened_and_it_is_not_repeated(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = table_run()
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="COMMIT TRANSACTION")
        result = run.execution(**ONCE).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)
        assert result.message == run.target().last_message
        assert result.message.endswith("the marker in the database says that the transaction has committed.")
        assert private(run).outcome == "succeeded"
        assert rows(server, run) == 2

    @pytest.mark.parametrize(
        ("kind", "lifecycle", "done"), [("dropped_before", "Failed", 0), ("dropped_after", "Succeeded", 2)]
    )
    def test_without_any_retry_it_is_found_out_all_the_same(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient, *, kind: str, lifecycle: str, done: int
    ) -> None:
        run = table_run()
        sandbox.add_fault(kind, database=run.databases[0], containing="COMMIT TRANSACTION")
        result = run.execution(**{**ONCE, "retry": replace(QUICK, attempts=0)}).run()
        assert (str(result.lifecycle), result.attempts) == (lifecycle, 1)
        assert private(run).outcome == lifecycle.lower()
        assert rows(server, run) == done

    def test_a_refused_commit_that_ends_the_session_is_looked_into(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = table_run()
        sandbox.add_fault("throttled", database=run.databases[0], containing="COMMIT TRANSACTION")
        result = run.execution(**ONCE).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
        assert rows(server, run) == 2

    def test_a_server_that_is_away_meanwhile_is_waited_for(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = table_run()
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="COMMIT TRANSACTION")
        execution = run.execution(**ONCE, connect=unreachable_after(server, run, 1, times=2))
        result = execution.run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)
        assert rows(server, run) == 2

    def test_as_long_as_nobody_can_be_asked_it_is_unknown(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = table_run()
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="COMMIT TRANSACTION")
        policy = replace(QUICK, availability_timeout=0)
        result = run.execution(
            transaction=True, idempotent=False, retry=policy, connect=unreachable_after(server, run, 1, times=100)
        ).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
        assert private(run).outcome == "unknown"
        assert rows(server, run) == 2

    @pytest.mark.parametrize("in_chunks", [False])  # reaches into the execution of one target
    def test_a_result_that_was_lost_with_the_answer_is_said(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = table_run()
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="COMMIT TRANSACTION")
        execution = run.execution(**ONCE)
        assert isinstance(execution, TargetExecution)
        execution._output = Discarding()
        result = execution.run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
        assert "has committed, but its result was lost" in result.message
        assert rows(server, run) == 2

    @pytest.mark.parametrize(("idempotent", "attempts"), [(False, 1), (True, 2)])
    def test_a_script_that_committed_a_part_by_itself_stays_unknown(
        self, table_run: NewRun, server: LiveServer, sandbox: SandboxClient, *, idempotent: bool, attempts: int
    ) -> None:
        run = table_run(
            "INSERT INTO t VALUES (1); COMMIT TRANSACTION; BEGIN TRANSACTION;\nGO\nINSERT INTO t VALUES (2);"
        )
        sandbox.add_fault("dropped_after", database=run.databases[0], containing="VALUES (1)")
        result = run.execution(**{**ONCE, "idempotent": idempotent}).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, attempts)
        assert private(run).outcome == "unknown"
        assert rows(server, run) == attempts


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
class TestLostProcess:
    """The process goes away; the next one takes the row over."""

    SLOW = (
        "IF EXISTS (SELECT * FROM pace) RAISERROR('begun', 0, 1) WITH NOWAIT;\nGO\nINSERT INTO t VALUES (1);\n"
        "IF EXISTS (SELECT * FROM pace) WAITFOR DELAY '00:02:00';"
    )

    def lost(self, run: Run, server: LiveServer) -> None:
        server.execute("CREATE TABLE pace (a int); INSERT INTO pace VALUES (1);", run.databases[0])
        started = Started(run.execution(**ONCE))
        until(lambda: any("begun" in line for line in run.log))
        started.execution.release()
        with pytest.raises(ExecutionReleasedError):
            started.result(20)
        server.execute("DELETE FROM pace", run.databases[0])

    def test_without_a_marker_it_had_not_committed(self, table_run: NewRun, server: LiveServer) -> None:
        run = table_run(self.SLOW)
        self.lost(run, server)
        result = run.execution(agent=JobAgent(run.job_database), **ONCE).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
        assert any("left no marker" in line for line in run.log)
        assert rows(server, run) == 1

    def test_lost_twice_it_is_still_the_same_work(self, table_run: NewRun, server: LiveServer) -> None:
        run = table_run(self.SLOW)
        self.lost(run, server)
        work = own_marker(run)
        second = run.execution(agent=JobAgent(run.job_database), **ONCE)
        second.release()
        with pytest.raises(ExecutionReleasedError):
            second.run()
        assert own_marker(run) == work
        third = run.execution(agent=JobAgent(run.job_database), **ONCE).run()
        assert third.lifecycle is Lifecycle.SUCCEEDED
        assert rows(server, run) == 1

    def test_a_time_out_rolls_back_all_of_it(self, table_run: NewRun, server: LiveServer) -> None:
        run = table_run(self.SLOW)
        server.execute("CREATE TABLE pace (a int); INSERT INTO pace VALUES (1);", run.databases[0])
        result = run.execution(**ONCE, step_timeout=1).run()
        assert result.lifecycle is Lifecycle.TIMED_OUT
        assert private(run).outcome == "timed_out"
        assert rows(server, run) == 0


@pytest.mark.parametrize("in_chunks", [False])  # reaches into the execution of one target
def test_a_process_lost_after_the_commit_has_done_the_work(
    table_run: NewRun, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = table_run()
    execution = run.execution(**ONCE)
    assert isinstance(execution, TargetExecution)
    monkeypatch.setattr(execution, "_finish", _lose)
    with pytest.raises(ProcessLookupError):
        execution.run()
    assert run.target().lifecycle == "InProgress"
    result = run.execution(agent=JobAgent(run.job_database), **ONCE).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
    assert "the marker in the database says" in result.message
    assert rows(server, run) == 2


def _lose(*_: object) -> Any:
    raise ProcessLookupError("the process is killed before it can write its row")
