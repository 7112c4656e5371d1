"""The set algebra against a naive model: for every group and fleet, the two must agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import (
    AnyMember,
    SqlDatabase,
    SqlElasticPool,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    Target,
    TargetGroup,
)
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, ServerDatabases
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.resolve import Resolution, resolve

_SERVERS = ("alpha", "Beta", "gamma")
_POOLS = ("pool1", "pool2")
_DATABASES = ("db1", "db2", "Db3", "db4")


@dataclass(frozen=True)
class Fleet:
    """Servers as the model sees them: (server, database) in lower case to pool and state."""

    databases: dict[tuple[str, str], tuple[str | None, str]]

    def enumerate(self, server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        found = [
            DatabaseInfo(database, state, pool)
            for (server, database), (pool, state) in self.databases.items()
            if server == server_name.casefold()
        ]
        return ServerDatabases(tuple(found))

    def matches(self, member: AnyMember) -> set[tuple[str, str]]:
        """Every existing database a member stands for; a named or listed one even when it does not exist."""
        if isinstance(member, SqlQueryTargets):
            return {listed.target.key for listed in listed_by(member)}
        if is_named(member):
            return {(member.server_name.casefold(), member.database_name.casefold())}
        return {key for key, (pool, _) in self.databases.items() if fits(member, key, pool)}

    def excludes(self, member: AnyMember, key: tuple[str, str]) -> bool:
        if isinstance(member, SqlServer) or (isinstance(member, SqlDatabase) and not is_named(member)):
            return fits(member, key, None)
        return key in self.matches(member)


def is_named(member: AnyMember) -> TypeGuard[SqlDatabase]:
    return isinstance(member, SqlDatabase) and not {"*", "?"} & set(member.database_name)


def fits(member: Any, key: tuple[str, str], pool: str | None) -> bool:
    """Whether a database fits the names of a server, a pool or a pattern; an exact name is a pattern without stars."""
    if key[0] != member.server_name.casefold():
        return False
    if isinstance(member, SqlElasticPool) and not fnmatch((pool or "").lower(), member.elastic_pool_name.lower()):
        return False
    return fnmatch(key[1], (getattr(member, "database_name", None) or "*").lower())


def listed_by(member: Any) -> Sequence[Listed]:
    """Read a list out of the text of a query: ``alpha/db1 beta/db2``."""
    pairs = [text.split("/") for text in member.query.split() if "/" in text]
    return [Listed(Target(server, database)) for server, database in pairs]


def resolved(group: TargetGroup, fleet: Fleet) -> Resolution:
    return resolve(group, fleet.enumerate, listed_by)


def expected(group: TargetGroup, fleet: Fleet) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The naive model: union of includes, minus whatever an exclude matches; then by state."""
    included = {key for member in group.members if not member.exclude for key in fleet.matches(member)}
    named = {
        key
        for member in group.members
        if not member.exclude and (is_named(member) or isinstance(member, SqlQueryTargets))
        for key in fleet.matches(member)
    }
    kept = {key for key in included if not any(m.exclude and fleet.excludes(m, key) for m in group.members)}
    online = {key for key in kept if key in named or fleet.databases[key][1] == "ONLINE"}
    return online, kept - online


