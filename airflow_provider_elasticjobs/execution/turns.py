"""Turns: how many of those who share a task work at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turn", "Turns"]


class Turns:
    """Lets so many work at a time; who only waits for something lets another work meanwhile.

    :param most: how many.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    def take(self) -> Turn:
        """Wait for a turn; blocks."""
        self._free.acquire()
        return Turn(self._free)


class Turn:
    """The turn of one who works, in whatever thread.

    :param free: counts the turns that nobody has.
    """

    def __init__(self, free: threading.Semaphore) -> None:
        self._free = free
        self._over = threading.Lock()

    def give_back(self) -> None:
        """End the turn, if it has not ended; from any thread."""
        if self._over.acquire(blocking=False):
            self._free.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave the turn to others within the block, and wait for the next one at its end."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
