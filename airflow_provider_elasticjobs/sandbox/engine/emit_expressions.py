# ruff: noqa: ARG001 - one signature for every entry of a table
"""Compiles scalar expressions: literals, columns, operators, CASE, CAST."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Sql
from airflow_provider_elasticjobs.sandbox.engine.types import (
    BINARIES,
    DATETIME,
    FLOAT,
    INT,
    INTEGERS,
    NUMBERS,
    RANGES,
    STRINGS,
    SYSNAME,
    TIMES,
    arithmetic,
    combine,
    is_wider,
    make_type,
    type_spec,
)

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.emit import Emitter

_OPERATORS: Final[Mapping[type[exp.Expr], str]] = {
    exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.BitwiseAnd: "&", exp.BitwiseOr: "|",
}  # fmt: skip
_TYPE_NAMES: Final[Mapping[str, str]] = {
    "UUID": "uniqueidentifier", "UNIQUEIDENTIFIER": "uniqueidentifier", "UTINYINT": "tinyint",
    "TIMESTAMPTZ": "datetimeoffset", "BOOLEAN": "bit", "DATETIME2": "datetime2", "DOUBLE": "float",
    "SMALLDATETIME": "datetime", "TIMESTAMP": "datetime2", "ROWVERSION": "binary", "IMAGE": "varbinary",
}  # fmt: skip
_GLOBALS: Final[Mapping[str, SqlType]] = {
    "ROWCOUNT": INT, "ERROR": INT, "TRANCOUNT": INT, "FETCH_STATUS": INT, "NESTLEVEL": INT, "OPTIONS": INT,
    "SPID": SqlType("smallint"), "PROCID": INT, "LOCK_TIMEOUT": INT, "MAX_PRECISION": SqlType("tinyint"),
    "IDENTITY": SqlType("decimal", precision=38, scale=0), "SERVERNAME": SYSNAME, "SERVICENAME": SYSNAME,
    "VERSION": SqlType("nvarchar", 300), "LANGUAGE": SYSNAME, "DATEFIRST": SqlType("tinyint"),
    "MICROSOFTVERSION": INT, "TEXTSIZE": INT, "CURSOR_ROWS": INT, "DBTS": SqlType("varbinary", 8),
}  # fmt: skip
_GLOBAL_WORDS: Final = frozenset({"CURRENT_TIMESTAMP", "CURRENT_USER", "SYSTEM_USER", "SESSION_USER", "USER"})


def literal_text(text: str) -> str:
    """Return a SQLite string literal."""
    if "\0" in text:
        return f"CAST(x'{text.encode().hex()}' AS TEXT)"
    return "'" + text.replace("'", "''") + "'"


def literal(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a number or a string without N."""
    text = str(node.this)
    if node.args.get("is_string"):
        return Sql(literal_text(text), SqlType("varchar", max(1, len(text)), nullable=False), literal=True)
    if "e" in text.lower():
        return Sql(text, replace(FLOAT, nullable=False), literal=True)
    if "." in text:
        whole, _, fraction = text.partition(".")
        precision = max(1, len(whole.lstrip("0")) + len(fraction))
        return Sql(
            f"{whole or 0}.{fraction or 0}",
            SqlType("decimal", precision=precision, scale=len(fraction), nullable=False),
            literal=True,
        )
    if int(text) <= RANGES["int"][1]:
        return Sql(text, replace(INT, nullable=False), literal=True)
    return Sql(text, SqlType("decimal", precision=len(text), scale=0, nullable=False), literal=True)


