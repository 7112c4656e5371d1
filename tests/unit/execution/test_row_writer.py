from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseAwayError, JobDatabaseError
from airflow_provider_elasticjobs.execution.row_writer import Together


class Server:
    """Answers each item with its square; the first question is held until ``open`` is set."""

    def __init__(self) -> None:
        self.questions: list[list[int]] = []
        self.asked, self.open = threading.Event(), threading.Event()
        self.refuses: BaseException | None = None

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.questions.append(list(items))
        if len(self.questions) == 1:
            self.asked.set()
            assert self.open.wait(10)
        if self.refuses is not None and 13 in items:
            raise self.refuses
        return [item * item for item in items]


def ask_while_the_first_is_on_its_way(server: Server, together: Together[int, int], *items: int) -> list[Future[int]]:
    """Ask for 1, and for the others once that has been sent; return all answers."""
    with ThreadPoolExecutor(1 + len(items)) as threads:
        found = [threads.submit(together.ask, "line", 1)]
        assert server.asked.wait(10)
        found += [threads.submit(together.ask, "line", item) for item in items]
        waiting = together._lines["line"]
        while len(waiting) < len(items):
            pass
        server.open.set()
    return found


def test_who_comes_alone_is_asked_for_at_once() -> None:
    server = Server()
    server.open.set()
    together = Together(server, 10)
    assert [together.ask("line", item) for item in (2, 3)] == [4, 9]
    assert server.questions == [[2], [3]]


def test_those_who_come_meanwhile_are_asked_for_together() -> None:
    server = Server()
    found = ask_while_the_first_is_on_its_way(server, Together(server, 10), 2, 3, 4)
    assert [one.result() for one in found] == [1, 4, 9, 16]
    assert [sorted(question) for question in server.questions] == [[1], [2, 3, 4]]


def test_at_most_so_many_go_together() -> None:
    server = Server()
    found = ask_while_the_first_is_on_its_way(server, Together(server, 2), 2, 3, 4)
    assert [one.result() for one in found] == [1, 4, 9, 16]
    assert [len(question) for question in server.questions] == [1, 2, 1]


def test_lines_do_not_wait_for_each_other() -> None:
    server = Server()
    together = Together(server, 10)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(together.ask, "line", 1)
        assert server.asked.wait(10)
        assert together.ask("another line", 2) == 4
        server.open.set()
    assert first.result() == 1


def test_one_that_is_refused_keeps_no_other_from_its_answer() -> None:
    server = Server()
    server.refuses = JobDatabaseError("not this one")
    found = ask_while_the_first_is_on_its_way(server, Together(server, 10), 2, 13, 4)
    assert [one.result() for one in (found[0], found[1], found[3])] == [1, 4, 16]
    with pytest.raises(JobDatabaseError, match="not this one"):
        found[2].result()


@pytest.mark.parametrize("error", [JobDatabaseAwayError("away"), MemoryError()], ids=["away", "broken"])
def test_what_concerns_all_is_raised_by_each_and_asked_once(error: BaseException) -> None:
    server = Server()
    server.refuses = error
    found = ask_while_the_first_is_on_its_way(server, Together(server, 10), 2, 13, 4)
    assert [type(one.exception()) for one in found] == [type(None), *[type(error)] * 3]
    assert len(server.questions) == 2
    server.refuses = None


def test_the_line_goes_on_after_an_error() -> None:
    server = Server()
    server.open.set()
    server.refuses = JobDatabaseAwayError("away")
    together = Together(server, 10)
    with pytest.raises(JobDatabaseAwayError):
        together.ask("line", 13)
    assert together.ask("line", 5) == 25


def test_who_lingers_is_joined() -> None:
    server = Server()
    server.open.set()
    together = Together(server, 10)
    with ThreadPoolExecutor(2) as threads:
        lingers = threads.submit(together.ask, "line", 2, linger=1.0)
        while "line" not in together._lines:
            pass
        joins = threads.submit(together.ask, "line", 3)
    assert (lingers.result(), joins.result()) == (4, 9)
    assert server.questions == [[2, 3]]


def test_many_at_once_get_their_own_answers() -> None:
    server = Server()
    server.open.set()
    together = Together(server, 7)
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(lambda item: together.ask(item % 2, item), range(2000))) == [
            item * item for item in range(2000)
        ]
    assert sorted(item for question in server.questions for item in question) == list(range(2000))
