from __future__ import annotations

from collections.abc import Sequence

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import NAME, Scripted

pytestmark = pytest.mark.sandbox_only


def asked(scripted: Scripted) -> list[str]:
    return [sql for session in scripted.engine.sessions for sql, _ in session.asked]


@pytest.mark.parametrize(
    ("kind", "sqlstate", "number", "goes_on"),
    [("throttled", "HY000", 40501, False), ("deadlock", "40001", 1205, True)],
)
def test_errors_instead_of_the_batch(scripted: Scripted, kind: str, sqlstate: str, number: int, goes_on: bool) -> None:
    connection = scripted.connect()
    scripted.client.add_fault(kind)
    with pytest.raises(pyodbc.Error, match=rf"{sqlstate}.*\({number}\)"):
        connection.execute("SELECT 1")
    assert asked(scripted) == []
    if goes_on:
        assert connection.execute("SELECT 1").fetchval() == 1
    else:
        with pytest.raises(pyodbc.OperationalError, match="08S01"):
            connection.execute("SELECT 1")


@pytest.mark.parametrize("number", [208, 10928, 49918])
def test_any_error_at_all(scripted: Scripted, number: int) -> None:
    connection = scripted.connect()
    scripted.client.add_fault("error", number=number, severity=17, text="as asked")
    with pytest.raises(pyodbc.Error, match=rf"as asked \({number}\)"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize(("kind", "work"), [("dropped_before", []), ("dropped_after", ["INSERT"])])
@pytest.mark.parametrize("arguments", [("INSERT",), ("INSERT ?", 1)], ids=["batch", "call"])
def test_a_dropped_connection(scripted: Scripted, kind: str, work: list[str], arguments: tuple[object, ...]) -> None:
    connection = scripted.connect()
    scripted.client.add_fault(kind, containing="insert")
    with pytest.raises(pyodbc.OperationalError, match="08S01"):
        connection.execute(*arguments)
    assert [sql.split()[0] for sql in asked(scripted)] == work
    assert scripted.connect().execute("SELECT 1").fetchval() == 1
    (statement, _) = scripted.server.activity.statements()
    assert statement.outcome == "dropped"


@pytest.mark.parametrize("rows", [0, 1, 100, 5000])
def test_a_connection_dropped_while_rows_are_read(scripted: Scripted, rows: int) -> None:
    def many(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("n", SqlType("int"))])
        for number in range(10_000):
            sink.row([number])
        sink.done(10_000, "SELECT")

    scripted.script(many)
    connection = scripted.connect()
    scripted.client.add_fault("dropped_while_reading", rows=rows)
    read: list[int] = []
    with pytest.raises(pyodbc.OperationalError, match="08S01"):
        read.extend(row[0] for row in connection.execute("SELECT"))
    assert read == list(range(len(read)))
    # The driver looks one row ahead before it gives one.
    assert rows - 1 <= len(read) <= rows or len(read) == rows == 0


def test_a_commit_whose_answer_is_lost(scripted: Scripted) -> None:
    connection = scripted.connect()
    connection.autocommit = False
    connection.execute("SELECT 1").fetchall()
    scripted.client.add_fault("dropped_after", containing="commit")
    with pytest.raises(pyodbc.Error, match="08S01"):
        connection.commit()
    assert scripted.engine.sessions[0].transaction_count == 0


def test_faults_may_be_set_from_any_connection(scripted: Scripted) -> None:
    connection = scripted.connect("db1")
    connection.execute("EXEC sandbox.sp_add_fault @kind = ?, @containing = ?, @times = ?", "deadlock", "it's", 2)
    (fault,) = scripted.client.pending_faults()
    assert (fault["kind"], fault["server"], fault["containing"], fault["times"]) == ("deadlock", NAME, "it's", 2)
    with pytest.raises(pyodbc.Error, match="1205"):
        connection.execute("SELECT 'it''s', 'it's'")
    connection.execute("{CALL sandbox.sp_clear_faults}")
    assert scripted.client.pending_faults() == []


def test_mistakes_in_control_procedures_are_errors(scripted: Scripted) -> None:
    connection = scripted.connect()
    with pytest.raises(pyodbc.ProgrammingError, match=r"meteor.*\(201\)"):
        connection.execute("EXEC sandbox.sp_add_fault @kind = 'meteor'")
    with pytest.raises(pyodbc.ProgrammingError, match=r"sandbox\.sp_nothing.*\(2812\)"):
        connection.execute("EXEC sandbox.sp_nothing")


def test_counters_and_statements_over_the_wire(scripted: Scripted) -> None:
    connection = scripted.connect("db1", APP="the application")
    connection.execute("SELECT 'marked'").fetchall()
    counters = scripted.client.counters()
    assert (counters["logins"], counters["sessions"], counters["batches"]) == (1, 1, 1)
    (statement,) = scripted.client.statements(containing="MARKED")
    assert (statement["database"], statement["application_name"]) == ("db1", "the application")
    assert (statement["session_id"], statement["outcome"]) == (51, "succeeded")
    assert statement["started"] <= statement["ended"]
    assert scripted.client.peak_running(containing="marked") == 1
    assert scripted.client.peak_running(database="other") == 0
    scripted.client.reset_counters()
    assert scripted.client.counters()["logins"] == 0
