"""One thread that calls what is due, however many deadlines there are."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Deadlines"]


class Deadlines:
    """Calls back at given moments, from one daemon thread that exists while there is something to wait for.

    A ``threading.Timer`` would cost a thread for each running script.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._moments: list[tuple[float, int]] = []
        self._calls: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        """Call ``call`` after ``seconds``, unless the block has been left by then.

        :param seconds: how long the block may take.
        :param call: must return soon and raise nothing; it runs in the deadlines' thread.
        """
        number = self._add(seconds, call)
        try:
            yield
        finally:
            self._drop(number)

    def _add(self, seconds: float, call: Callable[[], None]) -> int:
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
            entry = time.monotonic() + seconds, number
            heapq.heappush(self._moments, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="elasticjobs-deadlines", daemon=True)
                self._thread.start()
            elif self._moments[0] is entry:
                self._changed.notify()
            return number

    def _drop(self, number: int) -> None:
        with self._changed:
            self._calls.pop(number, None)
            # Twelve-hour deadlines of scripts that took a second would pile up.
            if len(self._moments) > 2 * len(self._calls) + 16:
                self._moments = [entry for entry in self._moments if entry[1] in self._calls]
                heapq.heapify(self._moments)
            # Whoever waits for what does not count any more looks again in time; woken each time, it would cost others.
            if not self._calls:
                self._changed.notify()

    def _watch(self) -> None:
        while (call := self._next_due()) is not None:
            call()

    def _next_due(self) -> Callable[[], None] | None:
        """Wait for the next deadline that still counts; None when there is none left and the thread may end."""
        with self._changed:
            while self._calls:
                moment, number = self._moments[0]
                left = moment - time.monotonic()
                if number in self._calls and left > 0:
                    self._changed.wait(left)
                    continue
                heapq.heappop(self._moments)
                if (call := self._calls.pop(number, None)) is not None:
                    return call
            self._moments.clear()
            self._thread = None
            return None
