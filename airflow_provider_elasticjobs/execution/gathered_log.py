"""A log in which what many threads say is gathered: two records a second instead of several for each database.

A record of a trigger goes through two of Airflow's processes, which costs the triggerer about as much as the rest of
what a chunk does for a database.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["GatheredLog"]

_SECONDS = 0.5
#: Lines of one record.
_MOST_LINES = 100


class GatheredLog:
    """Takes lines from any thread, and writes them in their order; a context manager, at whose end all are written.

    Lines up to ``INFO`` wait for half a second at most and become one record together. A warning or an error is a
    record of its own, at once, after what waits.

    :param log: receives a logging level and a text, in the caller's context.
    :param seconds: how long a line waits at most.
    """

    def __init__(self, log: Callable[[int, str], None], *, seconds: float = _SECONDS) -> None:
        self._log = log
        self._seconds = seconds
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        # Airflow finds a task's log by context variables; a thread starts without them.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._write_often,), name="elasticjobs-log", daemon=True
        )

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what waits."""
        self._over.set()
        self._thread.join()
        with self._lock:
            self._write()

    def __call__(self, level: int, text: str) -> None:
        """Take a line.

        :param level: of :mod:`logging`.
        :param text: the line; it may have several itself.
        """
        with self._lock:
            if level > logging.INFO:
                self._write()
                self._log(level, text)
                return
            self._lines.append(text)
            if len(self._lines) >= _MOST_LINES:
                self._write()

    def _write_often(self) -> None:
        while not self._over.wait(self._seconds):
            with self._lock:
                self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._log(logging.INFO, "\n".join(lines))
