# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: PLC0415 - modules that need each other
"""Compiles FROM: tables, views, subqueries, joins, APPLY and the table-valued functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo, quote
from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted, data_type, literal_text
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Source, SourceColumn, Sql
from airflow_provider_elasticjobs.sandbox.engine.statements import ObjectName
from airflow_provider_elasticjobs.sandbox.engine.types import BIGINT, INT, NVARCHAR_MAX

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter

_LOCKING_HINTS: Final = frozenset({"UPDLOCK", "XLOCK", "HOLDLOCK", "SERIALIZABLE", "TABLOCKX", "REPEATABLEREAD"})
_HINTS: Final = _LOCKING_HINTS | {
    "NOLOCK", "ROWLOCK", "PAGLOCK", "TABLOCK", "READPAST", "READCOMMITTED", "READUNCOMMITTED", "READCOMMITTEDLOCK",
    "NOWAIT", "FORCESEEK", "FORCESCAN", "NOEXPAND", "INDEX", "KEEPIDENTITY", "SNAPSHOT",
}  # fmt: skip


def emit_from(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    """Compile the FROM clause of a SELECT; fill the scope with its sources."""
    clause = node.args.get("from_")
    if clause is None:
        return ""
    text = _source(emitter, clause.this, scope)
    for join in [*(node.args.get("joins") or ()), *(node.args.get("laterals") or ())]:
        text += _join(emitter, join, scope)
    return text


def _join(emitter: Emitter, join: exp.Expr, scope: Scope) -> str:
    lateral = join if isinstance(join, exp.Lateral) else join.this
    if isinstance(lateral, exp.Lateral):
        return _apply(emitter, lateral, scope)
    if join.args.get("using"):
        raise sql_error(102, "USING")
    words = " ".join(str(join.args.get(name) or "") for name in ("side", "kind")).upper().split()
    before = len(scope.sources)
    text = _source(emitter, join.this, scope)
    if {"LEFT", "FULL"} & set(words):
        scope.sources[before:] = [_outer(source) for source in scope.sources[before:]]
    if {"RIGHT", "FULL"} & set(words):
        scope.sources[:before] = [_outer(source) for source in scope.sources[:before]]
    condition = join.args.get("on")
    if condition is None:
        if words and words != ["CROSS"]:
            raise sql_error(102, "JOIN")
        return f" CROSS JOIN {text}" if words else f", {text}"
    kind = " ".join(word for word in words if word != "OUTER") or "INNER"
    if kind == "INNER" and _is_table_variable(scope.sources[0]):
        # SQL Server takes a table variable for a row or a few, and begins with it. SQLite knows no sizes and might begin
        # with a whole other table; it keeps the order of a CROSS JOIN (https://sqlite.org/optoverview.html#crossjoin).
        kind = "CROSS"
    return f" {kind} JOIN {text} ON {emitter.condition(condition, scope)}"


def _is_table_variable(source: Source) -> bool:
    return source.table is not None and source.table.name.startswith("@")


def _outer(source: Source) -> Source:
    """Return a source whose every column may be NULL, because its row may be absent from an outer join."""
    return replace(source, columns=tuple(_nullable(column) for column in source.columns))


def _nullable(column: SourceColumn) -> SourceColumn:
    kind = column.sql.type
    return column if kind is None else replace(column, sql=replace(column.sql, type=replace(kind, nullable=True)))


def _source(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    if isinstance(node, exp.Table):
        text = _table(emitter, node, scope)
    elif isinstance(node, exp.Subquery):
        text = _derived(emitter, node, scope)
    elif isinstance(node, exp.Values):
        text = _derived_query(emitter, node, node.args.get("alias"), scope)
    elif isinstance(node, exp.Paren):
        return f"({_source(emitter, node.this, scope)})"
    else:
        raise unsupported(f"{type(node).__name__.upper()} in FROM")
    for join in node.args.get("joins") or ():
        text += _join(emitter, join, scope)
    return text


def _derived(emitter: Emitter, node: exp.Subquery, scope: Scope) -> str:
    if isinstance(node.this, exp.Table):
        return f"({_source(emitter, node.this, scope)})"
    return _derived_query(emitter, node.this, node.args.get("alias"), scope, node)


def _derived_query(
    emitter: Emitter,
    query: exp.Expr,
    alias: exp.Expr | None,
    scope: Scope,
    node: exp.Expr | None = None,
) -> str:
    if (node or query).args.get("pivots"):
        raise unsupported("PIVOT")
    name = alias.name if alias is not None else ""
    if not name:
        raise sql_error(102, ")")
    names = [column.name for column in (alias.args.get("columns") or ())] if alias is not None else []
    emitted = emitter.query(query, Scope(scope.parent, [], scope.ctes), names)
    missing = next((index for index, (column, _) in enumerate(emitted.columns) if not column), None)
    if missing is not None:
        raise SqlError(8155, f"No column name was specified for column {missing + 1} of '{name}'.")
    return _add(emitter, scope, name, f"({emitted.text})", emitted.columns)


def _add(emitter: Emitter, scope: Scope, name: str, text: str, columns: Sequence[tuple[str, SqlType | None]]) -> str:
    if scope.source(name) is not None:
        raise SqlError(1013, f'The objects "{name}" and "{name}" in the FROM clause have the same exposed names.')
    alias = emitter.alias(name)
    offered = tuple(
        SourceColumn(column, Sql(f"{alias}.{quote(column)}", kind, collated=True)) for column, kind in columns
    )
    scope.sources.append(Source(name, "", alias, offered))
    return f"{text} AS {alias}"


def object_name(node: exp.Table) -> ObjectName:
    """Return the name that a table node means."""
    identifier = node.this
    if isinstance(identifier, exp.Parameter):
        return ObjectName(f"@{identifier.name}".lower())
    if isinstance(identifier, exp.Dot):
        raise sql_error(40515, node.sql(dialect="tsql"))
    name = identifier.name
    if identifier.args.get("temporary"):
        name = f"#{name}"
    elif identifier.args.get("global_"):
        name = f"##{name}"
    return ObjectName(name, node.db, node.catalog)


def _table(emitter: Emitter, node: exp.Table, scope: Scope) -> str:
    for name in ("pivots", "sample", "version"):
        if node.args.get(name):
            raise unsupported(name.upper())
    _note_hints(emitter, node)
    if isinstance(node.this, exp.OpenJSON | exp.Anonymous | exp.Func):
        return _function(emitter, node.this, node.args.get("alias"), scope)
    called = object_name(node)
    if not called.schema and called.name.lower() in scope.ctes:
        return _cte_reference(emitter, called.name, node.alias or called.name, scope)
    table = emitter.environment.table(called)
    emitter.environment.require("SELECT", table)
    return add_table(emitter, scope, table, node.alias)


def _note_hints(emitter: Emitter, node: exp.Table) -> None:
    for hint in node.args.get("hints") or ():
        for word in hint.expressions:
            text = (word.name or str(word.this)).upper()
            if text not in _HINTS:
                raise SqlError(321, f'"{text}" is not a recognized table hints option.')
            emitter.locks = emitter.locks or text in _LOCKING_HINTS


def _cte_reference(emitter: Emitter, name: str, alias: str, scope: Scope) -> str:
    return _add(emitter, scope, alias, quote(name), scope.ctes[name.lower()])


def add_table(emitter: Emitter, scope: Scope, table: TableInfo, alias: str = "") -> str:
    """Add a table to the scope and return its text for FROM."""
    called = alias or table.name
    schema = "" if alias else table.schema
    if any(each.is_called(called, schema) for each in scope.sources):
        raise SqlError(1013, f'The objects "{called}" and "{called}" in the FROM clause have the same exposed names.')
    text = emitter.alias(called)
    source = Source(called, schema, text, table_columns(emitter, table, text), table)
    scope.sources.append(source)
    return f"{table.physical} AS {text}"


def table_columns(emitter: Emitter, table: TableInfo, prefix: str) -> tuple[SourceColumn, ...]:
    """Return a table's columns as a query reads them; computed ones are calculated.

    :param prefix: SQLite's alias of the table, or ``''`` for bare column names
    """
    dot = f"{prefix}." if prefix else ""
    stored = [
        SourceColumn(column.name, Sql(f"{dot}{quote(column.name)}", column.type, collated=table.kind != "S"))
        for column in table.stored_columns
    ]
    if len(stored) == len(table.columns):
        return tuple(stored)
    from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment

    scope = Scope(None, [Source(table.name, table.schema, prefix, tuple(stored))])
    by_name = {column.name: column for column in stored}
    for column in table.columns:
        if column.computed:
            value = emitter.expression(expression_fragment(column.computed, 1).tree, scope)
            by_name[column.name] = SourceColumn(column.name, Sql(value.text, value.type or column.type))
    return tuple(by_name[column.name] for column in table.columns)


def _apply(emitter: Emitter, lateral: exp.Lateral, scope: Scope) -> str:
    outer = not lateral.args.get("cross_apply")
    inner = lateral.this
    alias = lateral.args.get("alias")
    if isinstance(inner, exp.Subquery):
        return _apply_query(emitter, inner.this, alias, scope, outer)
    if isinstance(inner, exp.Table):
        inner = inner.this
    text = _function(emitter, inner, alias, scope)
    return f" LEFT JOIN {text} ON 1" if outer else f" JOIN {text}"


def _apply_query(emitter: Emitter, query: exp.Expr, alias: exp.Expr | None, scope: Scope, outer: bool) -> str:
    if alias is None or not isinstance(query, exp.Select):
        raise unsupported("APPLY of this query")
    if not query.args.get("from_"):
        return _apply_expressions(emitter, query, alias, scope)
    limit = query.args.get("limit")
    aggregate = not query.args.get("group") and query.find(exp.Anonymous) is not None and not limit
    single = isinstance(limit, exp.Limit) and limit.expression.name == "1"
    if not single and not (aggregate and _only_aggregates(query)):
        raise unsupported("APPLY of a query that may return several rows")
    return _apply_single(emitter, query, alias.name, scope, outer or not single)


def _only_aggregates(query: exp.Select) -> bool:
    names = {"COUNT", "MAX", "MIN", "SUM", "AVG", "COUNT_BIG"}
    return all(
        isinstance(item.unalias(), exp.GroupConcat)
        or (isinstance(item.unalias(), exp.Anonymous) and str(item.unalias().this).upper() in names)
        for item in query.expressions
    )


def _apply_expressions(emitter: Emitter, query: exp.Select, alias: exp.Expr, scope: Scope) -> str:
    names = [column.name for column in alias.args.get("columns") or ()]
    columns = []
    for index, item in enumerate(query.expressions):
        value = emitter.expression(item.unalias(), scope)
        columns.append(SourceColumn(names[index] if names else item.alias_or_name, value))
    scope.sources.append(Source(alias.name, "", "", tuple(columns)))
    return ""


def _apply_single(emitter: Emitter, query: exp.Select, name: str, scope: Scope, outer: bool) -> str:
    columns = []
    for item in query.expressions:
        one = query.copy()
        one.set("expressions", [item.copy()])
        emitted = emitter.query(one, scope)
        columns.append(SourceColumn(item.alias_or_name, Sql(f"({emitted.text})", emitted.columns[0][1])))
    text = "" if outer else f" JOIN (SELECT 1) ON EXISTS ({emitter.query(query, scope).text})"
    scope.sources.append(Source(name, "", "", tuple(columns)))
    return text


def _function(emitter: Emitter, node: exp.Expr, alias: exp.Expr | None, scope: Scope) -> str:
    called = alias.name if alias is not None else ""
    name = str(node.this).upper() if isinstance(node, exp.Anonymous) else type(node).__name__.upper()
    if isinstance(node, exp.OpenJSON):
        return _open_json(emitter, node, called or "OPENJSON", scope)
    if name == "STRING_SPLIT":
        arguments = [emitter.expression(argument, scope).text for argument in node.expressions[:2]]
        text = emitter.alias(called or name)
        columns: tuple[SourceColumn, ...] = (
            SourceColumn("value", Sql(f"{text}.value", NVARCHAR_MAX)),
            SourceColumn("ordinal", Sql(f"({text}.key + 1)", BIGINT)),
        )
        columns = columns if len(node.expressions) > 2 else columns[:1]
        scope.sources.append(Source(called or name, "", text, columns))
        return f"json_each(tsql_split({', '.join(arguments)})) AS {text}"
    raise unsupported(f"table-valued function {name}")


def _open_json(emitter: Emitter, node: exp.OpenJSON, called: str, scope: Scope) -> str:
    document = emitter.expression(node.this, scope).text
    path = node.args.get("path")
    path_text = emitter.expression(path, scope).text if path else "'$'"
    text = emitter.alias(called)
    definitions = node.expressions
    scope.sources.append(Source(called, "", text, tuple(_json_columns(text, definitions))))
    return f"json_each(tsql_json_rows({document}, {path_text}, {1 if definitions else 0})) AS {text}"


def _json_columns(text: str, definitions: Sequence[exp.Expr]) -> list[SourceColumn]:
    if not definitions:
        return [
            SourceColumn("key", Sql(f"json_extract({text}.value, '$[0]')", SqlType("nvarchar", 4000))),
            SourceColumn("value", Sql(f"json_extract({text}.value, '$[1]')", NVARCHAR_MAX)),
            SourceColumn("type", Sql(f"json_extract({text}.value, '$[2]')", INT)),
        ]
    columns = []
    for definition in definitions:
        name, kind = definition.name, data_type(definition.args["kind"])
        path = definition.args.get("path")
        json_path = str(path.this) if path is not None else f'$."{name}"'
        value = Sql(
            f"tsql_json_{'query' if definition.args.get('as_json') else 'value'}({text}.value, {literal_text(json_path)})",
            NVARCHAR_MAX,
        )
        columns.append(SourceColumn(name, Sql(converted(value, kind), kind)))
    return columns
