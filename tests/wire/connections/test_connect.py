"""Opening connections with the real driver: what works, and what each refusal says."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import ManagedIdentity, SqlLogin
from airflow_provider_elasticjobs.authentication.token_cache import CachedToken
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect, connector
from airflow_provider_elasticjobs.connections.connection_string import application_name_of
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import (
    ConnectionSettingsError,
    DatabaseNotFoundError,
    DriverNotFoundError,
    ElasticJobsError,
    FirewallError,
    LoginFailedError,
    ServerUnreachableError,
    TargetConnectionError,
)

_WRONG = "wr}o;n{g=PWD-secret"


def assert_clean(error: BaseException, *secrets: str) -> None:
    """No secret in the error, in what it was raised from, or in a local variable of the frames of this package."""
    shown = [*traceback.format_exception(error), repr(error), repr(error.args), repr(vars(error))]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith("airflow_provider_elasticjobs."):
            shown += [repr(value) for value in frame.f_locals.values()]
    cause: BaseException | None = error.__cause__ or error.__context__
    while cause is not None:
        shown.append(repr(cause))
        cause = cause.__cause__ or cause.__context__
    for secret in secrets:
        assert secret not in "\n".join(shown)
        assert "\\x00".join(secret) not in "\n".join(shown)  # as UTF-16, which the driver is given
        assert secret.encode() not in pickle.dumps(error)


def refusal(settings: ConnectionSettings, *where: str) -> ElasticJobsError:
    with pytest.raises(ElasticJobsError) as caught:
        connect(settings, *where).close()
    return caught.value


def test_the_session_is_what_was_asked_for(server: Any, new_database: Callable[[], str]) -> None:
    database = new_database()
    with closing(connect(server.settings, server.name, database, application_name="elasticjobs test")) as connection:
        assert connection.autocommit
        found = connection.execute("SELECT DB_NAME(), APP_NAME()").fetchone()
    assert tuple(found) == (database, "elasticjobs test")


def test_the_database_is_master_where_none_is_named(server: Any) -> None:
    with closing(connect(server.settings)) as connection:
        assert connection.execute("SELECT DB_NAME()").fetchval() == "master"


@pytest.mark.sandbox_only
def test_an_execution_id_is_in_the_application_name_whole(server: Any) -> None:
    name = application_name_of("9f2a0000-0000-0000-0000-00000000000b")
    with closing(connector(server.settings)(server.name, "master", name + "x" * 200)) as connection:
        shown = connection.execute("SELECT APP_NAME()").fetchval()
    assert shown.startswith(name)
    assert len(shown) == 128


def test_a_wrong_password_is_a_failed_login(server: Any) -> None:
    login = server.settings.authentication.login
    error = refusal(replace(server.settings, authentication=SqlLogin(login, _WRONG)), server.name, "master")
    assert isinstance(error, LoginFailedError)
    assert error.number == 18456
    assert (error.server, error.database) == (server.name, "master")
    assert f"{server.name}/master" in str(error)
    assert f"login '{login}'" in str(error)
    assert_clean(error, _WRONG, server.settings.authentication.password)


def test_an_unknown_database_is_said_so(server: Any) -> None:
    error = refusal(server.settings, server.name, "no such; database}")
    assert isinstance(error, DatabaseNotFoundError)
    assert error.database == "no such; database}"
    assert_clean(error, server.settings.authentication.password)


@pytest.fixture
def closed_port() -> Iterator[int]:
    with closing(socket.socket()) as bound:  # bound, not listening: nothing else can take it meanwhile
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_host_that_does_not_answer_is_named_with_its_address(server: Any, closed_port: int) -> None:
    mapped = {"gone.example": Address("127.0.0.1", closed_port)}
    error = refusal(replace(server.settings, host_map=mapped, login_timeout=1), "gone.example", "db")
    assert isinstance(error, ServerUnreachableError)
    assert f"gone.example/db (at tcp:127.0.0.1,{closed_port})" in str(error)
    assert error.number is None
    assert_clean(error, server.settings.authentication.password)


def test_a_name_without_an_address_is_unreachable(server: Any) -> None:
    error = refusal(replace(server.settings, login_timeout=1), "no-such-host.invalid", "db")
    assert isinstance(error, ServerUnreachableError)


def test_an_untrusted_certificate_is_refused_by_default_and_says_what_to_do(server: Any) -> None:
    error = refusal(replace(server.settings, trust_server_certificate=False), server.name, "master")
    assert isinstance(error, TargetConnectionError)
    assert "trust_server_certificate" in str(error)
    assert_clean(error, server.settings.authentication.password)


def test_a_driver_that_is_not_there_says_what_to_install(server: Any, tmp_path: Path) -> None:
    for driver in ("ODBC Driver 99 for SQL Server", str(tmp_path / "nothing.so")):
        error = refusal(replace(server.settings, driver=driver), server.name, "master")
        assert isinstance(error, DriverNotFoundError)
        assert driver in str(error)
        assert "mssql-python-odbc" in str(error)
        assert_clean(error, server.settings.authentication.password)


def test_without_any_server_nothing_is_tried(server: Any) -> None:
    error = refusal(replace(server.settings, server=None))
    assert isinstance(error, ConnectionSettingsError)


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("kind", "expected", "number"),
    [
        ("login_refused", LoginFailedError, 18456),
        ("database_unavailable", TargetConnectionError, 40613),
        ("unknown_database", DatabaseNotFoundError, 4060),
        ("firewall", FirewallError, 40615),
        ("login_dropped", ServerUnreachableError, None),
    ],
)
def test_each_fault_at_login_has_its_error(
    sandbox: Any, server: Any, kind: str, expected: type[ElasticJobsError], number: int | None
) -> None:
    sandbox.add_fault(kind, server=server.name, times=100)  # the driver may try more than once
    error = refusal(replace(server.settings, login_timeout=5), server.name, "master")
    assert type(error) is expected
    assert error.number == number
    assert server.name in str(error)
    assert_clean(error, server.settings.authentication.password)


@pytest.mark.sandbox_only
def test_a_login_that_takes_too_long_is_given_up(sandbox: Any, server: Any) -> None:
    sandbox.add_fault("slow_login", server=server.name, seconds=30, times=100)
    error = refusal(replace(server.settings, login_timeout=1), server.name, "master")
    assert isinstance(error, ServerUnreachableError)


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("name", "expected"), [("tenants.database.windows.net", "connected"), ("other.example", "certificate")]
)
def test_a_certificate_is_verified_against_the_logical_name(
    sandbox: Any, server: Any, name: str, expected: str
) -> None:
    program = f"""
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.fields import settings_from_fields
login, password = {sandbox.login(server.name)!r}
settings = settings_from_fields(login=login, password=password, extra={{
    "host_map": {{{name!r}: "127.0.0.1,{sandbox.port(server.name)}"}}, "login_timeout": 10}})
