"""Rows read in blocks of bounded size, and written as they are, with the real driver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import ScriptCancelledError, ScriptError
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.bulk_insert import BulkInsert
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.results import Message
from airflow_provider_elasticjobs.tsql.row_block import BLOCK_BYTES, RowBlock
from airflow_provider_elasticjobs.tsql.run import ScriptRun
from airflow_provider_elasticjobs.tsql.values import decoder

TEN = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"
THOUSAND = f"{TEN} AS a (n) CROSS JOIN {TEN} AS b (n) CROSS JOIN {TEN} AS c (n)"
NUMBER = "a.n + 10 * b.n + 100 * c.n"


class Rows:
    """Takes the rows of every result set whose first column is called as it likes, and remembers the blocks' sizes."""

    def __init__(self, wanted: str = "a", *, keep: bool = True) -> None:
        self._wanted, self._keep = wanted, keep
        self.columns: list[ResultColumn] = []
        self.sizes: list[int] = []
        self.rows: list[tuple[Any, ...]] = []

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        if columns[0].name != self._wanted:
            return False
        self.columns = list(columns)
        return True

    def take(self, block: RowBlock) -> None:
        self.sizes.append(len(block.buffer))
        decoders = [decoder(column.sql_type) for column in self.columns]
        for row in range(block.rows if self._keep else 0):
            values = zip(decoders, block.get(row), strict=True)
            self.rows.append(tuple(None if value is None else decode(value) for decode, value in values))


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def read(server: Any, database: str) -> Callable[..., Rows]:
    def run(script: str, receiver: Rows | None = None, on_message: Callable[[Message], None] | None = None) -> Rows:
        rows = receiver or Rows()
        with closing(server.connect(database)) as connection:
            ScriptRun(connection, split_batches(script), receiver=rows, on_message=on_message).run()
        return rows

    return run


def test_columns_are_described_as_they_are_declared(read: Callable[..., Rows]) -> None:
    kinds = [
        "bigint",
        "decimal(9, 2)",
        "nvarchar(40)",
        "nvarchar(max)",
        "varbinary(8)",
        "time(3)",
        "datetime2(0)",
        "date",
    ]
    rows = read("SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS a" for kind in kinds))
    assert [column.sql_type.declaration for column in rows.columns] == kinds


def test_blocks_are_bounded_whatever_the_number_of_rows(read: Callable[..., Rows]) -> None:
    rows = read(f"SELECT {NUMBER} AS a, CAST(N'x' AS nvarchar(4000)) AS b FROM {THOUSAND}")
    assert sorted(row[0] for row in rows.rows) == list(range(1000))
    assert len(rows.sizes) > 1
    assert max(rows.sizes) <= BLOCK_BYTES


def test_blocks_with_long_values_are_bounded_too_but_for_a_row_that_is_larger_itself(read: Callable[..., Rows]) -> None:
    long = f"REPLICATE(CAST(N'x' AS nvarchar(max)), CASE WHEN {NUMBER} = 500 THEN {BLOCK_BYTES} ELSE 5000 END)"
    rows = read(f"SELECT {NUMBER} AS a, {long} AS b FROM {THOUSAND}")
    assert {row[0]: len(row[1]) for row in rows.rows} == {n: BLOCK_BYTES if n == 500 else 5000 for n in range(1000)}
    assert sum(size > BLOCK_BYTES for size in rows.sizes) == 1


def test_results_that_nobody_wants_are_let_go_between_those_that_are_read(read: Callable[..., Rows]) -> None:
    rows = read("SELECT 1 AS a; SELECT 2 AS b UNION ALL SELECT 3; SELECT N'4' AS a; PRINT 'x'; SELECT 5 AS b")
    assert rows.rows == [(1,), ("4",)]


