"""Turns: how many of those who share a task work at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]


class Turns:
    """Lets so many work at a time; who only waits for something lets another work meanwhile.

    :param most: how many.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)

    def take(self) -> None:
        """Wait for a turn; blocks."""
        self._free.acquire()

    def give_back(self) -> None:
        """End a turn, in whatever thread."""
        self._free.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Leave one's turn to others within the block, and wait for the next one at its end."""
        self.give_back()
        try:
            yield
        finally:
            self.take()
