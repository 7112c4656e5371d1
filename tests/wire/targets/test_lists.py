"""Shard maps and queries over a catalog, with the real driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError, ScriptError
from airflow_provider_elasticjobs.model.targets import SqlQueryTargets, SqlShardMap, Target
from airflow_provider_elasticjobs.targets.catalog_query import list_query
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.shard_map import list_shard_map
from tests.wire.conftest import LiveServer

#: The tables that the elastic database tools make, as far as they are read, and a view columns more.
_SHARD_MAP_MANAGER = """
CREATE SCHEMA __ShardManagement;
GO
CREATE TABLE __ShardManagement.ShardMapsGlobal (
    ShardMapId uniqueidentifier NOT NULL, Name nvarchar(50) NOT NULL, ShardMapType int NOT NULL, KeyType int NOT NULL);
CREATE TABLE __ShardManagement.ShardsGlobal (
    ShardId uniqueidentifier NOT NULL, Readable bit NOT NULL, Version uniqueidentifier NOT NULL,
    ShardMapId uniqueidentifier NOT NULL, OperationId uniqueidentifier NULL, Protocol int NOT NULL,
    ServerName nvarchar(128) NOT NULL, Port int NOT NULL, DatabaseName nvarchar(128) NOT NULL, Status int NOT NULL);
INSERT INTO __ShardManagement.ShardMapsGlobal VALUES
    ('00000000-0000-0000-0000-000000000001', N'tenants', 1, 1),
    ('00000000-0000-0000-0000-000000000002', N'it''s empty', 2, 1),
    ('00000000-0000-0000-0000-000000000003', N'piped', 2, 1);
