from __future__ import annotations

import threading

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import (
    Cancelled,
    Column,
    Parameter,
    ServerMessage,
    SqlType,
)
from airflow_provider_elasticjobs.sandbox.wire.response import FLUSH_BYTES, Response, UnsendableValueError
from airflow_provider_elasticjobs.sandbox.wire.tokens import DoneFlag
from tests.unit.sandbox.wire.token_stream import Columns, Finished, Output, Row, Status, Told, read_tokens

NUMBER = Column("n", SqlType("int"))
TEXT = Column("t", SqlType("nvarchar", length=4000))
MORE, ERROR, COUNT, ATTENTION = (
    int(flag) for flag in (DoneFlag.MORE, DoneFlag.ERROR, DoneFlag.COUNT, DoneFlag.ATTENTION)
)
FAILURE = ServerMessage(8134, 16, 1, "Divide by zero error encountered.")


class Wire:
    """Collects what a response sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bool]] = []
        self.response = Response("srv", self.flush)

    def flush(self, data: bytes, partial: bool) -> None:
        self.sent.append((data, partial))

    def tokens(self) -> list[object]:
        return read_tokens(b"".join(data for data, _ in self.sent) + self.response.finish())


def test_an_empty_batch_ends_in_one_done() -> None:
    assert Wire().tokens() == [Finished("DONE", 0, 0)]


def test_a_result_set() -> None:
    wire = Wire()
    wire.response.columns([NUMBER, TEXT])
    wire.response.row([1, "one"])
    wire.response.row([None, None])
    wire.response.done(2, "SELECT")
    columns, *rest = wire.tokens()
    assert isinstance(columns, Columns)
    assert columns.names == ["n", "t"]
    assert rest == [Row([1, "one"]), Row([None, None]), Finished("DONE", COUNT, 2)]


def test_every_done_but_the_last_announces_more() -> None:
    wire = Wire()
    for count in (1, None, 3):
        wire.response.done(count, "UPDATE")
    assert wire.tokens() == [
        Finished("DONE", COUNT | MORE, 1),
        Finished("DONE", MORE, 0),
        Finished("DONE", COUNT, 3),
    ]


def test_a_message_comes_between_the_statements_around_it() -> None:
    wire = Wire()
    wire.response.done(1, "UPDATE")
    wire.response.message(ServerMessage(0, 0, 1, "hello"))
    assert wire.tokens() == [
        Finished("DONE", COUNT | MORE, 1),
        Told("info", 0, 0, "hello", "srv"),
        Finished("DONE", 0, 0),
    ]


def test_an_error_marks_the_done_that_follows() -> None:
    wire = Wire()
    wire.response.columns([NUMBER])
    wire.response.row([1])
    wire.response.error(FAILURE)
    wire.response.done(None, "SELECT")
    wire.response.done(1, "UPDATE")
    assert wire.tokens()[2:] == [
        Told("error", 8134, 16, FAILURE.text, "srv"),
        Finished("DONE", ERROR | MORE, 0),
        Finished("DONE", COUNT, 1),
    ]
    assert wire.response.failed


def test_an_error_at_the_end_gets_its_own_done() -> None:
    wire = Wire()
    wire.response.done(1, "UPDATE")
    wire.response.error(FAILURE)
    assert wire.tokens()[-1] == Finished("DONE", ERROR, 0)


def test_an_error_is_closed_before_the_next_result_set() -> None:
    wire = Wire()
    wire.response.error(FAILURE)
    wire.response.columns([NUMBER])
    wire.response.done(0, "SELECT")
    kinds = [type(token) for token in wire.tokens()]
    assert kinds == [Told, Finished, Columns, Finished]


def test_a_call_ends_with_status_outputs_and_doneproc() -> None:
    wire = Wire()
    arguments = [
        Parameter("@in", SqlType("int"), 1),
        Parameter("@Out", SqlType("int"), None, is_output=True),
        Parameter("", SqlType("nvarchar", length=5), None, is_output=True),
    ]
    wire.response.begin_call()
    wire.response.done(1, "UPDATE")
    wire.response.return_status(7)
    wire.response.output_parameter("@second", SqlType("nvarchar", length=5), "x")
    wire.response.output_parameter("@out", SqlType("int"), 42)
    wire.response.end_call(arguments)
    assert wire.tokens() == [
        Finished("DONEINPROC", COUNT | MORE, 1),
        Status(7),
        Output(2, "", "x"),
        Output(1, "@Out", 42),
        Finished("DONEPROC", 0, 0),
    ]


def test_an_output_that_the_caller_did_not_ask_for_is_left_out() -> None:
    wire = Wire()
    wire.response.begin_call()
    wire.response.output_parameter("@out", SqlType("int"), 42)
    wire.response.end_call([Parameter("@out", SqlType("int"), 1)])
    assert wire.tokens() == [Status(0), Finished("DONEPROC", 0, 0)]


def test_each_call_of_a_request_has_its_own_outcome() -> None:
    wire = Wire()
    wire.response.begin_call()
    wire.response.error(FAILURE)
    wire.response.end_call([])
    wire.response.begin_call()
    wire.response.end_call([])
    dones = [token for token in wire.tokens() if isinstance(token, Finished)]
    assert dones == [
        Finished("DONEINPROC", ERROR | MORE, 0),
        Finished("DONEPROC", ERROR | MORE, 0),
        Finished("DONEPROC", 0, 0),
    ]


def test_rows_leave_before_they_pile_up() -> None:
    wire = Wire()
    wire.response.columns([TEXT])
    for _ in range(100):
        wire.response.row(["x" * 4000])
    assert len(wire.sent) > 10
    assert max(len(data) for data, _ in wire.sent) < FLUSH_BYTES + 8100
    wire.response.done(100, "SELECT")
    assert sum(isinstance(token, Row) for token in wire.tokens()) == 100


def test_messages_leave_before_they_pile_up() -> None:
    wire = Wire()
    for _ in range(10):
        wire.response.message(ServerMessage(0, 0, 1, "x" * 4000))
    assert wire.sent


@pytest.mark.parametrize("act", ["columns", "row", "done", "message", "error"])
def test_a_cancelled_response_stops_the_engine(act: str) -> None:
    wire = Wire()
    wire.response.columns([NUMBER])
    wire.response.cancel()
    acts = {
        "columns": lambda: wire.response.columns([NUMBER]),
        "row": lambda: wire.response.row([1]),
        "done": lambda: wire.response.done(1, ""),
        "message": lambda: wire.response.message(FAILURE),
        "error": lambda: wire.response.error(FAILURE),
    }
    with pytest.raises(Cancelled):
        acts[act]()


def test_after_an_attention_the_acknowledgement_comes_last() -> None:
    wire = Wire()
    wire.response.done(5, "UPDATE")
    wire.response.cancel()
    assert read_tokens(wire.response.finish_cancelled()) == [
        Finished("DONE", COUNT | MORE, 5),
        Finished("DONE", ERROR | MORE, 0),
        Finished("DONE", ATTENTION, 0),
    ]


def test_a_client_that_left_stops_the_engine() -> None:
    def gone(data: bytes, partial: bool) -> None:
        raise ConnectionResetError

    response = Response("srv", gone)
    response.columns([Column("t", SqlType("nvarchar", length=-1))])
    with pytest.raises(Cancelled):
        response.row(["x" * FLUSH_BYTES])


def test_waiting_ends_with_the_cancel() -> None:
    response = Wire().response
    threading.Timer(0.01, response.cancel).start()
    with pytest.raises(Cancelled):
        response.wait(60)


def test_a_drop_while_rows_are_read() -> None:
    wire = Wire()
    wire.response.drop_after_rows = 2
    wire.response.columns([NUMBER])
    wire.response.row([1])
    assert not wire.response.dropped
    with pytest.raises(Cancelled):
        wire.response.row([2])
    assert wire.response.dropped
    ((data, partial),) = wire.sent
    assert partial
    assert read_tokens(data)[1:] == [Row([1]), Row([2])]


def test_a_value_that_does_not_fit_leaves_no_half_row() -> None:
    wire = Wire()
    wire.response.columns([NUMBER, Column("s", SqlType("nvarchar", length=1))])
    with pytest.raises(UnsendableValueError, match="does not fit"):
        wire.response.row([1, "too long"])
    assert not any(isinstance(token, Row) for token in wire.tokens())


def test_a_row_of_another_width_is_refused() -> None:
    wire = Wire()
    wire.response.columns([NUMBER])
    with pytest.raises(UnsendableValueError):
        wire.response.row([1, 2])


def test_a_column_of_a_type_that_is_not_sent_is_named() -> None:
    with pytest.raises(UnsendableValueError, match=r"column 'place'.*geography"):
        Wire().response.columns([Column("place", SqlType("geography"))])
