"""Parsed T-SQL statements that define things: tables, views, procedures, databases, principals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine.statements import Block, Fragment, ObjectName, Statement

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType


@dataclass(frozen=True, eq=False)
class ColumnDefinition:
    """A column of CREATE TABLE; ``computed`` holds the text of a computed column."""

    name: str
    type: SqlType | None
    identity: tuple[int, int] | None = None
    default: str = ""
    default_name: str = ""
    computed: str = ""


@dataclass(frozen=True, eq=False)
class Constraint:
    """A table constraint.

    :param kind: ``PK``, ``UQ``, ``F``, ``C`` or ``INDEX``
    :param columns: with their direction (True is descending)
    :param text: a CHECK's condition, an index's filter
    :param actions: of a foreign key, such as ``ON DELETE CASCADE``
    """

    kind: str
    name: str
    columns: tuple[tuple[str, bool], ...] = ()
    text: str = ""
    parent: ObjectName | None = None
    parent_columns: tuple[str, ...] = ()
    actions: str = ""


@dataclass(frozen=True, eq=False)
class TableDefinition:
    """Columns and constraints of a table."""

    columns: tuple[ColumnDefinition, ...]
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, eq=False)
class CreateTable(Statement):
    """CREATE TABLE."""

    name: ObjectName
    definition: TableDefinition


@dataclass(frozen=True, eq=False)
class AlterTable(Statement):
    """ALTER TABLE: ``action`` is ADD, ALTER COLUMN, DROP COLUMN, DROP CONSTRAINT or CHECK (ignored)."""

    name: ObjectName
    action: str
    definition: TableDefinition
    names: tuple[str, ...] = ()
    if_exists: bool = False


@dataclass(frozen=True, eq=False)
class CreateIndex(Statement):
    """CREATE INDEX."""

    name: str
    table: ObjectName
    columns: tuple[tuple[str, bool], ...]
    included: tuple[str, ...]
    unique: bool
    clustered: bool
    condition: str


@dataclass(frozen=True, eq=False)
class CreateView(Statement):
    """CREATE or ALTER VIEW; ``definition`` is the whole statement's text."""

    name: ObjectName
    columns: tuple[str, ...]
    body: Fragment
    definition: str
    verb: str


@dataclass(frozen=True, eq=False)
class ProcedureParameter:
    """A declared parameter; ``default`` None means required."""

    name: str
    type: SqlType
    default: Fragment | None
    is_output: bool


@dataclass(frozen=True, eq=False)
class CreateProcedure(Statement):
    """CREATE or ALTER PROCEDURE."""

    name: ObjectName
    parameters: tuple[ProcedureParameter, ...]
    body: Block
    definition: str
    verb: str


@dataclass(frozen=True, eq=False)
class Drop(Statement):
    """DROP of one kind of object."""

    kind: str
    names: tuple[ObjectName, ...]
    if_exists: bool
    table: ObjectName | None = None


@dataclass(frozen=True, eq=False)
class CreateSchema(Statement):
    """CREATE SCHEMA."""

    name: str


@dataclass(frozen=True, eq=False)
class DatabaseCommand(Statement):
    """CREATE, DROP or ALTER DATABASE; the pool is None when not mentioned."""

    verb: str
    name: str
    elastic_pool: str | None = None
    if_exists: bool = False


@dataclass(frozen=True, eq=False)
class PrincipalCommand(Statement):
    """CREATE, ALTER or DROP of a ROLE, USER or LOGIN; ``detail`` has the login, member or password."""

    verb: str
    kind: str
    name: str
    detail: str = ""
    action: str = ""
    if_exists: bool = False


@dataclass(frozen=True, eq=False)
class Permission(Statement):
    """GRANT, DENY or REVOKE."""

    verb: str
    permissions: tuple[str, ...]
    securable_class: str
    securable: ObjectName | None
    principals: tuple[str, ...]
