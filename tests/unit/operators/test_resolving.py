from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import (
    SqlDatabase,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    Target,
    TargetGroup,
)
from airflow_provider_elasticjobs.operators import resolving
from airflow_provider_elasticjobs.operators.resolving import resolver
from airflow_provider_elasticjobs.targets.listing import Listed

SETTINGS = ConnectionSettings(SqlLogin("nobody", "secret"))


class Servers:
    """Stands for the driver: each server holds as many databases as the test says."""

    def __init__(self, databases: int) -> None:
        self.databases = databases
        self.opened: list[tuple[ConnectionSettings, str, str]] = []

    def connect(self, settings: ConnectionSettings, server: str, database: str, **_: Any) -> Any:
        self.opened.append((settings, server, database))
        return self

    def cursor(self) -> Any:
        return self

    def execute(self, _: str) -> Any:
        return self

    def fetchall(self) -> list[tuple[str, str, None, int]]:
        return [(f"d{number}", "ONLINE", None, 1) for number in range(self.databases)]

    def close(self) -> None:
        return


def settings_of(conn_id: str) -> ConnectionSettings:
    return replace(SETTINGS, server=conn_id)


def resolve(group: TargetGroup, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(resolving, "connect", servers.connect)
    return resolver("usual", settings_of=settings_of)(group)


def test_servers_are_asked_in_master_by_the_members_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(1)
    group = TargetGroup("g", [SqlServer("a"), SqlServer("b", refresh_conn_id="special"), SqlDatabase("c", "named")])
    resolution = resolve(group, servers, monkeypatch)
    assert sorted((settings.server, server, database) for settings, server, database in servers.opened) == [
        ("special", "b", "master"),
        ("usual", "a", "master"),
    ]
    assert sorted(target.label for target in resolution.targets) == ["a/d0", "b/d0", "c/named"]


def test_named_databases_need_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(0)
    assert len(resolve(TargetGroup("g", [SqlDatabase("c", "d")]), servers, monkeypatch).targets) == 1
    assert servers.opened == []


class TestLists:
    """What the lists themselves hold is tested with the real driver; here, who is asked for them."""

    @pytest.fixture
    def lists(self, monkeypatch: pytest.MonkeyPatch) -> Servers:
        servers = Servers(0)
        for name in ("list_query", "list_shard_map"):
            monkeypatch.setattr(resolving, name, lambda _, member: [Listed(Target("s", str(member.target_type)))])
        monkeypatch.setattr(resolving, "failed_targets", lambda db, member: [Target(db, member.job_execution_id)])
        return servers

    def test_each_is_read_where_its_member_says(self, lists: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
        members = [
            SqlQueryTargets("SELECT 1"),
            SqlQueryTargets("SELECT 2", server_name="a", database_name="b", refresh_conn_id="special"),
            SqlShardMap("c", "d", "map"),
        ]
        resolution = resolve(TargetGroup("g", members), lists, monkeypatch)
        assert sorted(lists.opened, key=str) == [
            (settings_of("special"), "a", "b"),
            (settings_of("usual"), "c", "d"),
            (settings_of("usual"), None, None),
        ]
        assert [target.label for target in resolution.targets] == ["s/SqlQuery", "s/SqlShardMap"]

    def test_the_targets_of_a_run_need_the_job_database_and_nothing_else(
        self, lists: Servers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resolving, "connect", lists.connect)
        group = TargetGroup.failed_of("{{ run }}")
        found = resolver("usual", "rows", render=lambda _: "run 7", settings_of=settings_of)(group)  # type: ignore[arg-type]
        assert [target.label for target in found.targets] == ["rows/run 7"]
        assert lists.opened == []
        with pytest.raises(DefinitionError, match="in the job database, which is not at hand"):
            resolver("usual", settings_of=settings_of)(group)


def test_a_group_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    group = TargetGroup("everyone", [SqlServer("a")])
    assert len(resolve(group, Servers(5_000), monkeypatch).targets) == 5_000
