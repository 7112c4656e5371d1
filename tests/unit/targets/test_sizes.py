from __future__ import annotations

from contextlib import closing
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.exceptions import ScriptError, ServerUnreachableError
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.sizes import list_sizes, sizes_of
from tests.unit.targets.test_enumerate import FakeConnection

_S = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"
MISSING = pyodbc.ProgrammingError("42S02", f"[42S02] {_S}Invalid object name. (208) (SQLExecDirectW)")


def test_azure_is_asked_first() -> None:
    connection = FakeConnection([("Db1", 12.5), ("db2", None)])
    assert list_sizes(connection) == {"db1": 12.5}
    assert len(connection.queries) == 1
    assert "sys.resource_stats" in connection.queries[0]


def test_a_server_without_that_view_is_asked_for_its_files() -> None:
    connection = FakeConnection(MISSING, [("db1", 8.0)])
    assert list_sizes(connection) == {"db1": 8.0}
    assert "sys.master_files" in connection.queries[1]


def test_one_that_tells_neither_says_why() -> None:
    with pytest.raises(ScriptError, match="refused"):
        list_sizes(FakeConnection(MISSING, MISSING))


class TestManyServers:
    TARGETS = (Target("S1", "Db1"), Target("S1", "db2"), Target("s2", "db1"))

    def measured(self, servers: dict[str, Any]) -> tuple[dict[tuple[str, str], float], list[str]]:
        warnings: list[str] = []

        def open_master(server: str) -> Any:
            answer = servers[server]
            if isinstance(answer, Exception):
                raise answer
            return FakeConnection(answer)

        return sizes_of(self.TARGETS, open_master, warnings.append), warnings

    def test_each_server_is_asked_once_for_its_own(self) -> None:
        found, warnings = self.measured({"S1": [("DB1", 5), ("db2", 7), ("other", 9)], "s2": [("db1", 1)]})
        assert found == {("s1", "db1"): 5, ("s1", "db2"): 7, ("s2", "db1"): 1}
        assert warnings == []

    def test_what_is_not_told_is_said_and_holds_nothing_up(self) -> None:
        found, warnings = self.measured({"S1": [("db2", 7)], "s2": ServerUnreachableError("no way", server="s2")})
        assert found == {("s1", "db2"): 7}
        assert warnings[0] == "S1 does not tell the size of 1 of 2 database(s): last"
        assert warnings[1].startswith("the sizes of the databases of s2 are not known, they come last: no way")

    def test_a_fault_of_ours_is_no_warning(self) -> None:
        with pytest.raises(KeyError):
            self.measured({"S1": []})

    def test_nobody_to_ask(self) -> None:
        assert sizes_of([], closing, print) == {}
