"""Parsed T-SQL statements. Queries and expressions inside them are :class:`Fragment` values, parsed by sqlglot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

    from airflow_provider_elasticjobs.sandbox.engine.definitions import TableDefinition
    from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType


@dataclass(frozen=True, eq=False)
class Fragment:
    """A piece of query text.

    :param text: as written
    :param tree: sqlglot's syntax tree, never changed after parsing
    :param variables: lower-case names of the variables in it, in order, without duplicates
    :param line: line in the batch
    """

    text: str
    tree: exp.Expr
    variables: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class ObjectName:
    """A one- to four-part name; missing parts are empty."""

    name: str
    schema: str = ""
    database: str = ""
    server: str = ""

    def __str__(self) -> str:
        return ".".join(part for part in (self.server, self.database, self.schema, self.name) if part)


@dataclass(frozen=True, eq=False)
class Statement:
    """Any statement; ``line`` is where it starts in its batch."""

    line: int = field(default=1, kw_only=True)


@dataclass(frozen=True, eq=False)
class Block(Statement):
    """BEGIN ... END, or a whole batch."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, eq=False)
class If(Statement):
    """IF ... ELSE."""

    condition: Fragment
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, eq=False)
class While(Statement):
    """WHILE."""

    condition: Fragment
    body: Statement


@dataclass(frozen=True, eq=False)
class LoopControl(Statement):
    """BREAK or CONTINUE."""

    keyword: str


@dataclass(frozen=True, eq=False)
class Return(Statement):
    """RETURN, with an integer in procedures."""

    value: Fragment | None


@dataclass(frozen=True, eq=False)
class TryCatch(Statement):
    """BEGIN TRY ... END CATCH."""

    attempt: Block
    handler: Block


@dataclass(frozen=True, eq=False)
class Declaration:
    """One variable of a DECLARE."""

    name: str
    type: SqlType
    value: Fragment | None


@dataclass(frozen=True, eq=False)
class Declare(Statement):
    """DECLARE @a int = 1, @b ..."""

    items: tuple[Declaration, ...]


@dataclass(frozen=True, eq=False)
class DeclareTable(Statement):
    """DECLARE @t TABLE (...)."""

    name: str
    definition: TableDefinition


@dataclass(frozen=True, eq=False)
class SetVariable(Statement):
    """SET @a = ..., also with a compound operator (then the value already contains the variable)."""

    name: str
    value: Fragment


@dataclass(frozen=True, eq=False)
class SetOption(Statement):
    """SET NOCOUNT ON and its kind."""

    names: tuple[str, ...]
    value: str


@dataclass(frozen=True, eq=False)
class Print(Statement):
    """PRINT."""

    value: Fragment


@dataclass(frozen=True, eq=False)
class RaiseError(Statement):
    """RAISERROR(message, severity, state, arguments) WITH options."""

    arguments: tuple[Fragment, ...]
    options: frozenset[str]


@dataclass(frozen=True, eq=False)
class Throw(Statement):
    """THROW, bare or with number, message and state."""

    arguments: tuple[Fragment, ...]


@dataclass(frozen=True, eq=False)
class WaitFor(Statement):
    """WAITFOR DELAY or TIME."""

    kind: str
    value: Fragment


@dataclass(frozen=True, eq=False)
class Argument:
    """An argument of EXEC; no value means DEFAULT."""

    name: str
    value: Fragment | None
    output: str = ""


@dataclass(frozen=True, eq=False)
class ExecuteProcedure(Statement):
    """EXEC procedure; ``variable`` holds the name when that comes from a variable."""

    procedure: ObjectName
    arguments: tuple[Argument, ...]
    status: str = ""
    variable: str = ""


@dataclass(frozen=True, eq=False)
class ExecuteText(Statement):
    """EXEC ('...' + @x)."""

    parts: tuple[Fragment, ...]


@dataclass(frozen=True, eq=False)
class Transaction(Statement):
    """BEGIN, COMMIT, ROLLBACK or SAVE; the name may be a variable."""

    action: str
    name: str


@dataclass(frozen=True, eq=False)
class Query(Statement):
    """SELECT; with assignments when ``targets`` has names (None for none)."""

    body: Fragment
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Output:
    """An OUTPUT clause: what, and into which table and columns."""

    items: Fragment
    into: ObjectName | None
    columns: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Insert(Statement):
    """INSERT: the rows come from a query, from EXEC, or are all defaults (both None)."""

    target: ObjectName
    columns: tuple[str, ...]
    source: Fragment | None
    execute: Statement | None = None
    output: Output | None = None
    top: Fragment | None = None


@dataclass(frozen=True, eq=False)
class Change(Statement):
    """UPDATE or DELETE.

    :param kind: ``UPDATE`` or ``DELETE``
    :param target: table or alias that is changed
    :param assignments: column (or ``@variable``) names; their values are the select list of ``body``
    :param body: the rest as a query: ``SELECT values FROM sources WHERE condition``
    :param has_from: whether a FROM clause was written
    """

    kind: str
    target: ObjectName
    assignments: tuple[tuple[str, str], ...]
    body: Fragment
    has_from: bool
    output: Output | None = None
    top: Fragment | None = None


@dataclass(frozen=True, eq=False)
class Truncate(Statement):
    """TRUNCATE TABLE."""

    target: ObjectName


@dataclass(frozen=True, eq=False)
class Cursor(Statement):
    """DECLARE, OPEN, FETCH, CLOSE or DEALLOCATE of a cursor."""

    action: str
    name: str
    query: Query | None = None
    into: tuple[str, ...] = ()
    direction: str = "NEXT"


@dataclass(frozen=True, eq=False)
class Nothing(Statement):
    """A statement that is accepted and does nothing here, such as CHECKPOINT."""
