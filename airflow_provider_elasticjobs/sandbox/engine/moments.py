# ruff: noqa: DTZ001 - T-SQL's dates have no zone
"""Dates and times in the stored form: ISO text of fixed width, so that text order is time order."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType

_ISO: Final = re.compile(r"\s*(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)(?:[T ]\s*(?P<time>\d.*?))?\s*$", re.IGNORECASE)
_AMERICAN: Final = re.compile(r"\s*(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4})(?:\s+(?P<time>\d.*?))?\s*$")
_NAMED: Final = re.compile(r"\s*(?P<mon>[A-Za-z]{3,9})\s+(?P<d>\d{1,2}),?\s+(?P<y>\d{4})(?:\s+(?P<time>\d.*?))?\s*$")
_CLOCK: Final = re.compile(
    r"(?P<h>\d{1,2}):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:[.:](?P<f>\d{1,9}))?)?\s*(?P<ap>[AaPp][Mm])?"
    r"\s*(?P<z>Z|z|[+-]\d\d:\d\d)?$"
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_EPOCH: Final = dt.datetime(1900, 1, 1)


def parse_moment(text: str) -> dt.datetime:
    """Return the moment that a T-SQL literal means; with an offset it is aware.

    :raises SqlError: 241 when it is not one
    """
    clock = _CLOCK.match(text.strip())
    if clock is not None:
        return _at_clock(_EPOCH, clock)
    match = _ISO.match(text) or _AMERICAN.match(text) or _NAMED.match(text)
    if match is None:
        if not text.strip():
            return _EPOCH
        raise sql_error(241)
    parts = match.groupdict()
    month = int(parts["m"]) if parts.get("m") else _month(parts["mon"] or "")
    try:
        day = dt.datetime(int(parts["y"]), month, int(parts["d"]))
    except ValueError:
        raise sql_error(241) from None
    if not parts["time"]:
        return day
    clock = _CLOCK.match(parts["time"])
    if clock is None:
        raise sql_error(241)
    return _at_clock(day, clock)


def _month(name: str) -> int:
    if name[:3].lower() not in _MONTHS:
        raise sql_error(241)
    return _MONTHS.index(name[:3].lower()) + 1


def _at_clock(day: dt.datetime, clock: re.Match[str]) -> dt.datetime:
    hour, half = int(clock["h"]), (clock["ap"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    micro = int((clock["f"] or "0").ljust(6, "0")[:6])
    zone = None
    if clock["z"]:
        zone = (
            dt.timezone.utc if clock["z"] in "Zz" else dt.datetime.fromisoformat(f"2000-01-01T00:00{clock['z']}").tzinfo
        )
    try:
        return day.replace(
            hour=hour, minute=int(clock["mi"]), second=int(clock["s"] or 0), microsecond=micro, tzinfo=zone
        )
    except ValueError:
        raise sql_error(241) from None


def store_moment(value: dt.datetime, target: SqlType) -> str:
    """Return the stored text of a moment in the given type; fractions beyond its scale are rounded."""
    rounded = _round(value, 3 if target.name == "datetime" else 7 if target.scale is None else target.scale)
    if target.name == "date":
        return f"{value:%Y-%m-%d}".rjust(10, "0")
    clock = f"{rounded.hour:02}:{rounded.minute:02}:{rounded.second:02}.{rounded.microsecond:06}0"
    if target.name == "time":
        return clock
    if target.name == "datetimeoffset":
        day = f"{rounded.year:04}-{rounded.month:02}-{rounded.day:02}"
        return f"{day} {clock} {_offset(rounded)}"
    if rounded.tzinfo is not None:
        rounded = rounded.replace(tzinfo=None)
    return f"{rounded.year:04}-{rounded.month:02}-{rounded.day:02} {clock}"


def _offset(value: dt.datetime) -> str:
    minutes = int((value.utcoffset() or dt.timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _round(value: dt.datetime, scale: int) -> dt.datetime:
    if scale >= 6:
        return value
    unit = 10 ** (6 - scale)
    ticks = (value.microsecond + unit // 2) // unit * unit
    try:
        return value.replace(microsecond=0) + dt.timedelta(microseconds=ticks)
    except OverflowError:
        return value


def format_stored(text: str, source: SqlType, style: int | None) -> str:
    """Return a stored moment as CONVERT to a string does in this style.

    :raises SqlError: 281-like refusal (241) for a style the sandbox does not know
    """
    if style in (None, 0, 100) and source.name != "datetime":
        return _trim_fraction(text, source)
    formatter = _STYLES.get(style if style is not None else 0)
    if formatter is None:
        raise sql_error(40510, f"CONVERT style {style}")
    return formatter(parse_moment(text), source)


def _trim_fraction(text: str, source: SqlType) -> str:
    scale = 7 if source.scale is None else source.scale
    if source.name == "date" or scale == 7:
        return text
    head, _, tail = text.partition(".")
    zone = tail[7:]
    return (f"{head}.{tail[:scale]}" if scale else head) + zone


def _fraction(value: dt.datetime, source: SqlType) -> str:
    digits = f"{value.microsecond:06}0"
    return digits[:3] if source.name == "datetime" else digits[: 7 if source.scale is None else source.scale]


def _hour12(value: dt.datetime) -> str:
    return f"{value.hour % 12 or 12:2}:{value.minute:02}{'AM' if value.hour < 12 else 'PM'}"


def _dashed(value: dt.datetime, source: SqlType, separator: str) -> str:
    return f"{value:%Y-%m-%d}{separator}{value:%H:%M:%S}.{_fraction(value, source)}".rstrip(".")


_STYLES: Final[Mapping[int, Callable[[dt.datetime, SqlType], str]]] = {
    0: lambda value, _: f"{_MONTH_NAMES[value.month - 1][:3]} {value.day:2} {value.year:04} {_hour12(value)}",
    100: lambda value, _: f"{_MONTH_NAMES[value.month - 1][:3]} {value.day:2} {value.year:04} {_hour12(value)}",
    23: lambda value, _: f"{value:%Y-%m-%d}",
    101: lambda value, _: f"{value:%m/%d/%Y}",
    103: lambda value, _: f"{value:%d/%m/%Y}",
    104: lambda value, _: f"{value:%d.%m.%Y}",
    108: lambda value, _: f"{value:%H:%M:%S}",
    112: lambda value, _: f"{value:%Y%m%d}",
    114: lambda value, source: f"{value:%H:%M:%S}:{_fraction(value, source)}",
    20: lambda value, _: f"{value:%Y-%m-%d %H:%M:%S}",
    120: lambda value, _: f"{value:%Y-%m-%d %H:%M:%S}",
    21: lambda value, source: _dashed(value, source, " "),
    25: lambda value, source: _dashed(value, source, " "),
    121: lambda value, source: _dashed(value, source, " "),
    126: lambda value, source: _dashed(value, source, "T"),
    127: lambda value, source: _dashed(value, source, "T") + "Z",
}


def month_name(value: dt.datetime) -> str:
    """Return the English name of the month."""
    return _MONTH_NAMES[value.month - 1]
