"""Reads what a database knows about itself."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from dataclasses import replace as dataclass_replace
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.storage import Cache
from airflow_provider_elasticjobs.sandbox.engine.types import type_from_spec

_SCHEMA_OBJECTS: Final = ("U", "V", "P")


@dataclass(frozen=True)
class ColumnInfo:
    """A column of a table or view."""

    name: str
    type: SqlType
    column_id: int
    identity: tuple[int, int] | None = None
    default: str = ""
    computed: str = ""


@dataclass(frozen=True)
class TableInfo:
    """A table, view, temporary table or catalog view.

    :param kind: ``U``, ``V``, ``T`` (temporary) or ``S`` (catalog view)
    :param physical: what SQLite's FROM gets: a quoted name, or a query in parentheses
    """

    object_id: int
    schema: str
    name: str
    kind: str
    columns: tuple[ColumnInfo, ...]
    physical: str
    index: dict[str, ColumnInfo] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {column.name.lower(): column for column in self.columns})

    @property
    def identity_column(self) -> ColumnInfo | None:
        """The identity column, if there is one."""
        return next((column for column in self.columns if column.identity), None)

    @property
    def stored_columns(self) -> tuple[ColumnInfo, ...]:
        """The columns that are not computed."""
        return tuple(column for column in self.columns if not column.computed)


@dataclass(frozen=True)
class ObjectInfo:
    """A row of ``sys.objects``."""

    object_id: int
    schema_id: int
    schema: str
    name: str
    type: str
    parent_object_id: int
    definition: str


@dataclass(frozen=True)
class IndexInfo:
    """An index with its key columns by name and direction."""

    index_id: int
    name: str
    is_unique: bool
    is_primary_key: bool
    is_unique_constraint: bool
    columns: tuple[tuple[str, bool], ...]
    condition: str


@dataclass(frozen=True)
class ForeignKeyInfo:
    """A foreign key."""

    object_id: int
    name: str
    table_id: int
    referenced_id: int
    columns: tuple[str, ...]
    referenced_columns: tuple[str, ...]
    actions: str


def quote(name: str) -> str:
    """Return a name quoted for SQLite."""
    return '"' + name.replace('"', '""') + '"'


def physical_name(schema: str, name: str) -> str:
    """Return the quoted SQLite name of a table or view."""
    return quote(f"{schema}.{name}")


class Catalog:
    """What one connection sees of its database's objects.

    :param connection: the session's connection, so that its own uncommitted changes are seen
    :param cache: shared by all sessions of the database, keyed by schema version
    """

    def __init__(self, connection: sqlite3.Connection, cache: Cache) -> None:
        self._connection = connection
        self._cache = cache

    def version(self) -> int:
        """Return the schema version as this connection sees it."""
        row = self._connection.execute("PRAGMA user_version").fetchone()
        return int(row[0])

    def find(self, schema: str, name: str) -> ObjectInfo | None:
        """Return an object (table, view, procedure, constraint) or None."""
        key = ("object", self.version(), schema.lower(), name.lower())
        found = self._cache.get(key)
        if found is None:
            found = self._read_object("s.name = ? AND o.name = ?", (schema, name))
            if found is not None:
                self._cache.put(key, found)
        return found if isinstance(found, ObjectInfo) else None

    def by_id(self, object_id: int) -> ObjectInfo | None:
        """Return an object by its id."""
        return self._read_object("o.object_id = ?", (object_id,))

    def _read_object(self, condition: str, values: tuple[object, ...]) -> ObjectInfo | None:
        row = self._connection.execute(
            "SELECT o.object_id, o.schema_id, s.name, o.name, o.type, o.parent_object_id, o.definition"
            f' FROM "sys$objects" o JOIN "sys$schemas" s ON s.schema_id = o.schema_id WHERE {condition}',
            values,
        ).fetchone()
        return None if row is None else ObjectInfo(row[0], row[1], row[2], row[3], row[4], row[5], row[6] or "")

    def table(self, schema: str, name: str) -> TableInfo | None:
        """Return a table or view with its columns."""
        key = ("table", self.version(), schema.lower(), name.lower())
        found = self._cache.get(key)
        if isinstance(found, TableInfo):
            return found
        info = self.find(schema, name)
        if info is None or info.type not in ("U", "V"):
            return None
        table = self.table_of(info)
        self._cache.put(key, table)
        return table

    def table_of(self, info: ObjectInfo) -> TableInfo:
        """Return a table or view by its object row."""
        rows = self._connection.execute(
            "SELECT name, type, column_id, is_nullable, seed, increment, default_text, computed_text"
            ' FROM "sys$columns" WHERE object_id = ? ORDER BY column_id',
            (info.object_id,),
        )
        columns = tuple(_column(row) for row in rows)
        return TableInfo(
            info.object_id, info.schema, info.name, info.type, columns, physical_name(info.schema, info.name)
        )

    def schema_id(self, name: str) -> int | None:
        """Return a schema's id or None."""
        row = self._connection.execute('SELECT schema_id FROM "sys$schemas" WHERE name = ?', (name,)).fetchone()
        return None if row is None else int(row[0])

    def schema_name(self, schema_id: int) -> str | None:
        """Return a schema's name or None."""
        row = self._connection.execute('SELECT name FROM "sys$schemas" WHERE schema_id = ?', (schema_id,)).fetchone()
        return None if row is None else str(row[0])

    def indexes(self, object_id: int) -> list[IndexInfo]:
        """Return the indexes of a table."""
        rows = self._connection.execute(
            "SELECT index_id, name, is_unique, is_primary_key, is_unique_constraint, filter"
            ' FROM "sys$indexes" WHERE object_id = ? AND index_id > 0 ORDER BY index_id',
            (object_id,),
        ).fetchall()
        return [
            IndexInfo(
                row[0], row[1], bool(row[2]), bool(row[3]), bool(row[4]), self._keys(object_id, row[0]), row[5] or ""
            )
            for row in rows
        ]

    def _keys(self, object_id: int, index_id: int) -> tuple[tuple[str, bool], ...]:
        rows = self._connection.execute(
            'SELECT c.name, i.is_descending FROM "sys$index_columns" i JOIN "sys$columns" c'
            " ON c.object_id = i.object_id AND c.column_id = i.column_id"
            " WHERE i.object_id = ? AND i.index_id = ? AND i.is_included = 0 ORDER BY i.key_ordinal",
            (object_id, index_id),
        )
        return tuple((name, bool(descending)) for name, descending in rows)

    def foreign_keys(self, *, table_id: int | None = None, referenced_id: int | None = None) -> list[ForeignKeyInfo]:
        """Return the foreign keys of a table, or those that reference it."""
        column, value = (
            ("parent_object_id", table_id) if table_id is not None else ("referenced_object_id", referenced_id)
        )
        rows = self._connection.execute(
            "SELECT f.object_id, o.name, f.parent_object_id, f.referenced_object_id, f.columns, f.referenced_columns,"
            ' f.actions FROM "sys$foreign_keys" f JOIN "sys$objects" o ON o.object_id = f.object_id'
            f" WHERE f.{column} = ?",
            (value,),
        )
        return [
            ForeignKeyInfo(row[0], row[1], row[2], row[3], tuple(json.loads(row[4])), tuple(json.loads(row[5])), row[6])
            for row in rows
        ]

    def checks(self, table_id: int) -> list[tuple[str, str]]:
        """Return the CHECK constraints of a table: name and condition."""
        rows = self._connection.execute(
            'SELECT o.name, c.text FROM "sys$checks" c JOIN "sys$objects" o ON o.object_id = c.object_id'
            " WHERE c.parent_object_id = ? ORDER BY o.object_id",
            (table_id,),
        )
        return [(str(name), str(text)) for name, text in rows]

    def exists(self, schema: str, name: str) -> bool:
        """Return whether an object of any kind has this name."""
        return self.find(schema, name) is not None


def _column(row: tuple[object, ...]) -> ColumnInfo:
    name, spec, column_id, nullable, seed, increment, default, computed = row
    sql_type = dataclass_replace(type_from_spec(str(spec)), nullable=bool(nullable))
    identity = (int(str(seed)), int(str(increment))) if seed is not None else None
    return ColumnInfo(str(name), sql_type, int(str(column_id)), identity, str(default or ""), str(computed or ""))
