from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

import pytest

from airflow_provider_elasticjobs.triggers.script_threads import ScriptThreads


@pytest.fixture
def threads() -> Iterator[ScriptThreads]:
    made = ScriptThreads(1)
    yield made
    made.shutdown()


def test_a_function_runs_in_a_thread_of_its_own(threads: ScriptThreads) -> None:
    name = threads.submit(lambda: threading.current_thread().name).result(20)
    assert name.startswith("elasticjobs-script")


def test_its_error_belongs_to_the_future(threads: ScriptThreads) -> None:
    assert isinstance(threads.submit(lambda: 1 // 0).exception(20), ZeroDivisionError)
    assert threads.submit(lambda: "still alive").result(20) == "still alive"


def test_what_waits_for_a_thread_can_be_cancelled_and_never_begins(threads: ScriptThreads) -> None:
    free, begun = threading.Event(), threading.Event()
    first = threads.submit(functools.partial(free.wait, 20))
    second = threads.submit(begun.set)
    assert second.cancel()
    free.set()
    assert first.result(20) is True
    assert threads.submit(begun.is_set).result(20) is False


def test_what_has_begun_cannot_be_cancelled(threads: ScriptThreads) -> None:
    free, begun = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        free.wait(20)
        return "done"

    future = threads.submit(work)
    assert begun.wait(20)
    assert not future.cancel()
    free.set()
    assert future.result(20) == "done"


def test_who_submits_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """To start one takes a turn of every thread that works: an event loop cannot afford it."""
    starters: list[str] = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        starters.append(threading.current_thread().name)
        start(thread)

    several = ScriptThreads(3)
    several.submit(int).result(20)
    monkeypatch.setattr(threading.Thread, "start", note)
    free = threading.Event()
    waiting = [several.submit(functools.partial(free.wait, 20)) for _ in range(3)]
    free.set()
    assert all(future.result(20) for future in waiting)
    several.shutdown()
    assert starters
    assert all(name.startswith("elasticjobs-starter") for name in starters)
