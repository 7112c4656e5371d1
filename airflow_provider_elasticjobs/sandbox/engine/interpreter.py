# ruff: noqa: ARG002 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: N818 - names of what happened, not errors
# ruff: noqa: SLF001 - entries of a table beside the class
"""Runs parsed batches: control flow, errors, TRY and CATCH, frames."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.errors import BATCH_ABORTING, SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, ResultSink, ServerMessage
from airflow_provider_elasticjobs.sandbox.engine.options import parse_only
from airflow_provider_elasticjobs.sandbox.engine.parser import parse_batch
from airflow_provider_elasticjobs.sandbox.engine.session_state import Frame
from airflow_provider_elasticjobs.sandbox.engine.values import from_stored, to_stored

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

_MAX_PARAMETERS: Final = 2100
_MAX_NESTING: Final = 32
_TERMINATING: Final = frozenset({515, 547, 2601, 2627, 2628, 8115, 8152})


class _LoopControl(Exception):
    def __init__(self, keyword: str) -> None:
        self.keyword = keyword


class _Return(Exception):
    def __init__(self, value: int) -> None:
        self.value = value


class _ScopeAborted(Exception):
    pass


class _BatchAborted(Exception):
    pass


class Interpreter:
    """Executes statements for one session.

    :param session: whose batches these are
    """

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._execution = Execution(session, self)
        self._tries = 0

    def batch(self, sql: str, sink: ResultSink, parameters: Sequence[Parameter]) -> None:
        """Run a batch from the client; every error goes to the sink."""
        session = self._session
        self._tries = 0
        session.frame = Frame()
        session.handled_errors.clear()
        try:
            if len(parameters) > _MAX_PARAMETERS:
                raise sql_error(8003)
            block = self.parse(sql)
            if parse_only(session.state.options, block):
                return
            for parameter in parameters:
                session.frame.declare(parameter.name, parameter.type, to_stored(parameter.value, parameter.type))
            self._frame(block, sink, temporary=bool(parameters))
            for parameter in parameters:
                if parameter.is_output:
                    variable = session.frame.variable(parameter.name)
                    sink.output_parameter(parameter.name, parameter.type, from_stored(variable.value, parameter.type))
        except SqlError as error:
            self._report(error, sink)
        except _BatchAborted:
            pass
        finally:
            self._end_of_batch(sink)

    def call(self, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        """Run a remote procedure call; its status and output parameters go to the sink."""
        session = self._session
        self._tries = 0
        session.frame = Frame()
        session.handled_errors.clear()
        try:
            if len(arguments) > _MAX_PARAMETERS:
                raise sql_error(8003)
            session.state.tick()
            self._execution.procedures.remote_call(procedure, arguments, sink)
        except SqlError as error:
            self._report(error, sink)
        except _BatchAborted:
            pass
        finally:
            self._end_of_batch(sink)

    def _end_of_batch(self, sink: ResultSink) -> None:
        if self._session.transactions.doomed:
            self._session.transactions.rollback_all()
            self._report(sql_error(3998), sink)

    def _report(self, error: SqlError, sink: ResultSink) -> None:
        self._session.state.error = error.number
        sink.error(error.as_message())
        if error.number in _TERMINATING:
            sink.message(
                ServerMessage(3621, 0, 0, "The statement has been terminated.", error.line or 1, error.procedure or "")
            )

    def parse(self, text: str) -> s.Block:
        """Parse a batch, or find it in the server's cache."""
        cache = self._session.server.batches
        found = cache.get(text)
        if not isinstance(found, s.Block):
            found = parse_batch(text)
            if len(text) < 200_000:
                cache.put(text, found)
        return found

    def nested(self, frame: Frame, block: s.Block, sink: ResultSink) -> int:
        """Run a procedure's or a dynamic text's statements in a frame of their own.

        :returns: the return status
        """
        session = self._session
        outer = session.frame
        frame.depth = outer.depth + 1
        if frame.depth > _MAX_NESTING:
            raise sql_error(217)
        before = session.transactions.count
        session.frame = frame
        try:
            status = self._frame(block, sink, temporary=True)
        finally:
            session.frame = outer
        if session.transactions.count != before and not session.transactions.doomed:
            self._mismatch(before, sink)
        return status

    def _mismatch(self, before: int, sink: ResultSink) -> None:
        error = sql_error(266, before, self._session.transactions.count)
        error.line = 0
        if self._tries:
            raise error
        self._report(error, sink)

    def _frame(self, block: s.Block, sink: ResultSink, *, temporary: bool) -> int:
        frame = self._session.frame
        try:
            self.block(block, sink)
        except _Return as returned:
            return returned.value
        except _ScopeAborted:
            return -6
        except SqlError as error:
            self._locate(error, 1)
            raise
        finally:
            if temporary:
                for name in frame.temporary:
                    self._session.drop_temporary(name)
        return 0

    def block(self, block: s.Block, sink: ResultSink) -> None:
        """Run statements one after another, going on after errors that only end a statement."""
        for statement in block.statements:
            self.guarded(statement, sink)

    def guarded(self, statement: s.Statement, sink: ResultSink) -> None:
        """Run one statement and decide what its error ends."""
        try:
            self._translated(statement, sink)
        except SqlError as error:
            self._locate(error, statement.line)
            if self._tries:
                raise
            self._settle(error, sink)
        except RecursionError:
            raise unsupported("deeper nesting") from None

    def _translated(self, statement: s.Statement, sink: ResultSink) -> None:
        try:
            self.statement(statement, sink)
        except sqlite3.Error as problem:
            raise self._session.problem(problem) from None

    def _locate(self, error: SqlError, line: int) -> None:
        if error.line is None:
            error.line = line
        if error.procedure is None:
            error.procedure = self._session.frame.procedure
        if error.depth is None:
            error.depth = self._session.frame.depth
            error.under_xact_abort = self._session.state.options.xact_abort

    def _settle(self, error: SqlError, sink: ResultSink) -> None:
        self._report(error, sink)
        session = self._session
        own = error.depth == session.frame.depth
        ends_all = session.state.options.xact_abort and not error.is_raiserror
        if ends_all or error.number in BATCH_ABORTING:
            session.transactions.rollback_all()
            raise _BatchAborted
        if error.aborts_batch:
            raise _BatchAborted
        if error.aborts_scope and own:
            raise _ScopeAborted

    def statement(self, statement: s.Statement, sink: ResultSink) -> None:
        """Run one statement."""
        session = self._session
        session.cancellation.check()
        run = _CONTROL.get(type(statement))
        if run is not None:
            run(self, statement, sink)
            return
        session.state.tick()
        self._execution.statement(statement, sink)
        session.state.error = 0

    def _if(self, statement: s.If, sink: ResultSink) -> None:
        self._session.state.tick()
        chosen = statement.then if self._holds(statement.condition) else statement.otherwise
        if chosen is not None:
            self._inner(chosen, sink)

    def _holds(self, condition: s.Fragment) -> bool:
        value = self._execution.value(condition)
        self._session.state.rowcount = 0
        return value == 1

    def _inner(self, statement: s.Statement, sink: ResultSink) -> None:
        if isinstance(statement, s.Block):
            self.block(statement, sink)
        else:
            self.guarded(statement, sink)

    def _while(self, statement: s.While, sink: ResultSink) -> None:
        while True:
            self._session.cancellation.check()
            self._session.state.tick()
            if not self._holds(statement.condition):
                return
            try:
                self._inner(statement.body, sink)
            except _LoopControl as control:
                if control.keyword == "BREAK":
                    return

    def _loop_control(self, statement: s.LoopControl, sink: ResultSink) -> None:
        raise _LoopControl(statement.keyword)

    def _return(self, statement: s.Return, sink: ResultSink) -> None:
        value = self._execution.value(statement.value) if statement.value is not None else 0
        raise _Return(int(value or 0) if not isinstance(value, bytes) else 0)

    def _try_catch(self, statement: s.TryCatch, sink: ResultSink) -> None:
        session = self._session
        frame = session.frame
        self._tries += 1
        try:
            self.block(statement.attempt, sink)
        except SqlError as error:
            self._tries -= 1
            session.frame = frame
            self._locate(error, statement.line)
            if error.aborts_scope and error.depth == frame.depth:
                raise
            self._handle(error, statement.handler, sink)
        except BaseException:
            self._tries -= 1
            raise
        else:
            self._tries -= 1

    def _handle(self, error: SqlError, handler: s.Block, sink: ResultSink) -> None:
        session = self._session
        session.state.error = error.number
        transactions = session.transactions
        if transactions.count and (error.under_xact_abort or error.number in BATCH_ABORTING):
            transactions.doomed = True
        session.handled_errors.append(error)
        try:
            self.block(handler, sink)
        finally:
            session.handled_errors.pop()

    def _throw(self, statement: s.Throw, sink: ResultSink) -> None:
        if not statement.arguments:
            self._rethrow()
        number, text, state = (self._execution.value(argument) for argument in statement.arguments)
        if not isinstance(number, int) or number < 50000:
            raise SqlError(
                35100,
                f"Error number {number!r} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647.",
                state=10,
            )
        error = SqlError(number, str(text or "")[:2048], severity=16, state=int(str(state or 0)) % 256)
        error.aborts_batch = True
        raise error

    def _rethrow(self) -> None:
        handled = self._session.handled_errors
        if not handled:
            raise sql_error(10704)
        caught = handled[-1]
        error = SqlError(caught.number, caught.text, severity=caught.severity, state=caught.state)
        error.line, error.procedure, error.aborts_batch = caught.line, caught.procedure, True
        error.aborts_scope = False
        raise error

    def _block(self, statement: s.Block, sink: ResultSink) -> None:
        self.block(statement, sink)


_CONTROL: Final[Mapping[type[s.Statement], Callable[[Interpreter, Any, ResultSink], None]]] = {
    s.Block: Interpreter._block, s.If: Interpreter._if, s.While: Interpreter._while,
    s.LoopControl: Interpreter._loop_control, s.Return: Interpreter._return, s.TryCatch: Interpreter._try_catch,
    s.Throw: Interpreter._throw,
}  # fmt: skip
