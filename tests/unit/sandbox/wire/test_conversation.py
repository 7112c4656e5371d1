from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import pytest
from pysqlbridge.tds.transaction import TransactionRequest, TransactionRequestType

from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.control import Control
from airflow_provider_elasticjobs.sandbox.engine.interface import (
    Cancelled,
    Column,
    Parameter,
    ResultSink,
    ServerMessage,
    SqlType,
)
from airflow_provider_elasticjobs.sandbox.faults import CONTROL_APPLICATION, Fault, FaultBoard, FaultKind
from airflow_provider_elasticjobs.sandbox.wire.conversation import Conversation, DroppedError, Place
from airflow_provider_elasticjobs.sandbox.wire.response import Response
from airflow_provider_elasticjobs.sandbox.wire.rpc import RemoteCall
from tests.unit.sandbox.wire.scripted_engine import ScriptedEngine, ScriptedSession
from tests.unit.sandbox.wire.token_stream import Change, Finished, Output, Row, Told, read_tokens

INT = SqlType("int")


def one_row(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
    if "fails" in sql:
        sink.error(ServerMessage(208, 16, 1, "Invalid object name."))
        return
    if "breaks" in sql:
        raise ZeroDivisionError("a defect")
    if "waits" in sql:
        session.wait_for_cancel(30)
    if "begins" in sql:
        session.transaction_count = 1
    sink.columns([Column("n", INT)])
    sink.row([1])
    sink.done(1, "SELECT")


class Talk:
    """A conversation with a scripted session, and what it answers."""

    def __init__(self, application_name: str = "app") -> None:
        engine = ScriptedEngine(one_row)
        self.session = engine.open_session(login="sa", database="db", application_name="", host_name="")
        self.faults = FaultBoard()
        self.activity = Activity()
        place = Place("srv.example", "sa", application_name, self.faults, self.activity, Control({}, self.faults))
        self.conversation = Conversation(self.session, place)

    def batch(self, sql: str) -> list[object]:
        return self._answer(lambda response: self.conversation.batch(sql, response))

    def call(self, procedure: str, *arguments: Parameter) -> list[object]:
        calls = [RemoteCall(procedure, list(arguments))]
        return self._answer(lambda response: self.conversation.calls(calls, response))

    def transaction(self, kind: TransactionRequestType, name: str | None = None) -> list[object]:
        return self._answer(lambda response: self.conversation.transaction(TransactionRequest(kind, name), response))

    def _answer(self, act: Callable[[Response], None]) -> list[object]:
        self.response = Response("srv", lambda *_: None)
        act(self.response)
        self.conversation.tell_transaction(self.response)
        return read_tokens(self.response.finish())

    @property
    def asked(self) -> list[str]:
        return [sql for sql, _ in self.session.asked]

    @property
    def outcomes(self) -> list[str]:
        return [statement.outcome for statement in self.activity.statements()]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def text(value: str | None) -> Parameter:
    return Parameter("", SqlType("nvarchar", length=4000), value)


def number(value: int | None, *, is_output: bool = False) -> Parameter:
    return Parameter("", INT, value, is_output)


def error_numbers(answer: list[object]) -> list[int]:
    return [told.number for told in answer if isinstance(told, Told)]


def test_a_batch_reaches_the_session(talk: Talk) -> None:
    assert Row([1]) in talk.batch("SELECT 1")
    assert talk.asked == ["SELECT 1"]
    assert talk.outcomes == ["succeeded"]


def test_sp_executesql_binds_its_parameters(talk: Talk) -> None:
    talk.call("sp_executesql", text("SELECT @a"), text("@a bigint"), number(7))
    assert talk.session.asked == [("SELECT @a", [Parameter("@a", SqlType("bigint"), 7)])]


def test_prepare_execute_unprepare(talk: Talk) -> None:
    answer = talk.call("sp_prepare", number(None, is_output=True), text("@P1 int"), text("SELECT @P1"), number(1))
    (handle,) = [token.value for token in answer if isinstance(token, Output)]
    assert talk.asked == []
    assert isinstance(handle, int)
    assert Row([1]) in talk.call("sp_execute", number(handle), number(5))
    assert talk.session.asked == [("SELECT @P1", [Parameter("@P1", INT, 5)])]
    talk.call("sp_unprepare", number(handle))
    assert error_numbers(talk.call("sp_execute", number(handle), number(5))) == [8179]


def test_prepexec_executes_at_once_and_gives_a_handle(talk: Talk) -> None:
    answer = talk.call("sp_prepexec", number(None, is_output=True), text("@P1 int"), text("SELECT @P1"), number(5))
    assert Row([1]) in answer
    (output,) = [token for token in answer if isinstance(token, Output)]
    assert output.ordinal == 0
    assert Row([1]) in talk.call("sp_execute", number(int(str(output.value))), number(6))
    assert [parameters[0].value for _, parameters in talk.session.asked] == [5, 6]


def test_a_prepared_procedure_call(talk: Talk) -> None:
    answer = talk.call("sp_prepexecrpc", number(None, is_output=True), text("dbo.p"), number(5))
    (handle,) = [token.value for token in answer if isinstance(token, Output)]
    talk.call("sp_execute", number(int(str(handle))), number(6))
    assert [(sql, arguments[0].value) for sql, arguments in talk.session.asked] == [
        ("CALL dbo.p", 5),
        ("CALL dbo.p", 6),
    ]


@pytest.mark.parametrize("procedure", ["sp_cursoropen", "sp_cursorfetch", "[sys].[sp_cursorclose]"])
def test_cursors_are_refused_by_name(talk: Talk, procedure: str) -> None:
    (told, *_) = talk.call(procedure, number(1))
    assert isinstance(told, Told)
    assert told.number == 40510
    assert procedure.strip("[]sy.") in told.text
    assert talk.asked == []


def test_any_other_procedure_is_the_engines(talk: Talk) -> None:
    talk.call("dbo.p", number(1))
    assert talk.asked == ["CALL dbo.p"]
    assert [statement.text for statement in talk.activity.statements()] == ["EXEC dbo.p"]


def test_describing_is_neither_counted_nor_hit_by_faults(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DEADLOCK))
    talk.call("sp_describe_undeclared_parameters", text("SELECT ?"))
    assert talk.asked == ["CALL sp_describe_undeclared_parameters"]
    assert talk.outcomes == []
    assert talk.faults.pending()


