"""Parses CREATE, ALTER and DROP of schema objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine import parser_server
from airflow_provider_elasticjobs.sandbox.engine.definitions import (
    CreateIndex,
    CreateSchema,
    CreateTable,
    CreateView,
    Drop,
    ProcedureParameter,
)
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment
from airflow_provider_elasticjobs.sandbox.engine.parser_tables import alter_table as _alter_table
from airflow_provider_elasticjobs.sandbox.engine.parser_tables import index_columns, table_definition
from airflow_provider_elasticjobs.sandbox.engine.statements import Fragment, ObjectName, Statement
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

__all__ = ["create_or_alter", "drop", "parameters", "procedure_head", "table_definition"]

_DROP_KINDS: Final = (
    "TABLE",
    "VIEW",
    "PROCEDURE",
    "PROC",
    "SCHEMA",
    "INDEX",
    "FUNCTION",
    "TYPE",
    "SEQUENCE",
    "SYNONYM",
)


def create_or_alter(cursor: TokenCursor, line: int) -> Statement:
    """Parse CREATE or ALTER of anything but a procedure."""
    verb = cursor.advance().key
    if cursor.accept("OR", "ALTER"):
        verb = "CREATE OR ALTER"
    kind = cursor.token.key
    parse = _CREATORS.get(kind)
    if parse is not None:
        return parse(cursor, line, verb)
    words = [verb, kind or cursor.token.text]
    if kind in ("UNIQUE", "CLUSTERED", "NONCLUSTERED"):
        return _create_index(cursor, line, verb)
    if kind in ("COLUMNSTORE", "EXTERNAL", "XML", "SPATIAL", "FULLTEXT"):
        words.append(cursor.ahead().key)
    raise unsupported(" ".join(words))


def _create_table(cursor: TokenCursor, line: int, verb: str) -> Statement:
    cursor.expect("TABLE")
    name = cursor.object_name()
    if verb == "ALTER":
        return _alter_table(cursor, name, line)
    definition = table_definition(cursor)
    _storage_options(cursor)
    return CreateTable(name, definition, line=line)


def _storage_options(cursor: TokenCursor) -> None:
    while True:
        if cursor.at("ON") or cursor.at("TEXTIMAGE_ON"):
            cursor.advance()
            cursor.identifier()
        elif cursor.at("WITH", "("):
            cursor.advance()
            cursor.skip_parentheses()
        else:
            return


def _create_index(cursor: TokenCursor, line: int, verb: str) -> Statement:
    if verb != "CREATE":
        raise unsupported(f"{verb} INDEX")
    unique = cursor.accept("UNIQUE")
    clustered = cursor.accept("CLUSTERED")
    if not clustered:
        cursor.accept("NONCLUSTERED")
    if cursor.at("COLUMNSTORE"):
        raise unsupported("CREATE COLUMNSTORE INDEX")
    cursor.expect("INDEX")
    name = cursor.identifier()
    cursor.expect("ON")
    table = cursor.object_name()
    columns = index_columns(cursor)
    included = cursor.identifier_list() if cursor.accept("INCLUDE") else ()
    condition = cursor.span("WITH", "ON") if cursor.accept("WHERE") else ""
    _storage_options(cursor)
    return CreateIndex(name, table, columns, included, unique, clustered, condition, line=line)


def _create_view(cursor: TokenCursor, line: int, verb: str) -> Statement:
    cursor.expect("VIEW")
    name = cursor.object_name()
    columns = cursor.identifier_list() if cursor.at("(") else ()
    if cursor.accept("WITH"):
        cursor.identifier()
        while cursor.accept(","):
            cursor.identifier()
    cursor.expect("AS")
    body = cursor.query()
    cursor.accept(";")
    if cursor.token.kind != "end":
        raise cursor.unexpected()
    return CreateView(name, columns, body, cursor.text, verb, line=line)


def _create_schema(cursor: TokenCursor, line: int, verb: str) -> Statement:
    cursor.expect("SCHEMA")
    if verb != "CREATE":
        raise unsupported(f"{verb} SCHEMA")
    name = cursor.identifier()
    if cursor.accept("AUTHORIZATION"):
        cursor.identifier()
    return CreateSchema(name, line=line)


def procedure_head(cursor: TokenCursor) -> tuple[ObjectName, tuple[ProcedureParameter, ...]]:
    """Parse CREATE PROCEDURE up to its body."""
    while not cursor.accept_any("PROCEDURE", "PROC"):
        cursor.advance()
    name = cursor.object_name()
    in_parentheses = cursor.accept("(")
    declared = parameters(cursor) if cursor.token.kind == "variable" else ()
    if in_parentheses:
        cursor.expect(")")
    if cursor.accept("WITH"):
        if cursor.at("EXECUTE") or cursor.at("EXEC"):
            raise unsupported("EXECUTE AS")
        cursor.identifier()
    cursor.expect("AS")
    return name, declared


def parameters(cursor: TokenCursor) -> tuple[ProcedureParameter, ...]:
    """Parse parameter definitions."""
    found = [_parameter(cursor)]
    while cursor.accept(","):
        found.append(_parameter(cursor))
    return tuple(found)


def _parameter(cursor: TokenCursor) -> ProcedureParameter:
    name = cursor.variable()
    cursor.accept("AS")
    sql_type = cursor.data_type()
    cursor.accept("NULL")
    cursor.accept("NOT", "NULL")
    default: Fragment | None = None
    if cursor.accept("="):
        line = cursor.token.line
        word = cursor.token
        if word.kind == "word" and word.key != "NULL":
            default = expression_fragment(f"N'{cursor.advance().value}'", line)
        else:
            default = cursor.expression(",", "OUTPUT", "OUT", "READONLY", "AS", "WITH")
    output = bool(cursor.accept_any("OUTPUT", "OUT"))
    if cursor.at("READONLY"):
        raise unsupported("table-valued parameter")
    return ProcedureParameter(name, sql_type, default, output)


def drop(cursor: TokenCursor, line: int) -> Statement:
    """Parse DROP."""
    cursor.expect("DROP")
    kind = cursor.accept_any(*_DROP_KINDS)
    if not kind:
        return parser_server.drop(cursor, line)
    if kind in ("FUNCTION", "TYPE", "SEQUENCE", "SYNONYM"):
        raise unsupported(f"DROP {kind}")
    if_exists = cursor.accept("IF", "EXISTS")
    names = [cursor.object_name()]
    if kind == "INDEX" and cursor.accept("ON"):
        table = cursor.object_name()
        return Drop("INDEX", tuple(names), if_exists, table, line=line)
    while cursor.accept(","):
        names.append(cursor.object_name())
    if kind == "INDEX":
        names_of_index = tuple(ObjectName(each.name) for each in names)
        table = ObjectName(names[0].schema, names[0].database)
        return Drop("INDEX", names_of_index, if_exists, table, line=line)
    return Drop("PROCEDURE" if kind == "PROC" else kind, tuple(names), if_exists, line=line)


_Creator = Callable[[TokenCursor, int, str], Statement]
_CREATORS: Final[Mapping[str, _Creator]] = {
    "TABLE": _create_table, "INDEX": _create_index, "VIEW": _create_view, "SCHEMA": _create_schema,
    "DATABASE": parser_server.database, "ROLE": parser_server.principal, "USER": parser_server.principal,
    "LOGIN": parser_server.principal,
}  # fmt: skip
