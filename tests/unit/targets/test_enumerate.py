from __future__ import annotations

from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.exceptions import OutcomeUnknownError, ScriptError
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, enumerate_with, list_databases

_S = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"


class FakeConnection:
    """Answers one list of rows, or error, per query, and remembers the queries."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.queries: list[str] = []
        self.closed = False

    def cursor(self) -> FakeConnection:
        return self

    def execute(self, query: str) -> FakeConnection:
        self.queries.append(query)
        return self

    def fetchall(self) -> list[Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def close(self) -> None:
        self.closed = True


def test_rows_become_databases() -> None:
    connection = FakeConnection([("a", "ONLINE", None, 1), ("b", "RESTORING", "pool", 1)])
    answer = list_databases(connection)
    assert answer.databases == (DatabaseInfo("a"), DatabaseInfo("b", "RESTORING", "pool"))
    assert answer.pools_known


@pytest.mark.parametrize(("rows", "known"), [([], True), ([("a", "ONLINE", None, 0)], False)])
def test_a_view_that_shows_nothing_of_existing_databases_is_one_that_may_not_be_read(
    rows: list[Any], known: bool
) -> None:
    assert list_databases(FakeConnection(rows)).pools_known is known


@pytest.mark.parametrize("number", [208, 229, 300])
def test_without_the_view_of_pools_the_databases_are_still_listed(number: int) -> None:
    refused = pyodbc.ProgrammingError("42S02", f"[42S02] {_S}no view ({number}) (SQLExecDirectW)")
    connection = FakeConnection(refused, [("a", "ONLINE", None, 0)])
    answer = list_databases(connection)
    assert answer.databases == (DatabaseInfo("a"),)
    assert not answer.pools_known
    assert ["database_service_objectives" in query for query in connection.queries] == [True, False]


def test_a_refusal_of_both_is_an_error_with_its_number() -> None:
    refused = pyodbc.ProgrammingError("42000", f"[42000] {_S}denied (229) (SQLExecDirectW)")
    with pytest.raises(ScriptError, match="denied") as caught:
        list_databases(FakeConnection(refused, refused))
    assert caught.value.number == 229


def test_a_broken_link_is_not_asked_again() -> None:
    lost = pyodbc.OperationalError(
        "08S01", "[08S01] [Microsoft][ODBC Driver 18 for SQL Server]Communication link failure (104) (SQLExecDirectW)"
    )
    connection = FakeConnection(lost)
    with pytest.raises(OutcomeUnknownError):
        list_databases(connection)
    assert len(connection.queries) == 1


@pytest.mark.parametrize("state", ["ONLINE", "online"])
def test_online_in_any_letter_case(state: str) -> None:
    assert DatabaseInfo("a", state).is_online
    assert not DatabaseInfo("a", "RECOVERING").is_online


@pytest.mark.parametrize("answer", [[], pyodbc.ProgrammingError("42000", f"[42000] {_S}denied (229) (x)")])
def test_the_connection_is_closed_whatever_happens(answer: Any) -> None:
    connection = FakeConnection(answer, answer)
    asked: list[tuple[str, str | None]] = []

    def open_master(server_name: str, refresh_conn_id: str | None) -> Any:
        asked.append((server_name, refresh_conn_id))
        return connection

    try:
        enumerate_with(open_master)("s", "c")
    except ScriptError:
        assert answer != []
    assert connection.closed
    assert asked == [("s", "c")]
