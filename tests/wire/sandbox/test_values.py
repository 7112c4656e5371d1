# ruff: noqa: DTZ001 - SQL Server's moments have no zone
from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import Scripted

pytestmark = pytest.mark.sandbox_only

MOMENT = dt.datetime(2026, 2, 3, 4, 5, 6, 123_456)
GUID = uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")

PARAMETERS = [
    ("héé😀", "nvarchar"),
    ("", "nvarchar"),
    (5, "int"),
    (2**40, "bigint"),
    (True, "bit"),
    (1.5, "float"),
    (Decimal("-12.345"), "decimal"),
    (Decimal(12345678901234567890123456789012345678), "decimal"),
    (b"\x00ab", "varbinary"),
    (MOMENT.date(), "date"),
    (dt.time(1, 2, 3), "time"),
    (MOMENT, "datetime2"),
    ("x" * 4000, "nvarchar"),
    ("x" * 4001, "nvarchar"),
    ("ü" * 300_000, "nvarchar"),
    (b"y" * 9000, "varbinary"),
    (bytes(300_000), "varbinary"),
]


@pytest.mark.parametrize(("value", "name"), PARAMETERS, ids=lambda part: str(part)[:20])
def test_parameters_come_back(scripted: Scripted, value: object, name: str) -> None:
    connection = scripted.connect()
    assert connection.execute("SELECT ?", value).fetchval() == value
    (parameter,) = scripted.engine.sessions[-1].asked[-1][1]
    assert parameter.type.name == name


def test_a_uuid_parameter(scripted: Scripted) -> None:
    assert scripted.connect().execute("SELECT ?", GUID).fetchval().lower() == str(GUID)
    (parameter,) = scripted.engine.sessions[-1].asked[-1][1]
    assert (parameter.type.name, parameter.value) == ("uniqueidentifier", GUID)


def test_many_parameters_of_one_statement(scripted: Scripted) -> None:
    values = list(range(2000))
    row = scripted.connect().execute("SELECT " + ",".join("?" * len(values)), values).fetchone()
    assert row is not None
    assert list(row) == values


COLUMNS = [
    (SqlType("bit"), True),
    (SqlType("tinyint"), 255),
    (SqlType("smallint"), -32_768),
    (SqlType("int"), -1),
    (SqlType("bigint"), 2**63 - 1),
    (SqlType("real"), 0.5),
    (SqlType("float"), 1e300),
    (SqlType("decimal", precision=9, scale=4), Decimal("-1234.5678")),
    (SqlType("decimal", precision=38, scale=0), Decimal(10**37)),
    (SqlType("money"), Decimal("12.3400")),
    (SqlType("nvarchar", length=10), "héé😀"),
    (SqlType("nvarchar", length=10), ""),
    (SqlType("nvarchar", length=-1), "z" * 100_000),
    (SqlType("nvarchar", length=-1), ""),
    (SqlType("varchar", length=10), "grün €"),
    (SqlType("varchar", length=-1), "v" * 20_000),
    (SqlType("nchar", length=4), "ab  "),
    (SqlType("char", length=4), "ab  "),
    (SqlType("varbinary", length=10), b"\x00\x01"),
    (SqlType("varbinary", length=-1), bytes(range(256)) * 100),
    (SqlType("binary", length=3), b"abc"),
    (SqlType("uniqueidentifier"), str(GUID).upper()),
    (SqlType("date"), MOMENT.date()),
    (SqlType("time", scale=7), dt.time(23, 59, 59, 999_999)),
    (SqlType("datetime"), dt.datetime(1753, 1, 1, 23, 59, 59, 997_000)),
    (SqlType("smalldatetime"), dt.datetime(2026, 2, 3, 4, 5)),
    (SqlType("datetime2", scale=7), MOMENT),
    (SqlType("datetime2", scale=0), MOMENT.replace(microsecond=0)),
]


@pytest.mark.parametrize(("sql_type", "value"), COLUMNS, ids=lambda part: str(getattr(part, "name", ""))[:20])
def test_columns_arrive_with_and_without_a_value(scripted: Scripted, sql_type: SqlType, value: object) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("first", SqlType("int")), Column("value", sql_type), Column("last", SqlType("int"))])
        sink.row([1, value, 2])
        sink.row([3, None, 4])
        sink.done(2, "SELECT")

    scripted.script(give)
    rows = scripted.connect().execute("SELECT").fetchall()
    assert [tuple(row) for row in rows] == [(1, value, 2), (3, None, 4)]


def test_a_datetimeoffset_column(scripted: Scripted) -> None:
    aware = MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30)))

    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("moment", SqlType("datetimeoffset", scale=7))])
        sink.row([aware])
        sink.done(1, "SELECT")

    scripted.script(give)
    connection = scripted.connect()
    connection.add_output_converter(-155, lambda raw: raw)
    raw = connection.execute("SELECT").fetchval()
    year, month, day, hour, minute, second = (int.from_bytes(raw[at : at + 2], "little") for at in range(0, 12, 2))
    assert (year, month, day, hour, minute, second) == (2026, 2, 3, 4, 5, 6)
    assert int.from_bytes(raw[12:16], "little") == 123_456_000
    assert [int.from_bytes(raw[at : at + 2], "little", signed=True) for at in (16, 18)] == [-5, -30]


def test_column_names_and_types_are_described(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns(
            [Column("größe", SqlType("decimal", precision=9, scale=2, nullable=False)), Column("", SqlType("bit"))]
        )
        sink.done(0, "SELECT")

    scripted.script(give)
    cursor = scripted.connect().execute("SELECT")
    assert cursor.description is not None
    size, unnamed = cursor.description
    assert (size[0], size[1], size[4], size[5], size[6]) == ("größe", Decimal, 9, 2, False)
    assert (unnamed[0], unnamed[1], unnamed[6]) == ("", bool, True)


def test_a_value_that_does_not_fit_is_an_error_and_the_connection_goes_on(scripted: Scripted) -> None:
    def give(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        sink.columns([Column("n", SqlType("tinyint"))])
        sink.row([1 if "good" in sql else 256])
        sink.done(1, "SELECT")

    scripted.script(give)
    connection = scripted.connect()
    with pytest.raises(pyodbc.Error, match=r"The sandbox itself failed.*does not fit"):
        connection.execute("bad").fetchall()
    assert connection.execute("good").fetchval() == 1