def _any_case(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([text, text.upper(), text.title()])


_server_names = st.sampled_from(_SERVERS).flatmap(_any_case)
_members = st.one_of(
    st.builds(SqlServer, _server_names, exclude=st.booleans()),
    st.builds(SqlElasticPool, _server_names, st.sampled_from(_POOLS).flatmap(_any_case), exclude=st.booleans()),
    st.builds(SqlDatabase, _server_names, st.sampled_from(_DATABASES).flatmap(_any_case), exclude=st.booleans()),
    st.builds(SqlDatabase, _server_names, st.sampled_from(["db?", "D*3", "*"]), exclude=st.booleans()),
    st.builds(
        SqlElasticPool,
        _server_names,
        st.sampled_from(["POOL?", "*1"]),
        database_name=st.sampled_from([None, "db1", "*2"]),
        exclude=st.booleans(),
    ),
    st.builds(
        SqlQueryTargets,
        st.lists(st.sampled_from(["alpha/db1", "ALPHA/DB9", "gamma/Db3"]), unique=True).map(
            lambda x: f"q {' '.join(x)}"
        ),
        exclude=st.booleans(),
    ),
)
_fleets = st.dictionaries(
    st.tuples(
        st.sampled_from([name.casefold() for name in _SERVERS]),
        st.sampled_from([name.casefold() for name in _DATABASES]),
    ),
    st.tuples(st.sampled_from([None, *_POOLS]), st.sampled_from(["ONLINE", "ONLINE", "RESTORING"])),
).map(Fleet)


@st.composite
def _groups(draw: st.DrawFn) -> TargetGroup:
    members = draw(st.lists(_members, min_size=1, max_size=6))
    try:
        return TargetGroup("g", members)
    except DefinitionError:  # a member twice, or nothing included
        return TargetGroup("g", [SqlServer("alpha")])


@given(_groups(), _fleets)
def test_every_group_resolves_as_the_naive_model_says(group: TargetGroup, fleet: Fleet) -> None:
    resolution = resolved(group, fleet)
    online, offline = expected(group, fleet)
    assert {target.key for target in resolution.targets} == online
    assert {each.target.key for each in resolution.not_online} == offline


@given(_groups(), _fleets)
def test_no_database_comes_twice(group: TargetGroup, fleet: Fleet) -> None:
    resolution = resolved(group, fleet)
    keys = [target.key for target in resolution.targets] + [each.target.key for each in resolution.not_online]
    assert len(keys) == len(set(keys))


@given(_groups(), _fleets, st.randoms(use_true_random=False))
def test_the_order_of_members_means_nothing(group: TargetGroup, fleet: Fleet, random: object) -> None:
    shuffled = list(group.members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = resolved(TargetGroup("g", shuffled), fleet)
    assert [target.key for target in other.targets] == [t.key for t in resolved(group, fleet).targets]


@given(_groups(), _fleets)
def test_each_server_is_asked_at_most_once(group: TargetGroup, fleet: Fleet) -> None:
    asked: list[str] = []

    def enumerate_server(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        asked.append(server_name.casefold())
        return fleet.enumerate(server_name, refresh_conn_id)

    resolve(group, enumerate_server, listed_by)
    assert len(asked) == len(set(asked))


@given(_groups(), _fleets)
def test_a_resolved_database_knows_its_pool_where_its_server_was_asked(group: TargetGroup, fleet: Fleet) -> None:
    resolution = resolved(group, fleet)
    asked = {name.casefold() for name in resolution.databases_by_server}
    for target in resolution.targets:
        if target.key in fleet.databases and target.key[0] in asked:
            assert target.elastic_pool_name == fleet.databases[target.key][0]


@pytest.mark.parametrize("exclude_first", [True, False])
def test_exclusion_wins_whatever_the_order(exclude_first: bool) -> None:
    fleet = Fleet({("alpha", name): (None, "ONLINE") for name in ("db1", "db2")})
    members: list[AnyMember] = [SqlServer("alpha"), SqlDatabase("ALPHA", "DB2", exclude=True)]
    group = TargetGroup("g", members[::-1] if exclude_first else members)
    assert [target.label for target in resolved(group, fleet).targets] == ["alpha/db1"]


class TestWhatCounts:
    """Where several members find a database, the more exact one's connection and values count."""

    fleet = Fleet({("alpha", name): ("pool1", "ONLINE") for name in ("db1", "db2")})

    def target(self, *members: AnyMember) -> Target:
        return next(one for one in resolved(TargetGroup("g", members), self.fleet).targets if one.key[1] == "db1")

    def test_values_of_all_members_meet(self) -> None:
        given: dict[str, AnyMember] = {
            "server": SqlServer("alpha", parameters={"a": "server", "server": 1}),
            "pool": SqlElasticPool("alpha", "pool1", parameters={"a": "pool", "b": "pool"}),
            "pattern": SqlDatabase("alpha", "db*", parameters={"A": "pattern"}),
            "named": SqlDatabase("alpha", "db1", parameters={"a": "named"}, conn_id="named"),
        }
        assert self.target(*given.values()).parameters == {"a": "named", "b": "pool", "server": 1}
        given.pop("named")
        found = self.target(*given.values())
        assert (found.parameters, found.conn_id) == ({"A": "pattern", "b": "pool", "server": 1}, None)

    def test_a_listed_one_gets_its_pool_from_its_server(self) -> None:
        found = self.target(SqlQueryTargets("alpha/DB1", conn_id="theirs"), SqlElasticPool("alpha", "pool2"))
        assert found == Target("alpha", "db1", "pool1", "theirs")

    def test_one_listed_as_offline_is_left_out_although_its_server_has_it_online(self) -> None:
        group = TargetGroup("g", [SqlShardMap("manager", "m", "map"), SqlServer("alpha")])
        resolution = resolve(group, self.fleet.enumerate, lambda _: [Listed(Target("alpha", "db1"), "OFFLINE")])
        assert [target.label for target in resolution.targets] == ["alpha/db2"]
        assert [(one.target.label, one.state_desc) for one in resolution.not_online] == [("alpha/db1", "OFFLINE")]

    def test_a_system_database_is_never_meant_by_a_pattern(self) -> None:
        group = TargetGroup("g", [SqlDatabase("alpha", "master"), SqlDatabase("alpha", "*", exclude=True)])
        assert [target.label for target in resolved(group, self.fleet).targets] == ["alpha/master"]


class TestWhatIsAsked:
    @pytest.mark.parametrize(
        ("members", "asked"),
        [
            ([SqlDatabase("a", "t*")], ["a"]),
            ([SqlDatabase("a", "t1"), SqlDatabase("a", "t*", exclude=True)], []),
            ([SqlQueryTargets("b/t1"), SqlDatabase("b", "t*", exclude=True)], []),
            ([SqlQueryTargets("b/t1"), SqlElasticPool("b", "p*", exclude=True)], ["b"]),
            ([SqlQueryTargets("b/t1"), SqlElasticPool("a", "p*", exclude=True)], []),
            ([SqlDatabase("a", "t*"), SqlDatabase("a", "u*"), SqlServer("a")], ["a"]),
            ([SqlDatabase("a", "t*"), SqlServer("a", exclude=True)], []),
        ],
    )
    def test_servers(self, members: list[AnyMember], asked: list[str]) -> None:
        found: list[str] = []

        def enumerate_server(server_name: str, _: str | None) -> ServerDatabases:
            found.append(server_name)
            return ServerDatabases(())

        resolve(TargetGroup("g", members), enumerate_server, listed_by)
        assert found == asked
