from __future__ import annotations

import logging
from typing import Any

import pytest
from airflow.models import Connection

from airflow_provider_elasticjobs.authentication import ManagedIdentity, SqlLogin
from airflow_provider_elasticjobs.connections import driver
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, LoginFailedError
from airflow_provider_elasticjobs.hooks import elasticjobs as module
from airflow_provider_elasticjobs.hooks.elasticjobs import ElasticJobsHook

_SECRET = "hidden-password"


def hook_for(monkeypatch: pytest.MonkeyPatch, hook: dict[str, Any] | None = None, **fields: Any) -> ElasticJobsHook:
    given = {"conn_type": "elasticjobs", "host": "s.example", "login": "u", "password": _SECRET, **fields}
    connection = Connection(conn_id="tenants", **given)
    monkeypatch.setattr(ElasticJobsHook, "get_connection", classmethod(lambda cls, conn_id: connection))
    return ElasticJobsHook(elasticjobs_conn_id="tenants", **(hook or {}))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def connect(settings: Any, server: Any, database: Any, *, application_name: Any, autocommit: bool) -> str:
        calls.append((server, database, application_name, autocommit))
        return "connection"

    monkeypatch.setattr(module, "connect", connect)
    return calls


@pytest.mark.parametrize("conn_type", ["elasticjobs", "mssql", "odbc"])
def test_three_connection_types_serve(monkeypatch: pytest.MonkeyPatch, conn_type: str) -> None:
    settings = hook_for(monkeypatch, conn_type=conn_type, port=1500, schema="db").settings
    assert settings.authentication == SqlLogin("u", _SECRET)
    assert (settings.server, settings.database, settings.port) == ("s.example", "db", 1500)


def test_another_type_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionSettingsError, match="'tenants' has type 'postgres'"):
        _ = hook_for(monkeypatch, conn_type="postgres").settings


def test_a_wrong_field_is_named_with_its_connection_and_without_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionSettingsError, match="connection 'tenants': encrypt") as caught:
        _ = hook_for(monkeypatch, extra={"encrypt": "maybe"}).settings
    assert _SECRET not in str(caught.value)


def test_extras_choose_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"authentication": "managed_identity", "client_id": "c"}
    assert hook_for(monkeypatch, extra=extra).settings.authentication == ManagedIdentity(client_id="c")


def test_unknown_extras_are_warned_of_by_name_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = hook_for(monkeypatch, extra={"surprise": "value-of-it"})
    warned: list[str] = []
    monkeypatch.setattr(type(hook.log), "warning", lambda self, text, *args: warned.append(text % args), raising=False)
    _ = hook.settings, hook.settings
    assert warned == ["Connection tenants: extra field(s) not used: surprise"]


def test_server_and_database_are_arguments_before_the_hooks_before_the_connections(
    monkeypatch: pytest.MonkeyPatch, opened: list[tuple[Any, ...]]
) -> None:
    hook = hook_for(monkeypatch, {"server": "hook", "database": "hookdb", "application_name": "app"}, schema="db")
    hook.connect("argument", "argumentdb", "name")
    hook.connect()
    hook_for(monkeypatch, schema="db").connect()
    assert opened == [
        ("argument", "argumentdb", "name", True),
        ("hook", "hookdb", "app", True),
        (None, None, None, True),  # the settings' own
    ]


def test_get_conn_leaves_commit_to_the_caller(monkeypatch: pytest.MonkeyPatch, opened: list[tuple[Any, ...]]) -> None:
    hook_for(monkeypatch).get_conn()
    assert opened[0][-1] is False


def test_nothing_that_airflow_may_show_holds_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = hook_for(monkeypatch, schema="db")
    shown = [hook.get_uri(), hook.odbc_connection_string, repr(hook.settings), str(hook.connect_kwargs), repr(hook)]
    assert not [text for text in shown if _SECRET in text]
    assert hook.get_uri().startswith("mssql+pyodbc:///?odbc_connect=Server%3Ds.example")


@pytest.mark.parametrize("refused", [{"dsn": "x"}, {"connect_kwargs": {"a": 1}}])
def test_ways_around_the_settings_are_refused(monkeypatch: pytest.MonkeyPatch, refused: dict[str, Any]) -> None:
    with pytest.raises(ConnectionSettingsError, match=next(iter(refused))):
        hook_for(monkeypatch, refused)


def test_the_driver_argument_may_be_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook_for(monkeypatch, {"driver": "/some/lib.so"}).driver == "/some/lib.so"


def test_the_driver_extra_may_not_unless_airflow_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionSettingsError, match="allow_driver_in_extra"):
        _ = hook_for(monkeypatch, extra={"driver": "/some/lib.so"}).settings
    monkeypatch.setenv("AIRFLOW__PROVIDERS_ODBC__ALLOW_DRIVER_IN_EXTRA", "True")
    assert hook_for(monkeypatch, extra={"driver": "/some/lib.so"}).driver == "/some/lib.so"


def test_without_an_explicit_one_the_driver_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook_for(monkeypatch).driver == driver.find_driver()


def test_a_failed_connection_is_answered_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise LoginFailedError("cannot connect to s.example/master: the login failed")

    monkeypatch.setattr(module, "connect", refuse)
    assert hook_for(monkeypatch).test_connection() == (False, "cannot connect to s.example/master: the login failed")


def test_question_mark_is_the_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook_for(monkeypatch).placeholder == "?"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("airflow").setLevel(logging.ERROR)
