# ruff: noqa: DTZ001 - SQL Server's moments have no zone
"""What the sandbox sends as a column, it reads back as a parameter: both sides against each other."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.wire.decoding import UnsupportedTypeError, read_value
from airflow_provider_elasticjobs.sandbox.wire.encoding import encoder_for
from airflow_provider_elasticjobs.sandbox.wire.reading import Reader

MOMENT = dt.datetime(2026, 2, 3, 4, 5, 6, 123_456)


def there_and_back(sql_type: SqlType, value: object) -> tuple[SqlType, object]:
    encoder = encoder_for(sql_type)
    reader = Reader(encoder.type_info() + encoder.encode(value))
    read = read_value(reader)
    assert reader.at_end
    return read


VALUES = [
    (SqlType("bit"), True),
    (SqlType("bit"), False),
    (SqlType("tinyint"), 255),
    (SqlType("smallint"), -32_768),
    (SqlType("int"), 2**31 - 1),
    (SqlType("bigint"), -(2**63)),
    (SqlType("real"), 0.5),
    (SqlType("float"), 1e300),
    (SqlType("decimal", precision=5, scale=3), Decimal("-12.345")),
    (SqlType("decimal", precision=38, scale=0), Decimal(10**38 - 1)),
    (SqlType("decimal", precision=38, scale=38), Decimal("0.12345678901234567890123456789012345678")),
    (SqlType("nvarchar", length=20), "héé😀"),
    (SqlType("nvarchar", length=20), ""),
    (SqlType("nvarchar", length=-1), "x" * 100_000),
    (SqlType("nvarchar", length=-1), ""),
    (SqlType("varchar", length=20), "grün €"),
    (SqlType("varchar", length=-1), "y" * 70_000),
    (SqlType("varbinary", length=4), b"\x00\x01"),
    (SqlType("varbinary", length=-1), bytes(70_000)),
    (SqlType("binary", length=3), b"abc"),
    (SqlType("uniqueidentifier"), uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")),
    (SqlType("date"), MOMENT.date()),
    (SqlType("time", scale=7), MOMENT.time()),
    (SqlType("datetime"), dt.datetime(2026, 2, 3, 4, 5, 6, 123_000)),
    (SqlType("smalldatetime"), dt.datetime(2026, 2, 3, 4, 5)),
    (SqlType("datetime2", scale=6), MOMENT),
    (SqlType("datetimeoffset", scale=7), MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5)))),
]


@pytest.mark.parametrize(("sql_type", "value"), VALUES, ids=lambda part: getattr(part, "name", None))
def test_values_come_back(sql_type: SqlType, value: object) -> None:
    read_type, read = there_and_back(sql_type, value)
    assert read == value
    assert read_type == sql_type


@pytest.mark.parametrize("sql_type", dict.fromkeys(value[0] for value in VALUES), ids=str)
def test_null_comes_back(sql_type: SqlType) -> None:
    assert there_and_back(sql_type, None)[1] is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**20), max_value=10**20))
def test_any_decimal_comes_back(value: Decimal) -> None:
    assert there_and_back(SqlType("decimal", precision=38, scale=10), value)[1] == value


@given(st.text(st.characters(), max_size=50))
def test_any_text_comes_back(value: str) -> None:
    assert there_and_back(SqlType("nvarchar", length=100), value)[1] == value


def test_a_decimal_is_rounded_half_up() -> None:
    assert there_and_back(SqlType("decimal", precision=5, scale=1), Decimal("-2.25"))[1] == Decimal("-2.3")


@pytest.mark.parametrize(("name", "padded"), [("nchar", "ab   "), ("char", "ab   ")])
def test_fixed_text_is_padded(name: str, padded: str) -> None:
    assert there_and_back(SqlType(name, length=5), "ab")[1] == padded


def test_what_the_code_page_lacks_becomes_a_question_mark() -> None:
    assert there_and_back(SqlType("varchar", length=5), "a字b")[1] == "a?b"


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        (SqlType("tinyint"), 256),
        (SqlType("tinyint"), -1),
        (SqlType("int"), 2**31),
        (SqlType("decimal", precision=4, scale=2), 100),
        (SqlType("nvarchar", length=3), "four"),
        (SqlType("varbinary", length=1), b"ab"),
    ],
)
def test_what_does_not_fit_is_refused(sql_type: SqlType, value: object) -> None:
    with pytest.raises(ValueError, match="fit"):
        encoder_for(sql_type).encode(value)


def test_text_is_no_binary_value() -> None:
    with pytest.raises(TypeError):
        encoder_for(SqlType("varbinary", length=5)).encode("text")


def test_a_type_that_is_not_sent_is_named() -> None:
    with pytest.raises(TypeError, match="geography"):
        encoder_for(SqlType("geography"))


def test_a_length_beyond_the_longest_becomes_max() -> None:
    assert there_and_back(SqlType("nvarchar", length=4001), "x")[0] == SqlType("nvarchar", length=-1)


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (b"\x30\xff", "tinyint", 255),
        (b"\x32\x01", "bit", True),
        (b"\x38\xff\xff\xff\xff", "int", -1),
        (b"\x3c\x00\x00\x00\x00\x10\x27\x00\x00", "money", Decimal("1.0000")),
        (b"\x6e\x04\x04\xf0\xd8\xff\xff", "smallmoney", Decimal("-1.0000")),
        (b"\x1f", "int", None),
        (b"\x63" + bytes(4) + bytes(5) + b"\x02\x00\x00\x00A\x00", "nvarchar", "A"),
        (b"\x23" + bytes(4) + bytes(5) + b"\xff\xff\xff\xff", "varchar", None),
        (b"\x22" + bytes(4) + b"\x02\x00\x00\x00ab", "varbinary", b"ab"),
    ],
)
def test_forms_that_only_clients_send(raw: bytes, name: str, value: object) -> None:
    sql_type, read = read_value(Reader(raw))
    assert (sql_type.name, read) == (name, value)


def test_a_utf8_collation_is_heeded() -> None:
    raw = b"\xa7\x0a\x00" + b"\x09\x04\xd0\x04\x34" + b"\x02\x00" + "é".encode()
    assert read_value(Reader(raw))[1] == "é"


def test_chunks_are_joined() -> None:
    chunks = b"\xfe" + b"\xff" * 7 + b"\x02\x00\x00\x00ab" + b"\x01\x00\x00\x00c" + bytes(4)
    assert read_value(Reader(b"\xa5\xff\xff" + chunks))[1] == b"abc"


@pytest.mark.parametrize(("token", "named"), [(0x62, "sql_variant"), (0xF1, "xml"), (0xF3, "table"), (0xF0, "CLR")])
def test_types_not_taken_are_named(token: int, named: str) -> None:
    with pytest.raises(UnsupportedTypeError, match=named):
        read_value(Reader(bytes([token, 0, 0])))


def test_a_byte_that_is_no_type_is_a_protocol_error() -> None:
    with pytest.raises(TdsProtocolError, match="0x01"):
        read_value(Reader(b"\x01"))
