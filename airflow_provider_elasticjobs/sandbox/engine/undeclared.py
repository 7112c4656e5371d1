"""``sp_describe_undeclared_parameters``: types of the parameters of a text, which drivers ask for NULL values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.emit_sources import object_name
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.lexer import tokenize
from airflow_provider_elasticjobs.sandbox.engine.parser import parse_batch

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

_FALLBACK = SqlType("nvarchar", 4000)


def undeclared_parameters(session: EngineSession, text: str) -> list[tuple[str, SqlType]]:
    """Return the undeclared variables of a text with the type that the statement suggests.

    :param text: T-SQL with ``@P1`` and so on
    """
    names = [token.text for token in tokenize(text) if token.kind == "variable" and not token.text.startswith("@@")]
    block = parse_batch(text)
    declared = {item.name for each in block.statements if isinstance(each, s.Declare) for item in each.items}
    found: dict[str, SqlType] = {}
    for statement in block.statements:
        _suggest(session, statement, found)
    unique = dict.fromkeys(name for name in names if name.lower() not in declared)
    return [(name, found.get(name.lower(), _FALLBACK)) for name in unique]


def _suggest(session: EngineSession, statement: s.Statement, found: dict[str, SqlType]) -> None:
    try:
        if isinstance(statement, s.Insert) and statement.source is not None:
            table = session.table(statement.target)
            names = statement.columns or [column.name for column in table.stored_columns]
            _from_insert(table, list(names), statement.source.tree, found)
        elif isinstance(statement, s.Change):
            table = session.table(statement.target)
            for (name, _), item in zip(statement.assignments, statement.body.tree.expressions, strict=True):
                _note(item.unalias(), table, name, found)
            _from_comparisons(session, statement.body.tree, found)
        elif isinstance(statement, s.Query):
            _from_comparisons(session, statement.body.tree, found)
        elif isinstance(statement, s.If):
            _from_comparisons(session, statement.condition.tree, found)
    except SqlError:
        return
    for inner in _inside(statement):
        _suggest(session, inner, found)


def _inside(statement: s.Statement) -> Sequence[s.Statement]:
    if isinstance(statement, s.Block):
        return statement.statements
    if isinstance(statement, s.If):
        return [each for each in (statement.then, statement.otherwise) if each is not None]
    return ()


def _from_insert(table: TableInfo, names: list[str], tree: exp.Expr, found: dict[str, SqlType]) -> None:
    rows = tree.expressions if isinstance(tree, exp.Values) else [tree]
    for row in rows:
        for name, cell in zip(names, row.expressions, strict=False):
            _note(cell.unalias(), table, name, found)


def _note(value: exp.Expr, table: TableInfo, column: str, found: dict[str, SqlType]) -> None:
    info = table.index.get(column.lower())
    if isinstance(value, exp.Parameter) and not isinstance(value.this, exp.Parameter) and info is not None:
        found.setdefault(f"@{value.name}".lower(), info.type)


def _from_comparisons(session: EngineSession, tree: exp.Expr, found: dict[str, SqlType]) -> None:
    tables = [session.table(object_name(table)) for table in tree.find_all(exp.Table)]
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Like):
        sides = (node.this, node.args["expression"])
        for column, value in (sides, sides[::-1]):
            if isinstance(column, exp.Column):
                for table in tables:
                    _note(value, table, column.name, found)
