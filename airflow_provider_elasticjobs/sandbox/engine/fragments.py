"""Queries and expressions inside statements, parsed by sqlglot."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot import parse as sqlglot_parse
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.tsql import TSQLParser

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.lexer import tokenize
from airflow_provider_elasticjobs.sandbox.engine.statements import Fragment

_KEPT_PARSERS: Final = frozenset({"CAST", "TRY_CAST", "CONVERT", "TRY_CONVERT", "STRING_AGG", "OPENJSON"})
_CLAUSES: Final = frozenset({"FROM", "WHERE", "GROUP", "ORDER", "HAVING", "UNION", ")", ","})


class SandboxTSQL(TSQL):
    """sqlglot's T-SQL with every ordinary function left as it is written."""

    class Parser(TSQLParser):
        """Parses functions to anonymous calls, so that none is renamed or loses an argument."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: parser for name, parser in TSQLParser.FUNCTION_PARSERS.items() if name in _KEPT_PARSERS
        }


def query_fragment(text: str, line: int) -> Fragment:
    """Parse a query.

    :param text: SELECT, WITH or VALUES
    :param line: where it starts in the batch
    :raises SqlError: 102 when it is not one
    """
    tree = _parse(text, line)
    if not isinstance(tree, (exp.Query, exp.Values)):
        raise _at(sql_error(102, text.split(maxsplit=1)[0] if text.strip() else ""), line)
    _refuse_trailing_comma(text, line)
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise _at(sql_error(156, "FROM"), line)
    return Fragment(text, tree, _variables(text), line)


def _refuse_trailing_comma(text: str, line: int) -> None:
    tokens = tokenize(text)
    for comma, following in pairwise(tokens):
        if comma.key == "," and (following.kind == "end" or following.key in _CLAUSES):
            raise _at(
                sql_error(156 if following.key in _KEYWORDS else 102, following.text or ","), line + comma.line - 1
            )


def expression_fragment(text: str, line: int) -> Fragment:
    """Parse one scalar expression; the tree is the expression."""
    if not text.strip():
        raise _at(sql_error(102, ";"), line)
    tree = _only_clause(_parse(f"SELECT {text}", line), "expressions", text, line)
    expressions = tree.args["expressions"]
    if len(expressions) != 1 or isinstance(expressions[0], (exp.Alias, exp.Star)):
        raise _at(sql_error(102, ","), line)
    return Fragment(text, expressions[0], _variables(text), line)


def condition_fragment(text: str, line: int) -> Fragment:
    """Parse one search condition; the tree is the condition."""
    if not text.strip():
        raise _at(sql_error(102, ";"), line)
    tree = _only_clause(_parse(f"SELECT 1 WHERE {text}", line), "where", text, line)
    return Fragment(text, tree.args["where"].this, _variables(text), line)


def items_fragment(text: str, line: int) -> Fragment:
    """Parse a select list (an OUTPUT clause); the tree is a SELECT without FROM."""
    tree = _only_clause(_parse(f"SELECT {text}", line), "expressions", text, line)
    return Fragment(text, tree, _variables(text), line)


def _parse(text: str, line: int) -> exp.Expr:
    try:
        trees = [tree for tree in sqlglot_parse(text, read=SandboxTSQL) if tree is not None]
    except ParseError as problem:
        raise _syntax_error(problem, line) from None
    except SqlglotError:
        raise _at(sql_error(102, text.strip()[:30]), line) from None
    if len(trees) != 1:
        raise _at(sql_error(102, text.strip()[:30]), line)
    return trees[0]


def _only_clause(tree: exp.Expr, clause: str, text: str, line: int) -> exp.Expr:
    allowed = {"expressions", clause, "kind", "hint", "distinct", "operation_modifiers"}
    extra = [name for name, value in tree.args.items() if value and name not in allowed]
    if not isinstance(tree, exp.Select) or extra:
        raise _at(sql_error(102, extra[0].strip("_").upper() if extra else text.split(maxsplit=1)[0]), line)
    return tree


def _syntax_error(problem: ParseError, line: int) -> SqlError:
    first = problem.errors[0] if problem.errors else {}
    word = str(first.get("highlight") or "").strip()
    number = 156 if word.upper() in _KEYWORDS else 102
    return _at(sql_error(number, word), line + int(first.get("line") or 1) - 1)


def _variables(text: str) -> tuple[str, ...]:
    if "@" not in text:
        return ()
    names = [each.text.lower() for each in tokenize(text) if each.kind == "variable" and not each.text.startswith("@@")]
    return tuple(dict.fromkeys(names))


def _at(error: SqlError, line: int) -> SqlError:
    error.line = line
    return error


_KEYWORDS: Final = frozenset(
    [
        "ADD",
        "ALL",
        "ALTER",
        "AND",
        "AS",
        "ASC",
        "BEGIN",
        "BETWEEN",
        "BY",
        "CASE",
        "CREATE",
        "DELETE",
        "DESC",
        "DISTINCT",
        "DROP",
        "ELSE",
        "END",
        "EXEC",
        "EXISTS",
        "FROM",
        "GROUP",
        "HAVING",
        "IF",
        "IN",
        "INSERT",
        "INTO",
        "IS",
        "JOIN",
        "LIKE",
        "NOT",
        "NULL",
        "ON",
        "OR",
        "ORDER",
        "SELECT",
        "SET",
        "TABLE",
        "THEN",
        "TOP",
        "UNION",
        "UPDATE",
        "VALUES",
        "WHEN",
        "WHERE",
        "WHILE",
        "WITH",
    ]
)
