"""How much memory processes take while something runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
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
    return _sum([pid, *_descendants(pid)], "pss")


def _descendants(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    return []


def _sum(pids: Iterable[int], kind: str) -> float:
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += getattr(psutil.Process(pid).memory_full_info(), kind) / _MIB
    return total


class MemorySampler:
    """Looks every few seconds at what memory some processes have for themselves (USS); a context manager.

    Those of their descendants count that are there at the beginning: others come and go, and how many there are just
    then says nothing about what grows. What is shared would be divided by their number.

    :param pids: the processes, by name.
    :param seconds: between two looks.
    """

    def __init__(self, pids: Mapping[str, int], seconds: float = 2.0) -> None:
        self._pids = {name: [pid, *_descendants(pid)] for name, pid in pids.items()}
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
        """Return the memory of each process in the beginning, the least in each quarter of the time, and its peak.

        The least, because what a process holds between two pieces of work is what grows where something is kept; what
        it takes for one and gives back goes up and down.
        """
        return {name: _summary([mib for _, mib in samples]) for name, samples in self.samples.items() if samples}

    def _look(self) -> None:
        began = time.monotonic()
        while True:
            for name, pids in self._pids.items():
                self.samples[name].append((time.monotonic() - began, _sum(pids, "uss")))
            if self._ended.wait(self._seconds):
                return


def _summary(values: list[float]) -> dict[str, float]:
    size = max(1, len(values) // 4)
    starts = range(0, min(4 * size, len(values)), size)
    least = {f"quarter_{number}": min(values[start : start + size]) for number, start in enumerate(starts, start=1)}
    found = {"first": values[0], **least, "peak": max(values)}
    return {name: round(value, 1) for name, value in found.items()}
