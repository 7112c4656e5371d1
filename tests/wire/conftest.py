"""The server that the wire tests run against: the one that the environment names, else the sandbox.

``ELASTICJOBS_TEST_SERVER`` (``host,port``), ``ELASTICJOBS_TEST_USER`` and ``ELASTICJOBS_TEST_PASSWORD`` name a server
and a login that may create databases. Tests marked ``sandbox_only``, ``needs_waitfor`` and ``needs_cancel`` are left out there
as far as the server cannot serve them; ``ELASTICJOBS_TEST_LACKS`` (``waitfor,cancel``) says what it lacks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.install import upgrade

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

    def execute(self, sql: str, database: str = "master") -> list[tuple[object, ...]]:
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
