"""Stopping what another thread runs on a cursor."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from airflow_provider_elasticjobs.tsql.odbc import cancel_statement

if TYPE_CHECKING:
    import pyodbc

__all__ = ["Attention", "Cancellable"]

_INTERVAL = 0.2  # seconds between attentions: one that arrives before the batch does is lost


class Cancellable(Protocol):
    """What runs on a server, and can be stopped from any thread."""

    def cancel(self, *, patience: float = 10.0) -> bool:
        """Stop it, now or when it begins; return whether nothing is running any more after so many seconds."""


class Attention:
    """Lets any thread stop what one thread runs, now or later."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._cursor: pyodbc.Cursor | None = None
        self.requested = False
        self.sent = False

    @contextmanager
    def covers(self, cursor: pyodbc.Cursor) -> Iterator[bool]:
        """Let the block's work on a cursor be stopped; yields whether nothing must be begun any more.

        :param cursor: a cursor that the block runs something on.
        """
        with self._condition:
            self._cursor = None if self.requested else cursor
            requested = self.requested
        try:
            yield requested
        finally:
            with self._condition:
                self._cursor = None
                self._condition.notify_all()

    def send(self, patience: float) -> bool:
        """Send attentions until the server lets go; nothing is begun any more.

        :param patience: seconds to wait.
        :returns: whether nothing is running any more.
        """
        deadline = time.monotonic() + patience
        with self._condition:
            self.requested = True
            while self._cursor is not None:
                self.sent = True
                cancel_statement(self._cursor)
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._condition.wait(min(_INTERVAL, remaining))
            return True
