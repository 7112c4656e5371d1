# ruff: noqa: N818 - names of what happened, not errors
"""What the wire layer and the engine say to each other.

The wire layer implements :class:`ResultSink` and calls :class:`Session`; the engine implements :class:`Session`
(opened by :class:`~airflow_provider_elasticjobs.sandbox.engine.server.LogicalServer`) and calls the sink.
Values cross as Python objects: int, bool, float, Decimal, str, bytes, UUID, datetime, date, time and None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class SqlType:
    """A T-SQL data type.

    :param name: lower-case type name; ``sysname`` is given as nvarchar(128), ``numeric`` as decimal
    :param length: characters (bytes for binary types); -1 is ``max``; None where it does not apply
    :param precision: digits of a decimal
    :param scale: fraction digits of decimal, datetime2, time and datetimeoffset
    :param nullable: whether NULL may occur
    """

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    nullable: bool = True


@dataclass(frozen=True)
class Column:
    """A result column; an unnamed expression has the name ``''``."""

    name: str
    type: SqlType


@dataclass(frozen=True)
class Parameter:
    """A parameter of a batch or a procedure call.

    :param name: with its ``@``, or ``''`` when given by position
    :param type: declared type
    :param value: a Python value, None for NULL
    :param is_output: whether the caller asks for the value back
    """

    name: str
    type: SqlType
    value: object
    is_output: bool = False


@dataclass(frozen=True)
class ServerMessage:
    """An error (severity 11 and more) or a message (severity 10 and less) as SQL Server numbers them."""

    number: int
    severity: int
    state: int
    text: str
    line: int = 1
    procedure: str = ""


class EngineError(Exception):
    """Base of what the engine raises to the wire layer."""


class Cancelled(EngineError):
    """The running statement was stopped by :meth:`Session.cancel`."""


class LoginRefused(EngineError):
    """The login was refused; :attr:`message` is what the client is told (18456, 4060)."""

    def __init__(self, message: ServerMessage) -> None:
        super().__init__(message.text)
        self.message = message


class ResultSink(Protocol):
    """Receives what a batch produces, in order, on the thread that executes it.

    Any method may block (back-pressure) and may raise :class:`Cancelled`. A sink that also has a method ``flush()`` is
    told by it to send at once what it was given (RAISERROR ... WITH NOWAIT).
    """

    def columns(self, columns: Sequence[Column]) -> None:
        """Start a result set."""

    def row(self, values: Sequence[object]) -> None:
        """Give one row of the current result set."""

    def done(self, row_count: int | None, statement: str) -> None:
        """End a statement; ``statement`` is its kind ('SELECT', 'INSERT', ... or ''), None means no count."""

    def message(self, message: ServerMessage) -> None:
        """Give an informational message (severity 10 or less); PRINT has number 0 and severity 0."""

    def error(self, message: ServerMessage) -> None:
        """Give an error (severity 11 or more); statements may follow it, as in T-SQL."""

    def return_status(self, value: int) -> None:
        """Give the return status of a procedure called by name."""

    def output_parameter(self, name: str, type: SqlType, value: object) -> None:  # noqa: A002 - the TDS name
        """Give an output parameter's final value."""


class Session(Protocol):
    """One connection's session. Used by one thread at a time; only :meth:`cancel` may come from another."""

    @property
    def database(self) -> str:
        """Name of the current database."""

    @property
    def session_id(self) -> int:
        """What ``@@SPID`` answers."""

    @property
    def transaction_count(self) -> int:
        """What ``@@TRANCOUNT`` answers; the wire layer tells the client of its changes."""

    def execute(self, sql: str, sink: ResultSink, parameters: Sequence[Parameter] = ()) -> None:
        """Run a batch, or with parameters what ``sp_executesql`` would; errors go to the sink.

        :raises Cancelled: when :meth:`cancel` stopped it
        """

    def call(self, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        """Call a procedure by name (RPC): user procedures, ``sp_getapplock``, ``sp_executesql`` and such.

        :raises Cancelled: when :meth:`cancel` stopped it
        """

    def begin_transaction(self, sink: ResultSink) -> None:
        """Begin a transaction (TDS transaction manager request)."""

    def commit(self, sink: ResultSink) -> None:
        """Commit the open transaction; without one, error 3902 goes to the sink."""

    def rollback(self, sink: ResultSink) -> None:
        """Roll back the open transaction; without one, error 3903 goes to the sink."""

    def reset(self) -> None:
        """Return to the state after login (``sp_reset_connection``)."""

    def cancel(self) -> None:
        """Stop what runs now, from any thread; harmless when nothing runs."""

    def close(self) -> None:
        """Roll back, free application locks, drop temporary tables, end the session."""