def test_messages_between_results_keep_their_place(read: Callable[..., Rows]) -> None:
    rows, seen = Rows(), list[Any]()
    read(
        "PRINT '1'; SELECT 2 AS a; PRINT '3'; SELECT 4 AS a",
        rows,
        lambda message: seen.append((message.text, len(rows.rows))),
    )
    assert seen == [("1", 0), ("3", 1)]


@pytest.mark.parametrize("beside", ["", ", CAST(N'' AS nvarchar(max)) AS b"], ids=["bound", "beside a long column"])
def test_an_error_on_the_way_keeps_its_number_and_the_rows_before(read: Callable[..., Rows], beside: str) -> None:
    rows = Rows()
    with pytest.raises(ScriptError) as caught:
        read(f"SELECT 1 AS a{beside}; SELECT 1 / v.n AS a{beside} FROM (VALUES (1), (0)) AS v (n); PRINT 'on'", rows)
    assert caught.value.number == 8134
    assert rows.rows[0][0] == 1


def test_what_the_receiver_raises_ends_the_script_and_leaves_the_connection_usable(server: Any, database: str) -> None:
    class Refusing(Rows):
        def take(self, block: RowBlock) -> None:
            raise ZeroDivisionError

    with closing(server.connect(database)) as connection:
        with pytest.raises(ZeroDivisionError):
            ScriptRun(connection, split_batches(f"SELECT {NUMBER} AS a FROM {THOUSAND}"), receiver=Refusing()).run()
        assert ScriptRun(connection, split_batches("SELECT 1 AS a")).run().rows == 1


def test_a_cancel_between_blocks_stops_the_reading(server: Any, database: str) -> None:
    class Stopping(Rows):
        run: ScriptRun

        def take(self, block: RowBlock) -> None:
            super().take(block)
            threading.Thread(target=self.run.cancel).start()
            while not self.run.cancel_requested:
                pass

    rows = Stopping()
    script = f"SELECT {NUMBER} AS a, CAST(N'x' AS nvarchar(4000)) AS b FROM {THOUSAND}"
    with closing(server.connect(database)) as connection:
        rows.run = ScriptRun(connection, split_batches(script), receiver=rows)
        with pytest.raises(ScriptCancelledError):
            rows.run.run()
    assert len(rows.sizes) == 1


class TestBulkInsert:
    @pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
    def test_every_row_of_a_block_arrives(self, server: Any, database: str, count: int) -> None:
        columns = [ResultColumn("a", SqlType("int")), ResultColumn("b", SqlType("nvarchar", 9))]
        rows = Rows(keep=False)
        with closing(server.connect(database)) as source, closing(server.connect(database)) as target:
            target.execute("CREATE TABLE #t (a int, b nvarchar(9), c int)").close()
            insert = BulkInsert(target, "#t", ["[a]", "[b]"], {"[c]": "7"})
            rows.take = insert.insert  # type: ignore[method-assign]
            ScriptRun(
                source,
                split_batches(
                    f"SELECT {NUMBER} AS a, CAST(N'x' AS nvarchar(9)) AS b FROM {THOUSAND} WHERE {NUMBER} < {count}"
                ),
                receiver=rows,
            ).run()
            insert.close()
            assert rows.columns == columns
            found = target.execute("SELECT COUNT(*), COUNT(DISTINCT a), MIN(b), SUM(c) FROM #t").fetchone()
        assert tuple(found) == (count, count, "x", 7 * count)

    def test_a_row_that_is_refused_is_told_with_the_engines_words(self, server: Any, database: str) -> None:
        rows = Rows(keep=False)
        with closing(server.connect(database)) as source, closing(server.connect(database)) as target:
            target.execute("CREATE TABLE #t (a int NOT NULL)").close()
            insert = BulkInsert(target, "#t", ["[a]"])
            rows.take = insert.insert  # type: ignore[method-assign]
            with pytest.raises(ScriptError, match=r"(?i)null"):
                ScriptRun(source, split_batches("SELECT CAST(NULL AS int) AS a"), receiver=rows).run()
