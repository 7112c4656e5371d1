# ruff: noqa: ARG002 - one signature for every entry of a table
"""A batch to statements: control flow, variables, messages; the other families have their own modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine import parser_cursors, parser_ddl, parser_dml, parser_execute
from airflow_provider_elasticjobs.sandbox.engine.definitions import CreateProcedure, ProcedureParameter
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.fragments import expression_fragment
from airflow_provider_elasticjobs.sandbox.engine.lexer import tokenize
from airflow_provider_elasticjobs.sandbox.engine.statements import (
    Block,
    Declaration,
    Declare,
    DeclareTable,
    Fragment,
    If,
    LoopControl,
    Nothing,
    Print,
    RaiseError,
    Return,
    SetOption,
    SetVariable,
    Statement,
    Throw,
    Transaction,
    TryCatch,
    WaitFor,
    While,
)
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

_COMPOUND: Final = frozenset({"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="})
_MULTIWORD_OPTIONS: Final = frozenset({"TRANSACTION", "STATISTICS", "IDENTITY_INSERT", "OFFSETS"})
_DEPTH_LIMIT: Final = 100


def parse_batch(text: str) -> Block:
    """Parse a batch.

    :param text: T-SQL without GO
    :returns: its statements
    :raises SqlError: 102, 156 and such; then nothing of the batch may run
    """
    cursor = TokenCursor(text, tokenize(text))
    try:
        statements = _Parser(cursor).statements()
        if cursor.token.kind != "end":
            raise cursor.unexpected()
    except SqlError as error:
        error.line = error.line or cursor.token.line
        raise
    return Block(tuple(statements))


def parse_parameters(text: str) -> tuple[ProcedureParameter, ...]:
    """Parse the parameter definitions that ``sp_executesql`` gets."""
    cursor = TokenCursor(text, tokenize(text))
    return parser_ddl.parameters(cursor) if text.strip() else ()


class _Parser:
    def __init__(self, cursor: TokenCursor) -> None:
        self._cursor = cursor
        self._loops = 0
        self._depth = 0

    def statements(self) -> list[Statement]:
        """Return the statements of a batch, up to its end or a closing word."""
        found: list[Statement] = []
        while True:
            while self._cursor.accept(";"):
                pass
            if self._cursor.token.kind == "end" or self._cursor.at("END"):
                return found
            found.append(self.statement())

    def statement(self) -> Statement:
        """Return the next statement."""
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise unsupported(f"more than {_DEPTH_LIMIT} nested statements")
        token = self._cursor.token
        parse = _PARSERS.get(token.key)
        parsed = self._implied_execute() if parse is None else parse(self, token.line)
        self._depth -= 1
        return parsed

    def _implied_execute(self) -> Statement:
        cursor = self._cursor
        follows_nothing = cursor.previous is cursor.token
        if cursor.token.kind in ("word", "name") and follows_nothing and cursor.ahead().key != ":":
            return parser_execute.execute(cursor, cursor.token.line)
        if cursor.token.kind == "word" and cursor.ahead().key == ":":
            raise unsupported("label")
        raise cursor.unexpected()

    def begin(self, line: int) -> Statement:
        """Return what ``BEGIN`` begins: a block, ``TRY`` with its ``CATCH``, or a transaction."""
        cursor = self._cursor
        if cursor.ahead().key in ("TRAN", "TRANSACTION"):
            return self.transaction(line)
        cursor.expect("BEGIN")
        if cursor.accept("TRY"):
            return self._try_catch(line)
        if cursor.at("DISTRIBUTED") or cursor.at("DIALOG") or cursor.at("CONVERSATION") or cursor.at("ATOMIC"):
            raise unsupported(f"BEGIN {cursor.token.key}")
        return self._block_until_end(line)

    def _block_until_end(self, line: int, *words: str) -> Block:
        statements = self.statements()
        self._cursor.expect("END", *words)
        if not statements and not words:
            raise self._cursor.unexpected()
        return Block(tuple(statements), line=line)

    def _try_catch(self, line: int) -> Statement:
        attempt = self._block_until_end(line, "TRY")
        self._cursor.accept(";")
        handler_line = self._cursor.token.line
        self._cursor.expect("BEGIN", "CATCH")
        handler = self._block_until_end(handler_line, "CATCH")
        return TryCatch(attempt, handler, line=line)

    def transaction(self, line: int) -> Statement:
        """Return a ``COMMIT``, ``ROLLBACK`` or ``SAVE``."""
        cursor = self._cursor
        action = cursor.advance().key
        if not cursor.accept_any("TRAN", "TRANSACTION", "WORK") and action == "SAVE":
            raise cursor.unexpected()
        name = ""
        if cursor.token.kind in ("name", "variable") or (cursor.token.kind == "word" and self._is_plain_word()):
            name = cursor.advance().value
        if cursor.accept("WITH"):
            cursor.skip_parentheses()
        return Transaction(action, name, line=line)

    def _is_plain_word(self) -> bool:
        return self._cursor.token.key not in _PARSERS and self._cursor.token.key not in ("END", "ELSE", "WITH")

    def conditional(self, line: int) -> Statement:
        """Return an ``IF`` with its branches."""
        cursor = self._cursor
        cursor.expect("IF")
        condition = cursor.condition()
        then = self.statement()
        cursor_semicolon = cursor.at(";", "ELSE")
        if cursor_semicolon:
            cursor.advance()
        otherwise = self.statement() if cursor.accept("ELSE") else None
        return If(condition, then, otherwise, line=line)

    def loop(self, line: int) -> Statement:
        """Return a ``WHILE`` with its body."""
        self._cursor.expect("WHILE")
        condition = self._cursor.condition()
        self._loops += 1
        body = self.statement()
        self._loops -= 1
        return While(condition, body, line=line)

    def loop_control(self, line: int) -> Statement:
        keyword = self._cursor.advance().key
        if not self._loops:
            raise sql_error(135, keyword)
        return LoopControl(keyword, line=line)

    def returning(self, line: int) -> Statement:
        cursor = self._cursor
        cursor.expect("RETURN")
        ends = cursor.token.kind == "end" or cursor.token.key in _PARSERS or cursor.token.key in (";", "END", "ELSE")
        return Return(None if ends else cursor.expression(), line=line)

    def declare(self, line: int) -> Statement:
        """Return a ``DECLARE`` of variables, a table variable or a cursor."""
        cursor = self._cursor
        cursor.expect("DECLARE")
        if cursor.token.kind != "variable":
            return parser_cursors.declare_cursor(cursor, line)
        if cursor.ahead().key == "TABLE" or (cursor.ahead().key == "AS" and cursor.ahead(2).key == "TABLE"):
            name = cursor.variable()
            cursor.accept("AS")
            cursor.expect("TABLE")
            return DeclareTable(name, parser_ddl.table_definition(cursor), line=line)
        items = [self._declaration()]
        while cursor.accept(","):
            items.append(self._declaration())
        return Declare(tuple(items), line=line)

    def _declaration(self) -> Declaration:
        cursor = self._cursor
        name = cursor.variable()
        cursor.accept("AS")
        if cursor.at("CURSOR"):
            raise unsupported("cursor variable")
        sql_type = cursor.data_type()
        return Declaration(name, sql_type, cursor.expression(",") if cursor.accept("=") else None)

    def set(self, line: int) -> Statement:
        """Return a ``SET`` of a variable or of an option."""
        cursor = self._cursor
        cursor.expect("SET")
        if cursor.token.kind != "variable":
            return self._set_option(line)
        name = cursor.variable()
        if cursor.accept("="):
            return SetVariable(name, cursor.expression(), line=line)
        operator = cursor.accept_any(*_COMPOUND)
        if not operator:
            raise cursor.unexpected()
        return SetVariable(name, expression_fragment(f"{name} {operator[0]} ({cursor.span()})", line), line=line)

    def _set_option(self, line: int) -> Statement:
        cursor = self._cursor
        names = [cursor.identifier().upper()]
        while cursor.accept(","):
            names.append(cursor.identifier().upper())
        if names[0] in _MULTIWORD_OPTIONS:
            names[0] += f" {cursor.object_name()}"
        if names[0].upper() == "TRANSACTION ISOLATION":
            cursor.expect("LEVEL")
        sign = cursor.accept_any("-")
        words: list[str] = []
        while cursor.token.kind != "end" and cursor.token.key != ";" and len(words) < 2:
            if words and (cursor.token.key not in ("COMMITTED", "UNCOMMITTED", "READ")):
                break
            words.append(cursor.advance().value)
        return SetOption(tuple(names), sign + " ".join(words), line=line)

    def print(self, line: int) -> Statement:
        self._cursor.expect("PRINT")
        return Print(self._cursor.expression(), line=line)

    def raiserror(self, line: int) -> Statement:
        """Return a ``RAISERROR``."""
        cursor = self._cursor
        cursor.expect("RAISERROR")
        cursor.expect("(")
        arguments = self._expressions()
        cursor.expect(")")
        options = set()
        if cursor.accept("WITH"):
            options.add(cursor.identifier().upper())
            while cursor.accept(","):
                options.add(cursor.identifier().upper())
        if len(arguments) < 3:
            raise cursor.unexpected()
        return RaiseError(tuple(arguments), frozenset(options), line=line)

    def _expressions(self) -> list[Fragment]:
        found = [self._cursor.expression(",")]
        while self._cursor.accept(","):
            found.append(self._cursor.expression(","))
        return found

    def throw(self, line: int) -> Statement:
        """Return a ``THROW``."""
        cursor = self._cursor
        cursor.expect("THROW")
        if cursor.token.kind not in ("number", "variable"):
            return Throw((), line=line)
        arguments = self._expressions()
        if len(arguments) != 3:
            raise cursor.unexpected()
        return Throw(tuple(arguments), line=line)

    def wait_for(self, line: int) -> Statement:
        """Return a ``WAITFOR``."""
        cursor = self._cursor
        cursor.expect("WAITFOR")
        kind = cursor.accept_any("DELAY", "TIME")
        if not kind:
            raise unsupported("WAITFOR of a statement")
        return WaitFor(kind, cursor.expression(), line=line)

    def create(self, line: int) -> Statement:
        """Return what ``CREATE`` creates."""
        verb = "ALTER" if self._cursor.at("ALTER") else "CREATE"
        offset = 3 if self._cursor.at("CREATE", "OR", "ALTER") else 1
        if self._cursor.ahead(offset).key in ("PROCEDURE", "PROC"):
            return self._procedure(line, "CREATE OR ALTER" if offset == 3 else verb)
        return parser_ddl.create_or_alter(self._cursor, line)

    def _procedure(self, line: int, verb: str) -> Statement:
        cursor = self._cursor
        if cursor.previous is not cursor.token:
            raise sql_error(102, f"CREATE/ALTER PROCEDURE must be the first statement in a query batch near {verb}")
        name, declared = parser_ddl.procedure_head(cursor)
        statements = self.statements()
        if not statements or cursor.token.kind != "end":
            raise cursor.unexpected()
        return CreateProcedure(name, declared, Block(tuple(statements)), cursor.text, verb, line=line)

    def nothing(self, line: int) -> Statement:
        self._cursor.advance()
        return Nothing(line=line)

    def refuse(self, line: int) -> Statement:
        error = unsupported(self._cursor.token.key)
        error.line = line
        raise error

    def use(self, line: int) -> Statement:
        raise sql_error(40508)


def _family(parse: Callable[[TokenCursor, int], Statement]) -> Callable[[_Parser, int], Statement]:
    return lambda parser, line: parse(parser._cursor, line)  # noqa: SLF001 - same module


_PARSERS: Final[Mapping[str, Callable[[_Parser, int], Statement]]] = {
    "BEGIN": _Parser.begin, "COMMIT": _Parser.transaction, "ROLLBACK": _Parser.transaction,
    "SAVE": _Parser.transaction, "IF": _Parser.conditional, "WHILE": _Parser.loop, "BREAK": _Parser.loop_control,
    "CONTINUE": _Parser.loop_control, "RETURN": _Parser.returning, "DECLARE": _Parser.declare, "SET": _Parser.set,
    "PRINT": _Parser.print, "RAISERROR": _Parser.raiserror, "THROW": _Parser.throw, "WAITFOR": _Parser.wait_for,
    "CREATE": _Parser.create, "ALTER": _Parser.create, "CHECKPOINT": _Parser.nothing, "USE": _Parser.use,
    "DROP": _family(parser_ddl.drop), "TRUNCATE": _family(parser_dml.truncate),
    "SELECT": _family(parser_dml.select), "WITH": _family(parser_dml.with_clause),
    "INSERT": _family(parser_dml.insert), "UPDATE": _family(parser_dml.update),
    "DELETE": _family(parser_dml.delete), "EXEC": _family(parser_execute.execute),
    "EXECUTE": _family(parser_execute.execute), "GRANT": _family(parser_execute.permission),
    "DENY": _family(parser_execute.permission), "REVOKE": _family(parser_execute.permission),
    "OPEN": _family(parser_cursors.cursor_action), "CLOSE": _family(parser_cursors.cursor_action),
    "DEALLOCATE": _family(parser_cursors.cursor_action), "FETCH": _family(parser_cursors.fetch),
    "MERGE": _Parser.refuse, "GOTO": _Parser.refuse, "KILL": _Parser.refuse, "DBCC": _Parser.refuse,
    "BACKUP": _Parser.refuse, "RESTORE": _Parser.refuse, "BULK": _Parser.refuse, "RECONFIGURE": _Parser.refuse,
    "(": _family(parser_dml.select),
}  # fmt: skip