try:
    connect(settings, {name!r}, "master").close()
    print("connected")
except Exception as error:
    print(error)
"""
    # OpenSSL reads the authorities once per process.
    environment = {**os.environ, "SSL_CERT_FILE": sandbox.certificate}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert expected in done.stdout, done.stdout + done.stderr
    assert sandbox.login(server.name)[1] not in done.stdout


@pytest.mark.sandbox_only
def test_the_one_accepted_certificate_may_be_a_file(sandbox: Any, server: Any) -> None:
    strict = replace(server.settings, trust_server_certificate=False, encrypt="strict")
    own = replace(strict, server_certificate=str(Path(sandbox.certificate).with_name("server.pem")))
    connect(own, server.name, "master").close()
    error = refusal(replace(strict, server_certificate=sandbox.certificate), server.name, "master")
    assert "certificate" in str(error)


def _with_token(server: Any, token: str, monkeypatch: pytest.MonkeyPatch) -> ConnectionSettings:
    monkeypatch.setattr(ManagedIdentity, "_fetch", lambda self: CachedToken(token, 2.0**40))
    return replace(server.settings, authentication=ManagedIdentity(client_id=f"client-{uuid.uuid4()}"))


@pytest.mark.sandbox_only
def test_a_token_is_an_identity(sandbox: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.set_token("a-token-of-this-test", "someone", server=server.name)
    settings = _with_token(server, "a-token-of-this-test", monkeypatch)
    with closing(connect(settings, server.name, "master")) as connection:
        assert connection.execute("SELECT SUSER_SNAME()").fetchval() == "someone"


def test_a_refused_token_is_a_failed_connection_without_the_token(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(_with_token(server, "secret-token", monkeypatch), login_timeout=5)
    error = refusal(settings, server.name, "master")
    assert isinstance(error, TargetConnectionError)
    assert settings.authentication.label in str(error)
    assert_clean(error, "secret-token")


@pytest.mark.sandbox_only
def test_an_expired_token_is_a_failed_login(sandbox: Any, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.set_token("a-short-token", "someone", server=server.name)
    sandbox.expire_token("a-short-token", server=server.name)
    error = refusal(_with_token(server, "a-short-token", monkeypatch), server.name, "master")
    assert isinstance(error, LoginFailedError)
    assert error.number == 18456
    assert_clean(error, "a-short-token")


def test_a_failing_token_source_names_server_and_database(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ManagedIdentity) -> CachedToken:
        raise LoginFailedError("no access token for managed identity 'm'")

    monkeypatch.setattr(ManagedIdentity, "_fetch", fail)
    error = refusal(replace(server.settings, authentication=ManagedIdentity(client_id="m")), server.name, "db")
    assert isinstance(error, LoginFailedError)
    assert f"{server.name}/db" in str(error)
