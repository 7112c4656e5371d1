from __future__ import annotations

from collections.abc import Sequence

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import (
    Column,
    Parameter,
    ResultSink,
    ServerMessage,
    SqlType,
)
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import Scripted

pytestmark = pytest.mark.sandbox_only

NUMBER = [Column("n", SqlType("int"))]
DIVIDED = ServerMessage(8134, 16, 1, "Divide by zero error encountered.", line=3, procedure="dbo.p")


def numbers(sink: ResultSink, *values: int) -> None:
    sink.columns(NUMBER)
    for value in values:
        sink.row([value])
    sink.done(len(values), "SELECT")


def test_several_result_sets_with_counts_between(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.done(None, "")
        sink.done(7, "UPDATE")
        numbers(sink, 1, 2)
        numbers(sink)
        sink.done(0, "DELETE")

    scripted.script(give)
    cursor = scripted.connect().execute("x")
    assert (cursor.description, cursor.rowcount) == (None, 7)
    assert cursor.nextset()
    assert [tuple(row) for row in cursor.fetchall()] == [(1,), (2,)]
    assert cursor.nextset()
    assert cursor.fetchall() == []
    assert cursor.nextset()
    assert cursor.rowcount == 0
    assert not cursor.nextset()


def test_messages_arrive_with_their_numbers(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.message(ServerMessage(0, 0, 1, "printed"))
        sink.message(ServerMessage(50_000, 10, 1, "raised 😀"))
        sink.done(1, "UPDATE")

    scripted.script(give)
    cursor = scripted.connect().execute("x")
    prefix = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
    messages = list(cursor.messages)
    while cursor.nextset():
        messages += cursor.messages
    assert messages == [("[01000] (0)", prefix + "printed"), ("[01000] (50000)", prefix + "raised 😀")]


def test_an_error_carries_its_number(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.error(DIVIDED)
        sink.done(None, "SELECT")

    scripted.script(give)
    connection = scripted.connect()
    with pytest.raises(pyodbc.Error, match=r"Divide by zero error encountered\. \(8134\)"):
        connection.execute("x")


def test_an_error_followed_by_a_message_is_raised(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.error(ServerMessage(547, 16, 0, "The INSERT statement conflicted."))
        sink.message(ServerMessage(3621, 0, 0, "The statement has been terminated."))
        sink.done(None, "INSERT")

    scripted.script(give)
    with pytest.raises(pyodbc.IntegrityError, match=r"conflicted\. \(547\)"):
        scripted.connect().execute("x")


def test_an_error_after_rows_comes_when_they_were_read_and_what_follows_is_there(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns(NUMBER)
        sink.row([1])
        sink.error(DIVIDED)
        sink.done(None, "SELECT")
        numbers(sink, 2)

    scripted.script(give)
    cursor = scripted.connect().execute("x")
    assert cursor.fetchone() is not None
    with pytest.raises(pyodbc.Error, match="8134"):
        cursor.fetchone()
    assert cursor.nextset()
    assert cursor.fetchval() == 2


def test_an_error_in_a_later_statement_comes_with_nextset(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.done(1, "INSERT")
        sink.error(DIVIDED)
        sink.done(None, "SELECT")

    scripted.script(give)
    cursor = scripted.connect().execute("x")
    assert cursor.rowcount == 1
    with pytest.raises(pyodbc.Error, match="8134"):
        cursor.nextset()


def test_a_batch_of_several_packets_arrives_whole(scripted: Scripted) -> None:
    sql = "SELECT '" + "ä" * 100_000 + "'"
    scripted.connect().execute(sql)
    assert scripted.engine.sessions[-1].asked[-1][0] == sql


def test_executemany_sends_every_row(scripted: Scripted) -> None:
    cursor = scripted.connect().cursor()
    cursor.executemany("INSERT ?, ?", [(number, f"text {number}") for number in range(20)])
    asked = [[one.value for one in parameters] for _, parameters in scripted.engine.sessions[-1].asked]
    assert asked == [[number, f"text {number}"] for number in range(20)]


def test_a_procedure_called_by_name(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        numbers(sink, *(int(str(one.value)) for one in parameters))
        sink.return_status(3)

    scripted.script(give)
    connection = scripted.connect()
    cursor = connection.cursor()
    for value in (5, 6):
        rows = cursor.execute("{CALL dbo.p (?, 2)}", value).fetchall()
        assert [tuple(row) for row in rows] == [(value,), (2,)]
    assert {sql for sql, _ in scripted.engine.sessions[-1].asked} == {"CALL dbo.p"}


# Transactions


def test_commit_and_rollback_without_autocommit(scripted: Scripted) -> None:
    connection = scripted.connect()
    connection.autocommit = False
    connection.execute("SELECT 1").fetchall()
    session = scripted.engine.sessions[-1]
    assert session.transaction_count == 1
    connection.commit()
    assert session.transaction_count == 0
    connection.execute("SELECT 1").fetchall()
    connection.rollback()
    connection.autocommit = True
    assert session.transaction_count == 0


def test_a_transaction_begun_and_ended_in_batches(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        session.transaction_count = 0 if "COMMIT" in sql else 1
        numbers(sink, 1)

    scripted.script(give)
    connection = scripted.connect()
    for sql in ("BEGIN TRANSACTION", "SELECT 1", "COMMIT", "BEGIN TRANSACTION", "COMMIT"):
        assert connection.execute(sql).fetchval() == 1
