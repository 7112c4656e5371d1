"""How large databases are, as their server tells in ``master``: for ``Rollout(largest_first=True)``.

Azure SQL Database: ``sys.resource_stats``, which has a row for every five minutes of the last 14 days in which a
database was in use, some minutes late; every user that can connect to ``master`` may read it. SQL Server:
``sys.master_files``, which shows what a login with VIEW ANY DEFINITION (or CREATE DATABASE, or ALTER ANY DATABASE) may
see. One query a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import ElasticJobsError, ScriptError
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.enumerate import read_master

if TYPE_CHECKING:
    import pyodbc

__all__ = ["list_sizes", "sizes_of"]

_OF_AZURE = """
SELECT r.database_name, MAX(r.storage_in_megabytes)
FROM sys.resource_stats AS r
INNER JOIN (SELECT database_name, MAX(end_time) AS end_time FROM sys.resource_stats GROUP BY database_name) AS l
    ON l.database_name = r.database_name AND l.end_time = r.end_time
GROUP BY r.database_name"""
#: A page has 8 KiB.
_OF_SQL_SERVER = """
SELECT d.name, SUM(CAST(f.size AS float)) / 128
FROM sys.databases AS d INNER JOIN sys.master_files AS f ON f.database_id = d.database_id
GROUP BY d.name"""

_MOST_SERVERS_AT_ONCE = 16


def list_sizes(connection: pyodbc.Connection) -> dict[str, float]:
    """Return the size in MiB of each database that the server tells of, by name without letter case.

    :param connection: a connection to the server's ``master``, with autocommit on.
    :raises ScriptError: if the server tells none of them.
    :raises OutcomeUnknownError: if the connection broke.
    """
    try:
        rows = read_master(connection, _OF_AZURE)
    except ScriptError:  # the view is missing (SQL Server), or refused
        rows = read_master(connection, _OF_SQL_SERVER)
    return {str(name).casefold(): float(size) for name, size in rows if size is not None}


def sizes_of(
    targets: Iterable[Target],
    open_master: Callable[[str], pyodbc.Connection],
    warn: Callable[[str], None],
) -> dict[tuple[str, str], float]:
    """Return the sizes of targets in MiB, by :attr:`Target.key`; those that are not known are left out.

    Servers are asked at the same time. What cannot be known is no reason not to run.

    :param targets: the targets.
    :param open_master: opens ``master`` of a server; called from several threads.
    :param warn: receives a sentence for each server that did not tell, or not all.
    """
    servers: dict[str, list[Target]] = {}
    for target in targets:
        servers.setdefault(target.server_name.casefold(), []).append(target)
    found: dict[tuple[str, str], float] = {}
    with ThreadPoolExecutor(
        max(1, min(_MOST_SERVERS_AT_ONCE, len(servers))), thread_name_prefix="elasticjobs-sizes"
    ) as pool:
        answers = {
            server: pool.submit(_ask, open_master, members[0].server_name) for server, members in servers.items()
        }
    for server, members in servers.items():
        error = answers[server].exception()
        if error is not None and not isinstance(error, ElasticJobsError):
            raise error
        sizes = {} if error is not None else answers[server].result()
        known = {target.key: sizes[target.key[1]] for target in members if target.key[1] in sizes}
        found.update(known)
        if error is not None:
            warn(f"the sizes of the databases of {members[0].server_name} are not known, they come last: {error}")
        elif unknown := len(members) - len(known):
            warn(f"{members[0].server_name} does not tell the size of {unknown} of {len(members)} database(s): last")
    return found


def _ask(open_master: Callable[[str], pyodbc.Connection], server_name: str) -> dict[str, float]:
    with closing(open_master(server_name)) as connection:
        return list_sizes(connection)
