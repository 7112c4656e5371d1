from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import Scripted, echo
from tests.wire.sandbox.test_attention import until

pytestmark = pytest.mark.sandbox_only

CONNECTIONS = 200


def test_many_rows_arrive_whole_and_in_order(scripted: Scripted) -> None:
    def many(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("n", SqlType("int")), Column("t", SqlType("nvarchar", length=100))])
        for number in range(100_000):
            sink.row([number, f"row {number}"])
        sink.done(100_000, "SELECT")

    scripted.script(many)
    cursor = scripted.connect().execute("SELECT")
    for expected, row in enumerate(cursor):
        assert (row[0], row[1]) == (expected, f"row {expected}")
    assert expected == 99_999


def test_rows_wait_for_a_client_that_does_not_read(scripted: Scripted) -> None:
    produced = 0
    held = threading.Event()

    def endless(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        nonlocal produced
        sink.columns([Column("t", SqlType("nvarchar", length=4000))])
        while True:
            sink.row(["x" * 4000])
            produced += 1
            held.clear()

    scripted.script(endless)
    connection = scripted.connect()
    cursor = connection.execute("SELECT")
    cursor.fetchone()

    def stands_still() -> bool:
        seen = produced
        held.set()
        return not _moves(held) and produced == seen

    until(stands_still)
    # 8,000 bytes a row: what the sockets and one buffer hold, not what the statement could make.
    assert produced < 4000
    cursor.cancel()
    scripted.script(echo)
    assert connection.execute("SELECT 1").fetchval() == 1


def _moves(held: threading.Event) -> bool:
    """Whether another row is made within a quarter second."""
    threading.Event().wait(0.25)
    return not held.is_set()


def test_two_hundred_connections_run_at_once(scripted: Scripted) -> None:
    together = threading.Barrier(CONNECTIONS)

    def meet(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        # Passes only when all 200 batches are inside the engine at the same time.
        together.wait(60)
        echo(session, sql, parameters, sink)

    scripted.script(meet)

    def ask(number: int) -> int:
        connection = scripted.client.connect(None, f"db{number}")
        try:
            value: int = connection.execute("SELECT ?", number).fetchval()
            return value
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as clients:
        assert list(clients.map(ask, range(CONNECTIONS))) == list(range(CONNECTIONS))
    until(lambda: scripted.server.activity.counters().sessions == 0)
    counters = scripted.server.activity.counters()
    assert (counters.logins, counters.peak_sessions, counters.peak_running) == (CONNECTIONS,) * 3
    assert all(session.is_closed for session in scripted.engine.sessions)
