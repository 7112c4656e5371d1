# ruff: noqa: PLR0911 - one return for each type
"""Parses table definitions and ALTER TABLE."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.definitions import (
    AlterTable,
    ColumnDefinition,
    Constraint,
    TableDefinition,
)
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.statements import ObjectName, Statement
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

_CONSTRAINT_WORDS: Final = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "INDEX")


def table_definition(cursor: TokenCursor) -> TableDefinition:
    """Parse the parentheses of CREATE TABLE or of a table variable."""
    cursor.expect("(")
    columns: list[ColumnDefinition] = []
    constraints: list[Constraint] = []
    while True:
        element(cursor, columns, constraints)
        if not cursor.accept(","):
            break
        if cursor.at(")"):
            break
    cursor.expect(")")
    return TableDefinition(tuple(columns), tuple(constraints))


def element(cursor: TokenCursor, columns: list[ColumnDefinition], constraints: list[Constraint]) -> None:
    """Parse one column or constraint and add it to its list."""
    if cursor.token.kind == "word" and cursor.token.key in _CONSTRAINT_WORDS:
        constraints.append(_constraint(cursor, ""))
    else:
        columns.append(_column(cursor, constraints))


def _column(cursor: TokenCursor, constraints: list[Constraint]) -> ColumnDefinition:
    name = cursor.identifier()
    if cursor.accept("AS"):
        text = cursor.skip_parentheses() if cursor.at("(") else cursor.span(",")
        cursor.accept("PERSISTED")
        cursor.accept("NOT", "NULL")
        return ColumnDefinition(name, None, computed=text)
    column = ColumnDefinition(name, cursor.data_type())
    while True:
        changed = _column_option(cursor, column, constraints)
        if changed is None:
            return column
        column = changed


def _column_option(
    cursor: TokenCursor, column: ColumnDefinition, constraints: list[Constraint]
) -> ColumnDefinition | None:
    if cursor.accept("NULL"):
        return column
    if cursor.accept("NOT", "NULL"):
        return _not_null(column)
    if cursor.accept("IDENTITY"):
        seed, increment = 1, 1
        if cursor.accept("("):
            seed = cursor.integer()
            cursor.expect(",")
            increment = cursor.integer()
            cursor.expect(")")
        return replace(_not_null(column), identity=(seed, increment))
    if cursor.accept("COLLATE"):
        cursor.identifier()
        return column
    if cursor.accept_any("ROWGUIDCOL", "SPARSE"):
        return column
    name = cursor.identifier() if cursor.accept("CONSTRAINT") else ""
    if cursor.accept("DEFAULT"):
        return replace(column, default=cursor_default(cursor), default_name=name)
    if cursor.token.key in _CONSTRAINT_WORDS or cursor.at("REFERENCES"):
        constraint = _constraint(cursor, column.name, name)
        constraints.append(constraint)
        return _not_null(column) if constraint.kind == "PK" else column
    if name:
        raise cursor.unexpected()
    return None


def cursor_default(cursor: TokenCursor) -> str:
    """Parse the expression after DEFAULT."""
    if cursor.at("("):
        return cursor.skip_parentheses()
    text = cursor.span(",", "NOT", "NULL", "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "FOR", "WITH")
    if not text and cursor.accept("NULL"):
        return "NULL"
    if not text:
        raise cursor.unexpected()
    return text


def _not_null(column: ColumnDefinition) -> ColumnDefinition:
    if column.type is None:
        return column
    return replace(column, type=replace(column.type, nullable=False))


def _constraint(cursor: TokenCursor, column: str, name: str = "") -> Constraint:
    if cursor.accept("CONSTRAINT"):
        name = cursor.identifier()
    if cursor.accept("INDEX"):
        return _inline_index(cursor, column)
    if cursor.at("PRIMARY") or cursor.at("UNIQUE"):
        return _key(cursor, column, name)
    if cursor.accept("CHECK"):
        cursor.accept("NOT", "FOR", "REPLICATION")
        return Constraint("C", name, ((column, False),) if column else (), cursor.skip_parentheses())
    columns: tuple[str, ...] = (column,)
    if cursor.accept("FOREIGN", "KEY"):
        columns = cursor.identifier_list() if cursor.at("(") else columns
    cursor.expect("REFERENCES")
    parent = cursor.object_name()
    parent_columns = cursor.identifier_list() if cursor.at("(") else ()
    keyed = tuple((each, False) for each in columns)
    return Constraint("F", name, keyed, "", parent, parent_columns, _actions(cursor))


def _inline_index(cursor: TokenCursor, column: str) -> Constraint:
    name = cursor.identifier()
    unique = cursor.accept("UNIQUE")
    cursor.accept_any("CLUSTERED", "NONCLUSTERED")
    columns = index_columns(cursor) if cursor.at("(") else ((column, False),)
    condition = cursor.span(",") if cursor.accept("WHERE") else ""
    return Constraint("UNIQUE INDEX" if unique else "INDEX", name, columns, condition)


def _key(cursor: TokenCursor, column: str, name: str) -> Constraint:
    kind = "PK" if cursor.accept("PRIMARY", "KEY") else "UQ"
    if kind == "UQ":
        cursor.expect("UNIQUE")
    cursor.accept_any("CLUSTERED", "NONCLUSTERED")
    columns = index_columns(cursor) if cursor.at("(") else ((column, False),)
    if cursor.at("WITH", "("):
        cursor.advance()
        cursor.skip_parentheses()
    if cursor.accept("ON"):
        cursor.identifier()
    return Constraint(kind, name, columns)


def index_columns(cursor: TokenCursor) -> tuple[tuple[str, bool], ...]:
    """Parse ``(a ASC, b DESC)``; True is descending."""
    cursor.expect("(")
    found: list[tuple[str, bool]] = []
    while True:
        name = cursor.identifier()
        found.append((name, cursor.accept_any("ASC", "DESC") == "DESC"))
        if not cursor.accept(","):
            break
    cursor.expect(")")
    return tuple(found)


def _actions(cursor: TokenCursor) -> str:
    words: list[str] = []
    while cursor.at("ON") and cursor.ahead().key in ("DELETE", "UPDATE"):
        cursor.advance()
        event = cursor.advance().key
        if cursor.accept("NO", "ACTION"):
            continue
        action = "CASCADE" if cursor.accept("CASCADE") else ""
        if not action:
            cursor.expect("SET")
            action = f"SET {cursor.advance().key}"
        words.append(f"ON {event} {action}")
    cursor.accept("NOT", "FOR", "REPLICATION")
    return " ".join(words)


def alter_table(cursor: TokenCursor, name: ObjectName, line: int) -> Statement:
    """Parse ALTER TABLE after the table's name."""
    checked = cursor.accept("WITH", "CHECK") or cursor.accept("WITH", "NOCHECK")
    if cursor.accept("ADD"):
        return _add(cursor, name, line)
    if cursor.accept("ALTER", "COLUMN"):
        column = _altered_column(cursor)
        return AlterTable(name, "ALTER COLUMN", TableDefinition((column,), ()), line=line)
    if cursor.accept("DROP"):
        return _drop(cursor, name, line)
    if checked or cursor.at("CHECK") or cursor.at("NOCHECK"):
        cursor.expect("CHECK", "CONSTRAINT")
        cursor.identifier()
        return AlterTable(name, "CHECK", TableDefinition((), ()), line=line)
    raise unsupported(f"ALTER TABLE {cursor.token.text.upper()}")


