from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseAwayError, JobDatabaseError
from airflow_provider_elasticjobs.execution import grouped_calls
from airflow_provider_elasticjobs.execution.grouped_calls import GroupedCalls


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Server:
    """Answers each item with its square; the first question is held until ``open`` is set."""

    def __init__(self) -> None:
        self.questions: list[list[int]] = []
        self.asked, self.open = threading.Event(), threading.Event()
        #: What 13 is refused with, in company and then alone.
        self.refuses: list[BaseException] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.questions.append(list(items))
        if len(self.questions) == 1:
            self.asked.set()
            assert self.open.wait(10)
        if self.refuses and 13 in items:
            raise self.refuses[0] if len(self.refuses) == 1 else self.refuses.pop(0)
        return [item * item for item in items]


def ask_while_the_first_is_on_its_way(server: Server, calls: GroupedCalls[int, int], *items: int) -> list[Future[int]]:
    """Ask for 1, and for the others once that has been sent; return all answers."""
    with ThreadPoolExecutor(1 + len(items)) as threads:
        found = [threads.submit(calls.ask, "line", 1)]
        assert server.asked.wait(10)
        found += [threads.submit(calls.ask, "line", item) for item in items]
        waiting = calls._lines["line"]
        _until(lambda: len(waiting) == len(items))
        server.open.set()
    return found


def test_who_comes_alone_is_asked_for_at_once() -> None:
    server = Server()
    server.open.set()
    calls = GroupedCalls(server, 10)
    assert [calls.ask("line", item) for item in (2, 3)] == [4, 9]
    assert server.questions == [[2], [3]]


def test_those_who_come_meanwhile_are_asked_for_together() -> None:
    server = Server()
    found = ask_while_the_first_is_on_its_way(server, GroupedCalls(server, 10), 2, 3, 4)
    assert [one.result() for one in found] == [1, 4, 9, 16]
    assert [sorted(question) for question in server.questions] == [[1], [2, 3, 4]]


def test_at_most_so_many_go_together() -> None:
    server = Server()
    found = ask_while_the_first_is_on_its_way(server, GroupedCalls(server, 2), 2, 3, 4)
    assert [one.result() for one in found] == [1, 4, 9, 16]
    assert [len(question) for question in server.questions] == [1, 2, 1]


def test_lines_do_not_wait_for_each_other() -> None:
    server = Server()
    calls = GroupedCalls(server, 10)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(calls.ask, "line", 1)
        assert server.asked.wait(10)
        assert calls.ask("another line", 2) == 4
        server.open.set()
    assert first.result() == 1


@pytest.mark.parametrize("error", [JobDatabaseError("not this one"), UnicodeEncodeError("utf-16", "x", 0, 1, "")])
def test_one_that_is_refused_keeps_no_other_from_its_answer(error: Exception) -> None:
    server = Server()
    server.refuses = [error]
    found = ask_while_the_first_is_on_its_way(server, GroupedCalls(server, 10), 2, 13, 4)
    assert [one.result() for one in (found[0], found[1], found[3])] == [1, 4, 16]
    assert found[2].exception() is error


@pytest.mark.parametrize("error", [JobDatabaseAwayError("away"), KeyboardInterrupt()], ids=["away", "stopped"])
def test_what_concerns_all_is_raised_by_each_and_asked_once(error: BaseException) -> None:
    server = Server()
    server.refuses = [error]
    found = ask_while_the_first_is_on_its_way(server, GroupedCalls(server, 10), 2, 13, 4)
    assert [type(one.exception()) for one in found] == [type(None), *[type(error)] * 3]
    assert len(server.questions) == 2


def test_when_nobody_is_there_any_more_the_rest_is_not_asked_for_one_by_one() -> None:
    server = Server()
    server.refuses = [JobDatabaseError("not this one"), JobDatabaseAwayError("away")]
    found = ask_while_the_first_is_on_its_way(server, GroupedCalls(server, 10), 13, 2, 4)
    assert [type(one.exception()) for one in found] == [type(None), *[JobDatabaseAwayError] * 3]
    assert [len(question) for question in server.questions] == [1, 3, 1]


def test_a_call_that_answers_too_little_hangs_nobody() -> None:
    calls = GroupedCalls[int, int](lambda _: [], 10)
    for _ in range(2):
        with pytest.raises(ValueError, match="zip"):
            calls.ask("line", 1)


def test_who_has_waited_for_long_asks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped_calls, "_LONGEST_IN_LINE", 0.05)
    server = Server()
    calls = GroupedCalls(server, 10)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(calls.ask, "line", 1)
        assert server.asked.wait(10)
        assert threads.submit(calls.ask, "line", 2).result(10) == 4
        server.open.set()
    assert first.result() == 1
    assert calls._lines == {}


def test_the_line_goes_on_after_an_error() -> None:
    server = Server()
    server.open.set()
    server.refuses = [JobDatabaseAwayError("away")]
    calls = GroupedCalls(server, 10)
    with pytest.raises(JobDatabaseAwayError):
        calls.ask("line", 13)
    assert calls.ask("line", 5) == 25


def test_who_lingers_is_joined() -> None:
    server = Server()
    server.open.set()
    calls = GroupedCalls(server, 10)
    with ThreadPoolExecutor(2) as threads:
        lingers = threads.submit(calls.ask, "line", 2, linger=1.0)
        _until(lambda: "line" in calls._lines)
        joins = threads.submit(calls.ask, "line", 3)
    assert (lingers.result(), joins.result()) == (4, 9)
    assert server.questions == [[2, 3]]


def test_many_at_once_get_their_own_answers() -> None:
    server = Server()
    server.open.set()
    calls = GroupedCalls(server, 7)
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda item: calls.ask(item % 2, item), range(2000))) == [
            item * item for item in range(2000)
        ]
    assert sorted(item for question in server.questions for item in question) == list(range(2000))
