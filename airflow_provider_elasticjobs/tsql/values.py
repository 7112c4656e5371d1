"""Values of a block as Python objects, for those who cannot use them as they are."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from airflow_provider_elasticjobs.tsql.columns import SqlType

__all__ = ["decoder"]

_TIMESTAMP, _OFFSET, _TIME, _DATE = (struct.Struct(form) for form in ("=hHHHHHI", "=hHHHHHIhh", "=HHHxxI", "=hHH"))
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - as the server's moments, it has no zone
_MICROSECOND = dt.timedelta(microseconds=1)


def decoder(sql_type: SqlType) -> Callable[[bytes], object]:
    """Return what makes a Python object of a value as its C type holds it.

    Moments become whole microseconds since 1970, one with an offset in UTC (a seventh digit is cut off); times of day
    nanoseconds since midnight, which is exact; an id its text.

    :param sql_type: a known type.
    """
    if sql_type.is_text:
        return _text
    return _DECODERS.get(sql_type.name, bytes)


def _text(value: bytes) -> str:
    return value.decode("utf-16-le", errors="replace")


def _microseconds(value: bytes) -> int:
    *moment, nanoseconds = _TIMESTAMP.unpack(value)
    since_epoch = dt.datetime(*moment) - _EPOCH  # noqa: DTZ001 - as above
    return int(since_epoch // _MICROSECOND + nanoseconds // 1000)


def _universal_microseconds(value: bytes) -> int:
    hours, minutes = _OFFSET.unpack(value)[-2:]
    return _microseconds(value[: _TIMESTAMP.size]) - int(hours * 60 + minutes) * 60_000_000


def _nanoseconds(value: bytes) -> int:
    hour, minute, second, nanoseconds = _TIME.unpack(value)
    return int(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanoseconds)


_DECODERS: dict[str, Callable[[bytes], object]] = {
    "bit": lambda value: value != b"\0",
    **dict.fromkeys(
        ("tinyint", "smallint", "int", "bigint"), lambda value: int.from_bytes(value, "little", signed=True)
    ),
    **dict.fromkeys(("decimal", "money", "smallmoney"), lambda value: Decimal(value.decode("ascii"))),
    "real": lambda value: struct.unpack("f", value)[0],
    "float": lambda value: struct.unpack("d", value)[0],
    "date": lambda value: dt.date(*_DATE.unpack(value)),
    **dict.fromkeys(("datetime", "smalldatetime", "datetime2"), _microseconds),
    "datetimeoffset": _universal_microseconds,
    "time": _nanoseconds,
    "uniqueidentifier": lambda value: str(UUID(bytes_le=value)).upper(),
}
