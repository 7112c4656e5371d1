"""The parts of a run that need a precise moment; what a server can show is tested with the real driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import (
    OutcomeUnknownError,
    ScriptCancelledError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.tsql import attention as attention_module
from airflow_provider_elasticjobs.tsql import run as module
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic
from airflow_provider_elasticjobs.tsql.odbc import NO_DATA, SUCCESS
from airflow_provider_elasticjobs.tsql.run import ScriptRun

_CANCELLED = Diagnostic(0, "Operation canceled", "HY008", from_server=False)


class FakeServer:
    """A connection, its cursor and its statement at once; ``work`` decides what a batch does."""

    def __init__(self) -> None:
        self.alive = True
        self.attentions = 0
        self.sent: list[str] = []
        self.closed_cursors = 0
        self.work: Callable[[str], int] = lambda text: SUCCESS
        self.records: list[Diagnostic] = []

    def cursor(self) -> FakeServer:
        return self

    def execute(self, text: str, _arguments: object = ()) -> int:
        self.sent.append(text.strip())
        return self.work(text)

    def next_result(self) -> int:
        return NO_DATA

    def column_count(self) -> int:
        return 0

    def affected_rows(self) -> int:
        return -1

    def diagnostics(self) -> Iterator[Diagnostic]:
        yield from self.records


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()

    def attention(cursor: FakeServer) -> None:
        cursor.attentions += 1

    def close(cursor: FakeServer) -> None:
        cursor.closed_cursors += 1

    monkeypatch.setattr(module, "StatementHandle", lambda cursor: cursor)
    monkeypatch.setattr(module, "connection_is_alive", lambda connection: connection.alive)
    monkeypatch.setattr(attention_module, "cancel_statement", attention)
    monkeypatch.setattr(module, "close_statement", close)
    return fake


def run_of(server: FakeServer, script: str) -> ScriptRun:
    return ScriptRun(server, split_batches(script), server="s", database="d")


def test_a_link_found_dead_before_anything_was_sent_is_safe_to_repeat(server: FakeServer) -> None:
    server.alive = False
    with pytest.raises(ServerUnreachableError, match="s/d was lost before the script was sent"):
        run_of(server, "one").run()
    assert server.sent == []


def test_a_link_found_dead_between_batches_is_not(server: FakeServer) -> None:
    def break_after(text: str) -> int:
        server.alive = False
        return SUCCESS

    server.work = break_after
    with pytest.raises(OutcomeUnknownError, match=r"before batch 2 of 2 .*has run"):
        run_of(server, "one\nGO\ntwo").run()
    assert server.sent == ["one"]


def test_attentions_are_repeated_until_one_is_heard(server: FakeServer) -> None:
    begun, released = threading.Event(), threading.Event()

    def deaf(text: str) -> int:
        begun.set()
        assert released.wait(10)
        server.records = [_CANCELLED]
        return -1

    def count(cursor: FakeServer) -> None:
        cursor.attentions += 1
        if cursor.attentions == 3:  # the first two come too early, and are lost
            released.set()

    server.work = deaf
    outcome: list[Any] = []
    run = run_of(server, "one")

    def work() -> None:
        with pytest.raises(ScriptCancelledError):
            run.run()
        outcome.append("cancelled")

    thread = threading.Thread(target=work)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention_module, "cancel_statement", count)
        patch.setattr(attention_module, "_INTERVAL", 0.001)
        thread.start()
        assert begun.wait(10)
        assert run.cancel()
    thread.join(10)
    assert outcome == ["cancelled"]
    assert server.attentions >= 3
    assert server.closed_cursors == 1


def test_a_server_that_does_not_answer_a_cancel_is_told_so(server: FakeServer) -> None:
    begun, released = threading.Event(), threading.Event()

    def silent(text: str) -> int:
        begun.set()
        assert released.wait(10)
        return SUCCESS

    server.work = silent
    run = run_of(server, "one")

    def cancelled() -> None:
        with pytest.raises(ScriptCancelledError):
            run.run()

    thread = threading.Thread(target=cancelled)
    thread.start()
    assert begun.wait(10)
    assert run.cancel(patience=0) is False
    released.set()
    thread.join(10)
    assert run.cancel(patience=0) is True


def test_a_batch_that_was_sent_an_attention_has_not_succeeded_whatever_the_driver_says(server: FakeServer) -> None:
    def finish(text: str) -> int:
        assert run.cancel(patience=0) is False
        return SUCCESS

    server.work = finish
    run = run_of(server, "one")
    with pytest.raises(ScriptCancelledError):
        run.run()


def test_a_cancel_that_comes_too_late_leaves_the_success(server: FakeServer) -> None:
    run = run_of(server, "one")
    assert run.run().batches == 1
    assert run.cancel(patience=0) is True


def test_a_cancel_during_a_repeat_stops_before_the_next(server: FakeServer) -> None:
    def count(text: str) -> int:
        if len(server.sent) == 3:
            run.cancel(patience=0)
        return SUCCESS

    server.work = count
    run = run_of(server, "one\nGO 1000")
    with pytest.raises(ScriptCancelledError):
        run.run()
    assert len(server.sent) == 3


def test_a_failing_callback_leaves_nothing_busy(server: FakeServer) -> None:
    def fail(text: str) -> int:
        raise ZeroDivisionError

    server.work = fail
    run = run_of(server, "one")
    with pytest.raises(ZeroDivisionError):
        run.run()
    assert run.cancel(patience=0)
    assert server.closed_cursors == 1
