# ruff: noqa: DTZ001 - T-SQL's dates have no zone
# ruff: noqa: PLR0911 - one return for each type
"""Values between Python, T-SQL's types and what SQLite stores.

Stored forms: integers and bit as int, float as float, decimal as int or float, strings as str, uniqueidentifier as
upper-case text, dates and times as ISO text of fixed width, binaries as bytes.
"""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.moments import format_stored, parse_moment, store_moment
from airflow_provider_elasticjobs.sandbox.engine.types import (
    BINARIES,
    INTEGERS,
    MOMENTS,
    NUMBERS,
    NVARCHAR_MAX,
    RANGES,
    STRINGS,
    TIMES,
)

Stored = int | float | str | bytes | None
"""A value as SQLite keeps it."""

_TRUE_WORDS: Final = {"true": 1, "false": 0}


def guess_type(value: object) -> SqlType:
    """Return the type of a Python value when nothing better is known."""
    if isinstance(value, bool):
        return SqlType("bit")
    if isinstance(value, int):
        return SqlType("int" if RANGES["int"][0] <= value <= RANGES["int"][1] else "bigint")
    if isinstance(value, float):
        return SqlType("float")
    if isinstance(value, bytes):
        return SqlType("varbinary", -1 if len(value) > 8000 else 8000)
    if value is None:
        return SqlType("int")
    return SqlType("nvarchar", -1 if len(str(value)) > 4000 else 4000)


def to_stored(value: object, target: SqlType) -> Stored:
    """Return a Python value (a parameter) in the stored form of its declared type.

    :raises SqlError: when it does not fit the type
    """
    if value is None:
        return None
    if isinstance(value, uuid.UUID):
        return cast_stored(str(value).upper(), SqlType("uniqueidentifier"), target)
    if isinstance(value, dt.datetime):
        name = "datetimeoffset" if value.tzinfo is not None else "datetime2"
        source = SqlType(name, scale=7)
        return cast_stored(store_moment(value, source), source, target)
    if isinstance(value, dt.date):
        return cast_stored(value.isoformat(), SqlType("date"), target)
    if isinstance(value, dt.time):
        moment = dt.datetime.combine(dt.date(1900, 1, 1), value)
        return cast_stored(store_moment(moment, SqlType("time", scale=7)), SqlType("time", scale=7), target)
    if isinstance(value, Decimal):
        scale = max(0, -int(value.as_tuple().exponent))
        return cast_stored(_number(value), SqlType("decimal", precision=38, scale=scale), target)
    if isinstance(value, (bytearray, memoryview)):
        value = bytes(value)
    stored = int(value) if isinstance(value, bool) else value
    if not isinstance(stored, (int, float, str, bytes)):
        raise sql_error(8114, type(value).__name__, target.name)
    return cast_stored(stored, guess_type(stored), target)


def from_stored(value: Stored, source: SqlType) -> object:
    """Return a stored value as the Python object that crosses to the wire."""
    if value is None:
        return None
    if source.name in INTEGERS:
        number = cast_stored(value, guess_type(value), source)
        return bool(number) if source.name == "bit" else number
    if source.name == "decimal":
        return _decimal(value, source)
    if source.name in ("float", "real"):
        return float(value)
    if source.name == "uniqueidentifier":
        return uuid.UUID(str(value))
    if source.name in TIMES:
        return _moment_object(str(value), source.name)
    if source.name in BINARIES:
        return value if isinstance(value, bytes) else str(value).encode("utf-16-le")
    return value if isinstance(value, str) else cast_stored(value, guess_type(value), NVARCHAR_MAX)


def _moment_object(text: str, name: str) -> object:
    moment = parse_moment(text)
    if name == "date":
        return moment.date()
    return moment.time() if name == "time" else moment


def cast_stored(value: Stored, source: SqlType | None, target: SqlType, style: int | None = None) -> Stored:
    """Convert a stored value from one type to another, as CAST and CONVERT do.

    :param value: stored form of ``source``
    :param source: its type; None to go by the value
    :param target: wanted type
    :param style: CONVERT's style number
    :returns: the stored form of ``target``
    :raises SqlError: 220, 241, 245, 8114, 8115, 8169 as SQL Server does
    """
    if value is None:
        return None
    source = source or guess_type(value)
    if target.name in INTEGERS:
        return _to_integer(value, source, target)
    if target.name == "decimal":
        return _to_decimal(value, source, target)
    if target.name in ("float", "real"):
        return _to_float(value, source, target)
    if target.name == "uniqueidentifier":
        return _to_guid(value)
    if target.name in TIMES:
        return _to_moment(value, source, target)
    if target.name in BINARIES:
        return _to_binary(value, source, target, style)
    text = text_of(value, source, style)
    cut = text if target.length in (-1, None) else text[: target.length]
    return cut.ljust(target.length or 0) if target.name in ("char", "nchar") else cut


