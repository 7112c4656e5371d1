"""What a script run hands out while it runs and when it ends: messages, result sets, totals."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic

__all__ = ["Message", "ResultSet", "ScriptResult"]


@dataclass(frozen=True)
class Message:
    """A ``PRINT``, a ``RAISERROR``, a warning or an error, in the order in which the server sent them.

    :param number: the engine's number: 0 for ``PRINT``, 50000 for ``RAISERROR`` with text.
    :param text: the text, without the driver's prefixes.
    :param severity: 0 to 25 as the engine gave it; ``None`` for a message of the driver.
    :param line: line of the script, or of the procedure, from 1; ``None`` where it is not known.
    :param is_error: whether a statement failed with it.
    :param state: as the engine gave it; ``None`` for a message of the driver.
    :param procedure: the procedure that said it; ``None`` for the script itself.
    """

    number: int
    text: str
    severity: int | None = None
    line: int | None = None
    is_error: bool = False
    state: int | None = None
    procedure: str | None = None

    @classmethod
    def of(cls, diagnostic: Diagnostic, first_line: int) -> Message:
        """Return a record as a message, its line counted from the start of the script, or of its procedure.

        :param diagnostic: the record.
        :param first_line: line of the script on which its batch begins.
        """
        line = diagnostic.line
        if line is not None and diagnostic.procedure is None:
            line += first_line - 1
        return cls(
            diagnostic.number,
            diagnostic.text,
            diagnostic.severity,
            line,
            diagnostic.is_error,
            diagnostic.state,
            diagnostic.procedure,
        )

    def __str__(self) -> str:
        """Return the message as ``sqlcmd`` shows it: a ``PRINT`` bare, the engine's others with number and severity."""
        if self.severity is None or (self.number == 0 and not self.is_error):
            return self.text
        line = "" if self.line is None else f", Line {self.line}"
        return f"Msg {self.number}, Level {self.severity}{line}: {self.text}"


@dataclass(frozen=True)
class ResultSet:
    """One answer of the server: the size of a result set, or how many rows a statement changed.

    :param columns: number of columns; 0 for a statement without a result set.
    :param rows: rows read and let go, or rows changed.
    """

    columns: int
    rows: int


@dataclass(frozen=True)
class ScriptResult:
    """Totals of a script that ran to its end.

    :param batches: batches sent, repeats of ``GO n`` included.
    :param result_sets: result sets read to their end.
    :param rows: rows in them.
    :param affected_rows: rows that statements said they changed.
    :param messages: messages received.
    """

    batches: int = 0
    result_sets: int = 0
    rows: int = 0
    affected_rows: int = 0
    messages: int = 0
