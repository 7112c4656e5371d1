"""Pytest fixtures: a sandbox in a process of its own, for a whole test session.

Switch it on with ``pytest_plugins = ["airflow_provider_elasticjobs.sandbox.pytest_plugin"]`` or ``-p``. A project may
override the fixture ``sandbox_settings`` with its own servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.process import SandboxProcess
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, ServerSettings

TENANT_SERVER = "tenants.database.windows.net"
JOB_SERVER = "jobs.database.windows.net"
LOGIN = "sandbox_admin"
PASSWORD = "Made-up;{1}password"  # noqa: S105 - of a server that only this machine reaches
TOKEN = "an-access-token"  # noqa: S105 - as above

CreateDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def sandbox_settings() -> SandboxSettings:
    """Two logical servers, for tenants and for the job database, each with one login and one token."""
    names = (TENANT_SERVER, JOB_SERVER)
    return SandboxSettings(
        tuple(ServerSettings(name, logins={LOGIN: PASSWORD}, tokens={TOKEN: "token_user"}) for name in names)
    )


@pytest.fixture(scope="session")
def sandbox_process(sandbox_settings: SandboxSettings) -> Iterator[SandboxClient]:
    """A sandbox that runs for the whole test session; tests ask for :func:`sandbox`."""
    import pyodbc  # noqa: PLC0415 - only a client needs the driver

    # A pooled connection would outlive its test and keep its database busy.
    pyodbc.pooling = False
    with SandboxProcess(sandbox_settings) as client:
        yield client


@pytest.fixture
def sandbox(sandbox_process: SandboxClient) -> Iterator[SandboxClient]:
    """The sandbox, without faults before and after each test."""
    sandbox_process.clear_faults()
    yield sandbox_process
    sandbox_process.clear_faults()


@pytest.fixture
def sandbox_database(sandbox: SandboxClient) -> Iterator[CreateDatabase]:
    """Makes databases with names of their own (arguments of :meth:`.client.SandboxClient.create_database`)."""
    import pyodbc  # noqa: PLC0415 - only a client needs the driver

    created: list[tuple[str, str | None]] = []

    def create(
        name: str | None = None, server: str | None = None, *, elastic_pool: str | None = None, state: str = "ONLINE"
    ) -> str:
        made = sandbox.create_database(name, server, elastic_pool=elastic_pool, state=state)
        created.append((made, server))
        return made

    yield create
    for made, server in created:
        # A database that is not online, or that a failed test still holds, goes with the process.
        with suppress(pyodbc.Error):
            sandbox.drop_database(made, server)
