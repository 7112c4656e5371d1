# ruff: noqa: ARG002 - one signature for every entry of a table
# ruff: noqa: ARG005 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: SLF001 - entries of a table beside the class
"""Executes the statements that are not control flow; the families have their own modules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.compiler import Compiled, compile_expression
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, unsupported
from airflow_provider_elasticjobs.sandbox.engine.exec_changes import ChangeExecution
from airflow_provider_elasticjobs.sandbox.engine.exec_cursors import CursorExecution
from airflow_provider_elasticjobs.sandbox.engine.exec_ddl import DefinitionExecution
from airflow_provider_elasticjobs.sandbox.engine.exec_procedures import ProcedureExecution
from airflow_provider_elasticjobs.sandbox.engine.exec_queries import QueryExecution
from airflow_provider_elasticjobs.sandbox.engine.exec_server import ServerExecution
from airflow_provider_elasticjobs.sandbox.engine.functions_text import format_message, plain_text
from airflow_provider_elasticjobs.sandbox.engine.interface import ResultSink, ServerMessage
from airflow_provider_elasticjobs.sandbox.engine.options import set_option
from airflow_provider_elasticjobs.sandbox.engine.types import NVARCHAR_MAX
from airflow_provider_elasticjobs.sandbox.engine.values import Stored, cast_stored

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.interpreter import Interpreter
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

T = TypeVar("T")


class Execution:
    """Executes statements of one session.

    :param session: whose statements
    :param interpreter: runs the statements inside procedures
    """

    def __init__(self, session: EngineSession, interpreter: Interpreter) -> None:
        self._session = session
        self.queries = QueryExecution(session, self)
        self.changes = ChangeExecution(session, self)
        self.definitions = DefinitionExecution(session, self)
        self.procedures = ProcedureExecution(session, self, interpreter)
        self.cursors = CursorExecution(session, self)
        self.server = ServerExecution(session)

    def statement(self, statement: s.Statement, sink: ResultSink) -> None:
        """Execute one statement."""
        run = _STATEMENTS.get(type(statement))
        if run is None:
            raise unsupported(type(statement).__name__)
        run(self, statement, sink)

    def compiled(self, kind: str, fragment: s.Fragment, build: Callable[[], T], *extra: object) -> T:
        """Return a compiled statement from a cache, or compile it.

        :param kind: what is compiled
        :param fragment: its text and variables are part of the key
        :param build: compiles
        :param extra: further parts of the key
        """
        session = self._session
        frame = session.frame
        types = tuple(frame.variables[name].type if name in frame.variables else None for name in fragment.variables)
        who = "" if session.security.is_admin else f"{session.login}/{session.security.is_chained}"
        key = (kind, fragment.text, types, session.catalog.version(), who, *extra)
        found = session.database_file.compiled.get(key)
        if found is not None:
            return found  # type: ignore[return-value]
        tables = tuple((name, table.physical) for name, table in frame.tables.items())
        private = (*key, session.temporary_version, tables)
        found = session.private_cache.get(private)
        if found is not None:
            return found  # type: ignore[return-value]
        session.touched_temporary = False
        built = build()
        if session.touched_temporary:
            session.private_cache.put(private, built)
        else:
            session.database_file.compiled.put(key, built)
        return built

    def values(self, variables: Mapping[str, str]) -> dict[str, Stored]:
        """Return the values of a compiled statement's parameters."""
        frame = self._session.frame
        return {parameter: frame.variable(name).value for parameter, name in variables.items()}

    def typed_value(self, fragment: s.Fragment) -> tuple[Stored, Any]:
        """Return a scalar expression's value and type."""
        compiled: Compiled = self.compiled("value", fragment, lambda: compile_expression(self._session, fragment))
        if compiled.locks and self._session.transactions.count:
            self._session.transactions.open()
        cursor = self._session.run(compiled.text, self.values(compiled.variables))
        row = self._session.fetch(cursor)
        cursor.close()
        return (row[0] if row is not None else None), compiled.columns[0][1]

    def value(self, fragment: s.Fragment) -> Stored:
        """Return a scalar expression's value."""
        return self.typed_value(fragment)[0]

    def text(self, fragment: s.Fragment) -> str:
        """Return a scalar expression's value as text; NULL is empty."""
        value, kind = self.typed_value(fragment)
        return "" if value is None else str(cast_stored(value, kind, NVARCHAR_MAX))

    def assign(self, name: str, value: Stored, source: Any) -> None:
        """Set a variable, converting as SET does."""
        variable = self._session.frame.variable(name)
        variable.value = cast_stored(value, source, variable.type) if value is not None else None

    def _declare(self, statement: s.Declare, sink: ResultSink) -> None:
        for item in statement.items:
            self._session.frame.declare(item.name, item.type)
            if item.value is not None:
                self.assign(item.name, *self.typed_value(item.value))

    def _set_variable(self, statement: s.SetVariable, sink: ResultSink) -> None:
        self._session.frame.variable(statement.name)
        self.assign(statement.name, *self.typed_value(statement.value))
        self._session.state.rowcount = 1

    def _set_option(self, statement: s.SetOption, sink: ResultSink) -> None:
        for name in statement.names:
            set_option(self._session.state.options, name, statement.value)
        self._session.state.rowcount = 0

    def _print(self, statement: s.Print, sink: ResultSink) -> None:
        text = self.text(statement.value) or " "
        sink.message(ServerMessage(0, 0, 1, text[:8000], statement.line, self._session.frame.procedure))
        sink.done(None, "")
        self._session.state.rowcount = 0

    def _raise_error(self, statement: s.RaiseError, sink: ResultSink) -> None:
        values = [self.value(argument) for argument in statement.arguments]
        number, template = 50000, values[0]
        if isinstance(template, int):
            number, template = (
                template,
                f"Error {template}, severity %d, state %d was raised, but no message with that error number was found in sys.messages.",
            )
            values[3:] = [values[1], values[2]]
        severity, state = max(0, int(str(values[1] or 0))), int(str(values[2] or 0))
        text = format_message(template, *values[3:])
        self._session.state.rowcount = 0
        if severity <= 10:
            shown = 0 if severity == 10 else severity
            sink.message(ServerMessage(number, shown, state, text, statement.line, self._session.frame.procedure))
            sink.done(None, "")
            if "NOWAIT" in statement.options:
                _flush(sink)
            return
        error = SqlError(number, text, severity=min(severity, 18), state=state % 256)
        error.is_raiserror, error.aborts_scope = True, False
        raise error

    def _wait_for(self, statement: s.WaitFor, sink: ResultSink) -> None:
        text = plain_text(self.value(statement.value))
        seconds = _seconds(text)
        if statement.kind == "TIME":
            now = self._session.state.now
            passed = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
            seconds = (seconds - passed) % 86400
        self._session.waiting = "WAITFOR"
        try:
            self._session.cancellation.wait(seconds)
        finally:
            self._session.waiting = ""
        self._session.state.rowcount = 0

    def _transaction(self, statement: s.Transaction, sink: ResultSink) -> None:
        name = statement.name
        if name.startswith("@"):
            name = plain_text(self._session.frame.variable(name).value)
        transactions = self._session.transactions
        if statement.action == "BEGIN":
            transactions.begin(name)
        elif statement.action == "COMMIT":
            transactions.commit()
        elif statement.action == "ROLLBACK":
            transactions.rollback(name)
        else:
            transactions.save(name)
        self._session.state.rowcount = 0

    def _nothing(self, statement: s.Nothing, sink: ResultSink) -> None:
        return