def _altered_column(cursor: TokenCursor) -> ColumnDefinition:
    column = cursor.identifier()
    sql_type: SqlType = cursor.data_type()
    if cursor.accept("COLLATE"):
        cursor.identifier()
    if cursor.accept("NOT", "NULL"):
        sql_type = replace(sql_type, nullable=False)
    else:
        cursor.accept("NULL")
    return ColumnDefinition(column, sql_type)


def _add(cursor: TokenCursor, name: ObjectName, line: int) -> Statement:
    columns: list[ColumnDefinition] = []
    constraints: list[Constraint] = []
    while True:
        if cursor.at("DEFAULT") or (cursor.at("CONSTRAINT") and cursor.ahead(2).key == "DEFAULT"):
            columns.append(_added_default(cursor))
        else:
            element(cursor, columns, constraints)
        if not cursor.accept(","):
            break
    return AlterTable(name, "ADD", TableDefinition(tuple(columns), tuple(constraints)), line=line)


def _added_default(cursor: TokenCursor) -> ColumnDefinition:
    name = cursor.identifier() if cursor.accept("CONSTRAINT") else ""
    cursor.expect("DEFAULT")
    text = cursor_default(cursor)
    cursor.expect("FOR")
    column = cursor.identifier()
    cursor.accept("WITH", "VALUES")
    return ColumnDefinition(column, None, default=text, default_name=name)


def _drop(cursor: TokenCursor, name: ObjectName, line: int) -> Statement:
    action = "DROP COLUMN" if cursor.accept("COLUMN") else "DROP CONSTRAINT"
    if action == "DROP CONSTRAINT":
        cursor.accept("CONSTRAINT")
    if_exists = cursor.accept("IF", "EXISTS")
    names = [cursor.identifier()]
    while cursor.accept(","):
        names.append(cursor.identifier())
    return AlterTable(name, action, TableDefinition((), ()), tuple(names), if_exists, line=line)
