# ruff: noqa: DTZ001 - T-SQL's dates have no zone
"""Scalar expressions: value and type, as SQL Server gives them."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, SqlType
from tests.unit.sandbox.engine.conftest import Run

G = "6F9619FF-8B86-D011-B42D-00C04FC964FF"


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("1", 1, "int"),
        ("3000000000", Decimal(3000000000), "decimal"),
        ("1.50", Decimal("1.50"), "decimal"),
        ("1e0", 1.0, "float"),
        ("'a'", "a", "varchar"),
        ("N'a'", "a", "nvarchar"),
        ("0x1F", b"\x1f", "varbinary"),
        ("NULL", None, "int"),
        ("5 / 2", 2, "int"),
        ("-5 / 2", -2, "int"),
        ("5 % 3", 2, "int"),
        ("5.0 / 2", Decimal("2.500000"), "decimal"),
        ("1.5 + 1", Decimal("2.5"), "decimal"),
        ("'a' + N'b'", "ab", "nvarchar"),
        ("'1' + 1", 2, "int"),
        ("'a' + NULL", None, "varchar"),
        ("6 & 3", 2, "int"),
        ("6 ^ 3", 5, "int"),
        ("~6", -7, "int"),
        ("CAST(1 AS bit)", True, "bit"),
        ("CAST('12' AS int)", 12, "int"),
        ("CAST(1.005 AS decimal(5,2))", Decimal("1.01"), "decimal"),
        ("CAST('abcdef' AS varchar(3))", "abc", "varchar"),
        (f"CAST('{G.lower()}' AS uniqueidentifier)", uuid.UUID(G), "uniqueidentifier"),
        ("CAST('2024-02-03T04:05:06.789' AS datetime2(3))", dt.datetime(2024, 2, 3, 4, 5, 6, 789000), "datetime2"),
        ("CAST('20240203' AS date)", dt.date(2024, 2, 3), "date"),
        ("CAST('04:05' AS time)", dt.time(4, 5), "time"),
        ("CONVERT(varchar(10), CAST('2024-02-03' AS date), 112)", "20240203", "varchar"),
        ("CONVERT(varchar(10), 0x1F, 1)", "0x1F", "varchar"),
        ("TRY_CAST('abc' AS int)", None, "int"),
        ("TRY_CONVERT(uniqueidentifier, 'x')", None, "uniqueidentifier"),
        ("CASE WHEN 1 = 2 THEN 'a' ELSE 'bcd' END", "bcd", "varchar"),
        ("CASE 'A' WHEN 'a' THEN 1 END", 1, "int"),
        ("IIF(1 = 1, 1, 2.5)", Decimal("1.0"), "decimal"),
        ("CHOOSE(2, 'a', 'b')", "b", "varchar"),
        ("ISNULL(NULL, 'x')", "x", "varchar"),
        ("COALESCE(NULL, NULL, 3)", 3, "int"),
        ("NULLIF('A', 'a')", None, "varchar"),
        ("LEN('ab  ')", 2, "int"),
        ("DATALENGTH(N'ab')", 4, "int"),
        ("CHARINDEX('B', 'abc')", 2, "int"),
        ("REPLACE('aAa', 'a', 'b')", "bbb", "nvarchar"),
        ("STUFF('abcdef', 2, 3, 'X')", "aXef", "nvarchar"),
        ("SUBSTRING('abcdef', 2, 3)", "bcd", "varchar"),
        ("LEFT('abc', 2) + RIGHT('abc', 1)", "abc", "varchar"),
        ("UPPER('aé') + LOWER('B')", "AÉb", "varchar"),
        ("LTRIM(' a ') + '|' + RTRIM(' a ')", "a | a", "varchar"),
        ("CONCAT('a', NULL, 1)", "a1", "nvarchar"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b", "nvarchar"),
        ("QUOTENAME('a]b')", "[a]]b]", "nvarchar"),
        ("FORMATMESSAGE('%s is %05d', 'x', 7)", "x is 00007", "nvarchar"),
        ("PATINDEX('%[0-9]%', 'ab3')", 3, "int"),
        ("REPLICATE('ab', 2)", "abab", "nvarchar"),
        ("ISJSON('[1]') + ISJSON('x')", 1, "int"),
        ("JSON_VALUE('{\"a\":{\"b\":[1,2]}}', '$.a.b[1]')", "2", "nvarchar"),
        ("ROUND(2.345, 2)", Decimal("2.350"), "decimal"),
        ("ABS(-3)", 3, "int"),
        ("DATEADD(month, 1, CAST('2024-01-31' AS date))", dt.date(2024, 2, 29), "date"),
        ("DATEADD(second, -1, '2024-01-01')", dt.datetime(2023, 12, 31, 23, 59, 59), "datetime"),
        ("DATEDIFF(day, '2023-12-31T23:59', '2024-01-01')", 1, "int"),
        ("DATEDIFF(year, '2023-12-31', '2024-01-01')", 1, "int"),
        ("DATENAME(weekday, '2024-01-01')", "Monday", "nvarchar"),
        ("DATEPART(dw, '2024-01-01')", 2, "int"),
        ("EOMONTH('2024-02-01')", dt.date(2024, 2, 29), "date"),
        ("DB_NAME()", "shop", "nvarchar"),
        ("@@SERVERNAME", "one.example", "nvarchar"),
        ("APP_NAME()", "tests", "nvarchar"),
        ("SUSER_SNAME()", "admin", "nvarchar"),
        ("USER_NAME()", "dbo", "nvarchar"),
        ("CAST(SERVERPROPERTY('EngineEdition') AS int)", 5, "int"),
        ("OBJECT_ID('dbo.nothing')", None, "int"),
        ("SCHEMA_ID('dbo')", 1, "int"),
        ("TYPE_ID('nvarchar')", 231, "int"),
        ("@@TRANCOUNT", 0, "int"),
        ("XACT_STATE()", 0, "smallint"),
        ("ERROR_NUMBER()", None, "int"),
    ],
)
def test_value_and_type(run: Run, expression: str, value: object, kind: str) -> None:
    answer = run(f"SELECT {expression}")
    assert answer.errors == []
    assert (answer.value, answer.types[0].name) == (value, kind)
    assert type(answer.value) is type(value)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("'a' = 'A'", True),
        ("'a' COLLATE Latin1_General_BIN2 = 'A'", False),
        ("'abc' LIKE 'A%'", True),
        ("'a5' LIKE '[a-c][^a-z]'", True),
        ("'50%' LIKE '50!%' ESCAPE '!'", True),
        ("'x' IN ('X', 'y')", True),
        ("2 IN (1, 3)", False),
        ("'5' = 5", True),
        ("2 BETWEEN 1 AND 3", True),
        ("NULL = NULL", False),
        ("NOT (1 = 2 OR 1 = 3)", True),
        ("EXISTS (SELECT 1 WHERE 1 = 0)", False),
        ("CAST('2024-01-01' AS datetime2) = '2024-01-01T00:00:00'", True),
        ("CAST('2024-01-01' AS date) < CAST('2024-01-01T00:00:01' AS datetime2)", True),
        (f"CAST('{G}' AS uniqueidentifier) = '{G.lower()}'", True),
    ],
)
def test_condition(run: Run, condition: str, holds: bool) -> None:
    assert run(f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END").value == int(holds)


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT 1/0", 8134),
        ("SELECT 1.0/0", 8134),
        ("SELECT 1%0", 8134),
        ("SELECT CAST('abc' AS int)", 245),
        ("SELECT CAST('99999999999' AS int)", 248),
        ("SELECT CAST(300 AS tinyint)", 220),
        ("SELECT CAST('x' AS decimal(5,2))", 8114),
        ("SELECT CAST(1000 AS decimal(3,1))", 8115),
        ("SELECT CAST('nope' AS datetime2)", 241),
        ("SELECT CAST('nope' AS uniqueidentifier)", 8169),
        ("SELECT @missing", 137),
        ("SELECT nothing", 207),
        ("SELECT x.nothing", 4104),
        ("SELECT NOSUCH(1)", 195),
        ("SELECT LEFT('a', -1)", 536),
        ("SELECT CAST(1 AS nosuch)", 2715),
        ("SELECT SYSUTCDATETIME() + 1", 402),
    ],
)
def test_error(run: Run, sql: str, number: int) -> None:
    assert run(sql).numbers == [number]


def test_columns_come_before_the_error_of_the_first_row(run: Run) -> None:
    answer = run("SELECT 1/0 AS x")
    assert [column.name for column in answer.results[0][0]] == ["x"]


def test_time_is_one_within_a_statement_and_goes_on_between_them(run: Run) -> None:
    rows = run("SELECT SYSUTCDATETIME(), SYSUTCDATETIME()").rows
    assert rows[0][0] == rows[0][1]
    assert run("SELECT SYSUTCDATETIME()").value > rows[0][0]  # type: ignore[operator]


def test_newid_differs_on_every_row(run: Run) -> None:
    rows = run("SELECT NEWID() FROM (VALUES (1), (2), (3)) AS v(n)").rows
    assert len({row[0] for row in rows}) == 3


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (uuid.UUID(G), SqlType("uniqueidentifier")),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 678901), SqlType("datetime2", scale=7)),
        (dt.date(2024, 1, 2), SqlType("date")),
        (dt.time(1, 2, 3), SqlType("time", scale=7)),
        (Decimal("12.34"), SqlType("decimal", precision=9, scale=2)),
        ("é" * 5000, SqlType("nvarchar", -1)),
        (b"\x00\xff", SqlType("varbinary", 10)),
        (True, SqlType("bit")),
        (2**40, SqlType("bigint")),
        (0.1, SqlType("float")),
        (None, SqlType("int")),
        (dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc), SqlType("datetimeoffset", scale=7)),
    ],
)
def test_parameter_comes_back_as_it_went(run: Run, value: object, kind: SqlType) -> None:
    answer = run("SELECT @p AS p", Parameter("@p", kind, value))
    assert (answer.value, answer.types[0]) == (value, kind)


def test_more_than_2100_parameters_are_refused(run: Run) -> None:
    parameters = [Parameter(f"@p{number}", SqlType("int"), number) for number in range(2101)]
    assert run("SELECT 1", *parameters).numbers == [8003]
    assert run("SELECT @p2099", *parameters[:2100]).value == 2099
