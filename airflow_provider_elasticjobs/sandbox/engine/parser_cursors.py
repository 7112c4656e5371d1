"""Parses DECLARE CURSOR, OPEN, FETCH, CLOSE and DEALLOCATE."""

from __future__ import annotations

from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.parser_dml import select_statement
from airflow_provider_elasticjobs.sandbox.engine.statements import Cursor, Statement
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

_ACCEPTED: Final = frozenset(
    [
        "LOCAL",
        "GLOBAL",
        "FORWARD_ONLY",
        "SCROLL",
        "STATIC",
        "KEYSET",
        "DYNAMIC",
        "FAST_FORWARD",
        "READ_ONLY",
        "SCROLL_LOCKS",
        "OPTIMISTIC",
        "TYPE_WARNING",
        "INSENSITIVE",
    ]
)
_DIRECTIONS: Final = ("NEXT", "PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE")


def declare_cursor(cursor: TokenCursor, line: int) -> Statement:
    """Parse what follows DECLARE when it is not a variable."""
    name = cursor.identifier()
    while cursor.accept_any(*_ACCEPTED):
        pass
    cursor.expect("CURSOR")
    while cursor.accept_any(*_ACCEPTED):
        pass
    cursor.expect("FOR")
    query = select_statement(cursor, line)
    return Cursor("DECLARE", name.lower(), query, line=line)


def cursor_action(cursor: TokenCursor, line: int) -> Statement:
    """Parse OPEN, CLOSE or DEALLOCATE."""
    action = cursor.advance().key
    cursor.accept("GLOBAL")
    if cursor.token.kind == "variable":
        raise unsupported("cursor variable")
    return Cursor(action, cursor.identifier().lower(), line=line)


def fetch(cursor: TokenCursor, line: int) -> Statement:
    """Parse FETCH."""
    cursor.expect("FETCH")
    direction = cursor.accept_any(*_DIRECTIONS) or "NEXT"
    if direction in ("ABSOLUTE", "RELATIVE"):
        raise unsupported(f"FETCH {direction}")
    cursor.accept("FROM")
    cursor.accept("GLOBAL")
    name = cursor.identifier().lower()
    into: list[str] = []
    if cursor.accept("INTO"):
        into.append(cursor.variable())
        while cursor.accept(","):
            into.append(cursor.variable())
    return Cursor("FETCH", name, None, tuple(into), direction, line=line)
