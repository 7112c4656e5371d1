"""The answer to one request: a result sink that turns what the engine says into tokens and streams them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import DecimalException

from airflow_provider_elasticjobs.sandbox.engine.interface import (
    Cancelled,
    Column,
    EngineError,
    Parameter,
    ServerMessage,
    SqlType,
)
from airflow_provider_elasticjobs.sandbox.wire import tokens
from airflow_provider_elasticjobs.sandbox.wire.encoding import ValueEncoder, encoder_for
from airflow_provider_elasticjobs.sandbox.wire.tokens import DoneFlag, DoneKind

FLUSH_BYTES = 32_768
ROW_TOKEN = b"\xd1"


class UnsendableValueError(EngineError):
    """A value does not fit the type its column was declared with; the sandbox itself is at fault."""


@dataclass(frozen=True)
class _Done:
    kind: DoneKind
    flags: int
    row_count: int | None = None
    statement: str = ""


class Response:
    """A :class:`~airflow_provider_elasticjobs.sandbox.engine.interface.ResultSink` that writes TDS.

    Used by the thread that executes the request; only :meth:`cancel` may come from another one. At most 32 KiB wait
    here: :attr:`flush` blocks until the client takes them.

    A fault may set :attr:`drop_after_rows`: once so many rows are out, :attr:`dropped` becomes true and the execution
    ends. :attr:`closes` asks for the connection to be closed after the answer.

    :param server: name of the logical server, told with every message
    :param flush: sends bytes and blocks until they are gone, with True also what does not fill a packet; raises
        ConnectionError when the client has left
    """

    def __init__(self, server: str, flush: Callable[[bytes, bool], None]) -> None:
        self._server = server
        self._flush = flush
        self._buffer = bytearray()
        self._encoders: list[Callable[[object], bytes]] = []
        self._pending: _Done | None = None
        self._in_procedure = False
        self._error_open = False
        self._rows_sent = 0
        self._status = 0
        self._outputs: list[Parameter] = []
        self._cancelled = threading.Event()
        self.failed = False
        self.drop_after_rows: int | None = None
        self.dropped = False
        self.closes = False

    # What the engine calls.

    def columns(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self._check()
        if self._error_open:
            self.done(None, "")
        self._put_pending()
        encoders = [self._encoder(column) for column in columns]
        self._encoders = [encoder.encode for encoder in encoders]
        self._buffer += tokens.column_metadata(columns, encoders)
        self._drop_if_due()

    def row(self, values: Sequence[object]) -> None:
        """Send one row.

        :raises UnsendableValueError: when a value does not fit its column
        """
        self._check()
        try:
            parts = [encode(value) for encode, value in zip(self._encoders, values, strict=True)]
        except (ValueError, TypeError, ArithmeticError, DecimalException) as problem:
            raise UnsendableValueError(f"a row cannot be sent: {problem}") from problem
        self._buffer += ROW_TOKEN
        self._buffer += b"".join(parts)
        self._rows_sent += 1
        self._drop_if_due()
        if len(self._buffer) >= FLUSH_BYTES:
            self._flush_buffer()

    def done(self, row_count: int | None, statement: str) -> None:
        """End a statement."""
        self._check()
        self._put_pending()
        kind = DoneKind.DONEINPROC if self._in_procedure else DoneKind.DONE
        self._pending = _Done(kind, DoneFlag.ERROR if self._error_open else 0, row_count, statement)
        self._error_open = False

    def message(self, message: ServerMessage) -> None:
        """Send an informational message."""
        self._check()
        self._put_pending()
        self._buffer += tokens.message(message, self._server)
        if len(self._buffer) >= FLUSH_BYTES:
            self._flush_buffer()

    def error(self, message: ServerMessage) -> None:
        """Send an error; the DONE that follows is marked."""
        self.message(message)
        self._error_open = self.failed = True

    def flush(self) -> None:
        """Send what has been said so far: ``RAISERROR ... WITH NOWAIT``."""
        self._put_pending()
        self._flush_buffer(partial=True)

    def return_status(self, value: int) -> None:
        """Keep the return status for the call's end."""
        self._status = value

    def output_parameter(self, name: str, type: SqlType, value: object) -> None:  # noqa: A002 - the interface's name
        """Keep an output parameter for the call's end."""
        self._outputs.append(Parameter(name, type, value, is_output=True))

    # What the wire layer calls.

    def begin_call(self) -> None:
        """Start one remote procedure call of the request."""
        self._in_procedure = True
        self._status = 0
        self._outputs = []
        self.failed = False

    def end_call(self, arguments: Sequence[Parameter]) -> None:
        """End it: return status, output parameters in the order of the call's arguments, DONEPROC."""
        if self._error_open:
            self.done(None, "")
        self._put_pending()
        self._buffer += tokens.return_status(self._status)
        for ordinal, name, output in self._placed_outputs(arguments):
            self._buffer += tokens.return_value(ordinal, name, output.type, output.value)
        self._pending = _Done(DoneKind.DONEPROC, DoneFlag.ERROR if self.failed else 0)
        self._in_procedure = False

    def _placed_outputs(self, arguments: Sequence[Parameter]) -> list[tuple[int, str, Parameter]]:
        places = [(at, argument) for at, argument in enumerate(arguments) if argument.is_output]
        by_name = {argument.name.casefold(): (at, argument) for at, argument in places if argument.name}
        unnamed = iter([(at, argument) for at, argument in places if not argument.name])
        placed = []
        for output in self._outputs:
            place = by_name.get(output.name.casefold()) or next(unnamed, None)
            if place is not None:
                placed.append((place[0], place[1].name, output))
        return placed

    def change(self, token: bytes) -> None:
        """Send an ENVCHANGE token ahead of the DONE that is still held back."""
        self._buffer += token

    def finish(self) -> bytes:
        """End the answer.

        :returns: the bytes still to send
        """
        if self._pending is None or self._error_open:
            self.done(None, "")
        self._put_pending(DoneFlag.FINAL)
        return bytes(self._buffer)

    def finish_cancelled(self) -> bytes:
        """End the answer after an attention: what was begun goes out whole, then the acknowledgement.

        The driver reports HY008 only when a DONE for the statement itself comes first.
        """
        self._put_pending()
        stopped = tokens.done(DoneKind.DONE, DoneFlag.ERROR | DoneFlag.MORE)
        return bytes(self._buffer) + stopped + tokens.done(DoneKind.DONE, DoneFlag.ATTENTION)

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Make the engine's next call raise :class:`Cancelled`; from any thread."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """Wait, as a slow server does.

        :raises Cancelled: when the client gave up meanwhile
        """
        if self._cancelled.wait(seconds):
            raise Cancelled

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

    def _put_pending(self, more: DoneFlag = DoneFlag.MORE) -> None:
        held = self._pending
        if held is not None:
            self._buffer += tokens.done(
                held.kind, held.flags | more, row_count=held.row_count, statement=held.statement
            )
            self._pending = None

    @staticmethod
    def _encoder(column: Column) -> ValueEncoder:
        try:
            return encoder_for(column.type)
        except TypeError as problem:
            raise UnsendableValueError(f"column '{column.name}': {problem}") from problem

    def _flush_buffer(self, *, partial: bool = False) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        try:
            self._flush(data, partial)
        except (ConnectionError, RuntimeError) as gone:
            raise Cancelled from gone

    def _drop_if_due(self) -> None:
        if self.drop_after_rows is not None and self._rows_sent >= self.drop_after_rows:
            self._flush_buffer(partial=True)
            self.dropped = True
            raise Cancelled
