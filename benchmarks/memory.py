"""How much memory processes take while something runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MemorySampler", "memory_of"]

_MIB = 1024 * 1024


def memory_of(pid: int) -> float:
    """Return the memory of a process and all its descendants in MiB, what they share counted once (PSS)."""
    return _sum([pid, *_descendants(pid)], lambda process: process.memory_full_info().pss)


def _descendants(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    return []


def _sum(pids: Iterable[int], of: Callable[[psutil.Process], int]) -> float:
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += of(psutil.Process(pid)) / _MIB
    return total


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


class MemorySampler:
    """Looks every few seconds at what memory some processes have (RSS); a context manager.

    Those of their descendants count that are there at the beginning: others come and go, and how many there are just
    then says nothing about what grows. For the same reason what is shared with them counts in full: it would be divided
    by their number (PSS), or leave a process when it forks and come back page by page (USS).

    :param pids: the processes, by name.
    :param seconds: between two looks.
    :param alone: names of those whose descendants never count, for they are many and would hide what the one does.
    """

    def __init__(self, pids: Mapping[str, int], seconds: float = 2.0, *, alone: Collection[str] = ()) -> None:
        self._pids = {name: [pid, *(() if name in alone else _descendants(pid))] for name, pid in pids.items()}
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        #: Seconds since the beginning, and MiB, of each process by its name.
        self.samples: dict[str, list[tuple[float, float]]] = {name: [] for name in pids}

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def summary(self) -> dict[str, dict[str, float]]:
        """Return the memory of each process in the beginning, its median in each quarter of the time, and its peak."""
        return {name: _summary([mib for _, mib in samples]) for name, samples in self.samples.items() if samples}

    def _look(self) -> None:
        began = time.monotonic()
        while True:
            for name, pids in self._pids.items():
                self.samples[name].append((time.monotonic() - began, _sum(pids, _resident)))
            if self._ended.wait(self._seconds):
                return


def _summary(values: list[float]) -> dict[str, float]:
    size = max(1, len(values) // 4)
    quarters = [sorted(values[start : start + size]) for start in range(0, min(4 * size, len(values)), size)]
    medians = {f"quarter_{number}": quarter[len(quarter) // 2] for number, quarter in enumerate(quarters, start=1)}
    found = {"first": values[0], **medians, "peak": max(values)}
    return {name: round(value, 1) for name, value in found.items()}
