"""Rows of lost processes, with and without a script that still runs on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation, reconcile
from airflow_provider_elasticjobs.execution.session import acquire_step_lock, step_is_running, step_lock_name
from airflow_provider_elasticjobs.job_database.agents import settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt
from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef, Claim
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run

NewRun = Callable[..., Run]

_AGE = Batch(
    "UPDATE jobs_internal.executions SET claim_time = DATEADD(hour, -1, claim_time) WHERE job_execution_id = @run;",
    run="uniqueidentifier",
)


@pytest.fixture
def in_chunks() -> bool:
    """Rows that are left behind are the same, whatever their tasks were."""
    return False


@pytest.fixture(autouse=True)
def nothing_left(installed: JobDatabase) -> Iterator[None]:
    """End what a test leaves behind on purpose: all tests share the job database."""
    yield
    settle_leftovers(installed)


def lose(run: Run, database: str) -> Claim:
    """Begin the script's row for a process that is never heard of again."""
    airflow = AirflowRef("dag", "run", "run", run.databases.index(database))
    claim = claim_target(run.job_database, run.orders[database].execution_id, airflow, Agent(uuid4(), "gone", 1))
    assert isinstance(claim, Claim)
    assert begin_attempt(run.job_database, claim, 1).begun
    run.job_database.run(_AGE, run=run.job_execution_id)
    return claim


@pytest.fixture
def hold(server: LiveServer) -> Iterator[Callable[[Claim], pyodbc.Connection]]:
    """Return a function that takes a claim's step lock, as a script that still runs has it."""
    held: list[pyodbc.Connection] = []

    def take(claim: Claim) -> pyodbc.Connection:
        database = claim.target.database_name
        held.append(server.connect(database))
        assert acquire_step_lock(held[-1], step_lock_name(claim.job_id, claim.step_name, database), claim.target)
        return held[-1]

    yield take
    for connection in held:
        # The test may have ended the session already.
        with suppress(pyodbc.ProgrammingError):
            connection.close()


def reconciled(
    run: Run, connector_of: Callable[[str | None], Connector] | None = None, **options: bool
) -> Reconciliation:
    found = connector_of or (lambda _: connector(run.server.settings))
    return reconcile(run.job_database, found, job_execution_id=run.job_execution_id, **options)


def test_asking_for_a_lock_does_not_take_it(server: LiveServer, new_database: Callable[[], str]) -> None:
    database, name = new_database(), f"elasticjobs/{uuid4()}"
    target = Target(server.name, database)
    asking, holding = server.connect(database), server.connect(database)
    try:
        assert not step_is_running(asking, name, target)
        assert acquire_step_lock(holding, name, target)
        assert step_is_running(asking, name, target)
    finally:
        holding.close()
        asking.close()


def test_a_script_that_still_runs_is_not_called_finished(
    new_run: NewRun, hold: Callable[[Claim], pyodbc.Connection]
) -> None:
    run = new_run("SELECT 1;", databases=2)
    running, ended = (lose(run, database) for database in run.databases)
    session = hold(running)
    first = reconciled(run)
    assert [script.claim_id for script in first.running] == [running.claim_id]
    assert [row.execution_id for row in first.settled] == [ended.execution_id]
    waiting = "WaitingForChildJobExecutions"
    assert sorted(run.lifecycles()) == sorted([waiting, waiting, "InProgress", "Failed"])
    session.close()
    second = reconciled(run)
    assert ([row.lifecycle for row in second.settled], second.running) == ([Lifecycle.FAILED], [])
    assert run.lifecycles() == ["Failed"] * 4
    assert "unknown" in run.target(run.databases[0]).last_message


def test_a_living_process_keeps_its_rows_without_being_asked_about(new_run: NewRun) -> None:
    run = new_run("SELECT 1;")
    airflow = AirflowRef("dag", "run", "run", 0)
    claim = claim_target(run.job_database, run.orders[run.databases[0]].execution_id, airflow, run.agent.record)
    assert isinstance(claim, Claim)
    begin_attempt(run.job_database, claim, 1)

    def refuse(_: str | None) -> Connector:
        raise AssertionError("nobody is to be asked")

    assert reconciled(run, refuse) == Reconciliation()
    assert run.target().lifecycle == "InProgress"


@pytest.mark.parametrize("settle", [False, True])
def test_a_server_that_cannot_be_asked(new_run: NewRun, settle: bool) -> None:
    run = new_run("SELECT 1;")
    claim = lose(run, run.databases[0])

    def refuse(conn_id: str | None) -> Connector:
        raise ConnectionSettingsError(f"no connection {conn_id}")

    found = reconciled(run, refuse, settle_unanswered=settle)
    if settle:
        assert ([row.execution_id for row in found.settled], found.unanswered) == ([claim.execution_id], [])
        assert run.lifecycles() == ["Failed"] * 3
    else:
        assert [(one.script.claim_id, one.reason) for one in found.unanswered] == [
            (claim.claim_id, "no connection None")
        ]
        assert run.target().lifecycle == "InProgress"


def test_a_database_that_is_gone_is_told_apart(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("SELECT 1;")
    lose(run, run.databases[0])

    def elsewhere(_: str | None) -> Connector:
        def opened(_: str, database: str, name: str | None = None) -> pyodbc.Connection:
            return server.connect(f"{database}_gone", name)

        return opened

    (unanswered,) = reconciled(run, elsewhere).unanswered
    assert "_gone" in unanswered.reason
    assert run.target().lifecycle == "InProgress"


def test_only_those_that_were_asked_about_end(new_run: NewRun, installed: JobDatabase) -> None:
    run = new_run("SELECT 1;", databases=3)
    for database in run.databases:
        lose(run, database)
    found = reconcile(
        installed, lambda _: connector(run.server.settings), job_execution_id=run.job_execution_id, most=2
    )
    assert len(found.settled) == 2
    assert [row.lifecycle for row in run.rows(where="target_type = 'SqlDatabase'")].count("InProgress") == 1


def test_the_connection_of_the_member_is_asked_for(new_run: NewRun) -> None:
    run = new_run("SELECT 1;")
    lose(run, run.databases[0])
    run.job_database.run(_NAME_CONNECTION, run=run.job_execution_id)
    asked: list[str | None] = []

    def note(conn_id: str | None) -> Connector:
        asked.append(conn_id)
        return connector(run.server.settings)

    assert len(reconciled(run, note).settled) == 1
    assert asked == ["mine"]


_NAME_CONNECTION = Batch(
    "UPDATE jobs_internal.executions SET conn_id = N'mine'"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase';",
    run="uniqueidentifier",
)
