"""How each T-SQL type declares itself in a result set and encodes its values ([MS-TDS] 2.2.5.4 and 2.2.5.5).

Numbers, bits, uniqueidentifier and fixed binaries are encoded by the reused result module; the rest is here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Protocol

from pysqlbridge.tds.result import (
    DEFAULT_COLLATION,
    PLP_NULL,
    Binary,
    Bit,
    Float,
    Integer,
    UniqueIdentifier,
    as_utf16,
)

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.wire import temporal

MAX = -1
DEFAULT_SCALE = 7
DEFAULT_PRECISION = 18
LONGEST_UNICODE = 4000
LONGEST_BYTES = 8000
CODE_PAGE = "cp1252"


class ValueEncoder(Protocol):
    """Declares a column and encodes its values."""

    def type_info(self) -> bytes:
        """The TYPE_INFO of the column."""

    def encode(self, value: object) -> bytes:
        """One value, None for NULL; a value that does not fit raises ValueError or TypeError."""


def _to_utf16(value: object) -> bytes:
    return bytes(as_utf16(str(value)))


def _to_code_page(value: object) -> bytes:
    return str(value).encode(CODE_PAGE, "replace")


def _to_bytes(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"{type(value).__name__} is no binary value")


@dataclass(frozen=True)
class Sized:
    """Character and binary types: a two-byte length before the value, or chunks for the max form.

    :param token: the type's byte
    :param size: bytes declared; None is the max form
    :param to_bytes: turns a value into its bytes
    :param collation: the collation of character types
    :param fill: what pads a fixed-length type; empty for the varying ones
    """

    token: int
    size: int | None
    to_bytes: Callable[[object], bytes]
    collation: bytes = b""
    fill: bytes = b""

    def type_info(self) -> bytes:
        """Type byte, declared bytes (0xFFFF for max) and collation."""
        return struct.pack("<BH", self.token, 0xFFFF if self.size is None else self.size) + self.collation

    def encode(self, value: object) -> bytes:
        """The value behind its length, or in one chunk for the max form."""
        if value is None:
            return bytes(PLP_NULL) if self.size is None else b"\xff\xff"
        raw = self.to_bytes(value)
        if self.size is None:
            return _chunked(raw)
        if len(raw) > self.size:
            raise ValueError(f"a value of {len(raw)} bytes does not fit in a column of {self.size}")
        if self.fill and len(raw) < self.size:
            raw += self.fill * ((self.size - len(raw)) // len(self.fill))
        return struct.pack("<H", len(raw)) + raw


def _chunked(raw: bytes) -> bytes:
    if not raw:
        return struct.pack("<QI", 0, 0)
    return struct.pack("<QI", len(raw), len(raw)) + raw + b"\x00\x00\x00\x00"


@dataclass(frozen=True)
class ByteCounted:
    """Types whose values follow one length byte, zero for NULL.

    :param info: the whole TYPE_INFO
    :param pack: turns a value into its bytes
    """

    info: bytes
    pack: Callable[[object], bytes]

    def type_info(self) -> bytes:
        """The TYPE_INFO given."""
        return self.info

    def encode(self, value: object) -> bytes:
        """The value behind its length byte."""
        if value is None:
            return b"\x00"
        raw = self.pack(value)
        return bytes([len(raw)]) + raw


@dataclass(frozen=True)
class Exact:
    """decimal(p, s): a sign byte and the unscaled digits in 4, 8, 12 or 16 bytes, by precision."""

    precision: int
    scale: int

    @property
    def _width(self) -> int:
        return next(4 * n for n, digits in ((1, 9), (2, 19), (3, 28), (4, 38)) if self.precision <= digits)

    def type_info(self) -> bytes:
        """Type byte, bytes, precision and scale."""
        return bytes([0x6C, self._width + 1, self.precision, self.scale])

    def encode(self, value: object) -> bytes:
        """The value rounded half up to the scale.

        :raises ValueError: when it has more digits than the precision
        """
        if value is None:
            return b"\x00"
        with localcontext() as context:
            context.prec = 80
            exact = Decimal(str(value)) if not isinstance(value, Decimal) else value
            unscaled = int(exact.scaleb(self.scale).to_integral_value(ROUND_HALF_UP))
        if abs(unscaled) >= 10**self.precision:
            raise ValueError(f"{value} does not fit in decimal({self.precision},{self.scale})")
        sign = b"\x00" if unscaled < 0 else b"\x01"
        return bytes([self._width + 1]) + sign + abs(unscaled).to_bytes(self._width, "little")


def _characters(sql_type: SqlType) -> int:
    return max(sql_type.length or 1, 1)


def _unicode(sql_type: SqlType) -> ValueEncoder:
    whole = sql_type.length == MAX or _characters(sql_type) > LONGEST_UNICODE
    return Sized(0xE7, None if whole else _characters(sql_type) * 2, _to_utf16, DEFAULT_COLLATION)


def _fixed_unicode(sql_type: SqlType) -> ValueEncoder:
    return Sized(0xEF, min(_characters(sql_type), LONGEST_UNICODE) * 2, _to_utf16, DEFAULT_COLLATION, b" \x00")


def _varying(sql_type: SqlType) -> ValueEncoder:
    whole = sql_type.length == MAX or _characters(sql_type) > LONGEST_BYTES
    return Sized(0xA7, None if whole else _characters(sql_type), _to_code_page, DEFAULT_COLLATION)


def _fixed(sql_type: SqlType) -> ValueEncoder:
    return Sized(0xAF, min(_characters(sql_type), LONGEST_BYTES), _to_code_page, DEFAULT_COLLATION, b" ")


def _varying_binary(sql_type: SqlType) -> ValueEncoder:
    whole = sql_type.length == MAX or _characters(sql_type) > LONGEST_BYTES
    return Sized(0xA5, None if whole else _characters(sql_type), _to_bytes)


def _fixed_binary(sql_type: SqlType) -> ValueEncoder:
    fixed: ValueEncoder = Binary(min(_characters(sql_type), LONGEST_BYTES))
    return fixed


def _exact(sql_type: SqlType) -> ValueEncoder:
    return Exact(sql_type.precision or DEFAULT_PRECISION, sql_type.scale or 0)


def _scale(sql_type: SqlType) -> int:
    return DEFAULT_SCALE if sql_type.scale is None else sql_type.scale


def _time(sql_type: SqlType) -> ValueEncoder:
    scale = _scale(sql_type)
    return ByteCounted(bytes([0x29, scale]), lambda value: temporal.pack_time(temporal.as_time(value), scale))


def _datetime2(sql_type: SqlType) -> ValueEncoder:
    scale = _scale(sql_type)

    def pack(value: object) -> bytes:
        moment = temporal.as_datetime(value)
        return temporal.pack_time(moment, scale) + temporal.pack_date(moment)

    return ByteCounted(bytes([0x2A, scale]), pack)


def _offset(sql_type: SqlType) -> ValueEncoder:
    scale = _scale(sql_type)
    return ByteCounted(bytes([0x2B, scale]), lambda value: temporal.pack_offset(temporal.as_datetime(value), scale))


_ENCODERS: dict[str, Callable[[SqlType], ValueEncoder]] = {
    "bit": lambda _: Bit(),
    "tinyint": lambda _: Integer(1),
    "smallint": lambda _: Integer(2),
    "int": lambda _: Integer(4),
    "bigint": lambda _: Integer(8),
    "real": lambda _: Float(4),
    "float": lambda _: Float(8),
    "decimal": _exact,
    "numeric": _exact,
    "money": lambda _: Exact(19, 4),
    "smallmoney": lambda _: Exact(10, 4),
    "uniqueidentifier": lambda _: UniqueIdentifier(),
    "sysname": lambda _: Sized(0xE7, 256, _to_utf16, DEFAULT_COLLATION),
    "nvarchar": _unicode,
    "nchar": _fixed_unicode,
    "varchar": _varying,
    "char": _fixed,
    "varbinary": _varying_binary,
    "binary": _fixed_binary,
    "date": lambda _: ByteCounted(b"\x28", lambda value: temporal.pack_date(temporal.as_date(value))),
    "time": _time,
    "datetime": lambda _: ByteCounted(b"\x6f\x08", lambda value: temporal.pack_datetime(temporal.as_datetime(value))),
    "smalldatetime": lambda _: ByteCounted(
        b"\x6f\x04", lambda value: temporal.pack_smalldatetime(temporal.as_datetime(value))
    ),
    "datetime2": _datetime2,
    "datetimeoffset": _offset,
}


def encoder_for(sql_type: SqlType) -> ValueEncoder:
    """The encoder of a type.

    :raises TypeError: for a type that the sandbox does not send
    """
    make = _ENCODERS.get(sql_type.name)
    if make is None:
        raise TypeError(f"the sandbox sends no values of type {sql_type.name}")
    return make(sql_type)
