from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.faults import Fault, FaultKind
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import Scripted, echo

pytestmark = [pytest.mark.sandbox_only, pytest.mark.needs_cancel]

LONG = 60.0
PATIENCE = 20.0


def waiting(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
    if "WAITFOR" in sql:
        session.wait_for_cancel(LONG)
    echo(session, sql, parameters, sink)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, which comes at once or is a failure."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def cancel_once_running(scripted: Scripted, cursor: pyodbc.Cursor) -> threading.Thread:
    def cancel() -> None:
        until(lambda: scripted.server.activity.counters().running == 1)
        cursor.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    return thread


@pytest.mark.parametrize("arguments", [("WAITFOR",), ("WAITFOR ?", 1), ("{CALL WAITFOR (?)}", 1)], ids=str)
def test_a_cancelled_statement_raises_hy008_and_the_connection_goes_on(
    scripted: Scripted, arguments: tuple[object, ...]
) -> None:
    scripted.script(waiting)
    connection = scripted.connect()
    cursor = connection.cursor()
    thread = cancel_once_running(scripted, cursor)
    with pytest.raises(pyodbc.Error, match="HY008"):
        cursor.execute(*arguments)
    thread.join()
    assert connection.execute("SELECT 1").fetchval() == 1
    assert [one.outcome for one in scripted.server.activity.statements()] == ["cancelled", "succeeded"]
    assert scripted.server.activity.counters().cancelled == 1


def test_the_drivers_time_limit_raises_hyt00(scripted: Scripted) -> None:
    scripted.script(waiting)
    connection = scripted.connect()
    connection.timeout = 1
    with pytest.raises(pyodbc.OperationalError, match="HYT00"):
        connection.execute("WAITFOR")
    connection.timeout = 0
    assert connection.execute("SELECT 1").fetchval() == 1


def test_a_cursor_closed_while_rows_are_on_their_way(scripted: Scripted) -> None:
    def endless(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("t", SqlType("nvarchar", length=4000))])
        while "endless" in sql:
            sink.row(["x" * 1000])
        sink.row(["done"])
        sink.done(1, "SELECT")

    scripted.script(endless)
    connection = scripted.connect()
    for _ in range(3):
        cursor = connection.execute("endless")
        assert cursor.fetchone() is not None
        cursor.close()
        assert connection.execute("SELECT 1").fetchval() == "done"


def test_cancelling_when_nothing_runs_is_harmless(scripted: Scripted) -> None:
    connection = scripted.connect()
    cursor = connection.execute("SELECT 1")
    cursor.fetchall()
    cursor.cancel()
    assert connection.execute("SELECT 1").fetchval() == 1


def test_many_cancels_in_a_row(scripted: Scripted) -> None:
    scripted.script(waiting)
    connection = scripted.connect()
    for _ in range(10):
        cursor = connection.cursor()
        thread = cancel_once_running(scripted, cursor)
        with pytest.raises(pyodbc.Error, match="HY008"):
            cursor.execute("WAITFOR")
        thread.join()
        assert connection.execute("SELECT 1").fetchval() == 1


def test_a_slow_answer_can_be_cancelled(scripted: Scripted) -> None:
    scripted.sandbox.faults.add(Fault(FaultKind.SLOW, seconds=LONG))
    cursor = scripted.connect().cursor()
    thread = cancel_once_running(scripted, cursor)
    with pytest.raises(pyodbc.Error, match="HY008"):
        cursor.execute("SELECT 1")
    thread.join()
    assert scripted.engine.sessions[-1].asked == []


def test_other_connections_go_on_while_one_waits(scripted: Scripted) -> None:
    scripted.script(waiting)
    waits = scripted.connect()
    cursor = waits.cursor()
    stopped: list[pyodbc.Error] = []

    def wait() -> None:
        try:
            cursor.execute("WAITFOR")
        except pyodbc.Error as error:
            stopped.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: scripted.server.activity.counters().running == 1)
    assert scripted.connect().execute("SELECT 1").fetchval() == 1
    cursor.cancel()
    thread.join()
    assert stopped


def test_a_client_that_dies_ends_its_statement_and_its_session(scripted: Scripted) -> None:
    scripted.script(waiting)
    code = "import pyodbc, sys; pyodbc.connect(sys.argv[1]).execute('WAITFOR')"
    client = subprocess.Popen([sys.executable, "-c", code, scripted.client.connection_string()])
    until(lambda: scripted.server.activity.counters().running == 1)
    client.kill()
    client.wait()
    until(lambda: scripted.server.activity.counters().sessions == 0)
    until(lambda: scripted.engine.sessions[0].is_closed)
    assert scripted.server.activity.counters().running == 0


def test_stopping_the_sandbox_ends_what_runs() -> None:
    scripted = Scripted()
    scripted.script(waiting)
    connection = scripted.connect()
    failed: list[pyodbc.Error] = []

    def wait() -> None:
        try:
            connection.execute("WAITFOR")
        except pyodbc.Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: scripted.server.activity.counters().running == 1)
    scripted.sandbox.stop()
    thread.join()
    assert "08S01" in str(failed[0])
    assert scripted.engine.sessions[0].is_closed
    assert not scripted.sandbox.folder.exists()
    scripted.close()
