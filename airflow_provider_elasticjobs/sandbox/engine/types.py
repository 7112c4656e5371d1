"""T-SQL data types: names, defaults, precedence, and how SQLite keeps their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType

INT: Final = SqlType("int")
BIGINT: Final = SqlType("bigint")
BIT: Final = SqlType("bit")
FLOAT: Final = SqlType("float")
NVARCHAR_MAX: Final = SqlType("nvarchar", -1)
SYSNAME: Final = SqlType("nvarchar", 128)
DATETIME: Final = SqlType("datetime")
DATETIME2: Final = SqlType("datetime2", scale=7)
GUID: Final = SqlType("uniqueidentifier")
VARBINARY_MAX: Final = SqlType("varbinary", -1)

INTEGERS: Final = frozenset({"bit", "tinyint", "smallint", "int", "bigint"})
NUMBERS: Final = INTEGERS | {"decimal", "float", "real"}
STRINGS: Final = frozenset({"char", "varchar", "nchar", "nvarchar"})
BINARIES: Final = frozenset({"binary", "varbinary"})
MOMENTS: Final = frozenset({"date", "datetime", "datetime2", "datetimeoffset"})
TIMES: Final = MOMENTS | {"time"}

_ALIASES: Final[Mapping[str, str]] = {
    "integer": "int", "numeric": "decimal", "dec": "decimal", "double precision": "float", "rowversion": "binary",
    "timestamp": "binary", "character": "char", "national character": "nchar", "char varying": "varchar",
    "smalldatetime": "datetime", "money": "decimal", "smallmoney": "decimal", "text": "varchar", "ntext": "nvarchar",
    "image": "varbinary", "sysname": "nvarchar", "uniqueidentifier": "uniqueidentifier", "sql_variant": "nvarchar",
}  # fmt: skip
_IMPLIED: Final[Mapping[str, tuple[int, ...]]] = {
    "money": (19, 4), "smallmoney": (10, 4), "text": (-1,), "ntext": (-1,), "image": (-1,), "sysname": (128,),
    "rowversion": (8,), "timestamp": (8,), "sql_variant": (4000,),
}  # fmt: skip
_PRECEDENCE: Final = (
    "datetimeoffset", "datetime2", "datetime", "date", "time", "float", "real", "decimal", "bigint", "int",
    "smallint", "tinyint", "bit", "uniqueidentifier", "nvarchar", "nchar", "varchar", "char", "varbinary", "binary",
)  # fmt: skip
_SPEC: Final = re.compile(r"(\w+)(?:\((-?\d+)(?:,(\d+))?\))?$")
_DIGITS: Final[Mapping[str, tuple[int, int]]] = {
    "bit": (1, 0), "tinyint": (3, 0), "smallint": (5, 0), "int": (10, 0), "bigint": (19, 0),
}  # fmt: skip
RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "tinyint": (0, 255), "smallint": (-(2**15), 2**15 - 1), "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}  # fmt: skip


def make_type(name: str, arguments: Sequence[int] = (), *, default_length: int = 1) -> SqlType:
    """Return the type of a declaration.

    :param name: as written, in any case
    :param arguments: numbers in its parentheses; -1 for ``max``
    :param default_length: of strings and binaries without a length: 1 in declarations, 30 in CAST
    :raises SqlError: 2715 when there is no such type
    """
    lowered = name.lower()
    arguments = _IMPLIED.get(lowered, tuple(arguments))
    base = _ALIASES.get(lowered, lowered)
    if base in STRINGS or base in BINARIES:
        return SqlType(base, arguments[0] if arguments else default_length)
    if base == "decimal":
        precision = arguments[0] if arguments else 18
        return SqlType(base, precision=precision, scale=arguments[1] if len(arguments) > 1 else 0)
    if base in ("datetime2", "time", "datetimeoffset"):
        return SqlType(base, scale=arguments[0] if arguments else 7)
    if base == "float" and arguments and arguments[0] <= 24:
        return SqlType("real")
    if base not in _PRECEDENCE:
        raise sql_error(2715, 1, name)
    return SqlType(base)


@lru_cache(maxsize=4096)
def type_spec(sql_type: SqlType) -> str:
    """Return the type as text that :func:`type_from_spec` reads, such as ``decimal(10,2)``."""
    if sql_type.length is not None:
        return f"{sql_type.name}({sql_type.length})"
    if sql_type.precision is not None:
        return f"{sql_type.name}({sql_type.precision},{sql_type.scale or 0})"
    return f"{sql_type.name}({sql_type.scale})" if sql_type.scale is not None else sql_type.name


@lru_cache(maxsize=4096)
def type_from_spec(spec: str) -> SqlType:
    """Return the type that :func:`type_spec` wrote."""
    match = _SPEC.match(spec)
    if match is None:
        raise sql_error(2715, 1, spec)
    return make_type(match[1], [int(number) for number in match.groups()[1:] if number])


def declaration(sql_type: SqlType) -> str:
    """Return the type as T-SQL writes it, such as ``nvarchar(max)``."""
    return type_spec(sql_type).replace("(-1)", "(max)")


def affinity(sql_type: SqlType) -> str:
    """Return the column type that SQLite gets, with its collation."""
    if sql_type.name in INTEGERS:
        return "INT"
    if sql_type.name in ("float", "real"):
        return "REAL"
    if sql_type.name == "decimal":
        return "NUMERIC"
    return "BLOB" if sql_type.name in BINARIES else "TEXT COLLATE NOCASE"


def combine(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """Return the type of an expression that may be either (CASE, COALESCE, UNION), by T-SQL's precedence."""
    if left is None or right is None:
        return left or right
    if left.name == right.name and left.name == "decimal":
        return _combine_decimals(left, right)
    first, second = sorted((left, right), key=lambda each: _PRECEDENCE.index(each.name))
    if first.name in STRINGS | BINARIES and second.name in STRINGS | BINARIES:
        lengths = (first.length or 0, second.length or 0)
        first = replace(first, length=-1 if -1 in lengths else max(lengths))
    if first.name == "decimal" and second.name in _DIGITS:
        first = _combine_decimals(first, as_decimal(second))
    return replace(first, nullable=left.nullable or right.nullable)


