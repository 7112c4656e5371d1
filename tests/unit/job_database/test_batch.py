from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pyodbc
import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

ID = UUID("11111111-2222-3333-4444-555555555555")


def test_arguments_are_declared_with_their_types_in_order() -> None:
    bound = Batch("SELECT @b, @a;", a="int", b="nvarchar(50)").bind(b="x", a=1)
    assert "DECLARE @a int = ?, @b nvarchar(50) = ?;" in bound.sql
    assert bound.arguments == (1, "x")
    assert bound.sizes == ((pyodbc.SQL_INTEGER, 10, 0), (pyodbc.SQL_WVARCHAR, 50, 0))


def test_a_null_is_never_an_argument() -> None:
    bound = Batch("SELECT @a;", a="uniqueidentifier").bind(a=None)
    assert "DECLARE @a uniqueidentifier = NULL;" in bound.sql
    assert bound.arguments == ()


def test_rows_become_a_typed_table_constructor() -> None:
    batch = Batch("SELECT * FROM ({rows}) AS v (x, y);", rows=("int", "nvarchar(10)"), a="int")
    bound = batch.bind([(1, "a"), (2, None)], a=0)
    assert (
        "(VALUES (CAST(? AS int), CAST(? AS nvarchar(10))), (CAST(? AS int), CAST(NULL AS nvarchar(10))))" in bound.sql
    )
    assert bound.arguments == (0, 1, "a", 2)
    assert bound.sql.count("?") == len(bound.arguments)


def test_no_rows_are_a_table_that_holds_nothing() -> None:
    bound = Batch("SELECT * FROM ({rows}) AS v (x, y);", rows=("int", "nvarchar(10)")).bind()
    assert "(SELECT CAST(NULL AS int), CAST(NULL AS nvarchar(10)) WHERE 1 = 0) AS v" in bound.sql
    assert bound.arguments == ()


@pytest.mark.parametrize("columns", [1, 2, 5, 7])
def test_rows_at_once_stay_below_what_an_engine_takes(columns: int) -> None:
    batch = Batch("{rows}", rows=("int",) * columns, a="int", b="int")
    assert batch.rows_at_once <= 1000
    assert batch.rows_at_once * columns + 2 <= 2100
    assert len(batch.bind([[0] * columns] * batch.rows_at_once, a=1, b=2).arguments) <= 2100


@pytest.mark.parametrize("values", [{}, {"a": 1, "b": 2}, {"b": 1}])
def test_a_missing_or_unknown_argument_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="'a'"):
        Batch("SELECT @a;", a="int").bind(**values)


def test_values_are_sent_as_plain_ones() -> None:
    east = datetime(2026, 1, 2, 3, 0, tzinfo=timezone(timedelta(hours=2)))
    bound = Batch(";", a="nvarchar(50)", b="datetime2(7)", c="uniqueidentifier").bind(
        a=Lifecycle.TIMED_OUT, b=east, c=ID
    )
    assert bound.arguments == ("TimedOut", datetime(2026, 1, 2, 1, 0), ID)  # noqa: DTZ001
    assert type(bound.arguments[0]) is str


def test_every_batch_stops_at_an_error_and_sends_no_counts() -> None:
    assert Batch("SELECT 1;").bind().sql.startswith("SET NOCOUNT ON;\nSET XACT_ABORT ON;\n")
