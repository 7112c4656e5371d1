# ruff: noqa: ARG001 - one signature for every entry of a table
# ruff: noqa: ARG005 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
"""The catalog views: ``sys.tables`` and the others, as queries over the metadata tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_elasticjobs.sandbox.engine.catalog import ColumnInfo, TableInfo, quote
from airflow_provider_elasticjobs.sandbox.engine.catalog_queries import DYNAMIC, STATIC
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.system_types import SYSTEM_TYPES
from airflow_provider_elasticjobs.sandbox.engine.types import make_type

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

Row = Sequence[Any]


@lru_cache(maxsize=256)
def find(schema: str, name: str) -> TableInfo | None:
    """Return a catalog view, or None."""
    key = f"{schema}.{name}".lower()
    definition = STATIC.get(key)
    if definition is not None:
        columns, query = definition
        return _info(schema, name, columns, f"({query})")
    if key not in DYNAMIC:
        return None
    columns = DYNAMIC[key]
    picked = ", ".join(
        f"json_extract(value, '$[{index}]') AS {quote(column)}" for index, (column, _) in enumerate(_parse(columns))
    )
    return _info(schema, name, columns, f"(SELECT {picked} FROM json_each(tsql_rows('{key}')))")


def _parse(columns: str) -> list[tuple[str, SqlType]]:
    found = []
    for each in columns.split(","):
        name, _, kind = each.strip().partition(" ")
        base, _, length = (kind or "int").partition(":")
        found.append((name, make_type(base, [int(length)] if length else [])))
    return found


def _info(schema: str, name: str, columns: str, physical: str) -> TableInfo:
    infos = tuple(ColumnInfo(column, kind, number) for number, (column, kind) in enumerate(_parse(columns), 1))
    return TableInfo(-1, schema, name, "S", infos, physical)


def rows(session: EngineSession, name: str) -> str:
    """Return the rows of a view that lives in memory, as JSON."""
    return json.dumps(_ROWS[name](session))


def _databases(session: EngineSession) -> list[Row]:
    visible = session.server.databases()
    if session.database.lower() != "master":
        visible = [each for each in visible if each.name.lower() in ("master", session.database.lower())]
    states = {
        "ONLINE": 0,
        "RESTORING": 1,
        "RECOVERING": 2,
        "RECOVERY_PENDING": 3,
        "SUSPECT": 4,
        "EMERGENCY": 5,
        "OFFLINE": 6,
    }
    return [
        [each.name, each.database_id, None, each.created, 160, "SQL_Latin1_General_CP1_CI_AS", 0, 0, states.get(each.state, 6),
         each.state, 0, "MULTI_USER", 1, 1, 1, "FULL", 0]
        for each in visible
    ]  # fmt: skip


def _service_objectives(session: EngineSession) -> list[Row]:
    visible = session.server.databases()
    if session.database.lower() != "master":
        visible = [each for each in visible if each.name.lower() == session.database.lower()]
    return [
        [each.database_id, "System" if each.name == "master" else "Standard",
         "ElasticPool" if each.elastic_pool else "System2" if each.name == "master" else "S0", each.elastic_pool]
        for each in visible
    ]  # fmt: skip


def _pool_resources(session: EngineSession) -> list[Row]:
    names = {each.elastic_pool for each in session.server.databases() if each.elastic_pool}
    return [[name, "Standard"] for name in sorted(names)]


def _resource_stats(session: EngineSession) -> list[Row]:
    if session.database.lower() != "master":
        return []
    return [
        [each.created, each.created, each.name, "Standard", round(each.size / 2**20, 2), 0, 0, 0]
        for each in session.server.databases()
        if each.name != "master"
    ]


def _master_files(session: EngineSession) -> list[Row]:
    return [
        [each.database_id, 1, 0, "ROWS", each.name, each.size // 8192 + 1, "ONLINE"]
        for each in session.server.databases()
    ]


def _sessions(session: EngineSession) -> list[Row]:
    return [
        [each.session_id, each.login_time, each.host_name, each.application_name, each.login, "running" if each.running else "sleeping",
         each.database_file.database_id, 1, each.transactions.count, each.login]
        for each in session.server.sessions()
        if session.sees(each)
    ]  # fmt: skip


def _requests(session: EngineSession) -> list[Row]:
    return [
        [each.session_id, 0, each.started, "suspended" if each.waiting else "running", each.command, each.database_file.database_id,
         each.waiting or None, 0, each.transactions.count]
        for each in session.server.sessions()
        if each.running and session.sees(each)
    ]  # fmt: skip


def _locks(session: EngineSession) -> list[Row]:
    return list(session.server.locks.rows())


def _types(session: EngineSession) -> list[Row]:
    return [
        [each.name, each.system_type_id, each.user_type_id, 4, None, each.max_length, each.precision, each.scale, 1, 0, 0]
        for each in SYSTEM_TYPES
    ]  # fmt: skip


def _server_principals(session: EngineSession) -> list[Row]:
    return [[name, number, "S", "SQL_LOGIN", 0] for number, name in enumerate(session.server.login_names(), 257)]


_ROWS: Final[Mapping[str, Callable[[Any], list[Row]]]] = {
    "sys.databases": _databases, "sys.database_service_objectives": _service_objectives,
    "sys.resource_stats": _resource_stats, "sys.master_files": _master_files,
    "sys.dm_exec_sessions": _sessions, "sys.dm_exec_requests": _requests, "sys.dm_tran_locks": _locks,
    "sys.types": _types, "sys.messages": lambda session: [], "sys.sql_logins": _server_principals,
    "sys.server_principals": _server_principals, "sys.elastic_pool_resource_stats": _pool_resources,
    "sys.dm_exec_connections": lambda session: [
        [each.session_id, each.login_time, "TCP", "TRUE", "SQL", "127.0.0.1"] for each in session.server.sessions()
    ],
    "sys.configurations": lambda session: [], "sys.synonyms": lambda session: [], "sys.sequences": lambda session: [],
}  # fmt: skip
