from __future__ import annotations

import threading

import pytest

from airflow_provider_elasticjobs.exceptions import (
    DefinitionError,
    LoginFailedError,
    ScriptError,
    ServerUnreachableError,
    TargetGroupError,
)
from airflow_provider_elasticjobs.model.targets import (
    ListedMember,
    SqlDatabase,
    SqlElasticPool,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    TargetGroup,
)
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, ServerDatabases
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.resolve import Resolution, resolve

_FLEET = {
    "s1": [("db1", None), ("db2", None), ("p1", "pool1"), ("p2", "pool1"), ("q1", "pool2")],
    "s2": [("db1", None), ("x1", "pool1")],
    "empty": [],
}


def enumerate_server(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
    return ServerDatabases(tuple(DatabaseInfo(name, "ONLINE", pool) for name, pool in _FLEET[server_name.lower()]))


def labels(*members: SqlServer | SqlElasticPool | SqlDatabase) -> set[str]:
    return {target.label for target in resolve(TargetGroup("g", members), enumerate_server).targets}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param(
            [SqlDatabase("s1", "db1"), SqlDatabase("s2", "db1")], {"s1/db1", "s2/db1"}, id="1 several databases"
        ),
        pytest.param([SqlServer("s1")], {"s1/db1", "s1/db2", "s1/p1", "s1/p2", "s1/q1"}, id="2 a server"),
        pytest.param(
            [SqlServer("s1"), SqlDatabase("s1", "db2", exclude=True)],
            {"s1/db1", "s1/p1", "s1/p2", "s1/q1"},
            id="3 a server without one database",
        ),
        pytest.param([SqlElasticPool("s1", "pool1")], {"s1/p1", "s1/p2"}, id="4 a pool"),
        pytest.param(
            [
                SqlServer("s2"), SqlElasticPool("s1", "pool2"), SqlDatabase("s1", "db1"),
                SqlElasticPool("s2", "pool1", exclude=True),
            ],
            {"s2/db1", "s1/q1", "s1/db1"},
            id="5 a mix without a pool",
        ),
        pytest.param(
            [
                SqlServer("s1"), SqlServer("s2"),
                SqlElasticPool("s1", "pool1", exclude=True), SqlDatabase("s2", "x1", exclude=True),
            ],
            {"s1/db1", "s1/db2", "s1/q1", "s2/db1"},
            id="6 servers without a pool and a database",
        ),
    ],
)  # fmt: skip
def test_the_six_documented_examples(
    members: list[SqlServer | SqlElasticPool | SqlDatabase], expected: set[str]
) -> None:
    assert labels(*members) == expected


