"""Compiles search conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted, is_string
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Sql
from airflow_provider_elasticjobs.sandbox.engine.types import (
    INT,
    MOMENTS,
    NUMBERS,
    NVARCHAR_MAX,
    STRINGS,
    TIMES,
    combine,
)

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter

_COMPARISONS: Final[Mapping[type[exp.Expr], str]] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_TEXTUAL: Final = STRINGS | {"uniqueidentifier"}


def connective(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile AND and OR, long chains without recursion."""
    word = " AND " if isinstance(node, exp.And) else " OR "
    parts = [emitter.condition(part, scope) for part in node.flatten()]
    return Sql(f"({word.join(parts)})", INT)


def negation(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile NOT."""
    return Sql(f"(NOT {emitter.condition(node.this, scope)})", INT)


def harmonized(left: Sql, right: Sql) -> tuple[Sql, Sql]:
    """Convert the side of lower precedence, as T-SQL does before comparing."""
    if left.type is None or right.type is None:
        return left, right
    return _toward(left, right), _toward(right, left)


def _toward(value: Sql, other: Sql) -> Sql:
    if value.type is None or other.type is None:
        return value
    mine, theirs = value.type.name, other.type.name
    if mine in STRINGS and (theirs in NUMBERS or theirs in TIMES):
        target = INT if theirs == "bit" else other.type
        if theirs in ("datetime2", "datetime", "time"):
            target = SqlType(theirs, scale=None if theirs == "datetime" else 7)
        if theirs == "decimal":
            target = SqlType("float")
        return Sql(converted(value, target), target, literal=value.literal)
    if mine == "date" and theirs in MOMENTS - {"date"}:
        return Sql(converted(value, other.type), other.type)
    if mine in MOMENTS - {"datetimeoffset"} and theirs == "datetimeoffset":
        return Sql(converted(value, other.type), other.type)
    return value


def insensitive(left: Sql, right: Sql) -> str:
    """Return the left operand so that text is compared without regard to case."""
    if left.collated or right.collated:
        return left.text
    kinds = [each.type.name for each in (left, right) if each.type is not None]
    if kinds and not any(kind in _TEXTUAL for kind in kinds):
        return left.text
    return f"({left.text} COLLATE NOCASE)"


def comparison(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile = <> < <= > >=."""
    if isinstance(node.args["expression"], exp.Any | exp.All):
        raise unsupported(f"comparison with {type(node.args['expression']).__name__.upper()}")
    left, right = harmonized(emitter.expression(node.this, scope), emitter.expression(node.args["expression"], scope))
    return Sql(f"({insensitive(left, right)} {_COMPARISONS[type(node)]} {right.text})", INT)


def is_null(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile IS NULL (NOT is around it)."""
    if not isinstance(node.args["expression"], exp.Null):
        raise unsupported("IS DISTINCT FROM")
    return Sql(f"({emitter.expression(node.this, scope).text} IS NULL)", INT)


def in_list(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile IN with a list or a query."""
    left = emitter.expression(node.this, scope)
    query = node.args.get("query")
    if query is not None:
        inner = query.this if isinstance(query, exp.Subquery) else query
        emitted = emitter.query(inner, scope)
        return Sql(f"({insensitive(left, Sql('', emitted.columns[0][1]))} IN ({emitted.text}))", INT)
    items = [emitter.expression(item, scope) for item in node.expressions]
    common = left
    for item in items:
        common, _ = harmonized(common, item)
    texts = [harmonized(item, common)[0].text for item in items]
    return Sql(f"({insensitive(common, items[0])} IN ({', '.join(texts)}))", INT)


def between(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile BETWEEN."""
    value = emitter.expression(node.this, scope)
    low = emitter.expression(node.args["low"], scope)
    high = emitter.expression(node.args["high"], scope)
    bound = Sql("", combine(low.type, high.type))
    value = harmonized(value, bound)[0]
    low, high = harmonized(low, value)[0], harmonized(high, value)[0]
    return Sql(f"({insensitive(value, low)} BETWEEN {low.text} AND {high.text})", INT)


def like(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile LIKE."""
    return _like(emitter, node, scope, "")


def escaped_like(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile LIKE ... ESCAPE."""
    return _like(emitter, node.this, scope, emitter.expression(node.args["expression"], scope).text)


def _like(emitter: Emitter, node: exp.Expr, scope: Scope, escape: str) -> Sql:
    value = emitter.expression(node.this, scope)
    pattern = emitter.expression(node.args["expression"], scope)
    text = value.text if is_string(value) or value.type is None else converted(value, NVARCHAR_MAX)
    if pattern.literal and "[" not in pattern.text and not escape:
        return Sql(f"({text} LIKE {pattern.text})", INT)
    return Sql(f"tsql_like({text}, {pattern.text}{', ' + escape if escape else ''})", INT)


def exists(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile EXISTS."""
    inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
    return Sql(f"EXISTS ({emitter.query(inner, scope).text})", INT)
