"""The limit: pyodbc and a thread pool in a process of its own, with nothing around them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BareClients", "run_scripts"]

_END_SECONDS = 10


def run_scripts(strings: Sequence[str], script: str, width: int) -> tuple[float, float]:
    """Run a script on each database: a login, the script, all its results, the end of the session.

    :param strings: connection strings.
    :param script: one batch.
    :param width: scripts at a time.
    :returns: when it began and when it ended, in seconds of the machine's clock.
    """
    import pyodbc  # noqa: PLC0415 - only the client's process needs it

    pyodbc.pooling = False

    def run(string: str) -> None:
        with closing(pyodbc.connect(string, autocommit=True)) as connection:
            cursor = connection.execute(script)
            while True:
                if cursor.description:
                    cursor.fetchall()
                if not cursor.nextset():
                    return

    with ThreadPoolExecutor(width) as threads:
        began = time.time()
        list(threads.map(run, strings))
        return began, time.time()


def _serve(channel: Connection) -> None:
    run_scripts([], "", 1)  # the driver's module is loaded before anything is measured
    channel.send("ready")
    while (order := channel.recv()) is not None:
        channel.send(_answer(*order))


def _answer(strings: Sequence[str], script: str, width: int) -> tuple[float, float] | Exception:
    try:
        return run_scripts(strings, script, width)
    except Exception as error:  # noqa: BLE001 - it is raised again where it is awaited
        return error


class BareClients:
    """Processes that run scripts when they are told to; a context manager.

    :param processes: how many.
    """

    def __init__(self, processes: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        self._channels: list[Connection] = []
        self._processes = []
        for _ in range(processes):
            here, there = context.Pipe()
            self._channels.append(here)
            self._processes.append(context.Process(target=_serve, args=(there,), daemon=True))

    def __enter__(self) -> Self:
        """Start them, and wait until all are ready."""
        for process in self._processes:
            process.start()
        for channel in self._channels:
            channel.recv()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End them."""
        for channel, process in zip(self._channels, self._processes, strict=True):
            channel.send(None)
            process.join(_END_SECONDS)
            process.kill()

    @property
    def pids(self) -> list[int]:
        """Their process ids."""
        return [process.pid or 0 for process in self._processes]

    def run(self, strings: Sequence[str], script: str, width: int) -> float:
        """Run a script on each database, the databases shared among the processes, and return the seconds it took.

        :param strings: connection strings.
        :param script: one batch.
        :param width: scripts at a time in each process.
        :raises Exception: that of a script that failed.
        """
        count = len(self._channels)
        for number, channel in enumerate(self._channels):
            channel.send((strings[number::count], script, width))
        answers = [channel.recv() for channel in self._channels]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return float(max(ended for _, ended in answers) - min(began for began, _ in answers))
