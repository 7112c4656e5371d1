"""A sink that keeps what it gets, for INSERT ... EXECUTE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, ServerMessage, SqlType
from airflow_provider_elasticjobs.sandbox.engine.values import Stored, to_stored


class CapturingSink:
    """Keeps result sets; an error ends the capture."""

    def __init__(self) -> None:
        self.results: list[tuple[Sequence[Column], list[Sequence[object]]]] = []
        self.messages: list[ServerMessage] = []

    def columns(self, columns: Sequence[Column]) -> None:
        """Start a result set."""
        self.results.append((columns, []))

    def row(self, values: Sequence[object]) -> None:
        """Keep a row."""
        self.results[-1][1].append(values)

    def done(self, row_count: int | None, statement: str) -> None:
        """Ignore the end of a statement."""

    def message(self, message: ServerMessage) -> None:
        """Keep a message."""
        self.messages.append(message)

    def error(self, message: ServerMessage) -> None:
        """Raise the error again, in the statement that captures."""
        raise SqlError(message.number, message.text, severity=message.severity, state=message.state)

    def flush(self) -> None:
        """Keep on capturing."""

    def return_status(self, value: int) -> None:
        """Ignore the status."""

    def output_parameter(self, name: str, type: SqlType, value: object) -> None:  # noqa: A002 - the TDS name
        """Ignore an output parameter."""

    @staticmethod
    def stored(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Iterator[list[Stored]]:
        """Return rows in stored form."""
        for row in rows:
            yield [to_stored(value, column.type) for column, value in zip(columns, row, strict=True)]
