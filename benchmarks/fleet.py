"""Many databases on this machine: sandboxes in processes of their own, one of them for the job database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.process import SandboxProcess
from airflow_provider_elasticjobs.sandbox.settings import DatabaseSettings, SandboxSettings, ServerSettings

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["JOBS", "Fleet"]

JOBS = "jobs.database.windows.net"
_LOGIN = "elasticjobs"


class Fleet:
    """Servers ``fleet1``, ``fleet2``, ... with databases, each in a process of its own; a context manager.

    :param databases: how many in all; several numbers make a fleet of each size, ``fleet1of100``, ``fleet2of100`` ...,
        whose servers share the processes.
    :param servers: how many processes they are spread over.
    """

    def __init__(self, databases: int | Sequence[int], servers: int) -> None:
        self._password = secrets.token_urlsafe(12)
        sizes = {"": databases} if isinstance(databases, int) else {f"of{size}": size for size in databases}
        #: The databases of each server that is not the job database's, by process.
        self._layout = [
            {
                f"fleet{number + 1}{suffix}.database.windows.net": [
                    f"database{place:05}" for place in range(size) if place % servers == number
                ]
                for suffix, size in sizes.items()
            }
            for number in range(servers)
        ]
        self.databases = {name: databases for process in self._layout for name, databases in process.items()}
        #: By the name of the first server in it.
        self.processes: dict[str, SandboxProcess] = {}
        self.clients: dict[str, SandboxClient] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start all servers, one after another."""
        for servers in (*self._layout, {JOBS: ["job_database"]}):
            process = SandboxProcess(SandboxSettings(tuple(self._server(*server) for server in servers.items())))
            self.processes[next(iter(servers))] = process
            client = self._running.enter_context(process)
            self.clients.update(dict.fromkeys(servers, client))
        return self

    def _server(self, name: str, databases: Sequence[str]) -> ServerSettings:
        made = tuple(DatabaseSettings(database) for database in databases)
        return ServerSettings(name, logins={_LOGIN: self._password}, databases=made)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them."""
        self._running.close()

    @property
    def ports(self) -> Mapping[str, int]:
        """The port of each server on this machine."""
        return {name: client.port(name) for name, client in self.clients.items()}

    @property
    def settings(self) -> ConnectionSettings:
        """An identity that may do everything on all servers."""
        return ConnectionSettings(
            SqlLogin(_LOGIN, self._password),
            host_map={name: Address("127.0.0.1", port) for name, port in self.ports.items()},
            trust_server_certificate=True,
        )

    @property
    def job_database(self) -> JobDatabase:
        """The way to the job database; nothing is installed in it yet."""
        settings = self.settings
        return JobDatabase(lambda: connect(settings, JOBS, "job_database"), server=JOBS, database="job_database")

    def airflow_connections(self) -> dict[str, dict[str, Any]]:
        """Return the Airflow connections that lead here."""
        extra = {
            "host_map": {name: f"127.0.0.1,{port}" for name, port in self.ports.items()},
            "trust_server_certificate": True,
            "login_timeout": 60,
        }
        common = {"conn_type": "elasticjobs", "login": _LOGIN, "password": self._password, "extra": json.dumps(extra)}
        return {
            "elasticjobs_default": common,
            "elasticjobs_job_database": {**common, "host": JOBS, "schema": "job_database"},
        }
