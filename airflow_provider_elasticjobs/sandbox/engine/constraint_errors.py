"""SQLite's errors to SQL Server's."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Final

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

_FAILED: Final = re.compile(r"(NOT NULL|UNIQUE|CHECK|FOREIGN KEY) constraint failed(?:: (.*))?$", re.DOTALL)


def translate(
    session: EngineSession, problem: sqlite3.Error, verb: str = "", table: TableInfo | None = None
) -> SqlError:
    """Return the SQL Server error for an SQLite error.

    :param verb: INSERT, UPDATE or DELETE
    :param table: what was written to
    """
    text = str(problem)
    match = _FAILED.match(text)
    if match is not None and table is not None:
        return _constraint(session, match[1], match[2] or "", verb, table)
    if "integer overflow" in text:
        return sql_error(8115, "expression", "bigint")
    if "locked" in text or "busy" in text:
        return sql_error(1222)
    if "string or blob too big" in text:
        return sql_error(8152)
    return SqlError(50001, f"The sandbox could not execute the statement: {text}")


def _constraint(session: EngineSession, kind: str, detail: str, verb: str, table: TableInfo) -> SqlError:
    qualified = f"{table.schema}.{table.name}" if table.schema else table.name
    if kind == "NOT NULL":
        column = next(
            (each.name for each in table.columns if detail.endswith(f".{each.name}")), detail.rpartition(".")[2]
        )
        place = f"{session.database}.{qualified}" if table.kind == "U" else qualified
        return sql_error(515, column, place, verb)
    if kind == "UNIQUE":
        return _duplicate(session, detail, table, qualified)
    if kind == "CHECK":
        return sql_error(547, verb, "CHECK", detail, session.database, qualified, "")
    return _foreign_key(session, verb, table)


def _duplicate(session: EngineSession, detail: str, table: TableInfo, qualified: str) -> SqlError:
    named = re.match(r"index '(.*)'$", detail)
    columns = {part.rpartition(".")[2].lower() for part in detail.split(", ")}
    for index in session.table_indexes(table):
        keys = {name.lower() for name, _ in index.columns}
        if not index.is_unique or not (keys == columns or (named and named[1].endswith(f".{index.name}"))):
            continue
        if index.is_primary_key or index.is_unique_constraint:
            return sql_error(2627, "PRIMARY KEY" if index.is_primary_key else "UNIQUE KEY", index.name, qualified)
        return sql_error(2601, qualified, index.name)
    return sql_error(2601, qualified, detail)


def _foreign_key(session: EngineSession, verb: str, table: TableInfo) -> SqlError:
    children = session.catalog.foreign_keys(referenced_id=table.object_id)
    parents = session.catalog.foreign_keys(table_id=table.object_id)
    if verb == "DELETE" or (children and not parents):
        key = children[0] if children else None
        child = session.catalog.by_id(key.table_id) if key else None
        place = f"{child.schema}.{child.name}" if child else ""
        column = f", column '{key.columns[0]}'" if key else ""
        return sql_error(547, verb, "REFERENCE", key.name if key else "", session.database, place, column)
    key = parents[0] if parents else None
    parent = session.catalog.by_id(key.referenced_id) if key else None
    place = f"{parent.schema}.{parent.name}" if parent else ""
    column = f", column '{key.referenced_columns[0]}'" if key else ""
    return sql_error(547, verb, "FOREIGN KEY", key.name if key else "", session.database, place, column)