def national(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile N'...'."""
    text = str(node.this)
    return Sql(literal_text(text), SqlType("nvarchar", max(1, len(text)), nullable=False), literal=True)


def binary(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile 0x..."""
    number = int(str(node.this) or "0", 16) if not isinstance(node.this, int) else node.this
    digits = str(node.this) if str(node.this).strip("0123456789abcdefABCDEF") == "" else f"{number:x}"
    digits = digits if len(digits) % 2 == 0 else f"0{digits}"
    return Sql(f"x'{digits}'", SqlType("varbinary", max(1, len(digits) // 2), nullable=False), literal=True)


def null(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile NULL."""
    return Sql("NULL", None, literal=True)


def boolean(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Refuse TRUE and FALSE, which are column names in T-SQL."""
    return scope.resolve("true" if node.this else "false")


def column(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a column reference."""
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        raise sql_error(102, "*")
    if not node.table:
        word = node.name.upper()
        if word in _GLOBAL_WORDS and not node.this.args.get("quoted"):
            moment = word == "CURRENT_TIMESTAMP"
            return Sql(f"tsql_{word.lower()}()", DATETIME if moment else SYSNAME)
        if node.name.startswith("$") and node.name[1:].replace(".", "", 1).isdigit():
            return Sql(node.name[1:], SqlType("decimal", precision=19, scale=4), literal=True)
    return scope.resolve(node.name, node.table, node.db)


def parameter(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile @variable or @@GLOBAL."""
    if isinstance(node.this, exp.Parameter):
        name = node.this.name.upper()
        if name not in _GLOBALS:
            raise sql_error(137, f"@@{node.this.name}")
        return Sql(f"tsql_global('{name}')", _GLOBALS[name])
    return emitter.variable(f"@{node.name}".lower())


def paren(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile parentheses."""
    inner = emitter.expression(node.this, scope)
    return replace(inner, text=f"({inner.text})")


def negative(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile the minus sign."""
    inner = emitter.expression(node.this, scope)
    return Sql(
        f"(-{inner.text})" if not inner.text.startswith("-") else f"(-({inner.text}))",
        inner.type,
        literal=inner.literal,
    )


def is_string(sql: Sql) -> bool:
    """Return whether an expression is character data."""
    return sql.type is not None and sql.type.name in STRINGS


def converted(sql: Sql, target: SqlType, *, style: str = "", safe: bool = False) -> str:
    """Return SQLite text that converts an expression to a type.

    :param style: SQLite text of CONVERT's style
    :param safe: NULL instead of an error
    """
    if not style and is_wider(target, sql.type):
        return sql.text
    source = f"'{type_spec(sql.type)}'" if sql.type is not None else "NULL"
    function = "tsql_try_cast" if safe else "tsql_cast"
    return f"{function}({sql.text}, {source}, '{type_spec(target)}'{', ' + style if style else ''})"


def add(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile +, which adds or concatenates."""
    left = emitter.expression(node.this, scope)
    right = emitter.expression(node.args["expression"], scope)
    names = {each.type.name for each in (left, right) if each.type is not None}
    if not names:
        return Sql(f"tsql_add({left.text}, {right.text})", None)
    if names <= STRINGS:
        return Sql(f"({left.text} || {right.text})", _concatenated(left, right))
    if names <= BINARIES:
        return Sql(f"tsql_add({left.text}, {right.text})", SqlType("varbinary", 8000))
    if names & TIMES:
        return _shifted(left, right, "+")
    if names & STRINGS and not names & NUMBERS:
        raise sql_error(402, *(each.type.name if each.type else "NULL" for each in (left, right)), "add")
    return _numeric("+", left, right)


def _concatenated(left: Sql, right: Sql) -> SqlType:
    types = [each.type for each in (left, right) if each.type is not None]
    name = "nvarchar" if any(each.name in ("nvarchar", "nchar") for each in types) else "varchar"
    lengths = [each.length or 1 for each in types]
    limit = 4000 if name == "nvarchar" else 8000
    return SqlType(name, -1 if -1 in lengths else min(limit, sum(lengths)))


def _shifted(left: Sql, right: Sql, operator: str) -> Sql:
    moment, days = (left, right) if left.type is not None and left.type.name in TIMES else (right, left)
    if (
        moment.type is None
        or moment.type.name != "datetime"
        or (days.type is not None and days.type.name not in NUMBERS)
    ):
        raise sql_error(402, *(each.type.name if each.type else "NULL" for each in (left, right)), operator)
    amount = days.text if operator == "+" else f"-({days.text})"
    return Sql(f"tsql_add_days({moment.text}, {amount})", DATETIME)


def arithmetic_operator(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile - * / %."""
    left = emitter.expression(node.this, scope)
    right = emitter.expression(node.args["expression"], scope)
    operator = _OPERATORS[type(node)]
    if operator == "-" and left.type is not None and left.type.name in TIMES:
        return _shifted(left, right, operator)
    return _numeric(operator, left, right)


def _numeric(operator: str, left: Sql, right: Sql) -> Sql:
    left, right = _as_numbers(left, right)
    result = arithmetic(operator, left.type, right.type)
    if operator in "/%":
        whole = result is not None and result.name in INTEGERS
        if operator == "/" and right.literal and right.text.strip("()").isdigit() and int(right.text.strip("()")):
            return Sql(
                f"({left.text} / {right.text})" if whole else f"(CAST({left.text} AS REAL) / {right.text})", result
            )
        function = {"/": "tsql_int_div" if whole else "tsql_div", "%": "tsql_mod"}[operator]
        return Sql(f"{function}({left.text}, {right.text})", result)
    text = f"({left.text} {operator} {right.text})"
    if result is not None and result.name == "decimal" and result.scale:
        text = f"round({text}, {result.scale})"
    return Sql(text, result)


def _as_numbers(left: Sql, right: Sql) -> tuple[Sql, Sql]:
    for each in (left, right):
        if each.type is not None and each.type.name in TIMES | {"uniqueidentifier"}:
            raise sql_error(402, *(one.type.name if one.type else "NULL" for one in (left, right)), "arithmetic")
    wanted = next((each.type for each in (left, right) if each.type is not None and each.type.name in NUMBERS), INT)
    wanted = wanted if wanted.name != "bit" else INT
    return tuple(  # type: ignore[return-value]
        Sql(converted(each, wanted), wanted) if is_string(each) else each for each in (left, right)
    )


def bitwise(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile & | ^."""
    left = emitter.expression(node.this, scope)
    right = emitter.expression(node.args["expression"], scope)
    result = combine(left.type, right.type)
    if isinstance(node, exp.BitwiseXor):
        return Sql(f"(({left.text} | {right.text}) - ({left.text} & {right.text}))", result)
    return Sql(f"({left.text} {_OPERATORS[type(node)]} {right.text})", result)


def bitwise_not(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile ~."""
    inner = emitter.expression(node.this, scope)
    if inner.type is not None and inner.type.name == "bit":
        return Sql(f"(1 - {inner.text})", inner.type)
    return Sql(f"(~{inner.text})", inner.type)


def unify(branches: Sequence[Sql]) -> tuple[list[str], SqlType | None]:
    """Return the texts of alternatives, converted to their common type, and that type."""
    result: SqlType | None = None
    for branch in branches:
        result = combine(result, branch.type)
    texts = []
    for branch in branches:
        differs = branch.type is not None and result is not None and _family(branch.type) != _family(result)
        texts.append(converted(branch, result) if differs and result is not None else branch.text)
    return texts, replace(result, nullable=True) if result is not None else None


def _family(sql_type: SqlType) -> str:
    if sql_type.name in STRINGS:
        return "string"
    return "number" if sql_type.name in NUMBERS else sql_type.name


def case(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile CASE, simple or searched."""
    branches = list(node.args["ifs"])
    subject = node.args.get("this")
    default = node.args.get("default")
    values = [emitter.expression(branch.args["true"], scope) for branch in branches]
    values.append(emitter.expression(default, scope) if default is not None else Sql("NULL", None))
    texts, result = unify(values)
    whens = []
    for branch, text in zip(branches, texts, strict=False):
        test = branch.this if subject is None else exp.EQ(this=subject.copy(), expression=branch.this.copy())
        whens.append(f"WHEN {emitter.condition(test, scope)} THEN {text}")
    return Sql(f"(CASE {' '.join(whens)} ELSE {texts[-1]} END)", result)


def data_type(node: exp.Expr) -> SqlType:
    """Return the type that sqlglot parsed inside CAST or CONVERT."""
    kind = node.args.get("kind")
    name = str(kind).strip("[]") if kind else getattr(node.this, "name", str(node.this))
    arguments = []
    for argument in node.expressions:
        text = argument.this.name.upper() if hasattr(argument.this, "name") else str(argument.this).upper()
        arguments.append(-1 if text == "MAX" else int(text))
    return make_type(_TYPE_NAMES.get(name.upper(), name), arguments, default_length=30)


def cast(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile CAST and TRY_CAST."""
    target = data_type(node.args["to"])
    inner = emitter.expression(node.this, scope)
    return _cast(inner, target, "", isinstance(node, exp.TryCast))


def convert(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile CONVERT and TRY_CONVERT."""
    target = data_type(node.this)
    inner = emitter.expression(node.args["expression"], scope)
    style = node.args.get("style")
    return _cast(
        inner, target, emitter.expression(style, scope).text if style is not None else "", bool(node.args.get("safe"))
    )


def _cast(inner: Sql, target: SqlType, style: str, safe: bool) -> Sql:
    return Sql(converted(inner, target, style=style, safe=safe), target, literal=inner.literal)


def subquery(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a scalar subquery in parentheses."""
    return bare_subquery(emitter, node.this, scope)


def bare_subquery(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile a scalar subquery; more than one row is error 512."""
    emitted = emitter.query(node, scope, ("v",))
    if len(emitted.columns) != 1:
        raise SqlError(
            116,
            "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
        )
    sql_type = emitted.columns[0][1]
    if _single_row(node):
        return Sql(f"({emitted.text})", sql_type)
    checked = f'(SELECT CASE WHEN count(*) OVER () > 1 THEN tsql_raise(512) ELSE "v" END FROM ({emitted.text}))'
    return Sql(checked, sql_type)


def _single_row(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Select) or node.args.get("group"):
        return False
    if not node.args.get("from_"):
        return True
    limit = node.args.get("limit")
    if isinstance(limit, exp.Limit) and limit.expression is not None and limit.expression.name == "1":
        return True
    item = node.expressions[0].unalias()
    return isinstance(item, exp.GroupConcat) or (
        isinstance(item, exp.Anonymous) and str(item.this).upper() in ("COUNT", "MAX", "MIN", "SUM", "AVG", "COUNT_BIG")
    )


def collate(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile COLLATE; binary and case-sensitive collations compare exactly."""
    inner = emitter.expression(node.this, scope)
    name = str(node.args["expression"].name).upper()
    exact = "_BIN" in name or "_CS_" in name
    return Sql(f"({inner.text} COLLATE {'BINARY' if exact else 'NOCASE'})", inner.type, collated=True)


def at_time_zone(emitter: Emitter, node: exp.Expr, scope: Scope) -> Sql:
    """Compile AT TIME ZONE for UTC only."""
    inner = emitter.expression(node.this, scope)
    zone = node.args["zone"]
    if not isinstance(zone, exp.Literal | exp.National) or str(zone.this).upper() != "UTC":
        raise unsupported("AT TIME ZONE other than 'UTC'")
    return Sql(f"tsql_at_utc({inner.text})", SqlType("datetimeoffset", scale=7))
