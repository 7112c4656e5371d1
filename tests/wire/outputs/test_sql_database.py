"""An output's table: made, checked, appended to, replaced by a later attempt, and left alone by a failed one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.exceptions import OutputError, ScriptError
from airflow_provider_elasticjobs.tsql.row_block import BLOCK_BYTES
from tests.wire.outputs.conftest import Collected

NUMBERS = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS {0} (n)"


def many(rows: int, select: str) -> str:
    """Return a query of so many rows, a power of ten up to 10,000."""
    tables = [NUMBERS.format(name) for name in "abcd"[: len(str(rows)) - 1]]
    return f"SELECT {select} FROM {' CROSS JOIN '.join(tables)}"


class TestFirstTarget:
    def test_the_table_is_made_from_the_result(self, collected: Collected) -> None:
        execution_id = uuid4()
        written = collected.write(
            "SELECT CAST(1 AS int) AS a, CAST(N'x' AS nvarchar(7)) AS b", execution_id=execution_id
        )
        assert written == 1
        assert collected.rows("a, b, CAST(internal_execution_id AS varchar(36))") == [
            (1, "x", str(execution_id).upper())
        ]
        columns = collected.execute(
            "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS "
            f"WHERE TABLE_NAME = '{collected.table}' ORDER BY ORDINAL_POSITION"
        )
        assert columns == [
            ("a", "int", None, "YES"),
            ("b", "nvarchar", 7, "YES"),
            ("internal_execution_id", "uniqueidentifier", None, "NO"),
        ]

    @pytest.mark.sandbox_only  # Babelfish gives every index a name of its own
    def test_it_has_the_documented_index(self, collected: Collected) -> None:
        collected.write("SELECT 1 AS a")
        indexes = collected.execute(
            f"SELECT name FROM sys.indexes WHERE object_id = OBJECT_ID('{collected.table}') AND name IS NOT NULL"
        )
        assert indexes == [(f"IX_{collected.table}_Internal_Execution_ID",)]

    def test_a_result_without_rows_makes_it_too(self, collected: Collected) -> None:
        assert collected.write("SELECT 1 AS a WHERE 1 = 0") == 0
        assert collected.rows("a") == []

    @pytest.mark.sandbox_only  # Babelfish stumbles over the bracket in the script itself
    def test_names_of_any_kind(self, collected: Collected) -> None:
        collected.write("SELECT 1 AS [a ]] b], 2 AS [select], 3 AS [\u00fc]")
        assert collected.rows("[a ]] b], [select], [\u00fc]") == [(1, 2, 3)]

    def test_of_many_at_once_one_makes_it_and_the_others_use_it(self, collected: Collected) -> None:
        ends: list[Any] = []
        start = threading.Barrier(12)

        def write(number: int) -> None:
            start.wait()
            try:
                ends.append(collected.write(f"SELECT {number} AS a"))
            except Exception as error:  # noqa: BLE001 handed to the test
                ends.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ends == [1] * 12
        assert [row[0] for row in collected.rows("a", order="a")] == list(range(12))


class TestLaterTargets:
    def test_rows_are_appended_by_name(self, collected: Collected) -> None:
        collected.write("SELECT 1 AS a, 'x' AS b")
        collected.write("SELECT 'y' AS B, 2 AS a")
        assert collected.rows("a, b", order="a") == [(1, "x"), (2, "y")]

    def test_a_table_of_ones_own_may_have_more_columns(self, collected: Collected) -> None:
        collected.execute(
            f"CREATE TABLE {collected.table} (n int IDENTITY, a int, noted varchar(5) DEFAULT 'then', "
            "internal_execution_id uniqueidentifier NOT NULL)"
        )
        collected.write("SELECT 7 AS a")
        assert collected.rows("n, a, noted") == [(1, 7, "then")]

    def test_each_column_that_does_not_fit_is_named_with_both_types(self, collected: Collected) -> None:
        collected.execute(f"CREATE TABLE {collected.table} (a int, b nvarchar(9), d decimal(9, 2), t datetime2(0))")
        with pytest.raises(OutputError) as caught:
            collected.write(
                "SELECT CAST(1 AS bigint) AS a, N'x' AS b, CAST(1 AS decimal(9, 3)) AS d, 1 AS e, "
                "CAST('2026-01-01' AS datetime2(3)) AS t"
            )
        message = str(caught.value)
        assert f"output [dbo].[{collected.table}] on {collected.server.name}/{collected.home}: " in message
        assert message.split("the table does not fit the result: ")[1].split("; ") == [
            "column a: expected bigint, found int",
            "column d: expected decimal(9, 3), found decimal(9, 2)",
            "column e: expected int, found none",
            "column t: expected datetime2(3), found datetime2(0)",
            "column internal_execution_id: expected uniqueidentifier, found none",
        ]
        assert (caught.value.server, caught.value.database) == (collected.server.name, collected.home)
        assert collected.rows() == []

    @pytest.mark.sandbox_only  # Babelfish calls it by a number of its own
    def test_a_value_that_is_too_long_for_the_table_is_refused(self, collected: Collected) -> None:
        collected.write("SELECT CAST('ab' AS varchar(2)) AS a")
        with pytest.raises(OutputError) as caught:
            collected.write("SELECT CAST('abc' AS varchar(3)) AS a")
        assert caught.value.number in (2628, 8152)
        assert collected.rows("a") == [("ab",)]


class TestAttempts:
    def test_a_later_attempt_replaces_the_rows_of_an_earlier_one(self, collected: Collected) -> None:
        mine, others = uuid4(), uuid4()
        collected.write("SELECT 1 AS a UNION ALL SELECT 2", execution_id=mine)
        collected.write("SELECT 9 AS a", execution_id=others)
        collected.write("SELECT 3 AS a", execution_id=mine)
        assert collected.rows("a", order="a") == [(3,), (9,)]

    def test_rows_that_are_not_committed_are_gone(self, collected: Collected) -> None:
        mine = uuid4()
        collected.write("SELECT 1 AS a", execution_id=mine)
        collected.write("SELECT 2 AS a", execution_id=mine, commit=False)
        assert collected.rows("a") == [(1,)]

    @pytest.mark.parametrize("script", ["SELECT 1 AS a; SELECT 1/0 AS b", "SELECT 1 AS a\nGO\nRAISERROR('no', 16, 1)"])
    def test_a_script_that_fails_later_leaves_nothing(self, collected: Collected, script: str) -> None:
        with pytest.raises(ScriptError):
            collected.write(script)
        assert collected.rows("a") == []

    def test_a_result_that_fails_on_the_way_leaves_nothing(self, collected: Collected) -> None:
        with pytest.raises(ScriptError) as caught:
            collected.write("SELECT 1 / a AS x FROM (VALUES (1), (0)) AS v (a)")
        assert caught.value.number == 8134


class TestResults:
    def test_only_the_first_result_is_written(self, collected: Collected) -> None:
        assert collected.write("PRINT 'x'; SELECT 1 AS a; SELECT 'other' AS b\nGO\nSELECT 2 AS a") == 1
        assert collected.rows("a") == [(1,)]

    def test_all_results_are_numbered(self, collected: Collected) -> None:
        script = "SELECT 1 AS a; SELECT 2 AS a WHERE 1 = 0; SELECT 3 AS a"
        assert collected.write(script, result_sets="all") == 2
        assert collected.rows("a, result_set", order="a") == [(1, 1), (3, 3)]

    def test_all_results_must_be_alike(self, collected: Collected) -> None:
        with pytest.raises(OutputError, match="result set 2 has the columns b int, the first has a int"):
            collected.write("SELECT 1 AS a; SELECT 1 AS b", result_sets="all")
        assert collected.rows("a") == []

    def test_columns_that_tell_where_a_row_is_from(self, collected: Collected) -> None:
        names = ("server_name", "database_name", "job_execution_id")
        collected.write("SELECT 1 AS a", add_columns=names)
        ((server, database, execution),) = collected.rows(", ".join(names))
        assert (server, database) == (collected.server.name, collected.source)
        assert len(str(execution)) == 36

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("SELECT 1", "column 1 of the result has no name"),
            ("SELECT 1 AS a, 2 AS A", "two columns of the result are called A"),
            ("SELECT 1 AS internal_execution_id", "the output has a column internal_execution_id of its own"),
            ("PRINT 'nothing'", "the script gave no result set"),
            ("DECLARE @a int = 1", "the script gave no result set"),
        ],
    )
    def test_results_that_cannot_be_written(self, collected: Collected, script: str, message: str) -> None:
        with pytest.raises(OutputError, match=message):
            collected.write(script)


class TestRights:
    @pytest.fixture
    def writer(self, collected: Collected) -> Iterator[str]:
        """The name of a login that writes the output, and may do nothing yet."""
        name, password = f"user_{uuid4().hex[:10]}", f"Pw!{uuid4().hex}"
        collected.server.execute(f"CREATE LOGIN {name} WITH PASSWORD = '{password}'")
        collected.execute(f"CREATE USER {name} FOR LOGIN {name}")
        collected.writer = replace(collected.server.settings, authentication=SqlLogin(name, password))
        yield name
        with suppress(pyodbc.Error):
            collected.execute(f"DROP USER {name}")
            collected.server.execute(f"DROP LOGIN {name}")

    def test_without_the_right_to_create_the_table(self, collected: Collected, writer: str) -> None:
        with pytest.raises(OutputError, match=r"output \[dbo\]\.\[.*permission"):
            collected.write("SELECT 1 AS a")

    @pytest.mark.parametrize("missing", ["SELECT", "INSERT", "DELETE"])
    def test_each_right_on_the_table_is_needed(self, collected: Collected, writer: str, missing: str) -> None:
        collected.execute(f"CREATE TABLE {collected.table} (a int, internal_execution_id uniqueidentifier)")
        rights = ", ".join(right for right in ("SELECT", "INSERT", "DELETE") if right != missing)
        collected.execute(f"GRANT {rights} ON {collected.table} TO {writer}")
        with pytest.raises(OutputError, match=r"output \[dbo\]\.\[.*permission"):
            collected.write("SELECT 1 AS a")
        assert collected.rows() == []
        collected.execute(f"GRANT {missing} ON {collected.table} TO {writer}")
        assert collected.write("SELECT 1 AS a") == 1


class TestBlocks:
    def test_rows_of_many_blocks(self, collected: Collected) -> None:
        columns = "CAST(a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS int) AS a, CAST(N'x' AS nvarchar(400)) AS b"
        assert collected.write(many(10_000, columns)) == 10_000
        assert collected.execute(f"SELECT COUNT(*), MIN(a), MAX(a), SUM(CAST(a AS bigint)) FROM {collected.table}") == [
            (10_000, 0, 9_999, 49_995_000)
        ]

    def test_long_values_beside_short_ones(self, collected: Collected) -> None:
        text = f"REPLICATE(CAST(N'\u00fc' AS nvarchar(max)), CASE WHEN a.n = 3 THEN {BLOCK_BYTES} ELSE a.n END)"
        assert collected.write(many(100, f"a.n AS a, b.n AS b, {text} AS t")) == 100
        lengths = collected.execute(f"SELECT a, MIN(LEN(t)), MAX(LEN(t)) FROM {collected.table} GROUP BY a ORDER BY a")
        assert lengths == [(n, *([BLOCK_BYTES] * 2 if n == 3 else [n, n])) for n in range(10)]
