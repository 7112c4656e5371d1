# ruff: noqa: DTZ001 - SQL Server's moments have no zone
from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.sandbox.wire import temporal


@given(st.times())
def test_a_time_comes_back_at_full_scale(value: dt.time) -> None:
    assert temporal.unpack_time(temporal.pack_time(value, 7), 7) == value


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(0, 0), (1, 900_000), (2, 980_000), (3, 987_000), (4, 987_600), (5, 987_650), (6, 987_654), (7, 987_654)],
)
def test_finer_digits_are_cut_off(scale: int, expected: int) -> None:
    packed = temporal.pack_time(dt.time(23, 59, 59, 987_654), scale)
    assert len(packed) == temporal.time_bytes(scale)
    assert temporal.unpack_time(packed, scale) == dt.time(23, 59, 59, expected)


@given(st.dates())
def test_a_date_comes_back(value: dt.date) -> None:
    assert temporal.unpack_date(temporal.pack_date(value)) == value


@given(
    st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 12, 31)),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_offset_comes_back_with_its_zone(value: dt.datetime, minutes: int) -> None:
    aware = value.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    read = temporal.unpack_offset(temporal.pack_offset(aware, 7), 7)
    assert read == aware
    assert read.utcoffset() == aware.utcoffset()


def test_a_datetime_without_a_zone_counts_as_utc() -> None:
    read = temporal.unpack_offset(temporal.pack_offset(dt.datetime(2026, 1, 2, 3), 0), 0)
    assert read == dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("given_micros", "kept"),
    [(0, 0), (1_000, 0), (2_000, 3_000), (3_000, 3_000), (5_000, 7_000), (997_000, 997_000)],
)
def test_datetime_keeps_three_hundredths_of_a_second(given_micros: int, kept: int) -> None:
    read = temporal.unpack_datetime(temporal.pack_datetime(dt.datetime(2026, 9, 6, 12, 34, 56, given_micros)))
    assert read == dt.datetime(2026, 9, 6, 12, 34, 56, kept)


def test_datetime_rounds_over_midnight() -> None:
    read = temporal.unpack_datetime(temporal.pack_datetime(dt.datetime(2026, 12, 31, 23, 59, 59, 999_000)))
    assert read == dt.datetime(2027, 1, 1)


def test_datetime_before_1900() -> None:
    assert temporal.unpack_datetime(temporal.pack_datetime(dt.datetime(1753, 1, 1))) == dt.datetime(1753, 1, 1)


@pytest.mark.parametrize(("second", "minute"), [(29, 58), (30, 59)])
def test_smalldatetime_rounds_to_the_minute(second: int, minute: int) -> None:
    read = temporal.unpack_datetime(temporal.pack_smalldatetime(dt.datetime(2026, 1, 1, 1, 58, second)))
    assert read == dt.datetime(2026, 1, 1, 1, minute)


def test_values_are_taken_as_text_too() -> None:
    assert temporal.as_datetime("2026-01-02T03:04:05") == dt.datetime(2026, 1, 2, 3, 4, 5)
    assert temporal.as_datetime(dt.date(2026, 1, 2)) == dt.datetime(2026, 1, 2)
    assert temporal.as_date("2026-01-02") == dt.date(2026, 1, 2)
    assert temporal.as_time("03:04") == dt.time(3, 4)


@pytest.mark.parametrize("convert", [temporal.as_datetime, temporal.as_time])
def test_a_number_is_no_moment(convert: object) -> None:
    with pytest.raises(TypeError):
        convert(7)  # type: ignore[operator]
