"""The server that the wire tests run against: the one that the environment names, else the sandbox.

``ELASTICJOBS_TEST_SERVER`` (``host,port``), ``ELASTICJOBS_TEST_USER`` and ``ELASTICJOBS_TEST_PASSWORD`` name a server
and a login that may create databases. Tests marked ``sandbox_only`` are left out there, and those
marked ``needs_waitfor`` or ``needs_cancel`` if ``ELASTICJOBS_TEST_LACKS`` (``waitfor,cancel``) says that it lacks them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin, azure_tokens
from airflow_provider_elasticjobs.authentication.token_cache import TokenCache
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.install import upgrade
from tests.identity_endpoint import IdentityEndpoint

LIVE_SERVER = os.environ.get("ELASTICJOBS_TEST_SERVER")
LACKS = frozenset(filter(None, os.environ.get("ELASTICJOBS_TEST_LACKS", "").split(",")))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not LIVE_SERVER:
        return
    if "sandbox" in getattr(item, "fixturenames", ()) or item.get_closest_marker("sandbox_only"):
        pytest.skip("needs the sandbox, and a live server is named")
    for lacking in LACKS:
        if item.get_closest_marker(f"needs_{lacking}"):
            pytest.skip(f"the live server lacks {lacking}")


@dataclass(frozen=True)
class LiveServer:
    """A server with databases to make and drop.

    :param name: its logical name.
    :param settings: an identity that may do everything there.
    """

    name: str
    settings: ConnectionSettings

    def connect(self, database: str = "master", application_name: str | None = None) -> pyodbc.Connection:
        """Open a connection in autocommit mode."""
        return connect(self.settings, self.name, database, application_name=application_name)

    def execute(self, sql: str, database: str = "master") -> list[tuple[Any, ...]]:
        """Run a batch and return the rows of its first result, if it has any."""
        connection = self.connect(database)
        try:
            cursor = connection.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def job_database(self, name: str, **options: object) -> JobDatabase:
        """Return the job database of this name, installed or not."""
        return JobDatabase(lambda: self.connect(name), server=self.name, database=name, **options)  # type: ignore[arg-type]


def _live_settings() -> ConnectionSettings:
    host, _, port = str(LIVE_SERVER).partition(",")
    login = SqlLogin(os.environ["ELASTICJOBS_TEST_USER"], os.environ["ELASTICJOBS_TEST_PASSWORD"])
    return ConnectionSettings(login, server=host, port=int(port or 1433), trust_server_certificate=True)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> LiveServer:
    """The server of the tests that any server can serve."""
    pyodbc.pooling = False
    if LIVE_SERVER:
        settings = _live_settings()
        assert settings.server is not None
        return LiveServer(settings.server, settings)
    sandbox = request.getfixturevalue("sandbox_process")
    name = sandbox.server_names[0]
    settings = ConnectionSettings(
        SqlLogin(*sandbox.login(name)),
        server=name,
        host_map={each: Address("127.0.0.1", sandbox.port(each)) for each in sandbox.server_names},
        trust_server_certificate=True,
    )
    return LiveServer(name, settings)


@pytest.fixture(scope="session")
def new_database(server: LiveServer) -> Iterator[Callable[[], str]]:
    """Return a function that makes an empty database, dropped after the tests."""
    names: list[str] = []

    def create() -> str:
        names.append(f"elasticjobs_test_{uuid4().hex[:12]}")
        server.execute(f"CREATE DATABASE {names[-1]}")
        return names[-1]

    yield create
    for name in names:
        # One that a failed test still holds goes with the sandbox.
        with suppress(pyodbc.Error):
            server.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def installed(server: LiveServer, new_database: Callable[[], str]) -> Iterator[JobDatabase]:
    """A job database that all tests share."""
    job_database = server.job_database(new_database(), pool_size=8)
    upgrade(job_database)
    yield job_database
    job_database.close()


class TokenClock:
    """The time of a token cache: ahead of the machine's by ``ahead`` seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def token_clock(monkeypatch: pytest.MonkeyPatch) -> TokenClock:
    """The clock of a token cache that only the test uses."""
    clock = TokenClock()
    cache = TokenCache(clock)
    monkeypatch.setattr(azure_tokens, "process_token_cache", lambda: cache)
    return clock


@pytest.fixture
def identity_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token_clock: TokenClock
) -> Iterator[IdentityEndpoint]:
    """What gives ``azure-identity`` its tokens."""
    for name in ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with closing(IdentityEndpoint(tmp_path)) as endpoint:
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        yield endpoint


@pytest.fixture
def accepted(identity_endpoint: IdentityEndpoint, sandbox: Any, server: LiveServer) -> IdentityEndpoint:
    """The endpoint, whose tokens the server accepts for a user with the client id as its name."""
    identity_endpoint.issued = lambda token, client_id: sandbox.set_token(token, client_id, server=server.name)
    return identity_endpoint
