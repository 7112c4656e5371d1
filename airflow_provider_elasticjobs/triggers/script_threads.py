"""Threads for scripts, whose beginning costs the event loop nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ScriptThreads"]

_Result = TypeVar("_Result")


class ScriptThreads:
    """Runs functions in threads of their own; work above the threads' number waits.

    A thread of its own starts them: to start one takes a turn of every thread that is at work, and an event loop that
    started 800 scripts by itself was three seconds late (``python -m benchmarks.at_once``).

    :param size: the threads' number.
    """

    def __init__(self, size: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="elasticjobs-script")
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="elasticjobs-starter")

    def submit(self, function: Callable[[], _Result]) -> Future[_Result]:
        """Run a function as soon as a thread is free, and return its future, which can be cancelled until then.

        :param function: without arguments.
        """
        future: Future[_Result] = Future()
        self._starter.submit(self._threads.submit, _run, future, function)
        return future

    def shutdown(self) -> None:
        """Wait until all has ended; nothing can be submitted any more."""
        self._starter.shutdown()
        self._threads.shutdown()


def _run(future: Future[_Result], function: Callable[[], _Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 it belongs to who waits for the future
        future.set_exception(error)
    else:
        future.set_result(result)
