from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.operators import measuring
from airflow_provider_elasticjobs.operators.measuring import measurer

GROUP = TargetGroup(
    "g",
    [
        SqlServer("Own.example", refresh_conn_id="own"),
        SqlDatabase("own.example", "not this one", exclude=True),
        SqlDatabase("named.example", "d"),
    ],
)


def test_each_server_is_asked_with_the_connection_that_lists_its_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[Any, ...]] = []

    def sizes_of(targets: object, open_master: Callable[[str], Any], warn: Callable[[str], None]) -> Mapping[Any, Any]:
        open_master("OWN.example")
        open_master("named.example")
        warn("too bad")
        return {("s", "d"): 1.0}

    monkeypatch.setattr(measuring, "connect", lambda *arguments, **_: opened.append(arguments))
    monkeypatch.setattr(measuring, "sizes_of", sizes_of)
    warnings: list[str] = []
    measure = measurer(GROUP, "default", warnings.append, settings_of=lambda conn_id: f"settings of {conn_id}")  # type: ignore[arg-type,return-value]
    assert measure([Target("own.Example", "a"), Target("named.example", "d")]) == {("s", "d"): 1.0}
    assert opened == [
        ("settings of own", "OWN.example", "master"),
        ("settings of default", "named.example", "master"),
    ]
    assert warnings == ["too bad"]
