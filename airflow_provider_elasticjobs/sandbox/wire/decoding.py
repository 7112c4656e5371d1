"""Reads a parameter's TYPE_INFO and value, as a remote procedure call carries them ([MS-TDS] 2.2.5.4 to 2.2.5.6)."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal

from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.wire import temporal
from airflow_provider_elasticjobs.sandbox.wire.encoding import CODE_PAGE, MAX
from airflow_provider_elasticjobs.sandbox.wire.reading import Reader

PLP_NULL = 0xFFFFFFFFFFFFFFFF
SIZED_NULL = 0xFFFF
LONG_NULL = 0xFFFFFFFF
COLLATION_BYTES = 5
UTF8_COLLATION = 0x04
INTEGERS = {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"}
REFUSED = {0x62: "sql_variant", 0xF0: "a CLR type", 0xF1: "xml", 0xF3: "table"}

Decoded = tuple[SqlType, object]
ReadValue = Callable[[Reader], Decoded]


class UnsupportedTypeError(Exception):
    """A parameter has a type that the sandbox does not take; the rest of the call cannot be read either."""


def _integer(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=len(raw) > 1)


def _float(raw: bytes) -> float:
    return float(struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0])


def _money(raw: bytes) -> Decimal:
    if len(raw) == 4:
        return Decimal(_integer(raw)).scaleb(-4)
    high, low = struct.unpack("<iI", raw)
    return Decimal((high << 32) + low).scaleb(-4)


_FIXED: dict[int, tuple[str, int, Callable[[bytes], object]]] = {
    0x30: ("tinyint", 1, _integer),
    0x32: ("bit", 1, lambda raw: raw != b"\x00"),
    0x34: ("smallint", 2, _integer),
    0x38: ("int", 4, _integer),
    0x7F: ("bigint", 8, _integer),
    0x3B: ("real", 4, _float),
    0x3E: ("float", 8, _float),
    0x3A: ("smalldatetime", 4, temporal.unpack_datetime),
    0x3D: ("datetime", 8, temporal.unpack_datetime),
    0x3C: ("money", 8, _money),
    0x7A: ("smallmoney", 4, _money),
}


def _fixed(name: str, width: int, decode: Callable[[bytes], object]) -> ReadValue:
    return lambda reader: (SqlType(name, nullable=False), decode(reader.take(width)))


def _counted(names: dict[int, str], decode: Callable[[bytes], object]) -> ReadValue:
    def read(reader: Reader) -> Decoded:
        declared = reader.byte()
        raw = reader.take(reader.byte())
        return SqlType(names.get(declared, names[max(names)])), decode(raw) if raw else None

    return read


def _decimal(reader: Reader) -> Decoded:
    reader.byte()
    precision, scale = reader.byte(), reader.byte()
    raw = reader.take(reader.byte())
    value = None
    if raw:
        unscaled = int.from_bytes(raw[1:], "little") * (1 if raw[0] else -1)
        # Built from its digits: arithmetic would round to the 28 digits of the ambient context.
        value = Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale))
    return SqlType("decimal", precision=precision, scale=scale), value


def _date(reader: Reader) -> Decoded:
    raw = reader.take(reader.byte())
    return SqlType("date"), temporal.unpack_date(raw) if raw else None


def _scaled(name: str, decode: Callable[[bytes, int], object]) -> ReadValue:
    def read(reader: Reader) -> Decoded:
        scale = reader.byte()
        raw = reader.take(reader.byte())
        return SqlType(name, scale=scale), decode(raw, scale) if raw else None

    return read


def _datetime2(raw: bytes, scale: int) -> object:
    moment = temporal.unpack_time(raw[:-3], scale)
    return dt.datetime.combine(temporal.unpack_date(raw[-3:]), moment)


def _chunks(reader: Reader) -> bytes | None:
    if reader.unpack("<Q") == PLP_NULL:
        return None
    parts = bytearray()
    while length := reader.ulong():
        parts += reader.take(length)
    return bytes(parts)


def _sized_bytes(reader: Reader, declared: int) -> bytes | None:
    if declared == SIZED_NULL:
        return _chunks(reader)
    length = reader.ushort()
    return None if length == SIZED_NULL else reader.take(length)


def _characters(name: str, unit: int) -> ReadValue:
    def read(reader: Reader) -> Decoded:
        declared = reader.ushort()
        collation = reader.take(COLLATION_BYTES)
        raw = _sized_bytes(reader, declared)
        length = MAX if declared == SIZED_NULL else declared // unit
        return SqlType(name, length=length), None if raw is None else _decoded(raw, unit, collation)

    return read


def _decoded(raw: bytes, unit: int, collation: bytes) -> str:
    if unit == 2:
        return raw.decode("utf-16-le", "surrogatepass")
    return raw.decode("utf-8" if collation[3] & UTF8_COLLATION else CODE_PAGE, "replace")


def _binary(name: str) -> ReadValue:
    def read(reader: Reader) -> Decoded:
        declared = reader.ushort()
        raw = _sized_bytes(reader, declared)
        return SqlType(name, length=MAX if declared == SIZED_NULL else declared), raw

    return read


def _long(name: str, unit: int) -> ReadValue:
    def read(reader: Reader) -> Decoded:
        reader.ulong()
        collation = reader.take(COLLATION_BYTES) if unit else b""
        length = reader.ulong()
        raw = None if length == LONG_NULL else reader.take(length)
        value: object = raw if raw is None or not unit else _decoded(raw, unit, collation)
        return SqlType(name, length=MAX), value

    return read


_READERS: dict[int, ReadValue] = {
    **{token: _fixed(*described) for token, described in _FIXED.items()},
    0x1F: lambda _: (SqlType("int"), None),
    0x24: _counted({16: "uniqueidentifier"}, lambda raw: uuid.UUID(bytes_le=raw)),
    0x26: _counted(INTEGERS, _integer),
    0x68: _counted({1: "bit"}, lambda raw: raw != b"\x00"),
    0x6D: _counted({4: "real", 8: "float"}, _float),
    0x6E: _counted({4: "smallmoney", 8: "money"}, _money),
    0x6F: _counted({4: "smalldatetime", 8: "datetime"}, temporal.unpack_datetime),
    0x6A: _decimal,
    0x6C: _decimal,
    0x28: _date,
    0x29: _scaled("time", temporal.unpack_time),
    0x2A: _scaled("datetime2", _datetime2),
    0x2B: _scaled("datetimeoffset", temporal.unpack_offset),
    0xE7: _characters("nvarchar", 2),
    0xEF: _characters("nchar", 2),
    0xA7: _characters("varchar", 1),
    0xAF: _characters("char", 1),
    0xA5: _binary("varbinary"),
    0xAD: _binary("binary"),
    0x22: _long("varbinary", 0),
    0x23: _long("varchar", 1),
    0x63: _long("nvarchar", 2),
}


def read_value(reader: Reader) -> Decoded:
    """Read one TYPE_INFO and the value behind it.

    :returns: the declared type and the value, None for NULL
    :raises UnsupportedTypeError: for sql_variant, xml, CLR types and table-valued parameters
    :raises TdsProtocolError: for a byte that is no type
    """
    token = reader.byte()
    read = _READERS.get(token)
    if read is not None:
        return read(reader)
    if token in REFUSED:
        raise UnsupportedTypeError(f"The sandbox takes no parameter of type {REFUSED[token]}.")
    raise TdsProtocolError(f"0x{token:02x} is no data type")
