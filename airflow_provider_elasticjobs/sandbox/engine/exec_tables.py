# ruff: noqa: E501 - SQL Server's texts in one piece
"""Creates and alters tables: SQLite's table, its indexes, and the metadata."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.catalog import ColumnInfo, IndexInfo, TableInfo, physical_name, quote
from airflow_provider_elasticjobs.sandbox.engine.catalog_write import CatalogWriter
from airflow_provider_elasticjobs.sandbox.engine.compiler import compile_check, compile_computed
from airflow_provider_elasticjobs.sandbox.engine.emit_expressions import literal_text
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.types import INT, affinity

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


def columns_of(definition: d.TableDefinition, table: str) -> tuple[ColumnInfo, ...]:
    """Return the columns of a definition; primary key columns are not nullable.

    :raises SqlError: 2705 for a name that occurs twice
    """
    keys = {name.lower() for each in definition.constraints if each.kind == "PK" for name, _ in each.columns}
    found: dict[str, ColumnInfo] = {}
    for number, column in enumerate(definition.columns, 1):
        if column.name.lower() in found:
            raise sql_error(2705, column.name, table)
        kind = column.type or INT
        kind = replace(kind, nullable=False) if column.name.lower() in keys else kind
        found[column.name.lower()] = ColumnInfo(
            column.name, kind, number, column.identity, column.default, column.computed
        )
    return tuple(found.values())


class TableBuilder:
    """Builds tables for one session."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._writer = CatalogWriter(session)

    def temporary(self, name: str, definition: d.TableDefinition) -> TableInfo:
        """Create a ``#temporary`` table, or the table of a table variable."""
        session = self._session
        digest = hashlib.sha256(repr((definition.columns, [each.text for each in definition.constraints])).encode())
        variable = name.startswith("@")
        unique = f"{name}:{session.frame.depth}:{digest.hexdigest()[:12]}" if variable else name
        physical = f"temp.{quote(unique)}"
        object_id = session.next_temporary_id()
        table = self._with_computed(TableInfo(object_id, "", name, "T", columns_of(definition, name), physical))
        session.run(f"DROP TABLE IF EXISTS {physical}" if not variable else "SELECT 1").close()
        exists = variable and session.run("SELECT 1 FROM temp.sqlite_master WHERE name = ?", (unique,)).fetchone()
        if exists:
            session.run(f"DELETE FROM {physical}")
            session.add_temporary(table, self._temporary_indexes(definition, unique, create=False))
            return table
        checks = [(each.name or "CK", each.text) for each in definition.constraints if each.kind == "C"]
        session.run(f"CREATE TABLE {physical} ({self._body(table, checks, [])})")
        session.add_temporary(table, self._temporary_indexes(definition, unique, create=True))
        return table

    def _temporary_indexes(self, definition: d.TableDefinition, unique: str, *, create: bool) -> list[IndexInfo]:
        found = []
        for number, each in enumerate(definition.constraints, 1):
            if each.kind not in ("PK", "UQ", "INDEX", "UNIQUE INDEX"):
                continue
            name = each.name or f"{each.kind}__{unique.lstrip('#@')[:9]}__{number}"
            index = IndexInfo(
                number, name, each.kind != "INDEX", each.kind == "PK", each.kind == "UQ", each.columns, ""
            )
            found.append(index)
            if create:
                word = "UNIQUE INDEX" if index.is_unique else "INDEX"
                self._session.run(
                    f"CREATE {word} temp.{quote(f'{unique}.{name}')} ON {quote(unique)} ({_keys(each.columns)})"
                )
        return found

    def create(self, name: s.ObjectName, definition: d.TableDefinition) -> None:
        """Create a table."""
        schema = name.schema or "dbo"
        schema_id = self._writer.schema_id(schema)
        table_id = self._writer.add_object(schema_id, name.name, "U")
        table = TableInfo(
            table_id, schema, name.name, "U", columns_of(definition, name.name), physical_name(schema, name.name)
        )
        table = self._with_computed(table)
        for column, info in zip(definition.columns, table.columns, strict=True):
            self._writer.add_column(table_id, schema_id, name.name, info.column_id, replace(column, type=info.type))
        self._writer.bump()
        self._session.run(f"CREATE TABLE {table.physical} ({self._body(table, [], [])})")
        self._writer.add_index(table, None, (), kind="HEAP")
        self.add_constraints(table, definition.constraints)

    def _with_computed(self, table: TableInfo) -> TableInfo:
        if all(not column.computed for column in table.columns):
            return table
        columns = tuple(
            replace(column, type=compile_computed(self._session, table, column.computed)) if column.computed else column
            for column in table.columns
        )
        return replace(table, columns=columns)

    def _body(self, table: TableInfo, checks: list[tuple[str, str]], foreign: list[str]) -> str:
        parts = [
            f"{quote(column.name)} {affinity(column.type)}{'' if column.type.nullable else ' NOT NULL'}"
            for column in table.stored_columns
        ]
        parts += [
            f"CONSTRAINT {quote(name)} CHECK ({compile_check(self._session, table, text)})" for name, text in checks
        ]
        return ", ".join(parts + foreign)

    def add_constraints(self, table: TableInfo, constraints: tuple[d.Constraint, ...]) -> None:
        """Add constraints to a table that exists."""
        rewrite = False
        schema_id = self._writer.schema_id(table.schema)
        for number, each in enumerate(constraints, 1):
            kind = {"UNIQUE INDEX": "INDEX"}.get(each.kind, each.kind)
            name = each.name or f"{kind}__{table.name[:9]}__{table.object_id + number:08X}{self._serial():02X}"
            if kind in ("PK", "UQ", "INDEX"):
                self.add_index(table, name, each, schema_id)
                continue
            rewrite = True
            object_id = self._writer.add_object(schema_id, name, kind, parent=table.object_id, definition=each.text)
            if kind == "C":
                compile_check(self._session, table, each.text)
                self._writer.add_check(object_id, table.object_id, each.text)
            else:
                self._add_foreign_key(object_id, name, table, each)
        self._writer.bump()
        if rewrite:
            self.rewrite(table)

    def _serial(self) -> int:
        return int(self._session.run('SELECT count(*) FROM "sys$objects"').fetchone()[0]) % 256

    def add_index(self, table: TableInfo, name: str, each: d.Constraint, schema_id: int) -> None:
        """Add a primary key, a unique constraint or an index."""
        unique = each.kind != "INDEX"
        if each.kind in ("PK", "UQ"):
            self._writer.add_object(schema_id, name, each.kind, parent=table.object_id)
        clustered = each.kind == "PK" and not any(
            index.index_id == 1 for index in self._session.catalog.indexes(table.object_id)
        )
        self._writer.add_index(
            table, name, each.columns, unique=unique, kind=each.kind if each.kind in ("PK", "UQ") else "",
            clustered=clustered, condition=each.text,
        )  # fmt: skip
        self.create_index(table, name, each.columns, unique=unique, condition=each.text)

    def create_index(
        self, table: TableInfo, name: str, columns: tuple[tuple[str, bool], ...], *, unique: bool, condition: str
    ) -> None:
        """Create SQLite's index."""
        for column, _ in columns:
            if column.lower() not in table.index:
                raise sql_error(1911, column)
        where = f" WHERE {compile_check(self._session, table, condition)}" if condition else ""
        word = "UNIQUE INDEX" if unique else "INDEX"
        physical = quote(f"{table.object_id}.{name}")
        try:
            self._session.run(
                f"CREATE {word} {physical} ON {table.physical} ({_keys(columns)}){where}", verb="INSERT", table=table
            )
        except SqlError as error:
            if error.number in (2601, 2627):
                raise SqlError(
                    1505,
                    f"The CREATE UNIQUE INDEX statement terminated because a duplicate key was found for the object name '{table.schema}.{table.name}' and the index name '{name}'.",
                ) from None
            raise

    def _add_foreign_key(self, object_id: int, name: str, table: TableInfo, each: d.Constraint) -> None:
        target = each.parent or s.ObjectName("")
        parent = self._session.catalog.table(target.schema or "dbo", target.name)
        if parent is None or parent.kind != "U":
            raise sql_error(1767, name, target)
        columns = tuple(column for column, _ in each.columns)
        for column in columns:
            if column.lower() not in table.index:
                raise sql_error(1769, name, column, table.name)
        indexes = [index for index in self._session.catalog.indexes(parent.object_id) if index.is_unique]
        parents = each.parent_columns or next(
            (tuple(key for key, _ in index.columns) for index in indexes if index.is_primary_key), ()
        )
        wanted = {column.lower() for column in parents}
        if not any({key.lower() for key, _ in index.columns} == wanted for index in indexes):
            raise sql_error(1776, parent.name, name)
        self._writer.add_foreign_key(object_id, table.object_id, parent.object_id, columns, parents, each.actions)

    def rewrite(self, table: TableInfo) -> None:
        """Give SQLite's table its present columns, CHECK and FOREIGN KEY clauses, keeping the rows."""
        session = self._session
        self._writer.bump()
        info = session.catalog.by_id(table.object_id)
        if info is None:
            return
        current = session.catalog.table_of(info)
        foreign = []
        for key in session.catalog.foreign_keys(table_id=table.object_id):
            parent = session.catalog.by_id(key.referenced_id)
            parent_name = physical_name(parent.schema, parent.name) if parent is not None else "?"
            foreign.append(
                f"CONSTRAINT {quote(key.name)} FOREIGN KEY ({', '.join(map(quote, key.columns))})"
                f" REFERENCES {parent_name} ({', '.join(map(quote, key.referenced_columns))}) {key.actions}"
            )
        text = (
            f"CREATE TABLE {current.physical} ({self._body(current, session.catalog.checks(table.object_id), foreign)})"
        )
        version = int(session.run("PRAGMA schema_version").fetchone()[0])
        name = f"{table.schema}.{table.name}"
        session.run("PRAGMA writable_schema = ON")
        try:
            session.run(
                "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ? COLLATE NOCASE", (text, name)
            )
            session.run(f"PRAGMA schema_version = {version + 1}")
        finally:
            session.run("PRAGMA writable_schema = RESET")

    def check_rows(self, table: TableInfo) -> None:
        """Check that the rows obey the CHECK constraints and foreign keys added just now.

        :raises SqlError: 547
        """
        session = self._session
        for name, text in session.catalog.checks(table.object_id):
            condition = compile_check(session, table, text)
            if session.run(f"SELECT 1 FROM {table.physical} WHERE NOT ({condition}) LIMIT 1").fetchone():
                raise sql_error(547, "ALTER TABLE", "CHECK", name, session.database, f"{table.schema}.{table.name}", "")
        plain = literal_text(f"{table.schema}.{table.name}")
        if session.run(f"PRAGMA foreign_key_check({plain})").fetchone():
            key = session.catalog.foreign_keys(table_id=table.object_id)[-1]
            raise sql_error(
                547, "ALTER TABLE", "FOREIGN KEY", key.name, session.database, f"{table.schema}.{table.name}", ""
            )


def _keys(columns: tuple[tuple[str, bool], ...]) -> str:
    return ", ".join(f"{quote(name)}{' DESC' if descending else ''}" for name, descending in columns)
