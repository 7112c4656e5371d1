# ruff: noqa: ARG001 - one signature for every entry of a table
# ruff: noqa: ARG005 - one signature for every entry of a table
"""Compiles function calls, aggregates and window functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import converted, is_string, literal_text, unify
from airflow_provider_elasticjobs.sandbox.engine.emit_predicates import harmonized, insensitive
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, unsupported
from airflow_provider_elasticjobs.sandbox.engine.function_table import FUNCTIONS
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Sql
from airflow_provider_elasticjobs.sandbox.engine.types import (
    BIGINT,
    DATETIME,
    FLOAT,
    INT,
    INTEGERS,
    MOMENTS,
    NVARCHAR_MAX,
    SYSNAME,
    TIMES,
)

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter

_PARTS: Final[Mapping[str, str]] = {
    "YEAR": "year", "YY": "year", "YYYY": "year", "QUARTER": "quarter", "QQ": "quarter", "Q": "quarter",
    "MONTH": "month", "MM": "month", "M": "month", "DAYOFYEAR": "dayofyear", "DY": "dayofyear", "Y": "dayofyear",
    "DAY": "day", "DD": "day", "D": "day", "WEEK": "week", "WK": "week", "WW": "week", "ISO_WEEK": "iso_week",
    "ISOWK": "iso_week", "ISOWW": "iso_week", "WEEKDAY": "weekday", "DW": "weekday", "W": "weekday", "HOUR": "hour",
    "HH": "hour", "MINUTE": "minute", "MI": "minute", "N": "minute", "SECOND": "second", "SS": "second",
    "S": "second", "MILLISECOND": "millisecond", "MS": "millisecond", "MICROSECOND": "microsecond",
    "MCS": "microsecond", "NANOSECOND": "nanosecond", "NS": "nanosecond", "TZOFFSET": "tzoffset", "TZ": "tzoffset",
}  # fmt: skip
_RANKING: Final = frozenset({"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE"})
_OFFSETS: Final = frozenset({"LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"})


def call(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a call of a function by its name."""
    name = str(node.this).upper()
    special = _SPECIAL.get(name)
    if special is not None:
        return special(emitter, node.expressions, scope)
    if name in _AGGREGATES:
        return aggregate(emitter, name, node.expressions, scope)
    info = FUNCTIONS.get(name)
    if info is None:
        raise _unknown(name)
    arguments = [emitter.expression(argument, scope) for argument in node.expressions]
    if len(arguments) < info.required or (len(arguments) > len(info.arguments) and not info.variadic):
        raise SqlError(174, f"The {name.lower()} function requires {info.required} argument(s).", severity=15)
    kinds = info.arguments.ljust(len(arguments), info.arguments[-1:] or "n")
    texts = [_argument(argument, kind) for argument, kind in zip(arguments, kinds, strict=False)]
    result = info.result or (arguments[0].type if arguments else None)
    if info.result is None and "s" in info.arguments and arguments and not is_string(arguments[0]):
        result = NVARCHAR_MAX
    return Sql(f"tsql_{name.lower()}({', '.join(texts)})", result if result is None else replace(result, nullable=True))


def _unknown(name: str) -> SqlError:
    if name in ("LEFT", "RIGHT", "COALESCE"):
        return unsupported(name)
    return SqlError(195, f"'{name}' is not a recognized built-in function name.", severity=15)


def _argument(argument: Sql, kind: str) -> str:
    if kind == "s" and argument.type is not None and not is_string(argument):
        return converted(argument, NVARCHAR_MAX)
    if kind == "d" and is_string(argument):
        return converted(argument, SqlType("datetime2", scale=7))
    return argument.text


