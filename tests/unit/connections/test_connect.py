from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import ManagedIdentity, SqlLogin
from airflow_provider_elasticjobs.authentication.token_cache import CachedToken
from airflow_provider_elasticjobs.connections import connect as module
from airflow_provider_elasticjobs.connections.connect import connect, connector, token_attribute
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, LoginFailedError

_SETTINGS = ConnectionSettings(SqlLogin("u", "p"), server="own", database="owndb", driver="D", login_timeout=7)


class FakeDriver:
    """Stands in for ``pyodbc`` and remembers how it was called."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def connect(self, text: str, **options: Any) -> Any:
        self.calls.append((text, options))
        return SimpleNamespace()


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    made = FakeDriver()
    monkeypatch.setattr(module, "load_pyodbc", lambda: made)
    return made


def test_time_out_and_autocommit_are_said_explicitly(driver: FakeDriver) -> None:
    connect(_SETTINGS)
    connect(_SETTINGS, autocommit=False)
    assert [options for _, options in driver.calls] == [
        {"timeout": 7, "autocommit": True, "attrs_before": {}},
        {"timeout": 7, "autocommit": False, "attrs_before": {}},
    ]


def test_arguments_come_before_the_settings_own(driver: FakeDriver) -> None:
    connect(_SETTINGS)
    connector(_SETTINGS)("other", "otherdb", "name")
    connect(ConnectionSettings(SqlLogin("u", "p"), server="own", driver="D"))
    first, second, third = (text for text, _ in driver.calls)
    assert "Server={tcp:own,1433};Database={owndb}" in first
    assert "Server={tcp:other,1433};Database={otherdb}" in second
    assert "APP={name}" in second
    assert "Database={master}" in third


def test_a_token_is_passed_as_the_driver_wants_it(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManagedIdentity, "access_token", lambda self: CachedToken("T\u00f6ken", 2.0**40))
    connect(ConnectionSettings(ManagedIdentity(), server="s", driver="D"))
    ((text, options),) = driver.calls
    assert options["attrs_before"] == {1256: struct.pack("<I", 10) + "T\u00f6ken".encode("utf-16-le")}
    assert "T\u00f6ken" not in text
    assert token_attribute("") == b"\0\0\0\0"


def test_without_a_server_nothing_is_tried(driver: FakeDriver) -> None:
    with pytest.raises(ConnectionSettingsError, match="no server"):
        connect(ConnectionSettings(SqlLogin("u", "p")))
    assert driver.calls == []


def test_a_missing_token_is_told_with_server_and_database(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ManagedIdentity) -> CachedToken:
        raise LoginFailedError("no access token for x")

    monkeypatch.setattr(ManagedIdentity, "access_token", fail)
    with pytest.raises(LoginFailedError, match="cannot connect to s/db: no access token for x") as caught:
        connect(ConnectionSettings(ManagedIdentity(), driver="D"), "s", "db")
    assert (caught.value.server, caught.value.database) == ("s", "db")
    assert driver.calls == []


def test_a_refusal_does_not_carry_the_drivers_error(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(text: str, **options: Any) -> Any:
        raise FakeDriver.Error("28000", "[28000] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]No. (18456)")

    monkeypatch.setattr(driver, "connect", refuse)
    with pytest.raises(LoginFailedError) as caught:
        connect(_SETTINGS)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
