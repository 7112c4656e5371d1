from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.parameters import bound, declared, parameterized

UTC_PLUS_2 = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "declared", "argument"),
    [
        (True, "bit", "1"),
        (-5, "int", "-5"),
        (2**31 - 1, "int", "2147483647"),
        (2**31, "bigint", "2147483648"),
        (-(2**63), "bigint", "-9223372036854775808"),
        (2**63, "decimal(19, 0)", "9223372036854775808"),
        (0.5, "float", "5.0000000000000000e-01"),
        (Decimal("-12.30"), "decimal(4, 2)", "-12.30"),
        (Decimal("1E+3"), "decimal(4, 0)", "1000"),
        (Decimal("0.001"), "decimal(4, 3)", "0.001"),
        ("it's", "nvarchar(4000)", "it's"),
        ("\U0001f600" * 2001, "nvarchar(max)", "\U0001f600" * 2001),
        (b"'", "varbinary(8000)", b"'"),
        (b"x" * 8001, "varbinary(max)", b"x" * 8001),
        (date(2026, 1, 2), "date", "2026-01-02"),
        (datetime.fromisoformat("2026-01-02T03:04:05.000006"), "datetime2(7)", "2026-01-02T03:04:05.000006"),
        (datetime(2026, 1, 2, 1, tzinfo=UTC_PLUS_2), "datetime2(7)", "2026-01-01T23:00:00.000"),
        (time(3, 4, 5), "time(7)", "03:04:05"),
        (UUID(int=255), "uniqueidentifier", "00000000-0000-0000-0000-0000000000FF"),
    ],
)
def test_each_value_travels_beside_the_text_with_its_type(value: Any, declared: str, argument: str | bytes) -> None:
    text, arguments = parameterized("SELECT @a;", {"a": value})
    assert text == "EXEC sp_executesql ?, ?, @a = ?"
    assert arguments == ("SELECT @a;", f"@a {declared}", argument)


def test_null_stands_in_the_call() -> None:
    assert parameterized("SELECT @a, @b;", {"a": None, "b": 1}) == (
        "EXEC sp_executesql ?, ?, @a = NULL, @b = ?",
        ("SELECT @a, @b;", "@a nvarchar(4000), @b int", "1"),
    )


def test_a_value_without_a_type_is_refused() -> None:
    with pytest.raises(DefinitionError, match="parameter @a: a list value has no T-SQL type"):
        parameterized("SELECT @a", {"a": [1]})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["SELECT @A", "IF @a=1 SELECT 2", "EXEC p @x=@a;", "SELECT(@a)", "SELECT 1 --x\n+@a"])
def test_mentions(text: str) -> None:
    assert parameterized(text, {"a": 1, "unused": 2})[1] == (text, "@a int", "1")


@pytest.mark.parametrize(
    "text", ["SELECT '@a'", "-- @a", "/* @a */ SELECT 1", "SELECT [@a]", "SELECT @@a", "SELECT @ab"]
)
def test_what_is_no_mention_is_sent_as_it_is(text: str) -> None:
    batch = Batch(text, 3, 7)
    assert bound(batch, {"a": 1}) == batch


def test_a_batch_keeps_its_count_and_line_and_does_not_show_its_values() -> None:
    batch = bound(Batch("SELECT @a", 3, 7), {"a": "secret", "unused": 1})
    assert batch == Batch("SELECT @a", 3, 7, {"a": "secret"})
    assert "secret" not in repr(batch)


def test_for_parsing_a_parameter_is_a_variable_on_the_same_line() -> None:
    batch = Batch("SELECT @a,\n@b", 1, 7)
    assert declared(batch) == batch
    assert declared(bound(batch, {"a": "secret", "b": 5})) == Batch(
        "DECLARE @a nvarchar(4000), @b int; SELECT @a,\n@b", 1, 7
    )
