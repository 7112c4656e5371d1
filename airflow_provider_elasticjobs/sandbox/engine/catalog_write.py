# ruff: noqa: PLR0917 - one signature for every entry of a table
"""Writes what a database knows about itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine.catalog import ObjectInfo, TableInfo
from airflow_provider_elasticjobs.sandbox.engine.definitions import ColumnDefinition, ProcedureParameter
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.metadata import FIRST_OBJECT_ID
from airflow_provider_elasticjobs.sandbox.engine.moments import store_moment
from airflow_provider_elasticjobs.sandbox.engine.types import INT, type_spec

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class CatalogWriter:
    """Changes the metadata tables through one session's connection."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    def bump(self) -> None:
        """Give the schema a new version, so that nothing compiled before is used."""
        self._session.connection.execute(f"PRAGMA user_version = {self._session.database_file.next_version()}")

    def _execute(self, text: str, *values: object) -> None:
        self._session.connection.execute(text, values)

    def schema_id(self, schema: str) -> int:
        """Return a schema's id.

        :raises SqlError: 2760 when there is none
        """
        found = self._session.catalog.schema_id(schema)
        if found is None:
            raise sql_error(2760, schema)
        return found

    def add_object(self, schema_id: int, name: str, kind: str, *, parent: int = 0, definition: str = "") -> int:
        """Add a row of ``sys.objects`` and return its id.

        :raises SqlError: 2714 when the name is taken
        """
        taken = self._session.connection.execute(
            'SELECT 1 FROM "sys$objects" WHERE schema_id = ? AND name = ?', (schema_id, name)
        ).fetchone()
        if taken is not None:
            raise sql_error(2714, name)
        row = self._session.connection.execute('SELECT max(object_id) FROM "sys$objects"').fetchone()
        object_id = FIRST_OBJECT_ID if row[0] is None else int(row[0]) + 16
        now = self._now()
        self._execute(
            'INSERT INTO "sys$objects" VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            object_id, schema_id, name, kind, parent, now, now, definition,
        )  # fmt: skip
        return object_id

    def _now(self) -> str:
        return store_moment(self._session.state.now, SqlType("datetime"))

    def change_definition(self, info: ObjectInfo, definition: str) -> None:
        """Give a view or procedure a new text."""
        self._execute(
            'UPDATE "sys$objects" SET definition = ?, modify_date = ? WHERE object_id = ?',
            definition, self._now(), info.object_id,
        )  # fmt: skip
        for table in ("columns", "parameters"):
            self._execute(f'DELETE FROM "sys${table}" WHERE object_id = ?', info.object_id)

    def remove_object(self, object_id: int) -> None:
        """Remove an object with everything that belongs to it."""
        rows = self._session.connection.execute(
            'SELECT object_id FROM "sys$objects" WHERE parent_object_id = ?', (object_id,)
        ).fetchall()
        for each in [object_id, *(int(row[0]) for row in rows)]:
            for table in (
                "objects",
                "columns",
                "indexes",
                "index_columns",
                "checks",
                "foreign_keys",
                "identity",
                "parameters",
            ):
                self._execute(f'DELETE FROM "sys${table}" WHERE object_id = ?', each)
            self._execute("DELETE FROM \"sys$permissions\" WHERE class = 'OBJECT' AND major_id = ?", each)

    def add_column(self, table_id: int, schema_id: int, table: str, number: int, column: ColumnDefinition) -> None:
        """Add a row of ``sys.columns``, with its default constraint."""
        kind = column.type or INT
        default_id = None
        if column.default:
            name = column.default_name or f"DF__{table[:9]}__{column.name[:5]}__{table_id + number:08X}"
            default_id = self.add_object(schema_id, name, "D", parent=table_id, definition=f"({column.default})")
        seed, increment = column.identity or (None, None)
        self._execute(
            'INSERT INTO "sys$columns" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            table_id, number, column.name, type_spec(kind), int(kind.nullable), seed, increment, column.default,
            default_id, column.computed,
        )  # fmt: skip

    def set_default(self, table: TableInfo, column_id: int, text: str, default_id: int | None) -> None:
        """Set or remove a column's default."""
        self._execute(
            'UPDATE "sys$columns" SET default_text = ?, default_id = ? WHERE object_id = ? AND column_id = ?',
            text, default_id, table.object_id, column_id,
        )  # fmt: skip

    def set_type(self, table: TableInfo, column_id: int, kind: SqlType) -> None:
        """Change a column's type."""
        self._execute(
            'UPDATE "sys$columns" SET type = ?, is_nullable = ? WHERE object_id = ? AND column_id = ?',
            type_spec(kind), int(kind.nullable), table.object_id, column_id,
        )  # fmt: skip

    def add_index(
        self, table: TableInfo, name: str | None, columns: Sequence[tuple[str, bool]], *, unique: bool = False,
        kind: str = "", clustered: bool = False, included: Sequence[str] = (), condition: str = "",
    ) -> int:  # fmt: skip
        """Add an index (``kind`` PK, UQ, HEAP or '') and return its id."""
        row = self._session.connection.execute(
            'SELECT max(index_id) FROM "sys$indexes" WHERE object_id = ?', (table.object_id,)
        ).fetchone()
        index_id = 0 if kind == "HEAP" else 1 if clustered else max(2, int(row[0] or 0) + 1)
        if clustered:
            self._execute('DELETE FROM "sys$indexes" WHERE object_id = ? AND index_id = 0', table.object_id)
        self._execute(
            'INSERT INTO "sys$indexes" VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            table.object_id, index_id, name, min(2, index_id), int(unique), int(kind == "PK"),
            int(kind == "UQ"), condition,
        )  # fmt: skip
        everything = [(each, down, 0) for each, down in columns] + [(each, False, 1) for each in included]
        for position, (column, descending, extra) in enumerate(everything, 1):
            info = table.index.get(column.lower())
            if info is None:
                raise sql_error(1911, column)
            self._execute(
                'INSERT INTO "sys$index_columns" VALUES (?, ?, ?, ?, ?, ?, ?)',
                table.object_id, index_id, position, info.column_id, 0 if extra else position, int(descending), extra,
            )  # fmt: skip
        return index_id

    def remove_index(self, table_id: int, index_id: int) -> None:
        """Remove an index's rows."""
        for name in ("indexes", "index_columns"):
            self._execute(f'DELETE FROM "sys${name}" WHERE object_id = ? AND index_id = ?', table_id, index_id)

    def add_check(self, object_id: int, table_id: int, text: str) -> None:
        """Add a CHECK constraint's condition."""
        self._execute('INSERT INTO "sys$checks" VALUES (?, ?, ?)', object_id, table_id, text)

    def add_foreign_key(
        self,
        object_id: int,
        table_id: int,
        parent_id: int,
        columns: Sequence[str],
        parents: Sequence[str],
        actions: str,
    ) -> None:
        """Add a foreign key's columns."""
        self._execute(
            'INSERT INTO "sys$foreign_keys" VALUES (?, ?, ?, ?, ?, ?)',
            object_id, table_id, parent_id, json.dumps(list(columns)), json.dumps(list(parents)), actions,
        )  # fmt: skip

    def add_parameters(self, object_id: int, parameters: Sequence[ProcedureParameter]) -> None:
        """Add a procedure's parameters."""
        for number, each in enumerate(parameters, 1):
            self._execute(
                'INSERT INTO "sys$parameters" VALUES (?, ?, ?, ?, ?, ?)',
                object_id, number, each.name, type_spec(each.type), int(each.is_output), int(each.default is not None),
            )  # fmt: skip
