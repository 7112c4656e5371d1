"""Scripts run twice over the real driver: what the second run does is told, and nothing stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import DefinitionError, ScriptError
from airflow_provider_elasticjobs.execution.idempotence import IdempotenceReport, check_idempotence
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.tsql.batches import split_batches
from tests.wire.conftest import LiveServer

Check = Callable[..., IdempotenceReport]


@pytest.fixture
def database(server: LiveServer, new_database: Callable[[], str]) -> str:
    name = new_database()
    server.execute("CREATE TABLE t (a int NOT NULL, b nvarchar(20) NULL); INSERT t VALUES (1, N'one')", name)
    return name


@pytest.fixture
def check(server: LiveServer, database: str) -> Iterator[Check]:
    """Return a function that checks a script; the database is as it was after each."""

    def run(script: str, max_rows: int = 1000) -> IdempotenceReport:
        connection = connector(server.settings)(server.name, database, None)
        try:
            return check_idempotence(
                connection, split_batches(script), Target(server.name, database), max_rows=max_rows
            )
        finally:
            connection.close()

    yield run
    assert [tuple(row) for row in server.execute("SELECT a, b FROM t", database)] == [(1, "one")]
    tables = server.execute("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", database)
    assert [row[0] for row in tables] == ["t"]


def test_a_guarded_script_is_idempotent_although_it_answers_otherwise(check: Check) -> None:
    report = check(
        "IF NOT EXISTS (SELECT 1 FROM t WHERE a = 2) INSERT t VALUES (2, NULL)\nGO\n"
        "IF OBJECT_ID('made') IS NULL CREATE TABLE made (a int)\nGO\nUPDATE t SET b = N'one' WHERE a = 1"
    )
    assert report.is_idempotent
    assert (report.failure, report.changed) == (None, [])
    assert "table dbo.t has 2 row(s), and had 1 row(s)" in report.first_changed
    assert "table dbo.made is new, with 0 row(s)" in report.first_changed
    assert report.answered == ["1 answer(s), and 2 the first time"]


def test_an_insert_that_asks_for_nothing_is_told(check: Check) -> None:
    report = check("INSERT t VALUES (2, N'two')")
    assert not report.is_idempotent
    assert report.changed == ["table dbo.t has 3 row(s), and had 2 row(s)"]
    assert report.answered == []


def test_an_update_that_counts_is_told(check: Check) -> None:
    assert check("UPDATE t SET a = a + 1").changed == ["table dbo.t has other contents, in 1 row(s) as before"]


def test_a_second_run_that_fails_is_told_with_its_error(check: Check) -> None:
    report = check("CREATE TABLE made (a int)")
    assert not report.is_idempotent
    assert "made" in str(report.failure)


def test_a_column_made_anew_is_no_change_and_another_one_is(check: Check) -> None:
    made = "IF OBJECT_ID('made') IS NOT NULL DROP TABLE made\nGO\nCREATE TABLE made (a int)"
    assert check(made).is_idempotent
    grown = "IF OBJECT_ID('made') IS NULL CREATE TABLE made (a int) ELSE ALTER TABLE made ADD b int"
    assert check(grown).changed == ["column dbo.made.b is new"]


def test_big_tables_are_counted_only_and_named(check: Check) -> None:
    report = check("UPDATE t SET a = a + 1", max_rows=0)
    assert (report.is_idempotent, report.not_compared) == (True, ["dbo.t"])
    assert check("INSERT t VALUES (2, NULL)", max_rows=0).changed == [
        "table dbo.t has 3 row(s) (counted only), and had 2 row(s) (counted only)"
    ]


def test_a_first_run_that_fails_says_nothing_about_a_second(check: Check) -> None:
    with pytest.raises(ScriptError, match="missing"):
        check("SELECT * FROM missing")


def test_a_script_that_ends_the_transaction_is_not_judged(check: Check) -> None:
    with pytest.raises(ScriptError, match="by itself"):
        check("UPDATE t SET a = 5; ROLLBACK")
    with pytest.raises(DefinitionError, match="cannot be tried"):
        check("WHILE @@TRANCOUNT > 0 COMMIT")
