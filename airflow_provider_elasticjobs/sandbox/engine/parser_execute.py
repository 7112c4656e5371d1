"""Parses EXECUTE and the permission statements."""

from __future__ import annotations

from airflow_provider_elasticjobs.sandbox.engine.definitions import Permission
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment
from airflow_provider_elasticjobs.sandbox.engine.statements import (
    Argument,
    ExecuteProcedure,
    ExecuteText,
    Fragment,
    ObjectName,
    Statement,
)
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import STATEMENT_STARTS, TokenCursor


def execute(cursor: TokenCursor, line: int) -> Statement:
    """Parse EXEC of a procedure or of text; the word EXEC may be missing at the start of a batch."""
    cursor.accept_any("EXEC", "EXECUTE")
    if cursor.accept("AS"):
        raise unsupported("EXECUTE AS")
    if cursor.accept("("):
        return _text(cursor, line)
    status = ""
    if cursor.token.kind == "variable" and cursor.ahead().key == "=":
        status = cursor.variable()
        cursor.advance()
    variable = cursor.variable() if cursor.token.kind == "variable" else ""
    name = ObjectName("") if variable else cursor.object_name()
    arguments = _arguments(cursor)
    if cursor.accept("WITH") and not cursor.accept("RECOMPILE"):
        raise unsupported("EXECUTE WITH RESULT SETS")
    return ExecuteProcedure(name, arguments, status, variable, line=line)


def _text(cursor: TokenCursor, line: int) -> Statement:
    parts: list[Fragment] = [cursor.expression(",")]
    if cursor.at(","):
        raise unsupported("EXECUTE of text with parameters")
    cursor.expect(")")
    if cursor.at("AT") or cursor.at("AS"):
        raise unsupported(f"EXECUTE {cursor.token.key}")
    return ExecuteText(tuple(parts), line=line)


def _arguments(cursor: TokenCursor) -> tuple[Argument, ...]:
    token = cursor.token
    if token.kind == "end" or token.key in STATEMENT_STARTS or token.key in (";", "WITH", ")", "THROW"):
        return ()
    found = [_argument(cursor)]
    while cursor.accept(","):
        found.append(_argument(cursor))
    return tuple(found)


def _argument(cursor: TokenCursor) -> Argument:
    name = ""
    if cursor.token.kind == "variable" and cursor.ahead().key == "=":
        name = cursor.variable()
        cursor.advance()
    if cursor.accept("DEFAULT"):
        return Argument(name, None)
    token = cursor.token
    if token.kind == "word" and token.key != "NULL" and cursor.ahead().key != "(":
        value: Fragment = expression_fragment("N'" + cursor.advance().value.replace("'", "''") + "'", token.line)
    elif token.kind == "name":
        value = expression_fragment("N'" + cursor.advance().value.replace("'", "''") + "'", token.line)
    else:
        value = cursor.expression(",", "OUTPUT", "OUT", "WITH")
    output = bool(cursor.accept_any("OUTPUT", "OUT"))
    return Argument(name, value, token.text.lower() if output and token.kind == "variable" else "")


def permission(cursor: TokenCursor, line: int) -> Statement:
    """Parse GRANT, DENY or REVOKE."""
    verb = cursor.advance().key
    if verb == "REVOKE":
        cursor.accept("GRANT", "OPTION", "FOR")
    names = [_permission_name(cursor)]
    while cursor.accept(","):
        names.append(_permission_name(cursor))
    securable_class, securable = "", None
    if cursor.accept("ON"):
        securable_class = "OBJECT"
        if cursor.ahead().key == "::":
            securable_class = cursor.advance().key
            cursor.advance()
        securable = cursor.object_name()
        if cursor.at("("):
            raise unsupported(f"{verb} on columns")
    if not cursor.accept_any("TO", "FROM"):
        raise cursor.unexpected()
    principals = [cursor.identifier()]
    while cursor.accept(","):
        principals.append(cursor.identifier())
    cursor.accept("WITH", "GRANT", "OPTION")
    cursor.accept_any("CASCADE")
    return Permission(verb, tuple(names), securable_class, securable, tuple(principals), line=line)


def _permission_name(cursor: TokenCursor) -> str:
    words = []
    while cursor.token.kind == "word" and cursor.token.key not in ("ON", "TO", "FROM"):
        words.append(cursor.advance().key)
    if not words:
        raise cursor.unexpected()
    return " ".join(words)
