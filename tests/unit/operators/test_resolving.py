from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlServer, TargetGroup
from airflow_provider_elasticjobs.operators import resolving
from airflow_provider_elasticjobs.operators.resolving import resolver

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


def test_a_group_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    group = TargetGroup("everyone", [SqlServer("a")])
    assert len(resolve(group, Servers(5_000), monkeypatch).targets) == 5_000
