"""What one connection asks of its session: batches, procedure calls, transactions. Runs on worker threads."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pysqlbridge.tds.transaction import TransactionRequest, TransactionRequestType

from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.control import Control
from airflow_provider_elasticjobs.sandbox.engine.interface import Cancelled, Parameter, ServerMessage, Session, SqlType
from airflow_provider_elasticjobs.sandbox.faults import (
    CLOSING_SEVERITY,
    CONTROL_APPLICATION,
    Fault,
    FaultBoard,
    FaultKind,
)
from airflow_provider_elasticjobs.sandbox.wire import tokens
from airflow_provider_elasticjobs.sandbox.wire.prepared import Prepared, PreparedStatements, prepare
from airflow_provider_elasticjobs.sandbox.wire.response import Response
from airflow_provider_elasticjobs.sandbox.wire.rpc import RemoteCall
from airflow_provider_elasticjobs.sandbox.wire.tokens import EnvironmentChange
from airflow_provider_elasticjobs.sandbox.wire.type_catalog import PROCEDURES, describe_types

logger = logging.getLogger(__name__)

INTERNAL_ERROR = 50_000
UNSUPPORTED_STATEMENT = 40_510
UNKNOWN_HANDLE = 8179
BAD_PARAMETERS = 214


class DroppedError(Exception):
    """A fault says that the connection closes without an answer."""


@dataclass(frozen=True)
class Place:
    """Where a conversation happens.

    :param server: name of the logical server
    :param user: login name
    :param application_name: the client's name for itself
    :param faults: the sandbox's faults
    :param activity: the logical server's counters
    :param control: the procedures of schema ``sandbox``
    """

    server: str
    user: str
    application_name: str
    faults: FaultBoard
    activity: Activity
    control: Control


class Conversation:
    """Carries out the requests of one connection, one at a time.

    :param session: the engine's session
    :param place: where it happens
    """

    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._place = place
        self._prepared = PreparedStatements()
        self._transaction: bytes | None = None

    def batch(self, sql: str, response: Response) -> None:
        """Run a batch.

        :raises Cancelled: after an attention
        :raises DroppedError: when a fault closes the connection
        """
        self._run(Prepared(sql), (), response)

    def calls(self, calls: Sequence[RemoteCall], response: Response) -> None:
        """Run the procedure calls of one request, each with its own status; raises as :meth:`batch`."""
        for call in calls:
            response.begin_call()
            self._call(call, response)
            response.end_call(call.arguments)

    def transaction(self, request: TransactionRequest, response: Response) -> None:
        """Begin, commit, roll back or save, outside T-SQL; raises as :meth:`batch`."""
        kind = request.kind
        if kind is TransactionRequestType.BEGIN_XACT:
            self._observed("BEGIN TRANSACTION", response, lambda: self._session.begin_transaction(response), True)
        elif kind is TransactionRequestType.COMMIT_XACT:
            self._observed("COMMIT", response, lambda: self._session.commit(response), True)
        elif kind is TransactionRequestType.ROLLBACK_XACT and not request.name:
            self._observed("ROLLBACK", response, lambda: self._session.rollback(response), True)
        elif kind in (TransactionRequestType.ROLLBACK_XACT, TransactionRequestType.SAVE_XACT):
            verb = "SAVE" if kind is TransactionRequestType.SAVE_XACT else "ROLLBACK"
            sql = f"{verb} TRANSACTION [{(request.name or '').replace(']', ']]')}]"
            self._observed(sql, response, lambda: self._session.execute(sql, response), True)
        else:
            self._refuse(f"{kind.name} (distributed transaction)", response)

    def reset(self, response: Response) -> None:
        """Bring the session to its state after login, as the request's header asked."""
        self._session.reset()
        self._prepared.clear()
        self.tell_transaction(response)
        response.change(tokens.reset_acknowledged())

    def tell_transaction(self, response: Response) -> None:
        """Tell the client when a transaction began or ended since it was last told."""
        is_open = self._session.transaction_count > 0
        if is_open and self._transaction is None:
            self._transaction = os.urandom(8)
            response.change(tokens.transaction_change(EnvironmentChange.BEGIN_TRANSACTION, self._transaction))
        elif not is_open and self._transaction is not None:
            ended = EnvironmentChange.ROLLBACK_TRANSACTION if response.failed else EnvironmentChange.COMMIT_TRANSACTION
            response.change(tokens.transaction_change(ended, self._transaction))
            self._transaction = None

    # Procedure calls.

    def _call(self, call: RemoteCall, response: Response) -> None:
        name = call.procedure.replace("[", "").replace("]", "").casefold()
        base = name.rpartition(".")[2]
        special = {
            "sp_executesql": self._execute_sql,
            "sp_prepare": self._prepare,
            "sp_prepexec": self._prepare_and_execute,
            "sp_prepexecrpc": self._prepare_and_call,
            "sp_execute": self._execute_prepared,
        }.get(base)
        if self._place.control.owns(name):
            self._place.control.call(self._place.server, base, call.arguments, response)
        elif special is not None:
            special(call, response)
        elif base == "sp_unprepare":
            self._prepared.remove(call.arguments[0].value if call.arguments else None)
        elif base in PROCEDURES:
            describe_types(call.arguments, response)
        elif base.startswith("sp_cursor"):
            self._refuse(base, response)
        elif base.startswith("sp_describe_"):
            self._safely(response, lambda: self._session.call(call.procedure, call.arguments, response))
        else:
            self._run(Prepared(call.procedure, is_procedure=True), call.arguments, response)

    def _execute_sql(self, call: RemoteCall, response: Response) -> None:
        statement = self._read(call, response, sql_at=0, declarations_at=1)
        if statement is not None:
            self._run(statement, call.arguments[2:], response)

    def _prepare(self, call: RemoteCall, response: Response) -> None:
        statement = self._read(call, response, sql_at=2, declarations_at=1)
        if statement is not None:
            response.output_parameter("@handle", SqlType("int"), self._prepared.add(statement))

    def _prepare_and_execute(self, call: RemoteCall, response: Response) -> None:
        statement = self._read(call, response, sql_at=2, declarations_at=1)
        if statement is not None:
            response.output_parameter("@handle", SqlType("int"), self._prepared.add(statement))
            self._run(statement, call.arguments[3:], response)

    def _prepare_and_call(self, call: RemoteCall, response: Response) -> None:
        statement = Prepared(str(call.arguments[1].value), is_procedure=True)
        response.output_parameter("@handle", SqlType("int"), self._prepared.add(statement))
        self._run(statement, call.arguments[2:], response)

    def _execute_prepared(self, call: RemoteCall, response: Response) -> None:
        handle = call.arguments[0].value if call.arguments else None
        statement = self._prepared.get(handle)
        if statement is None:
            text = f"Could not find prepared statement with handle {handle}."
            response.error(ServerMessage(UNKNOWN_HANDLE, 16, 2, text, procedure="sp_execute"))
        else:
            self._run(statement, call.arguments[1:], response)

    def _read(self, call: RemoteCall, response: Response, *, sql_at: int, declarations_at: int) -> Prepared | None:
        values = [argument.value for argument in call.arguments] + [None] * 3
        try:
            return prepare(values[sql_at], values[declarations_at])
        except (ValueError, TypeError) as problem:
            text = f"Procedure expects parameters of another type: {problem}."
            response.error(ServerMessage(BAD_PARAMETERS, 16, 3, text, procedure=call.procedure))
            return None

    def _run(self, statement: Prepared, arguments: Sequence[Parameter], response: Response) -> None:
        sql = statement.sql
        if statement.is_procedure:
            self._observed(f"EXEC {sql}", response, lambda: self._session.call(sql, arguments, response))
            return
        bound = statement.bind(arguments)
        if not self._place.control.run_batch(self._place.server, sql, bound, response):
            self._observed(sql, response, lambda: self._session.execute(sql, response, bound))

    def _refuse(self, what: str, response: Response) -> None:
        text = f"Statement '{what}' is not supported in this version of SQL Server."
        response.error(ServerMessage(UNSUPPORTED_STATEMENT, 16, 1, text))

    # Faults, counting, errors of the sandbox itself.

    def _observed(self, text: str, response: Response, work: Callable[[], None], driver_made: bool = False) -> None:
        number = self._place.activity.begin(
            session_id=self._session.session_id,
            database=self._session.database,
            application_name=self._place.application_name,
            text=text,
        )
        outcome = "dropped"
        try:
            self._struck(text, response, work, driver_made)
            outcome = "failed" if response.failed else "succeeded"
        except Cancelled:
            outcome = "dropped" if response.dropped else "cancelled"
            raise
        finally:
            self._place.activity.end(number, outcome)

    def _struck(self, text: str, response: Response, work: Callable[[], None], driver_made: bool) -> None:
        faults = []
        if self._place.application_name != CONTROL_APPLICATION:
            faults = self._place.faults.strike_batch(
                self._place.server, self._session.database, text, only_named=driver_made
            )
        for fault in faults:
            if fault.kind is FaultKind.SLOW:
                response.wait(fault.seconds)
        last = faults[-1] if faults else None
        if last is None or last.kind is FaultKind.SLOW:
            self._safely(response, work)
        else:
            self._act_out(last, response, work)

    def _act_out(self, fault: Fault, response: Response, work: Callable[[], None]) -> None:
        if fault.kind is FaultKind.DROPPED_BEFORE:
            raise DroppedError
        if fault.kind is FaultKind.DROPPED_AFTER:
            self._safely(response, work)
            raise DroppedError
        if fault.kind is FaultKind.DROPPED_WHILE_READING:
            response.drop_after_rows = fault.rows
            self._safely(response, work)
            raise DroppedError
        self._fail(fault, response)

    def _fail(self, fault: Fault, response: Response) -> None:
        if fault.kind is FaultKind.DEADLOCK:
            self._roll_back_quietly()
        message = fault.message(
            server=self._place.server,
            database=self._session.database,
            user=self._place.user,
            session_id=self._session.session_id,
        )
        response.error(message)
        response.closes = message.severity >= CLOSING_SEVERITY

    def _roll_back_quietly(self) -> None:
        if self._session.transaction_count:
            with suppress(Cancelled):
                self._session.rollback(Response(self._place.server, lambda *_: None))

    def _safely(self, response: Response, work: Callable[[], None]) -> None:
        try:
            work()
        except Cancelled:
            raise
        except Exception as problem:
            if response.is_cancelled:
                # What breaks once a statement is being stopped says nothing about the statement.
                raise Cancelled from problem
            logger.exception("The sandbox failed on a request")
            text = f"The sandbox itself failed: {type(problem).__name__}: {problem}"
            response.error(ServerMessage(INTERNAL_ERROR, 16, 1, text))
