"""The servers of the matrix: sandboxes on this machine, or a real server that the environment names.

``ELASTICJOBS_TEST_SERVER`` (``host,port``), ``ELASTICJOBS_TEST_USER`` and ``ELASTICJOBS_TEST_PASSWORD`` name a server
and a login that may create databases; they are made there and dropped at the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.driver import find_driver
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from benchmarks.fleet import JOBS, Fleet

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LiveServers", "SandboxServers", "Servers", "odbc_connections"]


class Servers(Protocol):
    """What the matrix asks of its servers."""

    #: ``sandbox`` or ``server``.
    engine: str

    @property
    def settings(self) -> ConnectionSettings:
        """An identity that may do everything on all servers."""

    @property
    def job_database(self) -> JobDatabase:
        """The way to the job database; nothing is installed in it yet."""

    def targets(self, size: int) -> Mapping[str, Sequence[str]]:
        """Return the databases of the fleet with this many, by server."""

    def pattern(self, size: int) -> str | None:
        """Return what the names of that fleet's databases match, where its servers hold others too."""

    def airflow_connections(self) -> dict[str, dict[str, Any]]:
        """Return the connections of this package that lead here."""

    def pids(self) -> dict[str, list[int]]:
        """Return the processes on this machine, by what they are called in the page's tables."""

    def job_database_counters(self) -> dict[str, int] | None:
        """Return how many logins and batches the job database's server has answered; None where it does not tell."""


class SandboxServers(Fleet):
    """Sandboxes: those of the targets in some processes, that of the job database in another.

    :param sizes: of the fleets.
    :param processes: how many the targets are spread over.
    """

    engine = "sandbox"

    def targets(self, size: int) -> Mapping[str, Sequence[str]]:
        """Return the databases of the fleet with this many, by server."""
        return {name: found for name, found in self.databases.items() if name.split(".")[0].endswith(f"of{size}")}

    def pattern(self, size: int) -> None:
        """Return None: each fleet has servers of its own."""

    def pids(self) -> dict[str, list[int]]:
        """Return the sandboxes' processes."""
        pids = {name: process.pid or 0 for name, process in self.processes.items()}
        return {"job database": [pids.pop(JOBS)], "target servers": list(pids.values())}

    def job_database_counters(self) -> dict[str, int]:
        """Return the counters, without the batch that asks for them."""
        found = self.clients[JOBS].counters(JOBS)
        return {"logins": found["logins"], "batches": found["batches"]}


class LiveServers:
    """Databases of one real server, the job database among them; a context manager.

    :param sizes: of the fleets.
    """

    engine = "server"

    def __init__(self, sizes: Sequence[int]) -> None:
        host, _, port = os.environ["ELASTICJOBS_TEST_SERVER"].partition(",")
        self._name, self._port = host, int(port or 1433)
        self._login = SqlLogin(os.environ["ELASTICJOBS_TEST_USER"], os.environ["ELASTICJOBS_TEST_PASSWORD"])
        self._prefix = f"ejb{uuid4().hex[:6]}"
        self._sizes = sizes

    def __enter__(self) -> Self:
        """Make the databases."""
        with closing(connect(self.settings, self._name, "master")) as master:
            for name in self._names():
                master.execute(f"CREATE DATABASE {name}").close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Drop them."""
        with closing(connect(self.settings, self._name, "master")) as master:
            for name in self._names():
                with suppress(Exception):  # some servers keep what a session has just used
                    master.execute(f"DROP DATABASE {name}").close()

    def _names(self) -> list[str]:
        return [self._jobs, *(name for size in self._sizes for name in self.targets(size)[self._name])]

    @property
    def _jobs(self) -> str:
        return f"{self._prefix}_jobs"

    @property
    def settings(self) -> ConnectionSettings:
        """The login that the environment names."""
        address = {self._name: Address(self._name, self._port)}
        return ConnectionSettings(self._login, host_map=address, trust_server_certificate=True)

    @property
    def job_database(self) -> JobDatabase:
        """The way to the job database."""
        settings = self.settings
        return JobDatabase(lambda: connect(settings, self._name, self._jobs), server=self._name, database=self._jobs)

    def targets(self, size: int) -> Mapping[str, Sequence[str]]:
        """Return the databases of the fleet with this many."""
        return {self._name: [f"{self._prefix}_{size}_{place:05}" for place in range(size)]}

    def pattern(self, size: int) -> str:
        """Return what their names match."""
        return f"{self._prefix}_{size}_*"

    def airflow_connections(self) -> dict[str, dict[str, Any]]:
        """Return the connections of this package that lead here."""
        extra = {"host_map": {self._name: f"{self._name},{self._port}"}, "trust_server_certificate": True}
        login = {"login": self._login.login, "password": self._login.password}
        common = {"conn_type": "elasticjobs", **login, "extra": json.dumps(extra)}
        return {
            "elasticjobs_default": common,
            "elasticjobs_job_database": {**common, "host": self._name, "schema": self._jobs},
        }

    def pids(self) -> dict[str, list[int]]:
        """Return none: the server is not ours to look into."""
        return {}

    def job_database_counters(self) -> None:
        """Return None: the server keeps no such counters."""


def odbc_connections(servers: Servers, size: int) -> dict[str, dict[str, Any]]:
    """Return the connections of type ``odbc`` that lead to a fleet's servers, as the odbc provider wants them.

    :param servers: all servers.
    :param size: of the fleet.
    """
    settings = servers.settings
    login = settings.authentication.keywords()
    extra = {"driver": find_driver(), "Encrypt": "yes", "TrustServerCertificate": "yes"}
    found = {}
    for number, name in enumerate(servers.targets(size), start=1):
        address = settings.address_of(name)
        found[f"odbc_{number}_of_{size}"] = {
            "conn_type": "odbc",
            "host": f"{address.host},{address.port}",
            "schema": "master",
            "login": login["UID"],
            "password": login["PWD"],
            "extra": json.dumps(extra),
        }
    return found
