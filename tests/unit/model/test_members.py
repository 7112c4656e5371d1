from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import (
    FailedTargets,
    SqlDatabase,
    SqlElasticPool,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    TargetGroup,
)

LONG = "SELECT server_name,\n  database_name FROM dbo.catalog WHERE region = @region AND server_name IS NOT NULL"


@pytest.mark.parametrize(
    ("member", "held", "others"),
    [
        (SqlServer("s"), [("a", None), ("b", "p")], []),
        (SqlElasticPool("s", "P1"), [("a", "p1")], [("a", None), ("a", "p2")]),
        (SqlElasticPool("s", "p?"), [("a", "p1"), ("b", "P2")], [("a", None), ("a", "p"), ("a", "p12")]),
        (SqlElasticPool("s", "p?", literal=True), [("a", "P?")], [("a", "p1")]),
        (SqlElasticPool("s", "p*", database_name="t_*"), [("t_1", "p")], [("t_1", "q"), ("x", "p"), ("t_1", None)]),
        (SqlElasticPool("s", "p", database_name="db1"), [("DB1", "p")], [("db2", "p")]),
        (SqlDatabase("s", "t_*"), [("T_1", None), ("t_2", "p")], [("x", None)]),
        (SqlDatabase("s", "*"), [("a", None)], [(name, None) for name in ("master", "MSDB", "model", "tempdb")]),
        (SqlDatabase("s", "m*", literal=True), [("M*", None)], [("m1", None)]),
        (SqlDatabase("s", "master"), [("Master", None)], [("model", None)]),
    ],
)
def test_what_a_member_holds(member: Any, held: list[Any], others: list[Any]) -> None:
    assert [one for one in held if not member.holds(*one)] == []
    assert [one for one in others if member.holds(*one)] == []


@pytest.mark.parametrize(
    ("member", "label"),
    [
        (SqlDatabase("s", "t_*", exclude=True), "SqlDatabase s/t_* (Exclude)"),
        (SqlElasticPool("s", "p*", database_name="t_*"), "SqlElasticPool s/t_*/p*"),
        (SqlShardMap("s", "manager", "tenants"), "SqlShardMap s/manager/tenants"),
        (SqlQueryTargets("SELECT 1"), "SqlQuery 'SELECT 1'"),
        (SqlQueryTargets(LONG), f"SqlQuery '{' '.join(LONG.split())[:77]}...'"),
        (FailedTargets("{{ params.run }}", step=2), "FailedTargets of run {{ params.run }}, step 2"),
    ],
)
def test_labels(member: Any, label: str) -> None:
    assert member.label == label


def test_members_that_differ_in_more_than_their_names_stand_beside_each_other() -> None:
    members = [
        SqlDatabase("s", "t*"),
        SqlDatabase("s", "t*", literal=True),
        SqlShardMap("s", "m", "one"),
        SqlShardMap("s", "m", "two"),
        SqlQueryTargets("SELECT 1"),
        SqlQueryTargets("SELECT 2"),
        SqlQueryTargets("SELECT 2", parameters={"a": 1}),
        FailedTargets("x"),
        FailedTargets("x", step=1),
    ]
    assert len(TargetGroup("g", members).members) == len(members)


@pytest.mark.parametrize(
    "member",
    [
        SqlDatabase("s", "T*"),
        SqlShardMap("s", "m", "ONE"),
        SqlQueryTargets("SELECT 2", exclude=True, parameters={"a": 1}),
        FailedTargets("x", exclude=True),
    ],
)
def test_and_those_that_do_not_are_refused(member: Any) -> None:
    others = [
        SqlDatabase("s", "t*"),
        SqlShardMap("s", "m", "one"),
        SqlQueryTargets("SELECT 2", parameters={"a": 1}),
        FailedTargets("x"),
    ]
    with pytest.raises(DefinitionError, match=r"member 5: .* repeats"):
        TargetGroup("g", [*others, member])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SqlDatabase("s", "d", refresh_conn_id="r"), "SqlDatabase s/d: a 'refresh_conn_id' is for patterns"),
        (lambda: SqlElasticPool("s", "p", database_name=""), "SqlElasticPool on s: database_name must be"),
        (lambda: SqlShardMap("s", "m", "x" * 51), "shard_map_name has 51 characters; at most 50"),
        (lambda: SqlQueryTargets("  "), "SqlQueryTargets: query must be a T-SQL query"),
        (lambda: SqlQueryTargets("SELECT 1", server_name=""), "SqlQueryTargets: server_name must be"),
        (lambda: FailedTargets("x", lifecycles=()), r"lifecycles must be of .*, not \(\)"),
        (lambda: FailedTargets("x", lifecycles=["Created"]), r"must be of .*SucceededWithSkipped, Skipped, Failed"),
        (lambda: SqlServer("s", parameters={"a b": 1}), "SqlServer s: 'a b' is no name"),
        (lambda: SqlDatabase("s", "d", parameters={"job_name": 1}), "SqlDatabase s/d: 'job_name' is a built-in"),
    ],
)
def test_unusable_members(make: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        make()


def test_the_failed_targets_of_a_run() -> None:
    group = TargetGroup.failed_of(UUID(int=3), ["failed"], step="first", name="Again")
    assert (group.name, group.members) == (
        "Again",
        (FailedTargets(str(UUID(int=3)), lifecycles=("Failed",), step="first"),),
    )


def test_templates_are_rendered_where_they_may_be_and_nowhere_else() -> None:
    def render(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: render(one) for name, one in value.items()}
        return value.replace("{{ x }}", "rendered") if isinstance(value, str) else value

    query = SqlQueryTargets("SELECT '{{ x }}'", parameters={"a": "{{ x }}", "n": 1})
    group = TargetGroup("{{ x }}", [SqlDatabase("s", "{{ x }}", parameters={"v": "{{ x }}"}), query])
    database, rendered = group.rendered(render).members
    assert database == SqlDatabase("s", "{{ x }}", parameters={"v": "rendered"})
    assert rendered == SqlQueryTargets("SELECT '{{ x }}'", parameters={"a": "rendered", "n": 1})


def test_values_are_not_shown() -> None:
    group = TargetGroup("g", [SqlDatabase("s", "d", parameters={"a": "secret"})])
    assert "secret" not in repr(group)
