# ruff: noqa: ARG001 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: PLC0415 - modules that need each other
"""Compiles SELECT, UNION, VALUES and common table expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import emit_sources
from airflow_provider_elasticjobs.sandbox.engine.catalog import quote
from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted, is_string
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.parser_dml import assigned_variable
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Sql
from airflow_provider_elasticjobs.sandbox.engine.types import combine, type_spec

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.emit import EmittedQuery, Emitter

_KNOWN: Final = frozenset(
    {"expressions", "from_", "joins", "laterals", "where", "group", "having", "order", "limit", "offset", "distinct", "with_",
     "options", "into", "kind", "hint", "operation_modifiers"}
)  # fmt: skip
_SET_WORDS: Final[Mapping[type[exp.Expr], str]] = {
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
    exp.Intersect: "INTERSECT",
}
Item = tuple[str, Sql]
"""A select item: its name and its value."""


def emit_query(
    emitter: Emitter, node: exp.Expr, scope: Scope, names: Sequence[str] = (), *, nested: bool = True
) -> EmittedQuery:
    """Compile a query.

    :param scope: of the query around it
    :param names: column names to use instead of its own
    :param nested: whether SQLite needs its column names (not for what goes to the client)
    """
    if isinstance(node, exp.Subquery):
        node = _unwrapped(node)
    if isinstance(node, exp.Select):
        return _select(emitter, node, scope, names, nested)
    if isinstance(node, exp.SetOperation):
        return _set_operation(emitter, node, scope, names, nested)
    if isinstance(node, exp.Values):
        return _values(emitter, node, scope, names)
    raise unsupported(type(node).__name__.upper())


def _unwrapped(node: exp.Subquery) -> exp.Expr:
    extra = [name for name in ("order", "limit", "offset", "where", "joins") if node.args.get(name)]
    if extra:
        raise unsupported(f"{extra[0].upper()} after a query in parentheses")
    inner: exp.Expr = node.this
    return inner


def _emitted(text: str, columns: Sequence[tuple[str, SqlType | None]]) -> EmittedQuery:
    from airflow_provider_elasticjobs.sandbox.engine.emit import EmittedQuery

    return EmittedQuery(text, tuple(columns))


def with_clause(emitter: Emitter, node: exp.Expr, scope: Scope) -> tuple[str, Scope]:
    """Compile a WITH clause; return its text and the scope in which its names are known."""
    clause = node.args.get("with_")
    if clause is None:
        return "", scope
    inner = Scope(scope.parent, scope.sources, dict(scope.ctes))
    parts = []
    for cte in clause.expressions:
        name = cte.alias
        names = [column.name for column in cte.args["alias"].args.get("columns") or ()]
        text, columns = _cte(emitter, cte.this, inner, name, names)
        inner.ctes = {**inner.ctes, name.lower(): columns}
        parts.append(f"{quote(name)} ({', '.join(quote(column) for column, _ in columns)}) AS ({text})")
    return f"WITH RECURSIVE {', '.join(parts)} ", inner


def _cte(
    emitter: Emitter, query: exp.Expr, scope: Scope, name: str, names: Sequence[str]
) -> tuple[str, Sequence[tuple[str, SqlType | None]]]:
    recursive = isinstance(query, exp.Union) and any(
        table.name.lower() == name.lower() and not table.db for table in query.find_all(exp.Table)
    )
    child = Scope(None, [], dict(scope.ctes))
    if recursive and isinstance(query, exp.Union):
        anchor = emitter.query(query.left, child, names)
        child.ctes = {**child.ctes, name.lower(): anchor.columns}
    emitted = emitter.query(query, child, names)
    missing = next((index for index, (column, _) in enumerate(emitted.columns) if not column), None)
    if missing is not None:
        raise SqlError(8155, f"No column name was specified for column {missing + 1} of '{name}'.")
    return emitted.text, emitted.columns


def _select(emitter: Emitter, node: exp.Select, outer: Scope, names: Sequence[str], nested: bool) -> EmittedQuery:
    _refuse_unknown(node)
    prefix, outer = with_clause(emitter, node, outer)
    scope = outer.child()
    sources = emit_sources.emit_from(emitter, node, scope)
    items = _items(emitter, node, scope)
    if names and len(names) != len(items):
        raise SqlError(8158, "The query has a different number of columns than were specified in the column list.")
    named = [(names[index] if names else name, sql) for index, (name, sql) in enumerate(items)]
    parts = [f"{prefix}SELECT {'DISTINCT ' if node.args.get('distinct') else ''}", _select_list(named, nested, node)]
    parts.append(f" FROM {sources}" if sources else "")
    where = node.args.get("where")
    parts.append(f" WHERE {emitter.condition(where.this, scope)}" if where is not None else "")
    parts.append(_grouping(emitter, node, scope))
    parts.append(_order(emitter, node, scope, named))
    parts.append(limits(emitter, node, scope))
    return _emitted("".join(parts), [(name, sql.type) for name, sql in named])


def _refuse_unknown(node: exp.Select) -> None:
    for name, value in node.args.items():
        if value and name not in _KNOWN:
            kind = str(value.args.get("kind") or "") if isinstance(value, exp.Expr) else ""
            raise unsupported(f"{name.strip('_').upper()} {kind}".strip())


def _items(emitter: Emitter, node: exp.Select, scope: Scope) -> list[Item]:
    found: list[Item] = []
    for item in node.expressions:
        variable = assigned_variable(item)
        if variable:
            value = item.args["expression"] if isinstance(item, exp.EQ | exp.PropertyEQ) else item.this
            found.append((variable, _assigning(emitter, variable, emitter.expression(value, scope))))
        elif isinstance(item, exp.Star):
            found.extend((column.name, column.sql) for column in scope.expand())
        elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            found.extend((column.name, column.sql) for column in scope.expand(item.table, item.db))
        elif isinstance(item, exp.Alias):
            found.append((item.alias, emitter.expression(item.this, scope)))
        else:
            found.append((_implied_name(item), emitter.expression(item, scope)))
    return found


def _assigning(emitter: Emitter, variable: str, value: Sql) -> Sql:
    if not emitter.assigns:
        return value
    source = f"'{type_spec(value.type)}'" if value.type is not None else "NULL"
    return Sql(f"tsql_set_variable('{variable}', {value.text}, {source})", value.type)


def _implied_name(item: exp.Expr) -> str:
    while isinstance(item, exp.Paren):
        item = item.this
    return item.name if isinstance(item, exp.Column) else ""


def _select_list(items: Sequence[Item], nested: bool, node: exp.Select) -> str:
    distinct = bool(node.args.get("distinct"))
    texts = []
    for name, sql in items:
        text = sql.text
        if (nested or distinct) and is_string(sql) and not sql.collated:
            text = f"({text} COLLATE NOCASE)"
        texts.append(f"{text} AS {quote(name)}" if nested and name else text)
    return ", ".join(texts)


def _grouping(emitter: Emitter, node: exp.Select, scope: Scope) -> str:
    group, having = node.args.get("group"), node.args.get("having")
    text = ""
    if group is not None:
        extra = [name for name in ("rollup", "cube", "grouping_sets", "totals", "all") if group.args.get(name)]
        if extra:
            raise unsupported(f"GROUP BY {extra[0].upper()}")
        keys = [emitter.expression(key, scope) for key in group.expressions]
        text = " GROUP BY " + ", ".join(_collated(key) for key in keys)
    return text + (f" HAVING {emitter.condition(having.this, scope)}" if having is not None else "")


def _collated(sql: Sql) -> str:
    return f"({sql.text} COLLATE NOCASE)" if is_string(sql) and not sql.collated else sql.text


def _order(emitter: Emitter, node: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    order = node.args.get("order")
    if order is None:
        return ""
    keys = [
        _order_key(emitter, ordered.this, scope, items) + (" DESC" if ordered.args.get("desc") else "")
        for ordered in order.expressions
    ]
    return " ORDER BY " + ", ".join(keys)


def _order_key(emitter: Emitter, key: exp.Expr, scope: Scope, items: Sequence[Item]) -> str:
    if isinstance(key, exp.Literal) and not key.args.get("is_string"):
        position = int(key.this)
        if not 1 <= position <= len(items):
            raise SqlError(
                108,
                f"The ORDER BY position number {position} is out of range of the number of items in the select list.",
            )
        return f"{position} COLLATE NOCASE" if is_string(items[position - 1][1]) else str(position)
    if isinstance(key, exp.Column) and not key.table:
        matches = [index for index, (name, _) in enumerate(items) if name.lower() == key.name.lower()]
        if matches:
            text = is_string(items[matches[0]][1])
            return f"{matches[0] + 1} COLLATE NOCASE" if text else str(matches[0] + 1)
    return _collated(emitter.expression(key, scope))


def limits(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    """Compile TOP and OFFSET ... FETCH."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is None and offset is None:
        return ""
    options = limit.args.get("limit_options") if limit is not None else None
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        raise unsupported("TOP PERCENT" if options.args.get("percent") else "TOP WITH TIES")
    count = None
    if limit is not None:
        count = limit.args["count"] if isinstance(limit, exp.Fetch) else limit.expression
    text = f" LIMIT {_row_count(emitter, count, scope) if count is not None else -1}"
    return text + (f" OFFSET {_row_count(emitter, offset.expression, scope)}" if offset is not None else "")


