"""Dates and times as TDS counts them, in both directions ([MS-TDS] 2.2.5.5.1)."""

from __future__ import annotations

import datetime as dt
import struct

DATETIME_EPOCH = dt.date(1900, 1, 1)
TICKS_A_SECOND = 300
HIGHEST_SCALE = 7


def _seconds(time: dt.time | dt.datetime) -> int:
    return time.hour * 3600 + time.minute * 60 + time.second


def time_bytes(scale: int) -> int:
    """How many bytes a time of this scale (0 to 7) takes."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def pack_time(value: dt.time | dt.datetime, scale: int) -> bytes:
    """A time of day as a count of 10^-scale seconds; finer digits are cut off."""
    count = (_seconds(value) * 1_000_000 + value.microsecond) * 10 // 10 ** (HIGHEST_SCALE - scale)
    return int(count).to_bytes(time_bytes(scale), "little")


def unpack_time(raw: bytes, scale: int) -> dt.time:
    """Read a time of day; the seventh digit of a fraction is cut off."""
    micros = int.from_bytes(raw, "little") * 10 ** (HIGHEST_SCALE - scale) // 10
    return (dt.datetime.combine(DATETIME_EPOCH, dt.time()) + dt.timedelta(microseconds=micros)).time()


def pack_date(value: dt.date) -> bytes:
    """A date as days since 0001-01-01, three bytes."""
    return (value.toordinal() - 1).to_bytes(3, "little")


def unpack_date(raw: bytes) -> dt.date:
    """Read a date."""
    return dt.date.fromordinal(int.from_bytes(raw, "little") + 1)


def pack_offset(value: dt.datetime, scale: int) -> bytes:
    """A datetimeoffset: time and date in UTC, then the offset in minutes; without a zone it is UTC."""
    aware = value if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)
    offset = aware.utcoffset() or dt.timedelta()
    universal = aware.astimezone(dt.timezone.utc)
    minutes = int(offset.total_seconds() // 60)
    return pack_time(universal, scale) + pack_date(universal.date()) + struct.pack("<h", minutes)


def unpack_offset(raw: bytes, scale: int) -> dt.datetime:
    """Read a datetimeoffset."""
    (minutes,) = struct.unpack("<h", raw[-2:])
    universal = dt.datetime.combine(unpack_date(raw[-5:-2]), unpack_time(raw[:-5], scale), dt.timezone.utc)
    return universal.astimezone(dt.timezone(dt.timedelta(minutes=minutes)))


def pack_datetime(value: dt.datetime) -> bytes:
    """A datetime: days since 1900-01-01 and ticks of 1/300 second."""
    ticks = _seconds(value) * TICKS_A_SECOND + round(value.microsecond * TICKS_A_SECOND / 1_000_000)
    days, ticks = divmod(ticks, 86_400 * TICKS_A_SECOND)
    return struct.pack("<iI", (value.date() - DATETIME_EPOCH).days + days, ticks)


def unpack_datetime(raw: bytes) -> dt.datetime:
    """Read a datetime (8 bytes) or a smalldatetime (4 bytes)."""
    if len(raw) == 4:
        days, minutes = struct.unpack("<HH", raw)
        moment = dt.timedelta(days=days, minutes=minutes)
    else:
        days, ticks = struct.unpack("<iI", raw)
        milliseconds = (ticks * 10 + 1) // 3
        moment = dt.timedelta(days=days, milliseconds=milliseconds)
    return dt.datetime.combine(DATETIME_EPOCH, dt.time()) + moment


def pack_smalldatetime(value: dt.datetime) -> bytes:
    """A smalldatetime: days since 1900-01-01 and minutes, rounded at 29.999 seconds."""
    rounded = value + dt.timedelta(seconds=30) if value.second >= 30 else value
    return struct.pack("<HH", (rounded.date() - DATETIME_EPOCH).days, rounded.hour * 60 + rounded.minute)


def as_datetime(value: object) -> dt.datetime:
    """A datetime from a datetime, a date or ISO 8601 text.

    :raises TypeError: for another type
    """
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    if isinstance(value, str):
        return dt.datetime.fromisoformat(value)
    raise TypeError(f"{type(value).__name__} is no date and time")


def as_date(value: object) -> dt.date:
    """A date from a date, a datetime or ISO 8601 text."""
    return as_datetime(value).date()


def as_time(value: object) -> dt.time | dt.datetime:
    """A time of day from a time, a datetime or ISO 8601 text."""
    if isinstance(value, (dt.time, dt.datetime)):
        return value
    if isinstance(value, str):
        return dt.time.fromisoformat(value)
    raise TypeError(f"{type(value).__name__} is no time of day")