def test_unreadable_declarations_are_an_error_of_the_call(talk: Talk) -> None:
    assert error_numbers(talk.call("sp_executesql", text("SELECT 1"), text("nonsense"))) == [214]


def test_a_defect_of_the_engine_becomes_an_error(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    (told, done) = talk.batch("breaks")
    assert isinstance(told, Told)
    assert (told.number, told.text) == (50_000, "The sandbox itself failed: ZeroDivisionError: a defect")
    assert isinstance(done, Finished)
    assert talk.outcomes == ["failed"]
    assert "ZeroDivisionError" in caplog.text


def test_what_breaks_while_a_batch_is_stopped_counts_as_cancelled(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    response = Response("srv", lambda *_: None)

    def interrupted(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        response.cancel()
        raise sqlite3.OperationalError("interrupted")

    talk.session.engine.behaviour = interrupted
    with pytest.raises(Cancelled):
        talk.conversation.batch("SELECT 1", response)
    assert talk.outcomes == ["cancelled"]
    assert caplog.text == ""


def test_a_failed_batch_is_noted(talk: Talk) -> None:
    assert error_numbers(talk.batch("fails")) == [208]
    assert talk.outcomes == ["failed"]


def test_a_cancelled_batch_is_noted(talk: Talk) -> None:
    response = Response("srv", lambda *_: None)
    response.cancel()
    with pytest.raises(Cancelled):
        talk.conversation.batch("SELECT 1", response)
    assert talk.outcomes == ["cancelled"]


# Transactions


def test_a_transaction_is_told_once_when_it_begins_and_once_when_it_ends(talk: Talk) -> None:
    began = [token.kind for token in talk.batch("begins") if isinstance(token, Change)]
    during = [token.kind for token in talk.batch("SELECT 1") if isinstance(token, Change)]
    ended = [token.kind for token in talk.transaction(TransactionRequestType.COMMIT_XACT) if isinstance(token, Change)]
    assert (began, during, ended) == ([8], [], [9])


@pytest.mark.parametrize(
    ("kind", "name", "seen"),
    [
        (TransactionRequestType.BEGIN_XACT, None, "BEGIN TRANSACTION"),
        (TransactionRequestType.COMMIT_XACT, None, "COMMIT"),
        (TransactionRequestType.ROLLBACK_XACT, None, "ROLLBACK"),
        (TransactionRequestType.SAVE_XACT, "a]b", "SAVE TRANSACTION [a]]b]"),
        (TransactionRequestType.ROLLBACK_XACT, "a", "ROLLBACK TRANSACTION [a]"),
    ],
)
def test_transaction_requests(talk: Talk, kind: TransactionRequestType, name: str | None, seen: str) -> None:
    talk.transaction(kind, name)
    assert [statement.text for statement in talk.activity.statements()] == [seen]


def test_a_distributed_transaction_is_refused(talk: Talk) -> None:
    assert error_numbers(talk.transaction(TransactionRequestType.PROMOTE_XACT)) == [40510]


def test_a_reset_ends_transaction_and_prepared_statements(talk: Talk) -> None:
    talk.batch("begins")
    answer = talk.call("sp_prepare", number(None, is_output=True), text(None), text("SELECT 1"), number(1))
    (handle,) = [token.value for token in answer if isinstance(token, Output)]
    response = Response("srv", lambda *_: None)
    talk.conversation.reset(response)
    assert [token.kind for token in read_tokens(response.finish()) if isinstance(token, Change)] == [9, 18]
    assert error_numbers(talk.call("sp_execute", number(int(str(handle))))) == [8179]


# Faults


def test_an_error_fault_replaces_the_batch(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.ERROR, number=12_345, text="as asked"))
    assert error_numbers(talk.batch("SELECT 1")) == [12_345]
    assert talk.asked == []
    assert not talk.response.closes
    assert Row([1]) in talk.batch("SELECT 1")


def test_throttling_closes_the_connection(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.THROTTLED))
    assert error_numbers(talk.batch("SELECT 1")) == [40501]
    assert talk.response.closes


def test_a_deadlock_rolls_back(talk: Talk) -> None:
    talk.batch("begins")
    talk.faults.add(Fault(FaultKind.DEADLOCK))
    answer = talk.batch("SELECT 1")
    assert error_numbers(answer) == [1205]
    assert talk.session.transaction_count == 0
    assert [token.kind for token in answer if isinstance(token, Change)] == [10]


@pytest.mark.parametrize(("kind", "asked"), [(FaultKind.DROPPED_BEFORE, []), (FaultKind.DROPPED_AFTER, ["SELECT 1"])])
def test_dropping_before_and_after_the_work(talk: Talk, kind: FaultKind, asked: list[str]) -> None:
    talk.faults.add(Fault(kind))
    with pytest.raises(DroppedError):
        talk.batch("SELECT 1")
    assert talk.asked == asked
    assert talk.outcomes == ["dropped"]


def test_dropping_while_rows_are_read(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DROPPED_WHILE_READING, rows=1))
    with pytest.raises(Cancelled):
        talk.batch("SELECT 1")
    assert talk.response.dropped
    assert talk.outcomes == ["dropped"]


