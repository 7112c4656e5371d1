"""Parses statements about databases, logins, users and roles."""

from __future__ import annotations

from airflow_provider_elasticjobs.sandbox.engine.definitions import DatabaseCommand, PrincipalCommand
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.statements import Statement
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import STATEMENT_STARTS, TokenCursor


def database(cursor: TokenCursor, line: int, verb: str) -> Statement:
    """Parse CREATE or ALTER DATABASE after the verb."""
    cursor.expect("DATABASE")
    if cursor.at("SCOPED"):
        raise unsupported(f"{verb} DATABASE SCOPED {cursor.ahead().text.upper()}")
    name = cursor.identifier()
    if cursor.accept("COLLATE"):
        cursor.identifier()
    if verb == "ALTER":
        return _alter_database(cursor, name, line)
    pool = None
    while cursor.at("("):
        pool = _service_objective(cursor) or pool
    if cursor.at("AS"):
        raise unsupported("CREATE DATABASE AS COPY OF")
    return DatabaseCommand("CREATE", name, pool, line=line)


def _alter_database(cursor: TokenCursor, name: str, line: int) -> Statement:
    if cursor.accept("MODIFY"):
        if cursor.at("NAME"):
            raise unsupported("ALTER DATABASE MODIFY NAME")
        return DatabaseCommand("ALTER", name, _service_objective(cursor), line=line)
    if not cursor.accept("SET"):
        raise unsupported(f"ALTER DATABASE {cursor.token.text.upper()}")
    while cursor.token.kind != "end" and cursor.token.key not in STATEMENT_STARTS and cursor.token.key != ";":
        cursor.advance()
    return DatabaseCommand("ALTER", name, None, line=line)


def _service_objective(cursor: TokenCursor) -> str | None:
    """Parse ``(EDITION = ..., SERVICE_OBJECTIVE = ELASTIC_POOL(name = x))``; ``''`` means no pool."""
    cursor.expect("(")
    pool = None
    while not cursor.accept(")"):
        if cursor.accept("SERVICE_OBJECTIVE", "="):
            pool = ""
            if cursor.accept("ELASTIC_POOL"):
                cursor.expect("(", "NAME", "=")
                pool = cursor.advance().value
                cursor.expect(")")
            else:
                cursor.advance()
        elif cursor.advance().kind == "end":
            raise cursor.unexpected()
    return pool


def principal(cursor: TokenCursor, line: int, verb: str) -> Statement:
    """Parse CREATE or ALTER of a ROLE, USER or LOGIN after the verb."""
    kind = cursor.advance().key
    name = cursor.identifier()
    if verb == "ALTER" and kind == "ROLE":
        action = cursor.accept_any("ADD", "DROP")
        if not action:
            raise unsupported("ALTER ROLE WITH NAME")
        cursor.expect("MEMBER")
        return PrincipalCommand(verb, kind, name, cursor.identifier(), action, line=line)
    detail, action = "", ""
    if cursor.accept_any("FOR", "FROM"):
        action = cursor.advance().key
        if action == "LOGIN":
            detail = cursor.identifier()
        elif action != "EXTERNAL":
            raise unsupported(f"CREATE {kind} FROM {action}")
        cursor.accept("PROVIDER")
    if cursor.accept("WITHOUT", "LOGIN"):
        action = "WITHOUT"
    if cursor.accept("AUTHORIZATION"):
        cursor.identifier()
    if cursor.accept("WITH"):
        detail = _principal_options(cursor) or detail
    return PrincipalCommand(verb, kind, name, detail, action, line=line)


def _principal_options(cursor: TokenCursor) -> str:
    password = ""
    while True:
        option = cursor.identifier().upper()
        cursor.expect("=")
        value = cursor.advance().value
        password = value if option == "PASSWORD" else password
        if not cursor.accept(","):
            return password


def drop(cursor: TokenCursor, line: int) -> Statement:
    """Parse DROP of a database or principal."""
    kind = cursor.accept_any("DATABASE", "ROLE", "USER", "LOGIN")
    if not kind:
        raise unsupported(f"DROP {cursor.token.text.upper()}")
    if kind == "DATABASE" and cursor.at("SCOPED"):
        raise unsupported("DROP DATABASE SCOPED")
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    if kind == "DATABASE":
        return DatabaseCommand("DROP", name, None, if_exists, line=line)
    return PrincipalCommand("DROP", kind, name, if_exists=if_exists, line=line)
