"""What a session remembers: options, variables, the frames of running procedures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.statements import Query
from airflow_provider_elasticjobs.sandbox.engine.values import Stored


@dataclass
class Variable:
    """A T-SQL variable; the value is in stored form."""

    type: SqlType
    value: Stored = None


@dataclass
class CursorState:
    """A declared cursor; rows are None while it is closed."""

    query: Query
    rows: list[tuple[Stored, ...]] | None = None
    types: Sequence[SqlType] = ()
    position: int = -1


@dataclass
class Frame:
    """A running batch, procedure or dynamic text.

    :param procedure: its name in messages, ``''`` for a batch
    :param depth: 0 for the batch the client sent
    """

    procedure: str = ""
    depth: int = 0
    procedure_id: int = 0
    variables: dict[str, Variable] = field(default_factory=dict)
    tables: dict[str, TableInfo] = field(default_factory=dict)
    temporary: list[str] = field(default_factory=list)
    cursors: dict[str, CursorState] = field(default_factory=dict)
    identity: int | None = None
    errors: list[SqlError] = field(default_factory=list)

    def variable(self, name: str) -> Variable:
        """Return a variable.

        :raises SqlError: 137 when it was not declared
        """
        found = self.variables.get(name.lower())
        if found is None:
            raise sql_error(137, name)
        return found

    def declare(self, name: str, sql_type: SqlType, value: Stored = None) -> None:
        """Add a variable.

        A second DECLARE of the same name is only met again in a loop, where T-SQL keeps the value.
        """
        existing = self.variables.get(name.lower())
        if existing is None:
            self.variables[name.lower()] = Variable(sql_type, value)
        elif value is not None:
            existing.value = value


@dataclass
class Options:
    """SET options that matter here."""

    nocount: bool = False
    xact_abort: bool = False
    implicit_transactions: bool = False
    lock_timeout: int = -1
    identity_insert: str = ""
    rowcount: int = 0
    isolation: str = "READ COMMITTED"
    parseonly: bool = False


@dataclass
class SessionState:
    """Counters and options of one session."""

    options: Options = field(default_factory=Options)
    rowcount: int = 0
    error: int = 0
    identity: int | None = None
    fetch_status: int = -1
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.timezone.utc).replace(tzinfo=None))
    context: dict[str, Stored] = field(default_factory=dict)

    def tick(self) -> None:
        """Fix the time that the next statement's functions return."""
        self.now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