def as_decimal(sql_type: SqlType) -> SqlType:
    """Return the decimal that holds every value of an integer type."""
    if sql_type.name == "decimal":
        return sql_type
    precision, scale = _DIGITS.get(sql_type.name, (38, 6))
    return SqlType("decimal", precision=precision, scale=scale)


def _combine_decimals(left: SqlType, right: SqlType) -> SqlType:
    scale = max(left.scale or 0, right.scale or 0)
    whole = max((each.precision or 18) - (each.scale or 0) for each in (left, right))
    return SqlType("decimal", precision=min(38, whole + scale), scale=scale)


def arithmetic(operator: str, left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """Return the type of ``left operator right`` for numbers."""
    if left is None or right is None:
        return left or right
    combined = combine(left, right)
    if combined is None or combined.name != "decimal":
        return replace(combined, nullable=True) if combined and combined.name != "bit" else INT
    one, two = as_decimal(left), as_decimal(right)
    p1, s1, p2, s2 = one.precision or 18, one.scale or 0, two.precision or 18, two.scale or 0
    if operator == "*":
        return _fit(p1 + p2 + 1, s1 + s2)
    if operator == "/":
        scale = max(6, s1 + p2 + 1)
        return _fit(p1 - s1 + s2 + scale, scale)
    scale = max(s1, s2)
    return _fit(max(p1 - s1, p2 - s2) + scale + 1, scale)


def _fit(precision: int, scale: int) -> SqlType:
    if precision > 38:
        scale = max(min(scale, 6), scale - (precision - 38))
        precision = 38
    return SqlType("decimal", precision=precision, scale=scale)


def is_wider(target: SqlType, source: SqlType | None) -> bool:
    """Return whether every value of ``source`` is already a stored value of ``target``."""
    if source is None:
        return False
    if target.name in ("varchar", "nvarchar") and source.name in ("varchar", "nvarchar"):
        return target.length == -1 or (source.length not in (None, -1) and (source.length or 0) <= (target.length or 0))
    if target.name == source.name and target.name not in ("char", "nchar", "binary"):
        sizes_match = (target.length, target.precision, target.scale) == (source.length, source.precision, source.scale)
        return sizes_match or target.length == -1
    order = ("bit", "tinyint", "smallint", "int", "bigint")
    return target.name in order[1:] and source.name in order and order.index(source.name) <= order.index(target.name)
