"""Compiles UPDATE and DELETE."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import emit_queries
from airflow_provider_elasticjobs.sandbox.engine.catalog import ColumnInfo, TableInfo, quote
from airflow_provider_elasticjobs.sandbox.engine.compiler import OutputColumns, output_items, returning, stored
from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter, Environment
from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted
from airflow_provider_elasticjobs.sandbox.engine.emit_sources import emit_from, table_columns
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Source, SourceColumn, Sql
from airflow_provider_elasticjobs.sandbox.engine.statements import Change


@dataclass(frozen=True)
class CompiledChange:
    """An UPDATE or DELETE.

    :param text: when ``update`` is empty, the statement itself; otherwise a SELECT of the row's id, the new values of
        ``assigned``, the values of ``assigned_variables``, and the old values of all stored columns
    :param update: ``UPDATE ... WHERE _rowid_ = ?`` for one row
    :param output: SELECT of the OUTPUT items, from parameters ``d0...`` (deleted) and ``i0...`` (inserted)
    """

    text: str
    variables: dict[str, str]
    table: TableInfo
    columns: OutputColumns = ()
    update: str = ""
    assigned: tuple[str, ...] = ()
    assigned_variables: tuple[str, ...] = ()
    output: str = ""
    output_variables: tuple[tuple[str, str], ...] = ()


class ChangeCompiler:
    """Compiles one UPDATE or DELETE.

    :param environment: the session
    :param change: the statement
    :param database: name, for messages
    """

    def __init__(self, environment: Environment, change: Change, database: str) -> None:
        names = [variable for _, variable in change.assignments if variable]
        self._emitter = Emitter(environment, names)
        self._change = change
        self._database = database
        self._prefix, outer = emit_queries.with_clause(self._emitter, change.body.tree, Scope())
        self._scope = outer.child()
        self._from = emit_from(self._emitter, change.body.tree, self._scope)
        self._source = self._target()
        self._table = self._source.table
        if self._table is None or self._table.kind not in ("U", "T"):
            raise (
                sql_error(4405, change.target)
                if self._table is not None
                else unsupported(f"{change.kind} of a common table expression")
            )
        environment.require(change.kind, self._table)

    def _target(self) -> Source:
        target = self._change.target
        for source in self._scope.sources:
            if source.is_called(target.name, target.schema):
                return source
        for source in self._scope.sources:
            if source.table is not None and source.table.name.lower() == target.name.lower():
                return source
        raise sql_error(208, target)

    def compile(self) -> CompiledChange:
        """Return the compiled statement."""
        if self._change.kind == "DELETE":
            return self._delete()
        self._values = self._assigned_values()
        simple = len(self._scope.sources) == 1 and not self._prefix and not self._needs_old_values()
        return self._simple_update() if simple else self._row_by_row()

    def _needs_old_values(self) -> bool:
        output = self._change.output
        mentions = output is not None and any(
            column.table.lower() == "deleted" for column in output.items.tree.find_all(exp.Column)
        )
        return mentions or any(variable for _, variable in self._change.assignments)

    def _where(self) -> str:
        where = self._change.body.tree.args.get("where")
        return f" WHERE {self._emitter.condition(where.this, self._scope)}" if where is not None else ""

    def _limit(self) -> str:
        if self._change.top is None:
            return ""
        return f" LIMIT {converted(self._emitter.expression(self._change.top.tree, self._scope), SqlType('bigint'))}"

    @property
    def _target_table(self) -> TableInfo:
        if self._table is None:
            raise sql_error(208, self._change.target)
        return self._table

    def _assigned_values(self) -> list[tuple[ColumnInfo | None, str, Sql]]:
        found: list[tuple[ColumnInfo | None, str, Sql]] = []
        for (name, variable), item in zip(self._change.assignments, self._change.body.tree.expressions, strict=True):
            column = self._target_table.index.get(name.lower()) if name else None
            if name and column is None:
                raise sql_error(207, name)
            if column is not None and (column.computed or column.identity):
                raise sql_error(271, name) if column.computed else sql_error(8102, name)
            found.append((column, variable, self._emitter.expression(item.unalias(), self._scope)))
        return found

    def _new_value(self, column: ColumnInfo, value: Sql) -> str:
        return stored(value, self._target_table, column, self._database)

    def _simple_update(self) -> CompiledChange:
        table = self._target_table
        pairs = [
            f"{quote(column.name)} = {self._new_value(column, value)}" for column, _, value in self._values if column
        ]
        where, limit = self._where(), self._limit()
        if limit:
            where = f" WHERE _rowid_ IN (SELECT {self._source.text}._rowid_ FROM {self._from}{where}{limit})"
        text, columns = self._returning("inserted")
        statement = f"UPDATE {table.physical} AS {self._source.text} SET {', '.join(pairs)}{where}{text}"
        return CompiledChange(statement, self._emitter.variables, table, columns)

    def _returning(self, name: str) -> tuple[str, OutputColumns]:
        if self._change.output is None:
            return "", ()
        source = Source(name, "", "", table_columns(self._emitter, self._target_table, ""), self._table)
        return returning(self._emitter, self._change.output, [source])

    def _delete(self) -> CompiledChange:
        table = self._target_table
        where, limit = self._where(), self._limit()
        if len(self._scope.sources) > 1 or limit or self._prefix:
            where = (
                f" WHERE _rowid_ IN ({self._prefix}SELECT {self._source.text}._rowid_ FROM {self._from}{where}{limit})"
            )
        text, columns = self._returning("deleted")
        statement = f"DELETE FROM {table.physical} AS {self._source.text}{where}{text}"
        return CompiledChange(statement, self._emitter.variables, table, columns)

    def _row_by_row(self) -> CompiledChange:
        table, alias = self._target_table, self._source.text
        changed = [(column, value) for column, _, value in self._values if column is not None]
        selected = [f"{alias}._rowid_", *(self._new_value(column, value) for column, value in changed)]
        selected += [value.text for _, variable, value in self._values if variable]
        selected += [f"{alias}.{quote(column.name)}" for column in table.stored_columns]
        where, limit = self._where(), self._limit()
        text = f"{self._prefix}SELECT {', '.join(selected)} FROM {self._from}{where}{limit}"
        pairs = ", ".join(f"{quote(column.name)} = ?" for column, _ in changed)
        update = f"UPDATE {table.physical} SET {pairs} WHERE _rowid_ = ?" if changed else "SELECT 1"
        output, columns, output_variables = self._output_query()
        return CompiledChange(
            text, self._emitter.variables, table, columns, update, tuple(column.name for column, _ in changed),
            tuple(variable for _, variable, _ in self._values if variable), output, output_variables,
        )  # fmt: skip

    def _output_query(self) -> tuple[str, OutputColumns, tuple[tuple[str, str], ...]]:
        if self._change.output is None:
            return "", (), ()
        emitter = Emitter(self._emitter.environment)
        sources = [
            Source(name, "", "", tuple(
                SourceColumn(column.name, Sql(f":{letter}{number}", column.type))
                for number, column in enumerate(self._target_table.stored_columns)
            ))
            for name, letter in (("deleted", "d"), ("inserted", "i"))
        ]  # fmt: skip
        items = output_items(emitter, self._change.output, Scope(None, sources))
        text = "SELECT " + ", ".join(sql.text for _, sql in items)
        return text, tuple((name, sql.type) for name, sql in items), tuple(emitter.variables.items())
