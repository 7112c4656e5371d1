"""A client's view of a running sandbox: connection strings, faults, counters, fresh databases; all over the wire."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.sandbox.faults import CONTROL_APPLICATION
from airflow_provider_elasticjobs.sandbox.odbc import braced, connection_string, token_attribute
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, ServerSettings

if TYPE_CHECKING:
    import pyodbc

EVERY_SERVER = "*"


class SandboxClient:
    """Connects to a sandbox and steers it.

    Server names may be left out where the sandbox has one server; then it is meant, otherwise the first.

    :param settings: what the sandbox was started with
    :param described: what it said of itself when it was ready
    """

    def __init__(self, settings: SandboxSettings, described: Mapping[str, Any]) -> None:
        self._settings = settings
        self._numbers = itertools.count(1)
        self.address = str(described["address"])
        self.ports: dict[str, int] = dict(described["servers"])
        self.certificate = str(described["certificate"])
        self.folder = str(described["folder"])

    @property
    def server_names(self) -> list[str]:
        """The logical servers, in the order of the settings."""
        return [server.name for server in self._settings.servers]

    def server(self, name: str | None = None) -> ServerSettings:
        """A logical server's settings.

        :raises KeyError: for an unknown name
        """
        if name is None:
            return self._settings.servers[0]
        for server in self._settings.servers:
            if server.name.casefold() == name.casefold():
                return server
        raise KeyError(name)

    def port(self, server: str | None = None) -> int:
        """The TCP port of a logical server."""
        return self.ports[self.server(server).name]

    def login(self, server: str | None = None) -> tuple[str, str]:
        """The first login of a server, and its password."""
        return next(iter(self.server(server).logins.items()))

    def connection_string(self, server: str | None = None, database: str | None = None, **options: str) -> str:
        """An ODBC connection string by the server's first login.

        :param server: logical server
        :param database: database, default the login's
        :param options: further keywords, replacing the defaults (``UID``, ``PWD``, ``Encrypt``, ``APP`` ...)
        """
        user, password = self.login(server)
        given = {"UID": braced(user), "PWD": braced(password), **options}
        if database is not None:
            given["Database"] = braced(database)
        return connection_string(self.address, self.port(server), given)

    def connect(self, server: str | None = None, database: str | None = None, **options: str) -> pyodbc.Connection:
        """Connect with autocommit; parameters as :meth:`connection_string`."""
        import pyodbc  # noqa: PLC0415 - only a client needs the driver

        return pyodbc.connect(self.connection_string(server, database, **options), autocommit=True)

    def connect_by_token(self, token: str, server: str | None = None, database: str | None = None) -> pyodbc.Connection:
        """Connect by access token, with autocommit."""
        import pyodbc  # noqa: PLC0415 - only a client needs the driver

        options = {} if database is None else {"Database": braced(database)}
        text = connection_string(self.address, self.port(server), options)
        return pyodbc.connect(text, autocommit=True, attrs_before=token_attribute(token))

    def control(self, procedure: str, **arguments: object) -> list[dict[str, Any]]:
        """Call a procedure of schema ``sandbox`` (see :mod:`.control`) over a connection that no fault hits.

        :param procedure: such as ``sp_counters``
        :param arguments: its arguments without ``@``; None leaves one out
        :returns: the rows, empty where it gives none
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        assigned = ", ".join(f"@{name} = ?" for name in given)
        with closing(self.connect(APP=CONTROL_APPLICATION)) as connection:
            cursor = connection.execute(f"EXEC sandbox.{procedure} {assigned}", *given.values())
            if cursor.description is None:
                return []
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def add_fault(self, kind: str, server: str | None = None, **details: object) -> int:
        """Set a fault.

        :param kind: see the table of :mod:`.faults`
        :param server: server it holds for, default the first; ``'*'`` for all
        :param details: database, times (0 for ever), containing, seconds, rows, number, severity, text
        :returns: its number
        """
        meant = EVERY_SERVER if server == EVERY_SERVER else self.server(server).name
        (row,) = self.control("sp_add_fault", kind=kind, server=meant, **details)
        return int(row["fault_id"])

    def clear_faults(self) -> None:
        """Take all faults back."""
        self.control("sp_clear_faults")

    def pending_faults(self) -> list[dict[str, Any]]:
        """The faults that are set, with the times left."""
        return self.control("sp_faults")

    def counters(self, server: str | None = None) -> dict[str, int]:
        """The counters of a server, see :class:`.activity.Counters`."""
        (row,) = self.control("sp_counters", server=server)
        return {name: int(value) for name, value in row.items() if name != "server"}

    def reset_counters(self) -> None:
        """Start counting anew on every server."""
        self.control("sp_reset_counters")

    def statements(self, server: str | None = None, **matching: str) -> list[dict[str, Any]]:
        """The statements of a server, see :class:`.activity.Statement`; ``matching``: database, containing."""
        return self.control("sp_statements", server=server, **matching)

    def peak_running(self, server: str | None = None, **matching: str) -> int:
        """The most batches that ran at once; ``matching``: database, containing."""
        return int(self.control("sp_peak_running", server=server, **matching)[0]["peak_running"])

    def create_database(
        self,
        name: str | None = None,
        server: str | None = None,
        *,
        elastic_pool: str | None = None,
        state: str = "ONLINE",
    ) -> str:
        """Make a database.

        :param name: default a name that no other call gives
        :param elastic_pool: elastic pool it belongs to
        :param state: ``state_desc`` of ``sys.databases``
        :returns: its name
        """
        name = name or f"db_{os.getpid()}_{next(self._numbers)}"
        self.control("sp_create_database", server=server, name=name, elastic_pool=elastic_pool, state=state)
        return name

    def drop_database(self, name: str, server: str | None = None) -> None:
        """Drop a database."""
        with closing(self.connect(server, APP=CONTROL_APPLICATION)) as connection:
            connection.execute(f"DROP DATABASE [{name.replace(']', ']]')}]")

    def set_token(self, token: str, user: str, server: str | None = None) -> None:
        """Accept an access token from now on."""
        self.control("sp_set_token", server=server, token=token, user=user)

    def expire_token(self, token: str, server: str | None = None) -> None:
        """Refuse an access token from now on."""
        self.control("sp_expire_token", server=server, token=token)
