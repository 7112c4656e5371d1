# ruff: noqa: SLF001 - entries of a table beside the class
"""What names mean inside a query: sources with their columns, nested scopes, common table expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType


@dataclass(frozen=True)
class Sql:
    """A piece of SQLite text with its T-SQL type.

    :param text: SQLite expression
    :param type: None when unknown (NULL, or only the value tells)
    :param collated: whether SQLite already compares it without regard to case
    :param literal: whether it is a constant
    """

    text: str
    type: SqlType | None
    collated: bool = False
    literal: bool = False


@dataclass(frozen=True)
class SourceColumn:
    """A column that a source offers."""

    name: str
    sql: Sql


@dataclass(frozen=True)
class Source:
    """A table, view or subquery in FROM.

    :param alias: the name by which the query calls it
    :param schema: schema, when it is called by its own name
    :param text: SQLite's alias, unique in the statement
    :param table: the table, when it is one
    """

    alias: str
    schema: str
    text: str
    columns: tuple[SourceColumn, ...]
    table: TableInfo | None = None

    def find(self, name: str) -> SourceColumn | None:
        """Return a column by name, or None."""
        lowered = name.lower()
        return next((column for column in self.columns if column.name.lower() == lowered), None)

    def is_called(self, alias: str, schema: str) -> bool:
        """Return whether ``schema.alias`` means this source."""
        return self.alias.lower() == alias.lower() and (not schema or self.schema.lower() == schema.lower())


@dataclass
class Scope:
    """The sources of one SELECT, inside those of the query around it."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: Mapping[str, Sequence[tuple[str, SqlType | None]]] = field(default_factory=dict)

    def child(self) -> Scope:
        """Return a scope for a query inside this one."""
        return Scope(self, [], self.ctes)

    def resolve(self, name: str, table: str = "", schema: str = "") -> Sql:
        """Return what a column reference means.

        :raises SqlError: 207, 209 or 4104
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._own(name, table, schema)
            if found is not None:
                return found
            scope = scope.parent
        if table:
            raise sql_error(4104, ".".join(part for part in (schema, table, name) if part))
        raise sql_error(207, name)

    def _own(self, name: str, table: str, schema: str) -> Sql | None:
        candidates = [source for source in self.sources if not table or source.is_called(table, schema)]
        found = [column for source in candidates if (column := source.find(name)) is not None]
        if len(found) > 1:
            raise sql_error(209, name)
        if found:
            return found[0].sql
        if candidates and table:
            raise sql_error(207, name)
        return None

    def source(self, alias: str, schema: str = "") -> Source | None:
        """Return the source of this very scope that a name means."""
        return next((source for source in self.sources if source.is_called(alias, schema)), None)

    def expand(self, table: str = "", schema: str = "") -> list[SourceColumn]:
        """Return the columns of ``*`` or ``table.*``."""
        chosen = [source for source in self.sources if not table or source.is_called(table, schema)]
        if not chosen:
            if table:
                raise sql_error(4104, f"{table}.*")
            raise sql_error(102, "*")
        return [column for source in chosen for column in source.columns]