def test_dropping_while_reading_fewer_rows_than_asked_still_drops(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DROPPED_WHILE_READING, rows=5))
    with pytest.raises(DroppedError):
        talk.batch("SELECT 1")


def test_a_slow_answer_is_an_answer(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.SLOW, seconds=0.001))
    assert Row([1]) in talk.batch("SELECT 1")


def test_a_slow_and_another_fault_both_strike(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.SLOW, seconds=0.001))
    talk.faults.add(Fault(FaultKind.DEADLOCK))
    assert error_numbers(talk.batch("SELECT 1")) == [1205]
    assert not talk.faults.pending()


def test_a_prepared_statement_is_hit_by_its_text(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DEADLOCK, containing="special"))
    answer = talk.call("sp_prepexec", number(None, is_output=True), text(None), text("SELECT 1 /* Special */"))
    assert error_numbers(answer) == [1205]


def test_the_drivers_own_commit_is_hit_only_when_named(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DROPPED_AFTER))
    talk.transaction(TransactionRequestType.COMMIT_XACT)
    talk.faults.add(Fault(FaultKind.DROPPED_AFTER, containing="commit"))
    with pytest.raises(DroppedError):
        talk.transaction(TransactionRequestType.COMMIT_XACT)


def test_the_control_application_is_never_hit() -> None:
    talk = Talk(CONTROL_APPLICATION)
    talk.faults.add(Fault(FaultKind.DEADLOCK))
    assert Row([1]) in talk.batch("SELECT 1")


def test_control_procedures_reach_neither_engine_nor_log(talk: Talk) -> None:
    talk.faults.add(Fault(FaultKind.DROPPED_BEFORE, times=None))
    talk.batch("EXEC sandbox.sp_clear_faults")
    assert not talk.faults.pending()
    talk.faults.add(Fault(FaultKind.DROPPED_BEFORE, times=None))
    talk.call("[sandbox].[sp_clear_faults]")
    assert not talk.faults.pending()
    assert talk.asked == []
    assert talk.outcomes == []
