"""A database's tables, columns and routines at one moment, so that two moments can be compared.

Rows are compared by a digest that is made here, from what the driver returns, because the engines' own checksum
functions differ. It does not depend on the order of the rows. What cannot be read that way is counted only, and named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import ScriptError
from airflow_provider_elasticjobs.tsql.diagnostics import first_number, joined_text, parse_odbc_error
from airflow_provider_elasticjobs.tsql.literals import quote_identifier

if TYPE_CHECKING:
    import pyodbc

__all__ = ["Snapshot", "TableState", "differences", "take_snapshot"]

_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
ORDER BY TABLE_SCHEMA, TABLE_NAME;
"""
_COLUMNS = """
SELECT TABLE_SCHEMA + N'.' + TABLE_NAME + N'.' + COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION,
    NUMERIC_SCALE, IS_NULLABLE, COLUMN_DEFAULT
FROM INFORMATION_SCHEMA.COLUMNS;
"""
_ROUTINES = """
SELECT ROUTINE_SCHEMA + N'.' + ROUTINE_NAME, ROUTINE_TYPE, ROUTINE_DEFINITION FROM INFORMATION_SCHEMA.ROUTINES;
"""
_VIEWS = "SELECT TABLE_SCHEMA + N'.' + TABLE_NAME, VIEW_DEFINITION FROM INFORMATION_SCHEMA.VIEWS;"
_FETCH = 1000


@dataclass(frozen=True)
class TableState:
    """The rows of a table.

    :param rows: how many.
    :param digest: of their contents, in any order; None if they were only counted.
    """

    rows: int
    digest: int | None

    def __str__(self) -> str:
        return f"{self.rows} row(s)" + (" (counted only)" if self.digest is None else "")


@dataclass(frozen=True)
class Snapshot:
    """What a database held.

    :param tables: state of the rows by ``schema.table``.
    :param objects: columns, views and routines by kind and name, each with what it was defined as.
    """

    tables: Mapping[str, TableState]
    objects: Mapping[str, tuple[object, ...]]

    @property
    def only_counted(self) -> list[str]:
        """Names of the tables whose rows were not compared."""
        return [name for name, state in self.tables.items() if state.digest is None]


def take_snapshot(connection: pyodbc.Connection, *, max_rows: int) -> Snapshot:
    """Read what a database holds now, as the connection's own transaction sees it.

    :param connection: an open connection to the database.
    :param max_rows: tables with more rows are counted only.
    :raises ScriptError: if the catalog cannot be read.
    """
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    try:
        objects = {
            f"{kind} {row[0]}": tuple(row[1:])
            for kind, question in (("column", _COLUMNS), ("routine", _ROUTINES), ("view", _VIEWS))
            for row in connection.execute(question)
        }
        names = [(row[0], row[1]) for row in connection.execute(_TABLES)]
        tables = {f"{schema}.{table}": _state(connection, schema, table, max_rows) for schema, table in names}
    except pyodbc.Error as error:
        records = parse_odbc_error(error)
        text = f"the database's contents could not be read: {joined_text(records)}"
        raise ScriptError(text, number=first_number(records)) from error
    return Snapshot(tables, objects)


def _state(connection: pyodbc.Connection, schema: str, table: str, max_rows: int) -> TableState:
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    name = f"{quote_identifier(schema)}.{quote_identifier(table)}"
    rows = int(connection.execute(f"SELECT COUNT_BIG(*) FROM {name};").fetchval())
    if rows > max_rows:
        return TableState(rows, None)
    try:
        return TableState(rows, _digest(connection.execute(f"SELECT * FROM {name};")))
    except pyodbc.ProgrammingError:
        # A column of a type that the driver cannot read (geography, hierarchyid).
        return TableState(rows, None)


def _digest(cursor: pyodbc.Cursor) -> int:
    total = 0
    while chunk := cursor.fetchmany(_FETCH):
        for row in chunk:
            total += int.from_bytes(hashlib.sha256(repr(tuple(row)).encode()).digest(), "big")
    return total % 2**256


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Return what differs between two snapshots, one sentence each, in order of the names."""
    return [*_differing_objects(before.objects, after.objects), *_differing_tables(before.tables, after.tables)]


def _differing_objects(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"{name} is gone"
        elif name not in before:
            yield f"{name} is new"
        elif before[name] != after[name]:
            yield f"{name} is defined otherwise"


def _differing_tables(before: Mapping[str, TableState], after: Mapping[str, TableState]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            yield f"table {name} is new, with {new}"
        elif new is None:
            yield f"table {name} is gone, with {old}"
        elif old.rows != new.rows:
            yield f"table {name} has {new}, and had {old}"
        elif old.digest != new.digest:
            yield f"table {name} has other contents, in {new} as before"
