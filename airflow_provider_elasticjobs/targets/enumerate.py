"""Asking a server, in its ``master``, which databases it holds, in which state and in which elastic pool.

Reference 5.1: enumeration happens at the start of each step, with the refresh credential. A login and a user in
``master`` are enough for ``sys.databases``; ``sys.database_service_objectives`` exists in Azure SQL Database only and
shows its rows to administrators and members of ``dbmanager``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import OutcomeUnknownError, ScriptError
from airflow_provider_elasticjobs.model.names import SYSTEM_DATABASES
from airflow_provider_elasticjobs.tsql.diagnostics import first_number, joined_text, parse_odbc_error

if TYPE_CHECKING:
    import pyodbc

__all__ = ["DatabaseInfo", "Enumerate", "ServerDatabases", "enumerate_with", "list_databases", "read_master"]

_SYSTEM_DATABASES = ", ".join(f"N'{name}'" for name in sorted(SYSTEM_DATABASES))
_WITH_POOLS = f"""
SELECT d.name, d.state_desc, o.elastic_pool_name, CASE WHEN o.database_id IS NULL THEN 0 ELSE 1 END
FROM sys.databases AS d LEFT JOIN sys.database_service_objectives AS o ON o.database_id = d.database_id
WHERE d.name NOT IN ({_SYSTEM_DATABASES}) ORDER BY d.name"""
_WITHOUT_POOLS = f"""
SELECT d.name, d.state_desc, NULL, 0 FROM sys.databases AS d
WHERE d.name NOT IN ({_SYSTEM_DATABASES}) ORDER BY d.name"""


@dataclass(frozen=True)
class DatabaseInfo:
    """One user database of a server.

    :param name: its name.
    :param state_desc: ``ONLINE``, ``RESTORING``, ... as in ``sys.databases``.
    :param elastic_pool_name: the pool that holds it, if any is known.
    """

    name: str
    state_desc: str = "ONLINE"
    elastic_pool_name: str | None = None

    @property
    def is_online(self) -> bool:
        """Whether it can be connected to."""
        return self.state_desc.upper() == "ONLINE"


@dataclass(frozen=True)
class ServerDatabases:
    """What a server answered.

    :param databases: its user databases, by name.
    :param pools_known: whether it told the elastic pools; if not, no database can be taken for one outside of a pool.
    """

    databases: tuple[DatabaseInfo, ...]
    pools_known: bool = True


#: ``(server_name, refresh_conn_id) -> answer``: what the resolver calls, once per server and identity.
Enumerate = Callable[[str, "str | None"], ServerDatabases]


def list_databases(connection: pyodbc.Connection) -> ServerDatabases:
    """Return the user databases of the server whose ``master`` a connection is open to.

    :param connection: a connection with autocommit on.
    :raises ScriptError: if ``sys.databases`` cannot be read.
    :raises OutcomeUnknownError: if the connection broke.
    """
    try:
        rows = read_master(connection, _WITH_POOLS)
    except ScriptError:  # the view is missing (SQL Server), or refused
        rows = read_master(connection, _WITHOUT_POOLS)
    databases = tuple(DatabaseInfo(str(name), str(state or "ONLINE"), pool) for name, state, pool, _ in rows)
    return ServerDatabases(databases, pools_known=not rows or any(known for *_, known in rows))


def enumerate_with(open_master: Callable[[str, str | None], pyodbc.Connection]) -> Enumerate:
    """Return a function that lists a server's databases over a connection of its own.

    :param open_master: opens ``master`` of a server for a refresh connection id (``None``: the default identity).
    """

    def enumerate_server(server_name: str, refresh_conn_id: str | None) -> ServerDatabases:
        with closing(open_master(server_name, refresh_conn_id)) as connection:
            return list_databases(connection)

    return enumerate_server


def read_master(connection: pyodbc.Connection, query: str) -> list[Any]:
    """Return the rows of a query about the server's databases.

    :param connection: a connection to ``master``, with autocommit on.
    :param query: the query.
    :raises ScriptError: if the server refuses it.
    :raises OutcomeUnknownError: if the connection broke.
    """
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    try:
        with closing(connection.cursor()) as cursor:
            rows: list[Any] = cursor.execute(query).fetchall()
    except pyodbc.Error as error:
        records = parse_odbc_error(error)
    else:
        return rows
    number = first_number(records)
    if number is None:
        raise OutcomeUnknownError(f"the list of databases was not answered: {joined_text(records)}")
    raise ScriptError(f"the list of databases was refused: {joined_text(records)}", number=number)