"""
_ADD_SHARD = (
    "INSERT INTO __ShardManagement.ShardsGlobal VALUES (NEWID(), {readable}, NEWID(),"
    " '00000000-0000-0000-0000-00000000000{map}', NULL, {protocol}, N'{server}', {port}, N'{database}', {status})"
)


@pytest.fixture(scope="module")
def open_database(server: LiveServer, new_database: Callable[[], str]) -> Callable[[], Any]:
    """Return a function that opens a database with a shard map manager and a catalog."""
    name = new_database()
    for batch in _SHARD_MAP_MANAGER.split("GO\n"):
        server.execute(batch, name)
    shard: dict[str, object] = {"readable": 1, "map": 1, "protocol": 0, "server": "s1.example", "port": 0, "status": 1}
    for changes in (
        {"database": "a"},
        {"database": "b", "port": 1433, "protocol": 1},
        {"database": "c", "port": 1500},
        {"database": "d", "status": 0},
        {"database": "being removed", "readable": 0},
        {"database": "of another map", "map": 3, "protocol": 2},
    ):
        server.execute(_ADD_SHARD.format(**{**shard, **changes}), name)
    server.execute(
        "CREATE TABLE tenants (srv nvarchar(128) NULL, db char(10) NULL, pool nvarchar(128) NULL, tenant int NULL,"
        " price decimal(9, 2) NULL, since date NULL, name nvarchar(50) NULL)",
        name,
    )
    server.execute(
        "INSERT INTO tenants VALUES (N's1', 'a', N'p', 1, 1.50, '2026-01-02', N'it''s'), (N's1', 'b', NULL, 2, NULL,"
        " NULL, N''), (N's2', 'a', NULL, NULL, 0, '2026-01-03', N'$(x) @y')",
        name,
    )
    return lambda: closing(server.connect(name))


def test_the_shards_of_a_map_and_those_offline(open_database: Callable[[], Any]) -> None:
    member = SqlShardMap("manager", "catalog", "TENANTS", conn_id="theirs", parameters={"x": 1})

    def shard(server: str, database: str, state: str = "ONLINE") -> Listed:
        return Listed(Target(server, database, None, "theirs", {"x": 1}), state)

    with open_database() as connection:
        assert list_shard_map(connection, member) == [
            shard("s1.example", "a"),
            shard("s1.example", "b"),
            shard("s1.example,1500", "c"),
            shard("s1.example", "d", "OFFLINE"),
        ]


def test_a_map_without_shards_is_empty_and_one_that_is_not_there_is_an_error(open_database: Callable[[], Any]) -> None:
    with open_database() as connection:
        assert list_shard_map(connection, SqlShardMap("manager", "catalog", "it's empty")) == []
        with pytest.raises(DefinitionError, match="no shard map 'nobody'"):
            list_shard_map(connection, SqlShardMap("manager", "catalog", "nobody"))
        with pytest.raises(DefinitionError, match=r"shard s1\.example/of another map is not reached by TCP"):
            list_shard_map(connection, SqlShardMap("manager", "catalog", "piped"))


def test_a_database_without_a_shard_map_manager_says_so(server: LiveServer) -> None:
    with closing(server.connect("master")) as connection, pytest.raises(ScriptError, match=r"(?i)__ShardM"):
        list_shard_map(connection, SqlShardMap("manager", "catalog", "tenants"))


QUERY = """
SELECT srv AS Server_Name, db AS DATABASE_NAME, pool AS elastic_pool_name, tenant, price, since, name FROM tenants
WHERE since >= @since OR srv = @server"""


def test_the_rows_of_a_query_with_real_parameters(open_database: Callable[[], Any]) -> None:
    member = SqlQueryTargets(QUERY, parameters={"since": date(2026, 1, 3), "server": "' OR 1 = 1 --", "unused": None})
    with open_database() as connection:
        (listed,) = list_query(connection, member)
    assert listed.target == Target(
        "s2", "a", None, None, {"tenant": None, "price": Decimal(0), "since": date(2026, 1, 3), "name": "$(x) @y"}
    )


def test_names_are_without_the_blanks_of_their_column(open_database: Callable[[], Any]) -> None:
    member = SqlQueryTargets(QUERY, parameters={"since": None, "server": "s1"})
    with open_database() as connection:
        found = {listed.target.label: listed.target for listed in list_query(connection, member)}
    assert {label: target.elastic_pool_name for label, target in found.items()} == {"s1/a": "p", "s1/b": None}
    assert found["s1/a"].parameters["price"] == Decimal("1.50")


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ("SELECT * FROM nothing_like_it", ScriptError, "the query was refused: .*nothing_like_it"),
        ("SELECT 's' AS server_name, 'd' AS database_name; THROW 50001, 'too late', 1", ScriptError, "too late"),
        ("DECLARE @a int", DefinitionError, "gives no rows: it must be a query"),
        ("SELECT srv AS server_name, db FROM tenants", DefinitionError, "column 'database_name' is missing; .* 'db'"),
        ("SELECT NULL AS server_name, 'x' AS database_name", DefinitionError, "row 1: server_name must be"),
        ("SELECT 's' AS server_name, 1 AS database_name", DefinitionError, "row 1: database_name must be .* not 1"),
    ],
)
def test_what_a_query_may_not_be(
    open_database: Callable[[], Any], query: str, error: type[Exception], words: str
) -> None:
    with open_database() as connection, pytest.raises(error, match=words):
        list_query(connection, SqlQueryTargets(query))


def test_what_comes_before_the_rows_is_passed_over(open_database: Callable[[], Any]) -> None:
    query = "DECLARE @one int; UPDATE tenants SET tenant = tenant; SELECT 's' AS server_name, 'd' AS database_name"
    with open_database() as connection:
        assert list_query(connection, SqlQueryTargets(query)) == [Listed(Target("s", "d"))]


def test_rows_are_bounded(open_database: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_elasticjobs.targets.catalog_query.MOST_ROWS", 2)
    member = SqlQueryTargets("SELECT srv AS server_name, db AS database_name FROM tenants")
    with open_database() as connection, pytest.raises(DefinitionError, match="the query gives more than 2 rows"):
        list_query(connection, member)
