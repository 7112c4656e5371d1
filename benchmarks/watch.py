"""CPU time and peak memory of groups of processes while something runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ProcessWatch", "Watched"]

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Watched:
    """Some processes that are counted together.

    :param pids: the processes.
    :param own: the processes themselves count.
    :param below: all that they have started counts.
    """

    pids: Sequence[int]
    own: bool = True
    below: bool = True

    def cpu_seconds(self) -> float:
        """Return the CPU time so far, of processes that have ended and were awaited, too."""
        total = 0.0
        for process, is_below in self._processes(all_of_them=True):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += (times.user + times.system) * (is_below or self.own)
                total += (times.children_user + times.children_system) * self.below
        return total

    def mebibytes(self) -> float:
        """Return the memory now, what processes share being divided among them (PSS)."""
        total = 0.0
        for process, _ in self._processes():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss / _MIB
        return total

    def _processes(self, *, all_of_them: bool = False) -> Iterator[tuple[psutil.Process, bool]]:
        for pid in self.pids:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if self.own or all_of_them:
                    yield process, False
                if self.below:
                    for one in process.children(recursive=True):
                        with suppress(psutil.NoSuchProcess):
                            yield one, True


class ProcessWatch:
    """Measures the CPU time and the peak memory of processes; a context manager.

    :param watched: the processes, by name.
    :param seconds: between two looks at the memory.
    """

    def __init__(self, watched: Mapping[str, Watched], seconds: float = 2.0) -> None:
        self._watched = dict(watched)
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self._before = self._each(Watched.cpu_seconds)
        #: Highest memory seen, by name.
        self.peak_mib: dict[str, float] = {}
        #: CPU time while it was open, by name.
        self.cpu_seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin to look."""
        self._look()
        self._before = self._each(Watched.cpu_seconds)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Look a last time, and no more."""
        self._ended.set()
        self._thread.join()
        after = self._each(Watched.cpu_seconds)
        self.cpu_seconds = {name: round(after[name] - self._before[name], 2) for name in after}
        self._look()
        self.peak_mib = {name: round(mib, 1) for name, mib in self.peak_mib.items()}

    def _look_again(self) -> None:
        while not self._ended.wait(self._seconds):
            self._look()

    def _look(self) -> None:
        for name, mib in self._each(Watched.mebibytes).items():
            self.peak_mib[name] = max(mib, self.peak_mib.get(name, 0.0))

    def _each(self, ask: Callable[[Watched], float]) -> dict[str, float]:
        return {name: ask(watched) for name, watched in self._watched.items()}
