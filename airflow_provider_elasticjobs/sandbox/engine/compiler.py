# ruff: noqa: PLC0415 - modules that need each other
"""Compiled statements: SQLite text with its variables and result columns, cached by schema version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine.catalog import ColumnInfo, TableInfo, quote
from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter, Environment
from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted, literal_text
from airflow_provider_elasticjobs.sandbox.engine.emit_sources import add_table, table_columns
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Source, Sql
from airflow_provider_elasticjobs.sandbox.engine.statements import Fragment, Insert, Output, Query
from airflow_provider_elasticjobs.sandbox.engine.types import INT, is_wider, type_spec

OutputColumns = tuple[tuple[str, SqlType | None], ...]


@dataclass(frozen=True)
class Compiled:
    """SQLite text that answers rows or a value.

    :param variables: SQLite parameter to T-SQL variable
    :param columns: result columns
    :param locks: whether the database's write lock has to be taken first
    :param reads: whether it reads any table
    :param assigns: whether it sets its variables itself, row by row, because it also reads them
    """

    text: str
    variables: dict[str, str]
    columns: OutputColumns = ()
    locks: bool = False
    reads: bool = False
    assigns: bool = False


@dataclass(frozen=True)
class CompiledInsert:
    """An INSERT; with ``columns`` it returns its OUTPUT rows."""

    text: str
    variables: dict[str, str]
    table: TableInfo
    columns: OutputColumns = ()
    parameters: tuple[str, ...] = field(default=())


def compile_query(environment: Environment, query: Query) -> Compiled:
    """Compile a SELECT, with or without assignments."""
    assigned = [name for name in query.targets if name]
    emitter = Emitter(environment, assigned)
    emitted = emitter.query(query.body.tree, Scope(), nested=False)
    assigns = emitter.reads_assigned
    if assigns:
        emitter = Emitter(environment, assigned)
        emitter.assigns = True
        emitted = emitter.query(query.body.tree, Scope(), nested=False)
    reads = query.body.tree.find(exp.Table) is not None
    return Compiled(emitted.text, emitter.variables, emitted.columns, emitter.locks, reads, assigns)


def compile_expression(environment: Environment, fragment: Fragment) -> Compiled:
    """Compile a scalar expression to a SELECT of it."""
    emitter = Emitter(environment)
    value = emitter.expression(fragment.tree, Scope())
    return Compiled(f"SELECT {value.text}", emitter.variables, (("", value.type),), emitter.locks)


def stored(value: Sql, table: TableInfo, column: ColumnInfo, database: str) -> str:
    """Return SQLite text that converts a value to a column's type, as an assignment does."""
    if value.type is None or is_wider(column.type, value.type):
        return value.text
    place = f"{database}.{table.schema}.{table.name}" if table.schema else table.name
    arguments = [
        value.text,
        f"'{type_spec(value.type)}'",
        f"'{type_spec(column.type)}'",
        literal_text(place),
        literal_text(column.name),
    ]
    return f"tsql_store({', '.join(arguments)})"


