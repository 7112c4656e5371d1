# ruff: noqa: PLR0917 - one signature for every entry of a table
"""Parses SELECT, INSERT, UPDATE, DELETE and TRUNCATE."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import parser_execute
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment, items_fragment, query_fragment
from airflow_provider_elasticjobs.sandbox.engine.statements import (
    Change,
    Fragment,
    Insert,
    ObjectName,
    Output,
    Query,
    Statement,
    Truncate,
)
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

_CLAUSES: Final = ("OUTPUT", "FROM", "WHERE", "OPTION")
_COMPOUND: Final = frozenset({"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="})


def select(cursor: TokenCursor, line: int) -> Statement:
    """Parse SELECT."""
    return select_statement(cursor, line)


def select_statement(cursor: TokenCursor, line: int, prefix: str = "") -> Query:
    """Parse SELECT after an optional WITH clause."""
    body = cursor.query(prefix)
    return Query(body, _assigned(body.tree), line=line)


def _assigned(tree: exp.Expr) -> tuple[str, ...]:
    if not isinstance(tree, exp.Select):
        return ()
    names = [assigned_variable(item) for item in tree.expressions]
    if not any(names):
        return ()
    if not all(names):
        raise sql_error(141)
    return tuple(names)


def assigned_variable(item: exp.Expr) -> str:
    """Return the variable that a select item assigns, in lower case, or ``''``."""
    if isinstance(item, exp.PropertyEQ | exp.EQ) and isinstance(item.this, exp.Parameter):
        inner = item.this.this
        return f"@{inner.name}".lower() if isinstance(inner, exp.Var) else ""
    if isinstance(item, exp.Alias) and item.alias.startswith("@"):
        return item.alias.lower()
    return ""


def with_clause(cursor: TokenCursor, line: int) -> Statement:
    """Parse a statement that begins with common table expressions."""
    prefix = _with_prefix(cursor)
    if cursor.at("INSERT"):
        return _insert(cursor, line, prefix)
    if cursor.at("UPDATE"):
        return _update(cursor, line, prefix)
    if cursor.at("DELETE"):
        return _delete(cursor, line, prefix)
    if cursor.at("MERGE"):
        raise unsupported("MERGE")
    return select_statement(cursor, line, prefix)


def _with_prefix(cursor: TokenCursor) -> str:
    start = cursor.token.start
    cursor.expect("WITH")
    while True:
        cursor.identifier()
        if cursor.at("("):
            cursor.skip_parentheses()
        cursor.expect("AS")
        cursor.skip_parentheses()
        if not cursor.accept(","):
            return cursor.text[start : cursor.previous.end]


def _top(cursor: TokenCursor) -> Fragment | None:
    if not cursor.accept("TOP"):
        return None
    line = cursor.token.line
    text = cursor.skip_parentheses() if cursor.at("(") else cursor.advance().text
    if cursor.at("PERCENT"):
        raise unsupported("TOP PERCENT")
    return expression_fragment(text, line)


def _hints(cursor: TokenCursor) -> None:
    if cursor.at("WITH", "("):
        cursor.advance()
        cursor.skip_parentheses()


def _output(cursor: TokenCursor) -> Output | None:
    if not cursor.accept("OUTPUT"):
        return None
    line = cursor.token.line
    items = items_fragment(cursor.span("INTO", "FROM", "WHERE", "VALUES", "DEFAULT", "OPTION"), line)
    if not cursor.accept("INTO"):
        return Output(items, None, ())
    into = cursor.object_name()
    columns = cursor.identifier_list() if cursor.at("(") and cursor.ahead().key != "SELECT" else ()
    if cursor.at("OUTPUT"):
        raise unsupported("two OUTPUT clauses")
    return Output(items, into, columns)


def insert(cursor: TokenCursor, line: int) -> Statement:
    """Parse INSERT."""
    return _insert(cursor, line, "")


def _insert(cursor: TokenCursor, line: int, prefix: str) -> Statement:
    cursor.expect("INSERT")
    top = _top(cursor)
    cursor.accept("INTO")
    target = cursor.object_name()
    _hints(cursor)
    columns = cursor.identifier_list() if cursor.at("(") and cursor.ahead().key not in ("SELECT", "(") else ()
    output = _output(cursor)
    if cursor.accept("DEFAULT", "VALUES"):
        return Insert(target, columns, None, None, output, top, line=line)
    if cursor.at("EXEC") or cursor.at("EXECUTE"):
        called = parser_execute.execute(cursor, cursor.token.line)
        return Insert(target, columns, None, called, output, top, line=line)
    if not any(cursor.at(word) for word in ("VALUES", "SELECT", "(", "WITH")):
        raise cursor.unexpected()
    return Insert(target, columns, cursor.query(prefix), None, output, top, line=line)


def update(cursor: TokenCursor, line: int) -> Statement:
    """Parse UPDATE."""
    return _update(cursor, line, "")


def _update(cursor: TokenCursor, line: int, prefix: str) -> Statement:
    cursor.expect("UPDATE")
    if cursor.at("STATISTICS"):
        raise unsupported("UPDATE STATISTICS")
    top = _top(cursor)
    target = cursor.object_name()
    _hints(cursor)
    cursor.expect("SET")
    assignments = [_assignment(cursor)]
    while cursor.accept(","):
        assignments.append(_assignment(cursor))
    values = ", ".join(value for _, _, value in assignments)
    names = tuple((column, variable) for column, variable, _ in assignments)
    return _change(cursor, line, "UPDATE", target, names, values, prefix, top)


def _assignment(cursor: TokenCursor) -> tuple[str, str, str]:
    variable = ""
    if cursor.token.kind == "variable":
        variable = cursor.variable()
        if not cursor.at("="):
            raise unsupported("compound assignment to a variable in UPDATE")
        cursor.advance()
        if cursor.ahead().key != "=":
            return "", variable, cursor.span(",", *_CLAUSES)
    column = cursor.object_name().name
    operator = cursor.accept_any("=", *_COMPOUND)
    if not operator:
        raise cursor.unexpected()
    value = "NULL" if cursor.at("DEFAULT") else cursor.span(",", *_CLAUSES)
    if not value:
        raise cursor.unexpected()
    if cursor.accept("DEFAULT"):
        raise unsupported("SET column = DEFAULT")
    if operator in _COMPOUND:
        value = f"[{column}] {operator[0]} ({value})"
    return column, variable, value


def delete(cursor: TokenCursor, line: int) -> Statement:
    """Parse DELETE."""
    return _delete(cursor, line, "")


def _delete(cursor: TokenCursor, line: int, prefix: str) -> Statement:
    cursor.expect("DELETE")
    top = _top(cursor)
    cursor.accept("FROM")
    target = cursor.object_name()
    _hints(cursor)
    return _change(cursor, line, "DELETE", target, (), "1", prefix, top)


def _change(
    cursor: TokenCursor,
    line: int,
    kind: str,
    target: ObjectName,
    names: tuple[tuple[str, str], ...],
    values: str,
    prefix: str,
    top: Fragment | None,
) -> Statement:
    output = _output(cursor)
    has_from = cursor.at("FROM")
    rest = cursor.query_span(selected=True) if has_from or cursor.at("WHERE") or cursor.at("OPTION") else ""
    if "CURRENT OF" in rest.upper():
        raise unsupported("WHERE CURRENT OF")
    source = "" if has_from else f"FROM {bracketed(target)}"
    body = query_fragment(f"{prefix} SELECT {values} {source} {rest}", line)
    if has_from and not _mentions(body.tree, target):
        body = query_fragment(f"{prefix} SELECT {values} FROM {bracketed(target)}, {rest.lstrip()[4:]}", line)
    return Change(kind, target, names, body, has_from, output, top, line=line)


def bracketed(name: ObjectName) -> str:
    """Return the name as T-SQL quotes it."""
    parts = [part for part in (name.server, name.database, name.schema, name.name) if part]
    if len(parts) == 1 and parts[0].startswith(("@", "#")):
        return parts[0]
    return ".".join(f"[{part.replace(']', ']]')}]" for part in parts)


def _mentions(tree: exp.Expr, target: ObjectName) -> bool:
    wanted = target.name.lstrip("#@").lower()
    sources = [tree.args.get("from_"), *(tree.args.get("joins") or ())]
    for table in (found for source in sources if source for found in source.find_all(exp.Table, exp.Subquery)):
        if table.alias_or_name.lower() == wanted or table.name.lstrip("@").lower() == wanted:
            return True
    return False


def truncate(cursor: TokenCursor, line: int) -> Statement:
    """Parse TRUNCATE TABLE."""
    cursor.expect("TRUNCATE", "TABLE")
    return Truncate(cursor.object_name(), line=line)
