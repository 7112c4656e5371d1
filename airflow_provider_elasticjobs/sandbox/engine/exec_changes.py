# ruff: noqa: PLR0917 - one signature for every entry of a table
"""Executes INSERT, UPDATE, DELETE and TRUNCATE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.capture import CapturingSink
from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.compiler import CompiledInsert, InsertCompiler, OutputColumns
from airflow_provider_elasticjobs.sandbox.engine.compiler_changes import ChangeCompiler, CompiledChange
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.exec_queries import known_types
from airflow_provider_elasticjobs.sandbox.engine.interface import ResultSink
from airflow_provider_elasticjobs.sandbox.engine.values import Stored

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

Rows = list[tuple[Any, ...]]


class ChangeExecution:
    """Executes statements that change rows, for one session."""

    def __init__(self, session: EngineSession, execution: Execution) -> None:
        self._session = session
        self._execution = execution

    def insert(self, statement: s.Insert, sink: ResultSink) -> None:
        """Execute INSERT."""
        session = self._session
        session.transactions.begin_implicitly()
        table = self._writable(statement.target, "INSERT")
        rows: Rows = []
        columns: OutputColumns = ()
        with session.transactions.writing():
            if statement.execute is not None:
                count = self._insert_executed(statement, table)
            else:
                compiled = self._compiled_insert(statement, table)
                values = self._execution.values(compiled.variables)
                count, rows = self._insert_rows(compiled, [values])
                columns = compiled.columns
            self._output(statement.output, rows, columns)
        self._finish(statement.output, rows, columns, count, "INSERT", sink)

    def _writable(self, name: s.ObjectName, permission: str) -> TableInfo:
        table = self._session.table(name)
        if table.kind in ("V", "S"):
            raise sql_error(4405, name)
        self._session.require(permission, table)
        return table

    def _explicit_identity(self, table: TableInfo) -> bool:
        wanted = self._session.state.options.identity_insert
        return bool(wanted) and wanted in (table.name.lower(), f"{table.schema}.{table.name}".lower())

    def _compiler(self, table: TableInfo, columns: Sequence[str]) -> InsertCompiler:
        explicit = self._explicit_identity(table)
        return InsertCompiler(self._session, table, columns, self._session.database, explicit_identity=explicit)

    def _compiled_insert(self, statement: s.Insert, table: TableInfo) -> CompiledInsert:
        def build() -> CompiledInsert:
            self._session.table(statement.target)
            return self._compiler(table, statement.columns).statement(statement)

        explicit = self._explicit_identity(table)
        output = statement.output.items.text if statement.output is not None else ""
        top = statement.top.text if statement.top is not None else ""
        if statement.source is None or (statement.output is not None and statement.output.items.variables) or top:
            return build()
        return self._execution.compiled(
            "insert", statement.source, build, statement.target, statement.columns, output, explicit
        )

    def _insert_rows(self, compiled: CompiledInsert, rows: Sequence[dict[str, Stored]]) -> tuple[int, Rows]:
        session, table = self._session, compiled.table
        session.identities.start(table)
        count, returned = 0, []
        for values in rows:
            cursor = session.run(compiled.text, values, verb="INSERT", table=table)
            if compiled.columns:
                found = session.fetch_all(cursor, verb="INSERT", table=table)
                returned += found
                count += len(found)
            else:
                count += max(0, cursor.rowcount)
        last = session.identities.finish(table)
        if table.identity_column is not None and count:
            session.state.identity = session.frame.identity = last
        return count, returned

    def _insert_executed(self, statement: s.Insert, table: TableInfo) -> int:
        if statement.execute is None or statement.output is not None:
            raise unsupported("OUTPUT of INSERT ... EXECUTE")
        captured = CapturingSink()
        self._execution.statement(statement.execute, captured)
        count = 0
        for columns, rows in captured.results:
            compiled = self._compiler(table, statement.columns).from_parameters([column.type for column in columns])
            values = [dict(zip(compiled.parameters, row, strict=True)) for row in captured.stored(columns, rows)]
            count += self._insert_rows(compiled, values)[0]
        return count

    def change(self, statement: s.Change, sink: ResultSink) -> None:
        """Execute UPDATE or DELETE."""
        session = self._session
        session.transactions.begin_implicitly()
        compiled = self._compiled_change(statement)
        with session.transactions.writing():
            values = self._execution.values(compiled.variables)
            if compiled.update:
                count, rows = self._update_rows(compiled, values)
            else:
                cursor = session.run(compiled.text, values, verb=statement.kind, table=compiled.table)
                rows = session.fetch_all(cursor, verb=statement.kind, table=compiled.table) if compiled.columns else []
                count = len(rows) if compiled.columns else max(0, cursor.rowcount)
            self._output(statement.output, rows, compiled.columns)
        self._finish(statement.output, rows, compiled.columns, count, statement.kind, sink)

    def _compiled_change(self, statement: s.Change) -> CompiledChange:
        session = self._session

        def build() -> CompiledChange:
            return ChangeCompiler(session, statement, session.database).compile()

        has_variables = statement.output is not None and statement.output.items.variables
        if has_variables or (statement.top is not None and statement.top.variables):
            return build()
        output = statement.output.items.text if statement.output is not None else ""
        top = statement.top.text if statement.top is not None else ""
        return self._execution.compiled(
            "change", statement.body, build, statement.kind, statement.target, statement.assignments, output, top
        )

    def _update_rows(self, compiled: CompiledChange, values: dict[str, Stored]) -> tuple[int, Rows]:
        session, table = self._session, compiled.table
        width, extra = len(compiled.assigned), len(compiled.assigned_variables)
        found = session.fetch_all(session.run(compiled.text, values), verb="UPDATE", table=table)
        seen: set[int] = set()
        outputs: Rows = []
        names = [column.name for column in table.stored_columns]
        for row in found:
            if row[0] in seen:
                continue
            seen.add(row[0])
            new, old = row[1 : 1 + width], row[1 + width + extra :]
            if width:
                session.run(compiled.update, (*new, row[0]), verb="UPDATE", table=table)
            for name, value in zip(compiled.assigned_variables, row[1 + width : 1 + width + extra], strict=True):
                self._execution.assign(name, value, None)
            if compiled.output:
                changed = {**dict(zip(names, old, strict=True)), **dict(zip(compiled.assigned, new, strict=True))}
                outputs.append(self._output_row(compiled, old, [changed[name] for name in names]))
        return len(seen), outputs

    def _output_row(self, compiled: CompiledChange, old: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
        values = self._execution.values(dict(compiled.output_variables))
        values.update({f"d{number}": value for number, value in enumerate(old)})
        values.update({f"i{number}": value for number, value in enumerate(new)})
        return self._session.fetch(self._session.run(compiled.output, values)) or ()

    def _output(self, output: s.Output | None, rows: Rows, columns: OutputColumns) -> None:
        if output is None or output.into is None or not rows:
            return
        table = self._writable(output.into, "INSERT")
        compiled = self._compiler(table, output.columns).from_parameters(known_types(columns, rows))
        self._insert_rows(compiled, [dict(zip(compiled.parameters, row, strict=True)) for row in rows])

    def _finish(
        self, output: s.Output | None, rows: Rows, columns: OutputColumns, count: int, kind: str, sink: ResultSink
    ) -> None:
        if output is not None and output.into is None:
            self._execution.queries.send_rows(rows, columns, sink)
        self._session.state.rowcount = count
        sink.done(None if self._session.state.options.nocount else count, kind)

    def truncate(self, statement: s.Truncate, sink: ResultSink) -> None:
        """Execute TRUNCATE TABLE."""
        session = self._session
        session.transactions.begin_implicitly()
        table = session.table(statement.target)
        if table.kind not in ("U", "T"):
            raise sql_error(4701, statement.target)
        session.require("DELETE", table)
        references = session.catalog.foreign_keys(referenced_id=table.object_id) if table.kind == "U" else []
        if any(key.table_id != table.object_id for key in references):
            raise sql_error(4712, statement.target)
        with session.transactions.writing():
            session.run(f"DELETE FROM {table.physical}", verb="DELETE", table=table)
            session.identities.reseed(table)
        session.state.rowcount = 0
        sink.done(None, "")
