"""A cursor over the tokens of a batch, and where expressions and queries end."""

from __future__ import annotations

from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.fragments import (
    condition_fragment,
    expression_fragment,
    query_fragment,
)
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.lexer import Token
from airflow_provider_elasticjobs.sandbox.engine.statements import Fragment, ObjectName
from airflow_provider_elasticjobs.sandbox.engine.types import make_type

STATEMENT_STARTS: Final = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "DECLARE",
        "SET",
        "IF",
        "ELSE",
        "WHILE",
        "BEGIN",
        "END",
        "EXEC",
        "EXECUTE",
        "PRINT",
        "RAISERROR",
        "RETURN",
        "BREAK",
        "CONTINUE",
        "CREATE",
        "ALTER",
        "DROP",
        "TRUNCATE",
        "GRANT",
        "DENY",
        "REVOKE",
        "COMMIT",
        "ROLLBACK",
        "SAVE",
        "WAITFOR",
        "USE",
        "OPEN",
        "CLOSE",
        "FETCH",
        "DEALLOCATE",
        "GOTO",
        "KILL",
        "CHECKPOINT",
        "DBCC",
        "RECONFIGURE",
        "BACKUP",
        "RESTORE",
        "BULK",
    ]
)
"""Reserved words that begin a statement, so they end an expression before them."""
_SET_OPERATORS: Final = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT"})


