"""Executes SELECT."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.compiler import Compiled, OutputColumns, compile_query
from airflow_provider_elasticjobs.sandbox.engine.emit_sources import object_name
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.engine.types import INT, STRINGS, combine
from airflow_provider_elasticjobs.sandbox.engine.values import from_stored, guess_type

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

_SAMPLE: Final = 200
Convert = Callable[[Any], object]


class QueryExecution:
    """Executes queries of one session."""

    def __init__(self, session: EngineSession, execution: Execution) -> None:
        self._session = session
        self._execution = execution

    def run(self, query: s.Query, sink: ResultSink) -> None:
        """Execute a SELECT: rows to the sink, to variables, or into a new table."""
        if query.targets:
            self._assign(query)
            sink.done(None, "")
            return
        if isinstance(query.body.tree, exp.Select) and query.body.tree.args.get("into") is not None:
            self._into(query, sink)
            return
        cursor, compiled = self.open(query, sink)
        try:
            count = self._send(cursor, compiled.columns, sink)
        finally:
            cursor.close()
        self._session.state.rowcount = count
        sink.done(None if self._session.state.options.nocount else count, "SELECT")

    def open(self, query: s.Query, sink: ResultSink | None = None) -> tuple[sqlite3.Cursor, Compiled]:
        """Start a query and return its cursor.

        :param sink: is told the columns before an error of the first row, as SQL Server does
        """
        session = self._session
        compiled = self._execution.compiled("query", query.body, lambda: compile_query(session, query))
        if compiled.reads:
            session.transactions.begin_implicitly()
        if compiled.locks and session.transactions.count:
            session.transactions.open()
        try:
            return session.run(compiled.text, self._execution.values(compiled.variables)), compiled
        except SqlError:
            if sink is not None:
                sink.columns([Column(name, kind or INT) for name, kind in compiled.columns])
            raise

    def _send(self, cursor: sqlite3.Cursor, columns: OutputColumns, sink: ResultSink) -> int:
        session = self._session
        sample: list[tuple[Any, ...]] = []
        failure: BaseException | None = None
        if any(kind is None for _, kind in columns):
            try:
                while len(sample) < _SAMPLE and (row := session.fetch(cursor)) is not None:
                    sample.append(row)
            except SqlError as error:
                failure = error
        types = known_types(columns, sample)
        sink.columns([Column(name, kind) for (name, _), kind in zip(columns, types, strict=True)])
        converts = [converter(kind) for kind in types]
        count = 0
        for row in sample:
            sink.row([convert(value) for convert, value in zip(converts, row, strict=True)])
            count += 1
        if failure is not None:
            raise failure
        while (row := session.fetch(cursor)) is not None:
            sink.row([convert(value) for convert, value in zip(converts, row, strict=True)])
            count += 1
            if count % 256 == 0:
                session.cancellation.check()
        return count

    def send_rows(self, rows: Sequence[Sequence[Any]], columns: OutputColumns, sink: ResultSink) -> None:
        """Give rows that were already read (OUTPUT) to the sink."""
        types = known_types(columns, rows)
        sink.columns([Column(name, kind) for (name, _), kind in zip(columns, types, strict=True)])
        converts = [converter(kind) for kind in types]
        for row in rows:
            sink.row([convert(value) for convert, value in zip(converts, row, strict=True)])

    def _assign(self, query: s.Query) -> None:
        session = self._session
        for name in query.targets:
            session.frame.variable(name)
        cursor, compiled = self.open(query)
        count = 0
        try:
            while (row := session.fetch(cursor)) is not None:
                count += 1
                pairs = () if compiled.assigns else zip(query.targets, row, compiled.columns, strict=True)
                for name, value, (_, kind) in pairs:
                    self._execution.assign(name, value, kind)
        finally:
            cursor.close()
        session.state.rowcount = count

    def _into(self, query: s.Query, sink: ResultSink) -> None:
        session = self._session
        compiled = self._execution.compiled("query", query.body, lambda: compile_query(session, query))
        target = object_name(query.body.tree.args["into"].this)
        columns = []
        for number, (name, kind) in enumerate(compiled.columns, 1):
            if not name:
                raise SqlError(1038, f"An object or column name is missing or empty (column {number} of SELECT INTO).")
            columns.append(d.ColumnDefinition(name, kind or INT))
        definition = d.TableDefinition(tuple(columns), ())
        with session.transactions.writing():
            self._execution.definitions.create_table(d.CreateTable(target, definition))
            table = session.table(target)
            text = f"INSERT INTO {table.physical} {compiled.text}"
            cursor = session.run(text, self._execution.values(compiled.variables), verb="INSERT", table=table)
            count = cursor.rowcount
        session.state.rowcount = count
        sink.done(None if session.state.options.nocount else count, "SELECT INTO")


def known_types(columns: OutputColumns, rows: Sequence[Sequence[Any]]) -> list[SqlType]:
    """Return the columns' types; where unknown, what the values tell."""
    found = []
    for number, (_, declared) in enumerate(columns):
        kind = declared
        for row in rows if declared is None else ():
            if row[number] is not None:
                kind = combine(kind, guess_type(row[number]))
        found.append(kind or INT)
    return found


def converter(kind: SqlType) -> Convert:
    """Return the function that turns a stored value of a type into what crosses to the wire."""
    if kind.name in STRINGS:
        return lambda value: value if value is None or isinstance(value, str) else from_stored(value, kind)
    return lambda value: None if value is None else from_stored(value, kind)