def _flush(sink: ResultSink) -> None:
    flush: Callable[[], None] | None = getattr(sink, "flush", None)
    if flush is not None:
        flush()


def _seconds(text: str) -> float:
    parts = text.strip().split(" ")[-1].split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 < len(numbers) <= 3 or numbers[0] >= 24:
        raise SqlError(148, f"Incorrect time syntax in time string '{text}' used with WAITFOR.", severity=15)
    numbers += [0.0] * (3 - len(numbers))
    return dt.timedelta(hours=numbers[0], minutes=numbers[1], seconds=numbers[2]).total_seconds()


_Run = Callable[[Execution, Any, ResultSink], None]
_STATEMENTS: Final[Mapping[type[s.Statement], _Run]] = {
    s.Declare: Execution._declare, s.SetVariable: Execution._set_variable, s.SetOption: Execution._set_option,
    s.Print: Execution._print, s.RaiseError: Execution._raise_error, s.WaitFor: Execution._wait_for,
    s.Transaction: Execution._transaction, s.Nothing: Execution._nothing,
    s.Query: lambda self, statement, sink: self.queries.run(statement, sink),
    s.Insert: lambda self, statement, sink: self.changes.insert(statement, sink),
    s.Change: lambda self, statement, sink: self.changes.change(statement, sink),
    s.Truncate: lambda self, statement, sink: self.changes.truncate(statement, sink),
    s.DeclareTable: lambda self, statement, sink: self.definitions.declare_table(statement),
    d.CreateTable: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.AlterTable: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.CreateIndex: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.CreateView: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.CreateProcedure: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.CreateSchema: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.Drop: lambda self, statement, sink: self.definitions.run(statement, sink),
    d.DatabaseCommand: lambda self, statement, sink: self.server.database(statement),
    d.PrincipalCommand: lambda self, statement, sink: self.server.principal(statement),
    d.Permission: lambda self, statement, sink: self.server.permission(statement),
    s.ExecuteProcedure: lambda self, statement, sink: self.procedures.execute(statement, sink),
    s.ExecuteText: lambda self, statement, sink: self.procedures.execute_text(statement, sink),
    s.Cursor: lambda self, statement, sink: self.cursors.run(statement, sink),
}  # fmt: skip