class TokenCursor:
    """Reads tokens one after another.

    :param text: the batch
    :param tokens: its tokens
    """

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self._tokens = tokens
        self._index = 0

    @property
    def token(self) -> Token:
        """The current token."""
        return self._tokens[self._index]

    @property
    def previous(self) -> Token:
        """The token before the current one."""
        return self._tokens[max(0, self._index - 1)]

    def ahead(self, count: int = 1) -> Token:
        """Return a later token without moving."""
        return self._tokens[min(self._index + count, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Return the current token and move on."""
        token = self.token
        if token.kind != "end":
            self._index += 1
        return token

    def at(self, *keys: str) -> bool:
        """Return whether the current and following tokens are these keywords or operators."""
        return all(self.ahead(offset).key == key for offset, key in enumerate(keys))

    def accept(self, *keys: str) -> bool:
        """Skip these tokens when they are next; return whether they were."""
        found = self.at(*keys)
        if found:
            self._index += len(keys)
        return found

    def accept_any(self, *keys: str) -> str:
        """Skip the current token when it is one of these; return which, or ``''``."""
        if self.token.key and self.token.key in keys:
            return self.advance().key
        return ""

    def expect(self, *keys: str) -> None:
        """Skip these tokens.

        :raises SqlError: 102 or 156 when something else is next
        """
        for key in keys:
            if not self.accept(key):
                raise self.unexpected()

    def unexpected(self) -> SqlError:
        """Return the syntax error at the current token."""
        token = self.token
        number = 156 if token.key in STATEMENT_STARTS else 102
        error = sql_error(number, token.text if token.kind != "end" else self.previous.text)
        error.line = token.line
        return error

    def identifier(self) -> str:
        """Read a name."""
        if self.token.kind not in ("word", "name"):
            raise self.unexpected()
        return self.advance().value

    def variable(self) -> str:
        """Read the name of a variable, in lower case."""
        if self.token.kind != "variable" or self.token.text.startswith("@@"):
            raise self.unexpected()
        return self.advance().text.lower()

    def integer(self) -> int:
        """Read a whole number, with a sign perhaps."""
        sign = -1 if self.accept_any("-") else 1
        if self.token.kind != "number" or not self.token.text.isdigit():
            raise self.unexpected()
        return sign * int(self.advance().text)

    def object_name(self) -> ObjectName:
        """Read a name of one to four parts, or a table variable."""
        if self.token.kind == "variable":
            return ObjectName(self.variable())
        parts = [self.identifier()]
        while self.accept("."):
            parts.append("" if self.at(".") else self.identifier())
        padded = [""] * (4 - len(parts)) + parts
        return ObjectName(padded[3], padded[2], padded[1], padded[0])

    def data_type(self, *, default_length: int = 1) -> SqlType:
        """Read a data type."""
        name = self.object_name()
        if name.schema and name.schema.lower() != "sys":
            raise sql_error(2715, 1, name)
        if name.name.lower() == "double" and self.accept("PRECISION"):
            return make_type("float")
        arguments: list[int] = []
        if self.accept("("):
            while not self.accept(")"):
                arguments.append(-1 if self.accept("MAX") else self.integer())
                self.accept(",")
        return make_type(name.name, arguments, default_length=default_length)

    def identifier_list(self) -> tuple[str, ...]:
        """Read names in parentheses."""
        self.expect("(")
        names = [self.identifier()]
        while self.accept(","):
            names.append(self.identifier())
        self.expect(")")
        return tuple(names)

    def skip_parentheses(self) -> str:
        """Skip a group in parentheses and return the text inside it."""
        start = self.token
        self.expect("(")
        depth = 1
        while depth:
            token = self.advance()
            if token.kind == "end":
                raise self.unexpected()
            depth += {"(": 1, ")": -1}.get(token.key, 0)
        return self.text[start.end : self.previous.start]

    def span(self, *stops: str) -> str:
        """Skip to the end of an expression and return its text.

        It ends before one of the given words or operators, a semicolon, a statement, a closing parenthesis or the end.
        """
        start = self._index
        depth = cases = 0
        while self.token.kind != "end":
            key = self.token.key
            if depth == 0 and (key == ")" or self._ends_expression(key, cases, stops, start)):
                break
            depth += {"(": 1, ")": -1}.get(key, 0)
            cases += {"CASE": 1, "END": -1}.get(key, 0) if depth == 0 else 0
            self.advance()
        return self._slice(start)

    def _ends_expression(self, key: str, cases: int, stops: tuple[str, ...], start: int) -> bool:
        if cases:
            return key == ";"
        if not key:
            return False
        if key == "THROW":
            return self._index > start and self._starts_throw()
        return key == ";" or key in stops or (key in STATEMENT_STARTS and not self._is_call())

    def _is_call(self) -> bool:
        return self.token.key == "UPDATE" and self.ahead().key == "(" and self.previous.key in ("IF", "AND", "OR")

    def _starts_throw(self) -> bool:
        following = self.ahead()
        return following.kind in ("number", "variable", "end") or following.key in (";", "END")

    def query_span(self, *, selected: bool = False) -> str:
        """Skip to the end of a query (SELECT, WITH or VALUES) and return its text.

        :param selected: whether its SELECT was read before, so that another begins the next statement
        """
        start = self._index
        depth = cases = 0
        while self.token.kind != "end":
            key = self.token.key
            if depth == 0 and not cases and self._ends_query(key, selected, start):
                break
            selected = selected or (depth == 0 and key in ("SELECT", "VALUES"))
            depth += {"(": 1, ")": -1}.get(key, 0)
            if depth < 0:
                break
            cases += {"CASE": 1, "END": -1}.get(key, 0) if depth == 0 else 0
            self.advance()
        return self._slice(start)

    def _ends_query(self, key: str, selected: bool, start: int) -> bool:
        if self._index == start or not key:
            return False
        if key == ";":
            return True
        if key == "SELECT":
            return selected and self.previous.key not in _SET_OPERATORS
        if key == "FETCH":
            return self.previous.key not in ("ROW", "ROWS")
        if key == "THROW":
            return self.ahead().kind in ("number", "variable")
        return key in STATEMENT_STARTS

    def _slice(self, start: int) -> str:
        if self._index == start:
            return ""
        return self.text[self._tokens[start].start : self.previous.end]

    def expression(self, *stops: str) -> Fragment:
        """Read a scalar expression."""
        line = self.token.line
        text = self.span(*stops)
        if not text:
            raise self.unexpected()
        return expression_fragment(text, line)

    def condition(self) -> Fragment:
        """Read the condition of IF or WHILE."""
        line = self.token.line
        text = self.span()
        if not text:
            raise self.unexpected()
        return condition_fragment(text, line)

    def query(self, prefix: str = "") -> Fragment:
        """Read a query; ``prefix`` is a WITH clause read before it."""
        line = self.token.line
        return query_fragment(f"{prefix} {self.query_span()}" if prefix else self.query_span(), line)