def _row_count(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    sql = emitter.expression(node, scope)
    return converted(sql, SqlType("bigint")) if sql.type is None or not sql.literal else sql.text


def _set_operation(
    emitter: Emitter, node: exp.SetOperation, scope: Scope, names: Sequence[str], nested: bool
) -> EmittedQuery:
    prefix, scope = with_clause(emitter, node, scope)
    left = emitter.query(node.left, scope, names, nested=True)
    right = emitter.query(node.right, scope, nested=True)
    if len(left.columns) != len(right.columns):
        raise SqlError(
            205,
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
        )
    word = _SET_WORDS[type(node)] + ("" if node.args.get("distinct") else " ALL" if isinstance(node, exp.Union) else "")
    columns = [
        (name, _nullable(combine(sql_type, right.columns[index][1])))
        for index, (name, sql_type) in enumerate(left.columns)
    ]
    branches = [_branch(node.left, left.text), _branch(node.right, right.text)]
    items = [(name, Sql("", sql_type)) for name, sql_type in columns]
    text = (
        f"{prefix}{branches[0]} {word} {branches[1]}{_order(emitter, node, scope, items)}{limits(emitter, node, scope)}"
    )
    return _emitted(text, columns)


def _nullable(sql_type: SqlType | None) -> SqlType | None:
    return replace(sql_type, nullable=True) if sql_type is not None else None


def _branch(node: exp.Expr, text: str) -> str:
    inner = node.this if isinstance(node, exp.Subquery) else node
    needs_wrapping = any(inner.args.get(name) for name in ("limit", "offset", "order", "with_"))
    if needs_wrapping or (isinstance(node, exp.Subquery) and isinstance(inner, exp.SetOperation)):
        return f"SELECT * FROM ({text})"
    return text


def _values(emitter: Emitter, node: exp.Values, scope: Scope, names: Sequence[str]) -> EmittedQuery:
    rows = [
        [emitter.expression(cell, scope) for cell in (row.expressions if isinstance(row, exp.Tuple) else [row.this])]
        for row in node.expressions
    ]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise SqlError(10709, "The number of columns for each row in a table value constructor must be the same.")
    types: list[SqlType | None] = []
    for index in range(widths.pop()):
        combined: SqlType | None = None
        for row in rows:
            combined = combine(combined, row[index].type)
        types.append(combined)
    body = ", ".join("(" + ", ".join(cell.text for cell in row) + ")" for row in rows)
    titles = names or [f"column{index + 1}" for index in range(len(types))]
    picked = ", ".join(
        f"column{index + 1}{' COLLATE NOCASE' if is_string(Sql('', sql_type)) else ''} AS {quote(title)}"
        for index, (title, sql_type) in enumerate(zip(titles, types, strict=True))
    )
    return _emitted(f"SELECT {picked} FROM (VALUES {body})", list(zip(titles, types, strict=True)))
