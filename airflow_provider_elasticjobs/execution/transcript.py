"""What a script says during one attempt: into the task's log, and kept for the job database, in bounded memory."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from airflow_provider_elasticjobs.job_database.records import AttemptMessage
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet

__all__ = ["KEPT_AT_EACH_END", "LONGEST_TEXT", "Transcript"]

#: How many of the first, and of the last, that are kept of one attempt.
KEPT_AT_EACH_END = 100
#: Characters that are kept of one text, in UTF-16 units: as many as a ``PRINT`` has at most.
LONGEST_TEXT = 4000


class Transcript:
    """Takes what a script says, in its order, from the thread that runs it.

    :param log: receives a logging level and a text for everything that is said; nothing is left out there.
    """

    def __init__(self, log: Callable[[int, str], None]) -> None:
        self._log = log
        self._first: list[AttemptMessage] = []
        self._last: deque[AttemptMessage] = deque(maxlen=KEPT_AT_EACH_END)
        self._left_out = 0

    def message(self, message: Message) -> None:
        """Take a ``PRINT``, a ``RAISERROR``, a warning or an error."""
        self._log(logging.ERROR if message.is_error else logging.INFO, str(message))
        self._keep(
            AttemptMessage(
                "error" if message.is_error else "message",
                _shortened(message.text),
                message.number,
                message.severity,
                message.state,
                message.line,
                message.procedure,
            )
        )

    def result(self, result: ResultSet) -> None:
        """Take the size of a result set, or how many rows a statement changed."""
        if result.columns:
            kind, text = "result set", f"Result set of {result.columns} column(s) and {result.rows} row(s)"
        else:
            kind, text = "row count", f"{result.rows} row(s) affected"
        self._log(logging.INFO, text)
        self._keep(AttemptMessage(kind, text, rows=result.rows))

    def kept(self) -> list[AttemptMessage]:
        """Return what is kept: all, or the first and the last hundred with a line between that counts the others."""
        left_out = []
        if self._left_out:
            left_out = [AttemptMessage("left out", f"{self._left_out} message(s) left out", rows=self._left_out)]
        return [*self._first, *left_out, *self._last]

    def _keep(self, message: AttemptMessage) -> None:
        if len(self._first) < KEPT_AT_EACH_END:
            self._first.append(message)
            return
        self._left_out += len(self._last) == KEPT_AT_EACH_END
        self._last.append(message)


def _shortened(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * LONGEST_TEXT:
        return text
    note = f" ... ({len(units) // 2} characters)"
    return units[: 2 * (LONGEST_TEXT - len(note))].decode("utf-16-le", "ignore") + note
