# ruff: noqa: DTZ001 - T-SQL's dates have no zone
# ruff: noqa: E501 - SQL Server's texts in one piece
"""Implementations of the date and time functions."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.moments import month_name, parse_moment, store_moment
from airflow_provider_elasticjobs.sandbox.engine.types import type_from_spec

_DATETIME2: Final = SqlType("datetime2", scale=7)
_MICROSECONDS: Final[Mapping[str, int]] = {
    "week": 7 * 86_400_000_000, "day": 86_400_000_000, "dayofyear": 86_400_000_000, "weekday": 86_400_000_000,
    "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1000, "microsecond": 1,
}  # fmt: skip
_MONTHS: Final[Mapping[str, int]] = {"year": 12, "quarter": 3, "month": 1}
_START: Final = dt.datetime(1, 1, 1)


def date_add(part: str, number: int | None, moment: str | None, spec: str) -> str | None:
    """DATEADD on a stored moment."""
    if number is None or moment is None:
        return None
    value = parse_moment(moment)
    try:
        if part in _MONTHS:
            value = _add_months(value, int(number) * _MONTHS[part])
        elif part == "nanosecond":
            value += dt.timedelta(microseconds=int(number) // 1000)
        elif part in _MICROSECONDS:
            value += dt.timedelta(microseconds=int(number) * _MICROSECONDS[part])
        else:
            raise SqlError(9810, f"The datepart {part} is not supported by date function dateadd.")
    except (OverflowError, ValueError):
        raise SqlError(517, f"Adding a value to a '{type_from_spec(spec).name}' column caused an overflow.") from None
    return store_moment(value, type_from_spec(spec))


def _add_months(value: dt.datetime, months: int) -> dt.datetime:
    index = value.year * 12 + value.month - 1 + months
    year, month = divmod(index, 12)
    day = min(value.day, calendar.monthrange(year, month + 1)[1])
    return value.replace(year=year, month=month + 1, day=day)


def date_diff(part: str, start: str | None, end: str | None, big: int) -> int | None:
    """DATEDIFF: boundaries crossed between two stored moments."""
    if start is None or end is None:
        return None
    result = _boundaries(part, _naive(end)) - _boundaries(part, _naive(start))
    if not big and not -(2**31) <= result < 2**31:
        raise SqlError(
            535,
            "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.",
        )
    return result


def _naive(text: str) -> dt.datetime:
    value = parse_moment(text)
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None) if value.tzinfo else value


def _boundaries(part: str, value: dt.datetime) -> int:
    if part in _MONTHS:
        return (value.year * 12 + value.month - 1) // _MONTHS[part]
    delta = value - _START
    micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    if part == "nanosecond":
        return micros * 1000
    if part in ("week", "iso_week"):
        return (delta.days + 1) // 7
    return micros // _MICROSECONDS[part]


def date_part(part: str, moment: str | None) -> int | None:
    """DATEPART; weeks begin on Sunday (DATEFIRST 7)."""
    if moment is None:
        return None
    value = parse_moment(moment)
    if part == "week":
        first = value.replace(month=1, day=1)
        return (value.timetuple().tm_yday - 1 + first.isoweekday() % 7) // 7 + 1
    if part == "tzoffset":
        return int((value.utcoffset() or dt.timedelta()).total_seconds() // 60)
    getters: Mapping[str, Callable[[], int]] = {
        "quarter": lambda: (value.month + 2) // 3, "dayofyear": lambda: value.timetuple().tm_yday,
        "weekday": lambda: value.isoweekday() % 7 + 1, "iso_week": lambda: value.isocalendar()[1],
        "millisecond": lambda: value.microsecond // 1000, "nanosecond": lambda: value.microsecond * 1000,
    }  # fmt: skip
    return getters[part]() if part in getters else int(getattr(value, part))


def date_name(part: str, moment: str | None) -> str | None:
    """DATENAME, in English."""
    if moment is None:
        return None
    value = parse_moment(moment)
    if part == "month":
        return month_name(value)
    return f"{value:%A}" if part == "weekday" else str(date_part(part, moment))


def _date_trunc(part: str, moment: str | None, spec: str) -> str | None:
    if moment is None:
        return None
    value = parse_moment(moment)
    order = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    if part == "millisecond":
        value = value.replace(microsecond=value.microsecond // 1000 * 1000)
    elif part in order:
        lowest: dict[str, Any] = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}
        value = value.replace(**{name: lowest[name] for name in order[order.index(part) + 1 :]})
    else:
        raise sql_error(40510, f"DATETRUNC {part}")
    return store_moment(value, type_from_spec(spec))


def _end_of_month(moment: str | None, months: int = 0) -> str | None:
    if moment is None:
        return None
    value = _add_months(parse_moment(moment).replace(day=1), months or 0)
    return f"{value:%Y-%m}-{calendar.monthrange(value.year, value.month)[1]:02}"


def _is_date(value: object) -> int:
    if value is None:
        return 0
    try:
        parse_moment(str(value))
    except SqlError:
        return 0
    return 1


def _from_parts(*parts: int) -> str | None:
    if any(part is None for part in parts):
        return None
    fraction = parts[6] * 10 ** (6 - parts[7]) if len(parts) == 8 else parts[6] * 1000 if len(parts) == 7 else 0
    try:
        value = _moment_of(parts, int(fraction))
    except ValueError:
        raise SqlError(
            289, "Cannot construct data type date, some of the arguments have values which are not valid."
        ) from None
    return store_moment(value, _DATETIME2 if len(parts) > 3 else SqlType("date"))


def _moment_of(parts: Sequence[int], micros: int) -> dt.datetime:
    hour, minute, second = parts[3:6] if len(parts) > 3 else (0, 0, 0)
    return dt.datetime(parts[0], parts[1], parts[2], hour, minute, second, micros)


def _at_utc(moment: str | None) -> str | None:
    if moment is None:
        return None
    value = parse_moment(moment)
    zoned = value.astimezone(dt.timezone.utc) if value.tzinfo else value.replace(tzinfo=dt.timezone.utc)
    return store_moment(zoned, SqlType("datetimeoffset", scale=7))


def _to_offset(moment: str | None, offset: object) -> str | None:
    if moment is None or offset is None:
        return None
    text = str(offset)
    minutes = int(text) if text.lstrip("+-").isdigit() else _minutes(text)
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    return store_moment(parse_moment(moment).replace(tzinfo=zone), SqlType("datetimeoffset", scale=7))


@lru_cache(maxsize=64)
def _minutes(text: str) -> int:
    hours, _, minutes = text.strip("+-").partition(":")
    return (int(hours) * 60 + int(minutes or 0)) * (-1 if text.startswith("-") else 1)


def _part_of(part: str) -> Callable[[str | None], int | None]:
    return lambda moment: date_part(part, moment)


TIME: Final[Mapping[str, Callable[..., Any]]] = {
    "dateadd": date_add, "datediff": date_diff, "datepart": date_part, "datename": date_name,
    "datetrunc": _date_trunc, "eomonth": _end_of_month, "isdate": _is_date, "datefromparts": _from_parts,
    "datetime2fromparts": _from_parts, "datetimefromparts": _from_parts, "at_utc": _at_utc,
    "todatetimeoffset": _to_offset, "year": _part_of("year"), "month": _part_of("month"), "day": _part_of("day"),
    "add_days": lambda moment, days: None if moment is None or days is None
    else store_moment(parse_moment(moment) + dt.timedelta(days=days), SqlType("datetime")),
}  # fmt: skip
"""Functions of stored moments."""
