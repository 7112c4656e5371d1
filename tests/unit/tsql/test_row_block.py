from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.row_block import BLOCK_BYTES, RowBlock, RowLayout, c_form
from airflow_provider_elasticjobs.tsql.values import decoder

COLUMNS = [ResultColumn("a", SqlType("nvarchar", 20)), ResultColumn("b", SqlType("varbinary", 40))]


@given(st.lists(st.tuples(*[st.none() | st.binary(max_size=40)] * 2), min_size=1, max_size=20))
def test_what_is_put_is_got(rows: list[tuple[bytes | None, ...]]) -> None:
    block = RowBlock(RowLayout.of(COLUMNS), len(rows))
    for number, row in enumerate(rows):
        block.put(number, row)
    assert [tuple(block.get(number)) for number in range(len(rows))] == rows


def test_fields_are_aligned_and_do_not_overlap() -> None:
    types = [SqlType("bit"), SqlType("decimal", precision=38), SqlType("date"), SqlType("nvarchar", 3), SqlType("time")]
    layout = RowLayout.of([ResultColumn("c", one) for one in types])
    places = [(field.offset, field.value_offset + field.width) for field in layout.fields]
    assert all(start % 8 == 0 for start, _ in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert layout.record_bytes >= places[-1][1]


def test_a_block_holds_what_fits_and_one_row_at_least() -> None:
    layout = RowLayout.of(COLUMNS)
    assert layout.capacity() * layout.record_bytes <= BLOCK_BYTES < (layout.capacity() + 1) * layout.record_bytes
    assert layout.capacity(1) == 1


def test_a_value_that_lost_its_end_is_noticed() -> None:
    block = RowBlock(RowLayout.of(COLUMNS), 2)
    block.rows = 2
    block.put(0, [b"x" * 40, None])
    block.put(1, [None, b"x" * 40])
    assert not block.is_cut()
    struct.pack_into("q", block.buffer, 0, 41)
    assert block.is_cut()


@pytest.mark.parametrize(
    ("sql_type", "size", "digits"),
    [
        (SqlType("datetime2", scale=7), 27, 7),
        (SqlType("datetime2"), 19, 0),
        (SqlType("datetimeoffset", scale=7), 34, 7),
        (SqlType("time", scale=3), 12, 3),
        (SqlType("decimal", precision=38, scale=10), 38, 10),
        (SqlType("money"), 19, 4),
        (SqlType("nvarchar", 4000), 4000, 0),
        (SqlType("varchar", 8000), 0, 0),  # as Unicode it is longer than a parameter that is not "max"
        (SqlType("varbinary", 8000), 8000, 0),
        (SqlType("nvarchar"), 0, 0),
        (SqlType("xml"), 0, 0),
    ],
)
def test_a_parameter_is_sent_with_every_digit_of_its_type(sql_type: SqlType, size: int, digits: int) -> None:
    form = c_form(sql_type)
    assert (form.size, form.digits) == (size, digits)


MOMENT = struct.pack("=hHHHHHI", 2026, 2, 28, 23, 59, 59, 123_456_700)


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("bit", b"\0", False),
        ("bit", b"\1", True),
        ("bigint", struct.pack("q", -(2**63)), -(2**63)),
        ("decimal", b"-.50", Decimal("-0.50")),
        ("real", struct.pack("f", 1.5), 1.5),
        ("float", struct.pack("d", 0.1), 0.1),
        ("date", struct.pack("hHH", 1, 1, 1), dt.date(1, 1, 1)),
        ("datetime2", MOMENT, 1_772_323_199_123_456),
        ("datetimeoffset", MOMENT + struct.pack("hh", -1, -30), 1_772_323_199_123_456 + 90 * 60_000_000),
        (
            "datetimeoffset",
            struct.pack("=hHHHHHIhh", 1, 1, 1, 0, 0, 0, 0, 14, 0),
            -62_135_596_800_000_000 - 50_400_000_000,
        ),
        ("time", struct.pack("HHHxxI", 23, 59, 59, 999_999_900), 86_399_999_999_900),
        ("uniqueidentifier", UUID(int=7).bytes_le, str(UUID(int=7))),
        ("nvarchar", "\U0001f600".encode("utf-16-le"), "\U0001f600"),
        ("nvarchar", b"\x3d\xd8", "\ufffd"),
        ("varbinary", b"\0\xff", b"\0\xff"),
    ],
)
def test_values_as_python_objects(name: str, raw: bytes, value: object) -> None:
    assert decoder(SqlType(name))(raw) == value