class InsertCompiler:
    """Compiles INSERT.

    :param environment: the session
    :param table: the target
    :param columns: named columns; empty for all
    :param database: name, for messages
    :param explicit_identity: whether IDENTITY_INSERT is on for the target
    """

    def __init__(
        self,
        environment: Environment,
        table: TableInfo,
        columns: Sequence[str],
        database: str,
        *,
        explicit_identity: bool,
    ) -> None:
        self.emitter = Emitter(environment)
        self._table = table
        self._database = database
        self._explicit_identity = explicit_identity
        self._columns = self._chosen(columns)

    def _chosen(self, names: Sequence[str]) -> list[ColumnInfo]:
        identity = self._table.identity_column
        if not names:
            return [
                column for column in self._table.stored_columns if column is not identity or self._explicit_identity
            ]
        chosen = []
        for name in names:
            column = self._table.index.get(name.lower())
            if column is None:
                raise sql_error(207, name)
            if column.computed:
                raise sql_error(271, name)
            if column is identity and not self._explicit_identity:
                raise sql_error(544, self._table.name)
            chosen.append(column)
        return chosen

    def statement(self, insert: Insert) -> CompiledInsert:
        """Compile the whole statement."""
        if insert.source is None:
            self._columns = []
            body = self._rows([[]])
        elif isinstance(insert.source.tree, exp.Values):
            body = self._rows([self._cells(row) for row in insert.source.tree.expressions])
        else:
            body = self._query(insert)
        returning, columns = self._returning(insert.output)
        return self._compiled(body + returning, columns)

    def from_parameters(self, types: Sequence[SqlType]) -> CompiledInsert:
        """Compile an INSERT of one row of bound parameters of these types."""
        if len(types) != len(self._columns):
            raise sql_error(213)
        names = tuple(f"p{number}" for number in range(len(types)))
        row = [Sql(f":{name}", kind) for name, kind in zip(names, types, strict=True)]
        return self._compiled(self._rows([row]), (), names)

    def _compiled(self, body: str, columns: OutputColumns, parameters: tuple[str, ...] = ()) -> CompiledInsert:
        return CompiledInsert(
            f"INSERT INTO {self._table.physical} {body}", self.emitter.variables, self._table, columns, parameters
        )

    def _cells(self, row: exp.Expr) -> list[Sql]:
        cells = row.expressions if isinstance(row, exp.Tuple) else [row.this]
        if len(cells) != len(self._columns):
            raise sql_error(213)
        return [self._cell(cell, column) for cell, column in zip(cells, self._columns, strict=True)]

    def _cell(self, cell: exp.Expr, column: ColumnInfo) -> Sql:
        is_default = isinstance(cell, exp.Var) or (isinstance(cell, exp.Column) and cell.name.upper() == "DEFAULT")
        if is_default and cell.name.upper() == "DEFAULT":
            return self._default(column)
        return self.emitter.expression(cell, Scope())

    def _default(self, column: ColumnInfo) -> Sql:
        if not column.default:
            return Sql("NULL", None)
        return self.emitter.expression(expression_fragment(column.default, 1).tree, Scope())

    def _implied(self) -> list[ColumnInfo]:
        given = {column.name for column in self._columns}
        return [
            column for column in self._table.stored_columns
            if column.name not in given and (column.default or column.identity)
        ]  # fmt: skip

    def _implied_text(self, column: ColumnInfo) -> str:
        if column.identity:
            return f"tsql_identity({self._table.object_id})"
        return stored(self._default(column), self._table, column, self._database)

    def _target(self, implied: Sequence[ColumnInfo]) -> str:
        names = [quote(column.name) for column in (*self._columns, *implied)]
        return f"({', '.join(names)})" if names else ""

    def _given(self, value: Sql, column: ColumnInfo) -> str:
        text = stored(value, self._table, column, self._database)
        return f"tsql_note_identity({self._table.object_id}, {text})" if column.identity else text

    def _rows(self, rows: Sequence[Sequence[Sql]]) -> str:
        implied = self._implied()
        if not self._columns and not implied:
            return "DEFAULT VALUES"
        lines = []
        for row in rows:
            cells = [self._given(value, column) for value, column in zip(row, self._columns, strict=True)]
            cells += [self._implied_text(column) for column in implied]
            lines.append(f"({', '.join(cells)})")
        return f"{self._target(implied)} VALUES {', '.join(lines)}"

    def _query(self, insert: Insert) -> str:
        if insert.source is None:
            raise unsupported("INSERT without rows")
        implied = self._implied()
        names = [f"c{number}" for number in range(len(self._columns))]
        probe = Emitter(self.emitter.environment).query(insert.source.tree, Scope())
        if len(probe.columns) != len(names):
            raise sql_error(213)
        emitted = self.emitter.query(insert.source.tree, Scope(), names)
        cells = [
            self._given(Sql(quote(name), emitted.columns[number][1]), column)
            for number, (name, column) in enumerate(zip(names, self._columns, strict=True))
        ]
        cells += [self._implied_text(column) for column in implied]
        text = f"{self._target(implied)} SELECT {', '.join(cells)} FROM ({emitted.text}) WHERE 1"
        if insert.top is not None:
            text += f" LIMIT {converted(self.emitter.expression(insert.top.tree, Scope()), SqlType('bigint'))}"
        return text

    def _returning(self, output: Output | None) -> tuple[str, OutputColumns]:
        if output is None:
            return "", ()
        source = Source("inserted", "", "", table_columns(self.emitter, self._table, ""), self._table)
        return returning(self.emitter, output, [source])


def returning(emitter: Emitter, output: Output, sources: Sequence[Source]) -> tuple[str, OutputColumns]:
    """Compile an OUTPUT clause to RETURNING."""
    scope = Scope(None, list(sources))
    items = output_items(emitter, output, scope)
    return " RETURNING " + ", ".join(sql.text for _, sql in items), tuple((name, sql.type) for name, sql in items)


def output_items(emitter: Emitter, output: Output, scope: Scope) -> list[tuple[str, Sql]]:
    """Compile the items of an OUTPUT clause."""
    found: list[tuple[str, Sql]] = []
    for item in output.items.tree.expressions:
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            found.extend((column.name, column.sql) for column in scope.expand(item.table))
        else:
            inner = item.unalias()
            name = item.alias if isinstance(item, exp.Alias) else inner.name if isinstance(inner, exp.Column) else ""
            found.append((name, emitter.expression(inner, scope)))
    return found


def compile_check(environment: Environment, table: TableInfo, text: str) -> str:
    """Compile the condition of a CHECK constraint or of a filtered index."""
    from airflow_provider_elasticjobs.sandbox.engine.fragments import condition_fragment

    emitter = Emitter(environment)
    scope = Scope(None, [Source(table.name, table.schema, "", table_columns(emitter, table, ""), table)])
    return emitter.condition(condition_fragment(text, 1).tree, scope)


def compile_computed(environment: Environment, table: TableInfo, text: str) -> SqlType:
    """Return the type of a computed column."""
    emitter = Emitter(environment)
    scope = Scope(None, [Source(table.name, table.schema, "", table_columns(emitter, table, ""), table)])
    return emitter.expression(expression_fragment(text, 1).tree, scope).type or INT


def compile_view(environment: Environment, body: Fragment, names: Sequence[str]) -> tuple[str, OutputColumns]:
    """Compile the query of a view."""
    emitter = Emitter(environment)
    emitted = emitter.query(body.tree, Scope(), names)
    return emitted.text, emitted.columns


__all__ = [
    "Compiled", "CompiledInsert", "InsertCompiler", "OutputColumns", "add_table", "compile_check", "compile_computed",
    "compile_expression", "compile_query", "compile_view", "output_items", "returning", "stored",
]  # fmt: skip
