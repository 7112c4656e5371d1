from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import (
    AnyMember,
    FailedTargets,
    SqlDatabase,
    SqlElasticPool,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    Target,
    TargetGroup,
)

SERVER = "tenants.database.windows.net"

_names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Zs", "Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=128
)
_ids = st.none() | st.sampled_from(["run_identity", "refresh_identity"])
_parameters: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.just({"day": date(2026, 1, 2), "text": "{{ ds }}"})
_members = st.one_of(
    st.builds(SqlServer, _names, exclude=st.booleans(), conn_id=_ids, refresh_conn_id=_ids),
    st.builds(SqlElasticPool, _names, _names, exclude=st.booleans(), conn_id=_ids, refresh_conn_id=_ids),
    st.builds(SqlDatabase, _names, _names, exclude=st.booleans(), conn_id=_ids, literal=st.booleans()),
    st.builds(SqlElasticPool, _names, st.just("p*"), database_name=st.none() | _names, parameters=_parameters),
    st.builds(SqlDatabase, _names, st.just("t_?"), refresh_conn_id=_ids, parameters=_parameters),
    st.builds(SqlShardMap, _names, _names, st.just("map"), refresh_conn_id=_ids, parameters=_parameters),
    st.builds(SqlQueryTargets, _names, server_name=st.none() | _names, parameters=_parameters),
    st.builds(FailedTargets, _names, lifecycles=st.just(("Skipped",)), step=st.none() | st.integers(1, 9) | _names),
)


@given(
    st.lists(
        _members,
        max_size=8,
        unique_by=lambda member: (member.label.removesuffix(" (Exclude)").casefold(), member.variant.casefold()),
    ),
    _names,
)
def test_a_group_survives_json(members: list[AnyMember], name: str) -> None:
    group = TargetGroup(name, [SqlDatabase("always.included", "db"), *members])
    assert TargetGroup.from_json(json.loads(json.dumps(group.to_json()))) == group


def test_json_uses_the_parameter_names_of_the_contract() -> None:
    group = TargetGroup(
        "g", [SqlElasticPool(SERVER, "pool1", refresh_conn_id="r"), SqlDatabase(SERVER, "db2", exclude=True)]
    )
    assert group.to_json() == {
        "target_group_name": "g",
        "members": [
            {
                "membership_type": "Include",
                "target_type": "SqlElasticPool",
                "server_name": SERVER,
                "elastic_pool_name": "pool1",
                "refresh_conn_id": "r",
            },
            {
                "membership_type": "Exclude",
                "target_type": "SqlDatabase",
                "server_name": SERVER,
                "database_name": "db2",
            },
        ],
    }


def test_enumerations_are_read_in_any_letter_case() -> None:
    data = {"target_group_name": "g", "members": [{"target_type": "sqlserver", "server_name": SERVER}]}
    assert TargetGroup.from_json(data).members == (SqlServer(SERVER),)
    data["members"][0]["membership_type"] = "include"  # type: ignore[index]
    assert TargetGroup.from_json(data).members == (SqlServer(SERVER),)


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ({"target_type": "SqlShard", "server_name": SERVER}, "member 2: target_type is 'SqlShard'"),
        ({"server_name": SERVER}, "member 2: target_type is ''"),
        ({"target_type": "SqlDatabase", "server_name": SERVER}, "member 2 (SqlDatabase): missing .* 'database_name'"),
        (
            {"target_type": "SqlDatabase", "server_name": SERVER, "database_name": "d", "refresh_conn_id": "r"},
            "member 2 (SqlDatabase): .*'refresh_conn_id'",
        ),
        (
            {"target_type": "SqlServer", "server_name": SERVER, "database_name": "d"},
            "member 2 (SqlServer): .*'database_name'",
        ),
        ({"target_type": "SqlServer", "server_name": ""}, "SqlServer: server_name must be a non-empty text"),
        ({"target_type": "SqlServer", "server_name": SERVER, "membership_type": "Both"}, "membership_type is 'both'"),
    ],
)
def test_a_wrong_member_is_named(member: dict[str, str], told: str) -> None:
    good = {"target_type": "SqlServer", "server_name": "other"}
    with pytest.raises(DefinitionError, match=told.replace("(", r"\(").replace(")", r"\)")):
        TargetGroup.from_json({"target_group_name": "g", "members": [good, member]})


def test_members_must_be_a_list() -> None:
    with pytest.raises(DefinitionError, match="'members' must be a list"):
        TargetGroup.from_json({"target_group_name": "g", "members": "SqlServer"})


def test_a_member_stands_once_in_a_group() -> None:
    with pytest.raises(
        DefinitionError, match=re.escape("member 2: SqlDatabase S/DB (Exclude) repeats SqlDatabase s/db")
    ):
        TargetGroup("g", [SqlDatabase("s", "db"), SqlDatabase("S", "DB", exclude=True)])


def test_a_group_needs_something_to_include() -> None:
    with pytest.raises(DefinitionError, match="no included member"):
        TargetGroup("g", [SqlServer(SERVER, exclude=True)])


def test_groups_cannot_be_nested() -> None:
    inner = TargetGroup("inner", [SqlServer(SERVER)])
    with pytest.raises(DefinitionError, match="groups cannot be nested"):
        TargetGroup("outer", [inner])  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["", " padded", "padded ", "x" * 129])
def test_unusable_names_are_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="name"):
        TargetGroup(name, [SqlServer(SERVER)])


def test_a_target_is_the_same_in_any_letter_case() -> None:
    assert Target("S.net", "Db").key == Target("s.NET", "dB", "pool").key
    assert Target("S.net", "Db").label == "S.net/Db"


@pytest.mark.parametrize("target", [Target("s", "d"), Target("s", "d", "p"), Target("s", "d", None, "c")])
def test_a_target_survives_json(target: Target) -> None:
    assert Target.from_json({**target.to_json(), "execution_id": "ignored"}) == target


def test_a_targets_parameters_are_told_to_nobody() -> None:
    target = Target("s", "d", parameters={"word": "secret"})
    assert "secret" not in repr(target) + json.dumps(target.to_json())