def dotted(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Refuse methods and schema-qualified functions."""
    raise unsupported(f"function {node.sql(dialect='tsql').split('(')[0]}")


def _part(node: exp.Expr) -> str:
    name = node.name.upper()
    if name not in _PARTS:
        raise SqlError(155, f"'{node.name}' is not a recognized datepart option.", severity=15)
    return _PARTS[name]


def _date_add(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    part, number = _part(arguments[0]), emitter.expression(arguments[1], scope)
    moment = emitter.expression(arguments[2], scope)
    result = moment.type if moment.type is not None and moment.type.name in TIMES else DATETIME
    text = moment.text if moment.type is not None and moment.type.name in TIMES else converted(moment, result)
    amount = number.text if number.type is not None and number.type.name in INTEGERS else converted(number, INT)
    return Sql(f"tsql_dateadd('{part}', {amount}, {text}, '{_spec(result)}')", replace(result, nullable=True))


def _spec(sql_type: SqlType) -> str:
    return sql_type.name if sql_type.scale is None else f"{sql_type.name}({sql_type.scale})"


def _moment(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    moment = emitter.expression(node, scope)
    if moment.type is not None and moment.type.name in TIMES:
        return moment.text
    return converted(
        moment, DATETIME if moment.type and moment.type.name in INTEGERS else SqlType("datetime2", scale=7)
    )


def _date_diff(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope, big: bool = False) -> Sql:
    start, end = _moment(emitter, arguments[1], scope), _moment(emitter, arguments[2], scope)
    return Sql(f"tsql_datediff('{_part(arguments[0])}', {start}, {end}, {1 if big else 0})", BIGINT if big else INT)


def _date_diff_big(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    return _date_diff(emitter, arguments, scope, True)


def _date_part(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    return Sql(f"tsql_datepart('{_part(arguments[0])}', {_moment(emitter, arguments[1], scope)})", INT)


def _date_name(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    text = f"tsql_datename('{_part(arguments[0])}', {_moment(emitter, arguments[1], scope)})"
    return Sql(text, SqlType("nvarchar", 30))


def _date_trunc(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    moment = emitter.expression(arguments[1], scope)
    result = moment.type if moment.type is not None and moment.type.name in MOMENTS else SqlType("datetime2", scale=7)
    return Sql(f"tsql_datetrunc('{_part(arguments[0])}', {converted(moment, result)}, '{_spec(result)}')", result)


def _is_null(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    first, second = (emitter.expression(argument, scope) for argument in arguments)
    result = first.type or second.type
    text = converted(second, result) if result is not None and second.type is not None else second.text
    both = result is not None and first.type is not None and second.type is not None
    nullable = second.type.nullable if both and second.type is not None else True
    return Sql(f"ifnull({first.text}, {text})", replace(result, nullable=nullable) if result is not None else None)


def _coalesce(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    values = [emitter.expression(argument, scope) for argument in arguments]
    texts, result = unify(values)
    # Unlike ISNULL's, a result may be NULL for the server as long as one of the arguments may.
    if result is not None and all(value.type is not None and not value.type.nullable for value in values):
        result = replace(result, nullable=False)
    return Sql(f"coalesce({', '.join(texts)})" if len(texts) > 1 else texts[0], result)


def _null_if(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    first, second = (emitter.expression(argument, scope) for argument in arguments)
    left, right = harmonized(first, second)
    text = f"(CASE WHEN {insensitive(left, right)} = {right.text} THEN NULL ELSE {first.text} END)"
    return Sql(text, replace(first.type, nullable=True) if first.type is not None else None)


def _iif(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    condition = emitter.condition(arguments[0], scope)
    texts, result = unify([emitter.expression(argument, scope) for argument in arguments[1:]])
    return Sql(f"(CASE WHEN {condition} THEN {texts[0]} ELSE {texts[1]} END)", result)


def _choose(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    index = emitter.expression(arguments[0], scope)
    texts, result = unify([emitter.expression(argument, scope) for argument in arguments[1:]])
    whens = " ".join(f"WHEN {number} THEN {text}" for number, text in enumerate(texts, 1))
    return Sql(f"(CASE {index.text} {whens} END)", result)


def _data_length(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    value = emitter.expression(arguments[0], scope)
    spec = value.type.name if value.type is not None else "nvarchar"
    return Sql(f"tsql_datalength({value.text}, '{spec}')", INT)


def _hash_bytes(emitter: Emitter, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    algorithm = emitter.expression(arguments[0], scope)
    value = converted(emitter.expression(arguments[1], scope), SqlType("varbinary", -1))
    return Sql(f"tsql_hashbytes({algorithm.text}, {value})", SqlType("varbinary", 8000))


_AGGREGATES: Final = frozenset({"COUNT", "COUNT_BIG", "SUM", "AVG", "MIN", "MAX"})


def aggregate(emitter: Emitter, name: str, arguments: Sequence[exp.Expr], scope: Scope) -> Sql:
    """Compile COUNT, SUM, AVG, MIN or MAX."""
    if not arguments:
        raise SqlError(174, f"The {name.lower()} function requires 1 argument(s).", severity=15)
    argument = arguments[0]
    if name in ("COUNT", "COUNT_BIG") and isinstance(argument, exp.Star):
        return Sql("count(*)", replace(INT if name == "COUNT" else BIGINT, nullable=False))
    distinct = isinstance(argument, exp.Distinct)
    value = emitter.expression(argument.expressions[0] if distinct else argument, scope)
    text = f"({value.text} COLLATE NOCASE)" if is_string(value) and not value.collated else value.text
    text = f"DISTINCT {text}" if distinct else text
    if name in ("COUNT", "COUNT_BIG"):
        return Sql(f"count({text})", replace(INT if name == "COUNT" else BIGINT, nullable=False))
    if name in ("MIN", "MAX"):
        return Sql(f"{name.lower()}({text})", value.type)
    return _sum_or_average(name, text, value.type)


def _sum_or_average(name: str, text: str, source: SqlType | None) -> Sql:
    if source is None:
        return Sql(f"{name.lower()}({text})", None)
    if source.name == "bit" or source.name not in INTEGERS | {"decimal", "float", "real"}:
        raise SqlError(8117, f"Operand data type {source.name} is invalid for {name.lower()} operator.")
    if source.name in INTEGERS:
        result = BIGINT if source.name == "bigint" else INT
        return Sql(f"sum({text})" if name == "SUM" else f"CAST(avg({text}) AS INTEGER)", result)
    if source.name != "decimal":
        return Sql(f"{name.lower()}({text})", FLOAT)
    scale = source.scale or 0
    return Sql(
        f"{name.lower()}({text})", SqlType("decimal", precision=38, scale=scale if name == "SUM" else max(scale, 6))
    )


def string_agg(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile STRING_AGG, with WITHIN GROUP (ORDER BY ...)."""
    value = node.this
    keys: list[str] = []
    directions = ""
    if isinstance(value, exp.Order):
        for ordered in value.expressions:
            keys.append(emitter.expression(ordered.this, scope).text)
            directions += "d" if ordered.args.get("desc") else "a"
        value = value.this
    text = _argument(emitter.expression(value, scope), "s")
    separator = node.args.get("separator")
    separator_text = emitter.expression(separator, scope).text if separator is not None else "','"
    arguments = [text, separator_text, literal_text(directions), *keys]
    return Sql(f"tsql_string_agg({', '.join(arguments)})", NVARCHAR_MAX)


def within_group(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Refuse WITHIN GROUP of anything but STRING_AGG, which sqlglot folds into the aggregate."""
    raise unsupported("WITHIN GROUP")


def window(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a function with OVER."""
    inner = node.this
    if not isinstance(inner, exp.Anonymous):
        raise unsupported("OVER of this function")
    name = str(inner.this).upper()
    over = _over(emitter, node, scope)
    if name in _RANKING:
        arguments = ", ".join(emitter.expression(argument, scope).text for argument in inner.expressions)
        return Sql(f"{name.lower()}({arguments}) OVER ({over})", replace(BIGINT, nullable=False))
    if name in _OFFSETS:
        values = [emitter.expression(argument, scope) for argument in inner.expressions]
        text = ", ".join(value.text for value in values)
        return Sql(
            f"{name.lower()}({text}) OVER ({over})", replace(values[0].type, nullable=True) if values[0].type else None
        )
    if name not in _AGGREGATES:
        raise unsupported(f"{name} OVER")
    plain = aggregate(emitter, name, inner.expressions, scope)
    if plain.text.startswith("CAST("):
        return Sql(f"CAST({plain.text[5:-12]} OVER ({over}) AS INTEGER)", plain.type)
    return Sql(f"{plain.text} OVER ({over})", plain.type)


def _over(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    parts = []
    partition = node.args.get("partition_by") or ()
    if partition:
        parts.append("PARTITION BY " + ", ".join(_ordering(emitter, key, scope) for key in partition))
    order = node.args.get("order")
    if order is not None:
        keys = [
            _ordering(emitter, key.this, scope) + (" DESC" if key.args.get("desc") else "") for key in order.expressions
        ]
        parts.append("ORDER BY " + ", ".join(keys))
    spec = node.args.get("spec")
    if spec is not None:
        parts.append(_frame(spec))
    return " ".join(parts)


def _ordering(emitter: Emitter, node: exp.Expr, scope: Scope) -> str:
    value = emitter.expression(node, scope)
    return f"({value.text} COLLATE NOCASE)" if is_string(value) and not value.collated else value.text


def _frame(spec: exp.Expr) -> str:
    def bound(side: str) -> str:
        value = spec.args.get(side)
        word = value.name if isinstance(value, exp.Expr) else str(value or "")
        return f"{word} {spec.args.get(side + '_side') or ''}".strip()

    start, end = bound("start"), bound("end")
    return f"{spec.args.get('kind')} BETWEEN {start} AND {end}" if end else f"{spec.args.get('kind')} {start}"


_Special = Callable[["Emitter", Sequence[exp.Expr], Scope], Sql]
_SPECIAL: Final[Mapping[str, _Special]] = {
    "DATEADD": _date_add, "DATEDIFF": _date_diff, "DATEDIFF_BIG": _date_diff_big, "DATEPART": _date_part,
    "DATENAME": _date_name, "DATETRUNC": _date_trunc, "ISNULL": _is_null, "COALESCE": _coalesce, "NULLIF": _null_if,
    "IIF": _iif, "CHOOSE": _choose, "DATALENGTH": _data_length, "HASHBYTES": _hash_bytes,
    "CURRENT_TIMESTAMP": lambda emitter, arguments, scope: Sql("tsql_getdate()", DATETIME),
    "CURRENT_USER": lambda emitter, arguments, scope: Sql("tsql_user_name()", SYSNAME),
}  # fmt: skip
