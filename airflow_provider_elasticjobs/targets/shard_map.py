"""A shard map: which databases it has as shards, from the tables of its manager.

The tables are those that Microsoft's elastic database tools make in a shard map manager's database (schema
``__ShardManagement``, https://github.com/Azure/elastic-db-tools). As by the tools, a shard is read if ``Readable`` is
1; ``Status`` is 0 for offline and 1 for online.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import SqlShardMap, Target
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.reading import read_rows

if TYPE_CHECKING:
    import pyodbc

__all__ = ["MOST_SHARDS", "list_shard_map"]

#: Shards that a shard map may have.
MOST_SHARDS = 100_000

#: One row with NULLs for a map without shards, none for a map that is not there.
_SHARDS = """
SELECT s.ServerName, s.DatabaseName, s.Protocol, s.Port, s.Status
FROM __ShardManagement.ShardMapsGlobal AS m
LEFT JOIN __ShardManagement.ShardsGlobal AS s ON s.ShardMapId = m.ShardMapId AND s.Readable = 1
WHERE m.Name = @shard_map_name
ORDER BY s.ServerName, s.DatabaseName, s.Port"""

_ONLINE = 1
#: ``SqlProtocol`` of the tools: default and TCP.
_PROTOCOLS = (0, 1)
_DEFAULT_PORTS = (0, 1433)


def list_shard_map(connection: pyodbc.Connection, member: SqlShardMap) -> list[Listed]:
    """Return the shards of a shard map; those that are offline are told as such.

    :param connection: a connection to the shard map manager's database, with autocommit on.
    :param member: the shard map.
    :raises DefinitionError: if there is no such shard map, or a shard is reached by another protocol than TCP.
    :raises ScriptError: if the tables are missing or refused.
    :raises OutcomeUnknownError: if the connection broke.
    """
    asked = {"shard_map_name": member.shard_map_name}
    rows = read_rows(connection, _SHARDS, asked, most=MOST_SHARDS, what="the shard map").rows
    if not rows:
        raise DefinitionError(f"there is no shard map {member.shard_map_name!r} in this shard map manager")
    return [_listed(member, row) for row in rows if row[0] is not None]


def _listed(member: SqlShardMap, row: tuple[Any, ...]) -> Listed:
    server, database, protocol, port, status = row
    if protocol not in _PROTOCOLS:
        raise DefinitionError(f"the shard {server}/{database} is not reached by TCP (protocol {protocol})")
    address = server if port in _DEFAULT_PORTS else f"{server},{port}"
    target = Target(address, database, None, member.conn_id, member.parameters)
    return Listed(target, "ONLINE" if status == _ONLINE else "OFFLINE")
