from __future__ import annotations

import pyodbc
import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError, LoginFailedError, ServerUnreachableError
from airflow_provider_elasticjobs.job_database.errors import Remedy, describe, error_numbers, remedy


def _error(state: str, *numbers: int, text: str = "something") -> pyodbc.Error:
    messages = "; ".join(
        f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{text} ({number})" for number in numbers
    )
    return pyodbc.ProgrammingError(state, f"{messages} (SQLExecDirectW)")


def test_the_engines_numbers_are_read_from_the_message() -> None:
    assert error_numbers(_error("42000", 1205)) == (1205,)
    assert error_numbers(_error("42000", 547, 3621, text="row (12) in column (a)")) == (547, 3621)
    assert error_numbers(LoginFailedError("no", number=18456)) == (18456,)
    assert error_numbers(ServerUnreachableError("no")) == ()
    assert error_numbers(pyodbc.Error()) == ()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_error("40001", 1205), Remedy.REPEAT),
        (_error("23000", 2627), Remedy.REPEAT),
        (_error("42000", 3960), Remedy.REPEAT),
        (_error("08S01", 10054), Remedy.RECONNECT),
        (pyodbc.OperationalError("08S01", "[08S01] [Microsoft]Link failure (0) (SQLExecDirectW)"), Remedy.RECONNECT),
        (pyodbc.OperationalError("HYT00", "[HYT00] [Microsoft]Login timeout expired (0)"), Remedy.RECONNECT),
        (_error("42000", 40613), Remedy.RECONNECT),
        (_error("42000", 40501), Remedy.RECONNECT),
        (ServerUnreachableError("no"), Remedy.RECONNECT),
        (LoginFailedError("no", number=18456), Remedy.NONE),
        (_error("42000", 8134), Remedy.NONE),
        (_error("42S02", 208), Remedy.NONE),
        (_error("23000", 547), Remedy.NONE),
    ],
    ids=str,
)  # fmt: skip
def test_the_remedy_follows_from_the_number(error: Exception, expected: Remedy) -> None:
    assert remedy(error) is expected


@pytest.mark.parametrize(
    ("number", "words"),
    [(229, "schema jobs_internal"), (262, "CREATE TABLE"), (916, "CREATE USER"), (15247, "db_owner")],
)
def test_a_missing_right_is_named(number: int, words: str) -> None:
    error = describe(_error("42000", number), "jobs.example", "jobdb")
    assert isinstance(error, JobDatabaseError)
    assert (error.server, error.database, error.number) == ("jobs.example", "jobdb", number)
    assert "jobs.example/jobdb" in error.message
    assert "lacks a right" in error.message
    assert words in error.message


def test_a_missing_table_says_how_to_install() -> None:
    error = describe(_error("42S02", 208, text="Invalid object name 'jobs_internal.executions'."), "s", "d")
    assert "airflow elasticjobs db upgrade" in error.message
    assert "jobs_internal.executions" in error.message


def test_other_errors_keep_the_servers_words() -> None:
    error = describe(_error("42000", 8134, text="Divide by zero"), "s", "d")
    assert error.message.startswith("job database s/d: ")
    assert "Divide by zero" in error.message
    assert "[SQL Server]" not in error.message