def test_named_databases_need_no_connection() -> None:
    def nobody(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        raise AssertionError("asked")

    group = TargetGroup("g", [SqlDatabase("s1", "db1"), SqlServer("s9", exclude=True)])
    assert [target.label for target in resolve(group, nobody).targets] == ["s1/db1"]


def test_an_excluded_pool_takes_out_a_named_database() -> None:
    assert labels(SqlDatabase("s1", "p1"), SqlDatabase("s1", "db1"), SqlElasticPool("s1", "POOL1", exclude=True)) == {
        "s1/db1"
    }


def test_master_comes_only_when_named_and_may_be_excluded() -> None:
    assert labels(SqlDatabase("s1", "master")) == {"s1/master"}
    assert "s1/master" not in labels(SqlServer("s1"), SqlDatabase("s1", "master", exclude=True))


def test_a_group_may_come_to_nothing() -> None:
    group = TargetGroup("g", [SqlServer("empty"), SqlElasticPool("s1", "nosuch")])
    assert resolve(group, enumerate_server) == Resolution([], [], {"empty": 0, "s1": 5})


def test_databases_that_are_not_online_are_told_apart_unless_named() -> None:
    def restoring(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        return ServerDatabases(
            (DatabaseInfo("a", "RESTORING"), DatabaseInfo("b", "ONLINE"), DatabaseInfo("c", "offline"))
        )

    resolution = resolve(TargetGroup("g", [SqlServer("s"), SqlDatabase("s", "C")]), restoring)
    assert [target.label for target in resolution.targets] == ["s/b", "s/c"]
    assert [(each.target.label, each.state_desc) for each in resolution.not_online] == [("s/a", "RESTORING")]


def test_pools_and_servers_take_turns() -> None:
    resolution = resolve(TargetGroup("g", [SqlServer("s1"), SqlServer("s2")]), enumerate_server)
    assert [target.label for target in resolution.targets] == [
        "s1/db1", "s1/p1", "s1/q1", "s2/db1", "s2/x1", "s1/db2", "s1/p2",
    ]  # fmt: skip


def test_the_most_exact_member_with_a_connection_gives_it() -> None:
    members = [
        SqlServer("s1", conn_id="server"),
        SqlElasticPool("s1", "pool1", conn_id="pool"),
        SqlDatabase("s1", "p1", conn_id="database"),
        SqlDatabase("s1", "db1"),
    ]
    resolution = resolve(TargetGroup("g", members), enumerate_server)
    assert {target.database_name: target.conn_id for target in resolution.targets} == {
        "db1": "server", "db2": "server", "p1": "database", "p2": "pool", "q1": "server",
    }  # fmt: skip


def test_each_refresh_connection_asks_for_itself() -> None:
    asked: list[tuple[str, str | None]] = []

    def record(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        asked.append((server_name, refresh_conn_id))
        return enumerate_server(server_name, refresh_conn_id)

    members = [
        SqlServer("s1", refresh_conn_id="a"),
        SqlElasticPool("S1", "pool1", refresh_conn_id="a"),
        SqlElasticPool("s1", "pool2", refresh_conn_id="b"),
        SqlServer("s2"),
        SqlElasticPool("s2", "pool1", exclude=True),
    ]
    resolve(TargetGroup("g", members), record)
    assert sorted(asked, key=str) == [("s1", "a"), ("s1", "b"), ("s2", None)]


def test_servers_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=10)

    def meet(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        together.wait()
        return ServerDatabases(())

    resolve(TargetGroup("g", [SqlServer("a"), SqlServer("b"), SqlServer("c")]), meet)


def test_a_server_that_fails_is_named_with_its_cause_and_the_others_with_their_count() -> None:
    def partly(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        if server_name == "down":
            raise ServerUnreachableError("no answer", server="down")
        if server_name == "closed":
            raise LoginFailedError("login failed", server="closed", number=18456)
        return enumerate_server(server_name, refresh_conn_id)

    group = TargetGroup("fleet", [SqlServer("closed"), SqlServer("s1"), SqlElasticPool("down", "p")])
    with pytest.raises(TargetGroupError) as caught:
        resolve(group, partly)
    text = str(caught.value)
    assert "target group 'fleet'" in text
    assert "SqlServer closed could not be determined: login failed" in text
    assert "SqlElasticPool down/p could not be determined: no answer" in text
    assert "s1 has 5 database(s)" in text
    assert (caught.value.server, caught.value.number) == ("closed", 18456)


@pytest.mark.parametrize("exclude", [True, False])
def test_a_pool_of_a_server_that_tells_no_pools_is_an_error_not_an_empty_pool(exclude: bool) -> None:
    def untold(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        return ServerDatabases((DatabaseInfo("db1"),), pools_known=False)

    group = TargetGroup("g", [SqlDatabase("s", "db1"), SqlElasticPool("s", "p", exclude=exclude)])
    with pytest.raises(TargetGroupError, match="does not tell its elastic pools"):
        resolve(group, untold)
    assert resolve(TargetGroup("g", [SqlServer("s")]), untold).targets[0].label == "s/db1"


def test_a_defect_is_not_taken_for_a_server_that_is_down() -> None:
    def broken(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        resolve(TargetGroup("g", [SqlServer("s")]), broken)


def test_five_thousand_named_databases_of_one_server_resolve() -> None:
    names = [f"db{number}" for number in range(5000)]

    def large(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        return ServerDatabases(tuple(DatabaseInfo(name, "ONLINE", "pool") for name in names))

    members = [SqlServer("s"), *(SqlDatabase("s", name) for name in names[:4000])]
    group = TargetGroup("g", [*members, SqlElasticPool("s", "other", exclude=True)])
    assert len(resolve(group, large).targets) == 5000


def test_where_two_identities_see_a_database_the_one_that_knows_its_pool_is_believed() -> None:
    def two_views(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        if refresh_conn_id == "blind":
            return ServerDatabases((DatabaseInfo("p1"), DatabaseInfo("p2")), pools_known=False)
        return enumerate_server(server_name, refresh_conn_id)

    members = [
        SqlServer("s1", refresh_conn_id="blind"),
        SqlElasticPool("s1", "pool2", refresh_conn_id="seeing"),
        SqlDatabase("s1", "p1"),
    ]
    resolution = resolve(TargetGroup("g", members), two_views)
    assert {target.database_name: target.elastic_pool_name for target in resolution.targets}["p1"] == "pool1"


class TestLists:
    group = TargetGroup("g", [SqlQueryTargets("SELECT 1"), SqlShardMap("s1", "manager", "map")])

    def test_each_list_that_fails_is_named_with_its_cause(self) -> None:
        def refuse(member: ListedMember) -> list[Listed]:
            raise ScriptError(f"no {member.target_type} for you", number=229)

        with pytest.raises(TargetGroupError) as caught:
            resolve(self.group, enumerate_server, refuse)
        assert "SqlQuery 'SELECT 1' could not be read: no SqlQuery for you" in str(caught.value)
        assert "SqlShardMap s1/manager/map could not be read: no SqlShardMap for you" in str(caught.value)
        assert caught.value.number == 229

    def test_what_is_wrong_as_defined_is_not_tried_again(self) -> None:
        def refuse(member: ListedMember) -> list[Listed]:
            raise (DefinitionError if isinstance(member, SqlQueryTargets) else ServerUnreachableError)("no")

        with pytest.raises(DefinitionError, match="target group 'g': SqlQuery 'SELECT 1' could not be read: no;"):
            resolve(self.group, enumerate_server, refuse)

    def test_a_group_with_lists_needs_something_that_reads_them(self) -> None:
        with pytest.raises(TypeError, match="needs list_member"):
            resolve(self.group, enumerate_server)
