# ruff: noqa: ISC004 - SQL text over several lines
"""The tables in which a database describes itself; the catalog views read them."""

from __future__ import annotations

import sqlite3
from typing import Final

_TABLES: Final = (
    'CREATE TABLE "sys$schemas" (schema_id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, principal_id INT)',
    'CREATE TABLE "sys$objects" (object_id INTEGER PRIMARY KEY, schema_id INT, name TEXT COLLATE NOCASE, type TEXT,'
    " parent_object_id INT NOT NULL DEFAULT 0, create_date TEXT, modify_date TEXT, definition TEXT,"
    " UNIQUE (schema_id, name))",
    'CREATE TABLE "sys$columns" (object_id INT, column_id INT, name TEXT COLLATE NOCASE, type TEXT, is_nullable INT,'
    " seed INT, increment INT, default_text TEXT, default_id INT, computed_text TEXT,"
    " PRIMARY KEY (object_id, column_id))",
    'CREATE TABLE "sys$indexes" (object_id INT, index_id INT, name TEXT COLLATE NOCASE, type INT, is_unique INT,'
    " is_primary_key INT, is_unique_constraint INT, filter TEXT, PRIMARY KEY (object_id, index_id))",
    'CREATE TABLE "sys$index_columns" (object_id INT, index_id INT, index_column_id INT, column_id INT,'
    " key_ordinal INT, is_descending INT, is_included INT, PRIMARY KEY (object_id, index_id, index_column_id))",
    'CREATE TABLE "sys$checks" (object_id INTEGER PRIMARY KEY, parent_object_id INT, text TEXT)',
    'CREATE TABLE "sys$foreign_keys" (object_id INTEGER PRIMARY KEY, parent_object_id INT, referenced_object_id INT,'
    " columns TEXT, referenced_columns TEXT, actions TEXT)",
    'CREATE TABLE "sys$identity" (object_id INTEGER PRIMARY KEY, last_value INT)',
    'CREATE TABLE "sys$parameters" (object_id INT, parameter_id INT, name TEXT COLLATE NOCASE, type TEXT,'
    " is_output INT, has_default INT, PRIMARY KEY (object_id, parameter_id))",
    'CREATE TABLE "sys$principals" (principal_id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, type TEXT,'
    " login TEXT COLLATE NOCASE, is_fixed INT, create_date TEXT)",
    'CREATE TABLE "sys$role_members" (role_id INT, member_id INT, PRIMARY KEY (role_id, member_id))',
    'CREATE TABLE "sys$permissions" (state TEXT, permission TEXT COLLATE NOCASE, class TEXT, major_id INT,'
    " grantee INT, PRIMARY KEY (permission, class, major_id, grantee))",
    'CREATE INDEX "sys$objects$parent" ON "sys$objects" (parent_object_id)',
)
_SCHEMAS: Final = ((1, "dbo", 1), (2, "guest", 2), (3, "INFORMATION_SCHEMA", 3), (4, "sys", 4))
_PRINCIPALS: Final = (
    (0, "public", "R", None, 0), (1, "dbo", "S", "", 0), (2, "guest", "S", None, 0),
    (3, "INFORMATION_SCHEMA", "S", None, 0), (4, "sys", "S", None, 0), (16384, "db_owner", "R", None, 1),
    (16385, "db_accessadmin", "R", None, 1), (16386, "db_securityadmin", "R", None, 1),
    (16387, "db_ddladmin", "R", None, 1), (16390, "db_datareader", "R", None, 1),
    (16391, "db_datawriter", "R", None, 1), (16392, "db_denydatareader", "R", None, 1),
    (16393, "db_denydatawriter", "R", None, 1),
)  # fmt: skip
FIRST_OBJECT_ID: Final = 901578250
"""The first user object's id; SQL Server's are as large."""


def create_metadata(connection: sqlite3.Connection) -> None:
    """Create the metadata tables in a new database, with the fixed schemas and principals."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES:
        connection.execute(statement)
    connection.executemany('INSERT INTO "sys$schemas" VALUES (?, ?, ?)', _SCHEMAS)
    connection.executemany(
        "INSERT INTO \"sys$principals\" VALUES (?, ?, ?, ?, ?, '2003-04-08 09:10:42.2870000')", _PRINCIPALS
    )
    connection.execute("COMMIT")
