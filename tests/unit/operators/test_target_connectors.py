from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.operators import target_connectors
from airflow_provider_elasticjobs.operators.target_connectors import connectors


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[ConnectionSettings]:
    """The settings that connectors were made of."""
    found: list[ConnectionSettings] = []
    monkeypatch.setattr(target_connectors, "connector", found.append)
    return found


def settings_of(conn_id: str) -> ConnectionSettings:
    return ConnectionSettings(SqlLogin(conn_id, "p"), login_timeout=30)


def login(settings: Any) -> str:
    return str(settings.authentication.login)


def test_a_row_that_names_no_connection_has_the_default(used: list[ConnectionSettings]) -> None:
    connector_of = connectors("usual", settings_of=settings_of)
    connector_of(None)
    connector_of("its own")
    assert [(login(one), one.login_timeout) for one in used] == [("usual", 30), ("its own", 30)]


def test_who_is_in_a_hurry_waits_less(used: list[ConnectionSettings]) -> None:
    connectors("usual", login_timeout=5, settings_of=settings_of)(None)
    assert used[0].login_timeout == 5


def test_a_connection_that_is_not_there_is_an_error_of_ours() -> None:
    def absent(conn_id: str) -> ConnectionSettings:
        raise AirflowNotFoundException(f"no {conn_id}")

    with pytest.raises(ConnectionSettingsError, match="no usual"):
        connectors("usual", settings_of=absent)(None)
