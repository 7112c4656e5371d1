"""How much memory processes take while something runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
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
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss / _MIB
    return total


class MemorySampler:
    """Looks every few seconds at the memory of some processes; a context manager.

    :param pids: the processes, by name.
    :param seconds: between two looks.
    """

    def __init__(self, pids: Mapping[str, int], seconds: float = 2.0) -> None:
        self._pids = dict(pids)
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
            for name, pid in self._pids.items():
                self.samples[name].append((time.monotonic() - began, memory_of(pid)))
            if self._ended.wait(self._seconds):
                return


def _summary(values: list[float]) -> dict[str, float]:
    size = max(1, len(values) // 4)
    quarters = [sorted(values[start : start + size]) for start in range(0, min(4 * size, len(values)), size)]
    medians = {f"quarter_{number}": quarter[len(quarter) // 2] for number, quarter in enumerate(quarters, start=1)}
    found = {"first": values[0], **medians, "peak": max(values)}
    return {name: round(value, 1) for name, value in found.items()}
