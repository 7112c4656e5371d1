"""Asking a server for its databases, with the real driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import OutcomeUnknownError, TargetGroupError
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, TargetGroup
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, enumerate_with, list_databases
from airflow_provider_elasticjobs.targets.resolve import resolve


def open_master(server: Any) -> Callable[[str, str | None], pyodbc.Connection]:
    return lambda server_name, refresh_conn_id: connect(server.settings, server_name, "master")


def test_user_databases_are_listed_and_system_databases_are_not(server: Any, new_database: Callable[[], str]) -> None:
    database = new_database()
    with closing(server.connect()) as connection:
        found = {info.name.lower(): info for info in list_databases(connection).databases}
    assert found[database.lower()].is_online
    assert not {"master", "tempdb", "model", "msdb"} & found.keys()


def test_a_server_without_one_database_resolves(server: Any, new_database: Callable[[], str]) -> None:
    kept, excluded = new_database(), new_database()
    group = TargetGroup("g", [SqlServer(server.name), SqlDatabase(server.name, excluded.upper(), exclude=True)])
    names = {target.database_name for target in resolve(group, enumerate_with(open_master(server))).targets}
    assert kept in names
    assert excluded not in names


@pytest.mark.sandbox_only
def test_pools_and_states_are_told(sandbox_database: Callable[..., str], server: Any) -> None:
    pooled = sandbox_database(elastic_pool="Pool1")
    restoring = sandbox_database(state="RESTORING")
    with closing(server.connect()) as connection:
        answer = list_databases(connection)
    assert answer.pools_known
    assert DatabaseInfo(pooled, "ONLINE", "Pool1") in answer.databases
    assert DatabaseInfo(restoring, "RESTORING", None) in answer.databases
    group = TargetGroup("g", [SqlElasticPool(server.name, "POOL1"), SqlServer(server.name)])
    resolution = resolve(group, enumerate_with(open_master(server)))
    assert [t.elastic_pool_name for t in resolution.targets if t.database_name == pooled] == ["Pool1"]
    assert restoring in [each.target.database_name for each in resolution.not_online]


@pytest.mark.sandbox_only
def test_a_server_without_the_view_of_pools_still_lists_its_databases(
    sandbox: Any, sandbox_database: Callable[..., str], server: Any
) -> None:
    database = sandbox_database()
    sandbox.add_fault("error", number=208, severity=16, text="no view", containing="sys.database_service_objectives")
    with closing(server.connect()) as connection:
        answer = list_databases(connection)
    assert not answer.pools_known
    assert database in [info.name for info in answer.databases]


@pytest.mark.sandbox_only
def test_a_link_that_breaks_is_no_empty_server(sandbox: Any, server: Any) -> None:
    sandbox.add_fault("dropped_before", server=server.name, containing="sys.databases")
    with closing(server.connect()) as connection, pytest.raises(OutcomeUnknownError, match="not answered"):
        list_databases(connection)


def test_a_server_that_is_down_and_one_that_refuses_are_both_named(server: Any) -> None:
    refused = replace(server.settings, authentication=SqlLogin("nobody", "wrong-secret"))
    down = replace(server.settings, login_timeout=1)

    def open_one(server_name: str, refresh_conn_id: str | None) -> pyodbc.Connection:
        return connect(down if refresh_conn_id == "down" else refused, server_name, "master")

    members = [SqlServer(server.name), SqlServer("no-such-host.invalid", refresh_conn_id="down")]
    with pytest.raises(TargetGroupError, match=r"login failed.*does not answer") as caught:
        resolve(TargetGroup("g", members), enumerate_with(open_one))
    assert "wrong-secret" not in str(caught.value)