def text_of(value: Stored, source: SqlType, style: int | None = None) -> str:
    """Return a stored value as CONVERT to nvarchar(max) writes it."""
    if isinstance(value, bytes):
        if style in (1, 2):
            return ("0x" if style == 1 else "") + value.hex().upper()
        return value.decode("utf-16-le" if source.name == "nvarchar" else "latin-1")
    if source.name in TIMES:
        return format_stored(str(value), source, style)
    if source.name == "decimal" and isinstance(value, (int, float)):
        return f"{_decimal(value, source):f}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _to_integer(value: Stored, source: SqlType, target: SqlType) -> int:
    if isinstance(value, bytes):
        return int.from_bytes(value[-8:], "big")
    number = _integer_of_text(value, source, target) if isinstance(value, str) else int(value or 0)
    if target.name == "bit":
        return int(bool(value)) if isinstance(value, float) else int(bool(number))
    low, high = RANGES[target.name]
    if not low <= number <= high:
        if isinstance(value, str) and target.name == "int":
            raise sql_error(248, source.name, value)
        if target.name in ("tinyint", "smallint") and source.name in INTEGERS:
            raise sql_error(220, target.name, number)
        raise sql_error(8115, "expression" if source.name in INTEGERS | STRINGS else source.name, target.name)
    return number


def _integer_of_text(text: str, source: SqlType, target: SqlType) -> int:
    stripped = text.strip()
    if target.name == "bit" and stripped.lower() in _TRUE_WORDS:
        return _TRUE_WORDS[stripped.lower()]
    if not stripped:
        return 0
    digits = stripped[1:] if stripped[0] in "+-" else stripped
    if not (digits.isascii() and digits.isdigit()):
        kind = source.name if source.name in STRINGS else "nvarchar"
        if source.name in TIMES or source.name == "uniqueidentifier":
            raise sql_error(8114, source.name, target.name)
        raise sql_error(245, kind, text, target.name)
    return int(stripped)


def _to_decimal(value: Stored, source: SqlType, target: SqlType) -> int | float:
    try:
        number = Decimal(value.strip() or "0") if isinstance(value, str) else Decimal(repr(value))
    except (InvalidOperation, ValueError):
        raise sql_error(8114, source.name, "numeric") from None
    rounded = _quantize(number, target.scale or 0)
    if abs(rounded) >= Decimal(10) ** ((target.precision or 18) - (target.scale or 0)):
        raise sql_error(8115, source.name if source.name != "decimal" else "numeric", "numeric")
    return _number(rounded)


def _to_float(value: Stored, source: SqlType, target: SqlType) -> float:
    try:
        return float(value.strip() or "0") if isinstance(value, str) else float(value or 0)
    except ValueError:
        raise sql_error(8114, source.name, target.name) from None


def _to_guid(value: Stored) -> str:
    if isinstance(value, bytes) and len(value) >= 16:
        return str(uuid.UUID(bytes_le=value[:16])).upper()
    text = str(value).strip()
    body = text[1:-1] if text.startswith("{") and text.endswith("}") else text[:36]
    if len(body) != 36 or body.count("-") != 4:
        raise sql_error(8169)
    try:
        return str(uuid.UUID(body)).upper()
    except ValueError:
        raise sql_error(8169) from None


def _to_moment(value: Stored, source: SqlType, target: SqlType) -> str:
    if isinstance(value, (int, float)):
        if target.name != "datetime":
            raise sql_error(8114, source.name, target.name)
        moment = dt.datetime(1900, 1, 1) + dt.timedelta(days=value)
    else:
        moment = parse_moment(value.decode("latin-1") if isinstance(value, bytes) else str(value))
    if target.name == "datetime" and moment.year < 1753:
        raise sql_error(242, source.name, "datetime")
    if source.name == "time" and target.name in MOMENTS:
        moment = moment.replace(year=1900, month=1, day=1)
    return store_moment(moment, target)


def _to_binary(value: Stored, source: SqlType, target: SqlType, style: int | None) -> bytes:
    if isinstance(value, bytes):
        data = value
    elif source.name == "uniqueidentifier":
        data = uuid.UUID(str(value)).bytes_le
    elif isinstance(value, str):
        data = _binary_of_text(value, source, style)
    elif isinstance(value, int):
        data = value.to_bytes(
            {"bigint": 8, "smallint": 2, "tinyint": 1, "bit": 1}.get(source.name, 4), "big", signed=value < 0
        )
    else:
        raise sql_error(8114, source.name, target.name)
    cut = data if target.length in (-1, None) else data[: target.length]
    return cut.ljust(target.length or 0, b"\0") if target.name == "binary" else cut


def _binary_of_text(value: str, source: SqlType, style: int | None) -> bytes:
    if style in (1, 2):
        digits = value[2:] if style == 1 and value[:2].lower() == "0x" else value
        try:
            return bytes.fromhex(digits)
        except ValueError:
            raise sql_error(8114, source.name, "varbinary") from None
    return value.encode("utf-16-le" if source.name in ("nvarchar", "nchar") else "latin-1", "replace")


def _decimal(value: Stored, source: SqlType) -> Decimal:
    number = (
        Decimal(value) if isinstance(value, int) else Decimal(repr(value) if isinstance(value, float) else str(value))
    )
    return _quantize(number, source.scale or 0)


def _quantize(number: Decimal, scale: int) -> Decimal:
    try:
        return number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        return number


def _number(value: Decimal) -> int | float:
    whole = value == value.to_integral_value()
    return int(value) if whole and abs(value) < 2**63 else float(value)


def is_number(sql_type: SqlType | None) -> bool:
    """Return whether the type is numeric."""
    return sql_type is not None and sql_type.name in NUMBERS
