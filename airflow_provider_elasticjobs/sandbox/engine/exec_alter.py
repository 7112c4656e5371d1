# ruff: noqa: E501 - SQL Server's texts in one piece
"""Executes ALTER TABLE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine.catalog import ColumnInfo, TableInfo, quote
from airflow_provider_elasticjobs.sandbox.engine.catalog_write import CatalogWriter
from airflow_provider_elasticjobs.sandbox.engine.compiler import compile_computed, compile_expression
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.exec_tables import TableBuilder
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment
from airflow_provider_elasticjobs.sandbox.engine.register import store
from airflow_provider_elasticjobs.sandbox.engine.types import INT, affinity, type_spec
from airflow_provider_elasticjobs.sandbox.engine.values import Stored

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class TableAlteration:
    """Alters tables for one session."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._writer = CatalogWriter(session)
        self._builder = TableBuilder(session)

    def run(self, statement: d.AlterTable) -> None:
        """Execute ALTER TABLE."""
        table = self._session.catalog.table(statement.name.schema or "dbo", statement.name.name)
        if table is None or table.kind != "U":
            raise sql_error(4902, statement.name)
        if statement.action == "ADD":
            self._add(table, statement.definition)
        elif statement.action == "ALTER COLUMN":
            self._alter_column(table, statement.definition.columns[0])
        elif statement.action == "DROP COLUMN":
            for name in statement.names:
                self._drop_column(table, name, statement.if_exists)
        elif statement.action == "DROP CONSTRAINT":
            for name in statement.names:
                self._drop_constraint(table, name, statement.if_exists)

    def _current(self, table: TableInfo) -> TableInfo:
        self._writer.bump()
        found = self._session.catalog.table(table.schema, table.name)
        return found if found is not None else table

    def _add(self, table: TableInfo, definition: d.TableDefinition) -> None:
        for column in definition.columns:
            if column.type is None and not column.computed:
                self._add_default(table, column)
            else:
                self._add_column(table, column)
            table = self._current(table)
        if definition.constraints:
            self._builder.add_constraints(table, definition.constraints)
            self._builder.check_rows(self._current(table))

    def _add_default(self, table: TableInfo, column: d.ColumnDefinition) -> None:
        found = self._column(table, column.name)
        if found.default:
            raise SqlError(1781, "Column already has a DEFAULT bound to it.")
        schema_id = self._writer.schema_id(table.schema)
        name = (
            column.default_name or f"DF__{table.name[:9]}__{column.name[:5]}__{table.object_id + found.column_id:08X}"
        )
        default_id = self._writer.add_object(
            schema_id, name, "D", parent=table.object_id, definition=f"({column.default})"
        )
        self._writer.set_default(table, found.column_id, column.default, default_id)

    def _column(self, table: TableInfo, name: str) -> ColumnInfo:
        found = table.index.get(name.lower())
        if found is None:
            raise sql_error(4924, "ALTER COLUMN", name, table.name)
        return found

    def _add_column(self, table: TableInfo, column: d.ColumnDefinition) -> None:
        if column.name.lower() in table.index:
            raise sql_error(2705, column.name, f"{table.schema}.{table.name}")
        if column.identity:
            raise unsupported("ALTER TABLE ADD of an identity column")
        if column.computed:
            column = replace(column, type=compile_computed(self._session, table, column.computed))
        number = max((each.column_id for each in table.columns), default=0) + 1
        self._writer.add_column(table.object_id, self._writer.schema_id(table.schema), table.name, number, column)
        kind = column.type or INT
        if column.computed:
            return
        has_rows = self._session.run(f"SELECT 1 FROM {table.physical} LIMIT 1").fetchone() is not None
        if not kind.nullable and not column.default and has_rows:
            raise SqlError(
                4901,
                f"ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT definition specified. Column '{column.name}' cannot be added to non-empty table '{table.name}' because it does not satisfy these conditions.",
            )
        self._session.run(f"ALTER TABLE {table.physical} ADD COLUMN {quote(column.name)} {affinity(kind)}")
        if not kind.nullable:
            if has_rows:
                self._session.run(
                    f"UPDATE {table.physical} SET {quote(column.name)} = ?", (self._default_value(column),)
                )
            self._builder.rewrite(table)

    def _default_value(self, column: d.ColumnDefinition) -> Stored:
        compiled = compile_expression(self._session, expression_fragment(column.default, 1))
        value = self._session.run(compiled.text).fetchone()[0]
        source = compiled.columns[0][1]
        return store(value, type_spec(source), type_spec(column.type or INT), "", column.name) if source else value

    def _alter_column(self, table: TableInfo, column: d.ColumnDefinition) -> None:
        found = self._column(table, column.name)
        kind = column.type or INT
        name = quote(found.name)
        place = f"{self._session.database}.{table.schema}.{table.name}"
        self._session.run(
            f"UPDATE {table.physical} SET {name} = tsql_store({name}, ?, ?, ?, ?) WHERE {name} IS NOT NULL",
            (type_spec(found.type), type_spec(kind), place, found.name),
        )
        nulls = self._session.run(f"SELECT 1 FROM {table.physical} WHERE {name} IS NULL LIMIT 1").fetchone()
        if nulls and not kind.nullable:
            raise sql_error(515, found.name, place, "UPDATE")
        self._writer.set_type(table, found.column_id, kind)
        self._builder.rewrite(table)

    def _drop_column(self, table: TableInfo, name: str, if_exists: bool) -> None:
        table = self._current(table)
        found = table.index.get(name.lower())
        if found is None:
            if if_exists:
                return
            raise sql_error(4924, "DROP COLUMN", name, table.name)
        indexes = [
            index.name
            for index in self._session.catalog.indexes(table.object_id)
            if name.lower() in {key.lower() for key, _ in index.columns}
        ]
        keys = [
            key.name
            for key in self._session.catalog.foreign_keys(table_id=table.object_id)
            if found.name in key.columns
        ]
        blockers = indexes + keys
        if found.default:
            blockers.append(f"DF__{table.name[:9]}__{found.name[:5]}")
        if blockers:
            raise SqlError(5074, f"The object '{blockers[0]}' is dependent on column '{found.name}'.")
        self._session.connection.execute(
            'DELETE FROM "sys$columns" WHERE object_id = ? AND column_id = ?', (table.object_id, found.column_id)
        )
        if not found.computed:
            self._session.run(f"ALTER TABLE {table.physical} DROP COLUMN {quote(found.name)}")
        self._writer.bump()

    def _drop_constraint(self, table: TableInfo, name: str, if_exists: bool) -> None:
        info = self._session.catalog.find(table.schema, name)
        if info is None or info.parent_object_id != table.object_id:
            if if_exists:
                return
            raise sql_error(3728, name)
        if info.type == "D":
            column = next(each for each in table.columns if self._default_id(table, each) == info.object_id)
            self._writer.set_default(table, column.column_id, "", None)
        elif info.type in ("PK", "UQ"):
            index = next(
                each for each in self._session.catalog.indexes(table.object_id) if each.name.lower() == name.lower()
            )
            self._writer.remove_index(table.object_id, index.index_id)
            self._session.run(f"DROP INDEX {quote(f'{table.object_id}.{index.name}')}")
        self._writer.remove_object(info.object_id)
        self._writer.bump()
        if info.type in ("C", "F"):
            self._builder.rewrite(table)

    def _default_id(self, table: TableInfo, column: ColumnInfo) -> int | None:
        row = self._session.run(
            'SELECT default_id FROM "sys$columns" WHERE object_id = ? AND column_id = ?',
            (table.object_id, column.column_id),
        ).fetchone()
        return row[0] if row is not None else None
