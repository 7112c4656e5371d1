"""The set algebra against a naive model: for every group and fleet, the two must agree."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, TargetGroup
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, ServerDatabases
from airflow_provider_elasticjobs.targets.resolve import resolve

_Member = SqlServer | SqlElasticPool | SqlDatabase
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

    def matches(self, member: _Member) -> set[tuple[str, str]]:
        """Every existing database a member stands for; a named one even when it does not exist."""
        server = member.server_name.casefold()
        if isinstance(member, SqlDatabase):
            return {(server, member.database_name.casefold())}
        return {
            key
            for key, (pool, _) in self.databases.items()
            if key[0] == server
            and (isinstance(member, SqlServer) or (pool or "").casefold() == member.elastic_pool_name.casefold())
        }

    def excludes(self, member: _Member, key: tuple[str, str]) -> bool:
        if isinstance(member, SqlServer):
            return key[0] == member.server_name.casefold()
        return key in self.matches(member)


def expected(group: TargetGroup, fleet: Fleet) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The naive model: union of includes, minus whatever an exclude matches; then by state."""
    included = {key for member in group.members if not member.exclude for key in fleet.matches(member)}
    named = {
        key
        for member in group.members
        if not member.exclude and isinstance(member, SqlDatabase)
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
    resolution = resolve(group, fleet.enumerate)
    online, offline = expected(group, fleet)
    assert {target.key for target in resolution.targets} == online
    assert {each.target.key for each in resolution.not_online} == offline


@given(_groups(), _fleets)
def test_no_database_comes_twice(group: TargetGroup, fleet: Fleet) -> None:
    resolution = resolve(group, fleet.enumerate)
    keys = [target.key for target in resolution.targets] + [each.target.key for each in resolution.not_online]
    assert len(keys) == len(set(keys))


@given(_groups(), _fleets, st.randoms(use_true_random=False))
def test_the_order_of_members_means_nothing(group: TargetGroup, fleet: Fleet, random: object) -> None:
    shuffled = list(group.members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = resolve(TargetGroup("g", shuffled), fleet.enumerate)
    assert [target.key for target in other.targets] == [t.key for t in resolve(group, fleet.enumerate).targets]


@given(_groups(), _fleets)
def test_each_server_is_asked_at_most_once(group: TargetGroup, fleet: Fleet) -> None:
    asked: list[str] = []

    def enumerate_server(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        asked.append(server_name.casefold())
        return fleet.enumerate(server_name, refresh_conn_id)

    resolve(group, enumerate_server)
    assert len(asked) == len(set(asked))


@given(_groups(), _fleets)
def test_a_resolved_database_knows_its_pool_where_its_server_was_asked(group: TargetGroup, fleet: Fleet) -> None:
    resolution = resolve(group, fleet.enumerate)
    asked = {name.casefold() for name in resolution.databases_by_server}
    for target in resolution.targets:
        if target.key in fleet.databases and target.key[0] in asked:
            assert target.elastic_pool_name == fleet.databases[target.key][0]


@pytest.mark.parametrize("exclude_first", [True, False])
def test_exclusion_wins_whatever_the_order(exclude_first: bool) -> None:
    fleet = Fleet({("alpha", name): (None, "ONLINE") for name in ("db1", "db2")})
    members: list[_Member] = [SqlServer("alpha"), SqlDatabase("ALPHA", "DB2", exclude=True)]
    group = TargetGroup("g", members[::-1] if exclude_first else members)
    assert [target.label for target in resolve(group, fleet.enumerate).targets] == ["alpha/db1"]
