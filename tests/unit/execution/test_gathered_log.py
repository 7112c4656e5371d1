from __future__ import annotations

import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.execution.gathered_log import GatheredLog

FOREVER = 3600.0


class Records(list[tuple[int, str]]):
    """Takes records, and tells when one has come."""

    def __init__(self) -> None:
        self.has_come = threading.Event()

    def take(self, level: int, text: str) -> None:
        self.append((level, text))
        self.has_come.set()


@pytest.fixture
def records() -> Records:
    return Records()


def test_lines_become_one_record_at_the_end(records: Records) -> None:
    with GatheredLog(records.take, seconds=FOREVER) as log:
        for number in range(3):
            log(logging.INFO, f"line {number}")
        assert records == []
    assert records == [(logging.INFO, "line 0\nline 1\nline 2")]


def test_a_line_does_not_wait_for_the_next(records: Records) -> None:
    with GatheredLog(records.take, seconds=0.01) as log:
        log(logging.INFO, "begun")
        assert records.has_come.wait(30)
    assert records == [(logging.INFO, "begun")]


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_what_is_wrong_is_said_at_once_and_in_its_place(records: Records, level: int) -> None:
    with GatheredLog(records.take, seconds=FOREVER) as log:
        log(logging.INFO, "before")
        log(level, "wrong")
        assert records == [(logging.INFO, "before"), (level, "wrong")]
        log(logging.INFO, "after")
    assert records[2:] == [(logging.INFO, "after")]


def test_a_record_does_not_grow_without_end(records: Records) -> None:
    with GatheredLog(records.take, seconds=FOREVER) as log:
        for number in range(250):
            log(logging.INFO, str(number))
    assert [text.count("\n") + 1 for _, text in records] == [100, 100, 50]


def test_nothing_is_lost_between_threads(records: Records) -> None:
    with GatheredLog(records.take, seconds=0.001) as log, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: log(logging.INFO, str(number)), range(2000)))
    said = [line for _, text in records for line in text.split("\n")]
    assert sorted(map(int, said)) == list(range(2000))


def test_records_are_of_the_callers_context() -> None:
    task: contextvars.ContextVar[str] = contextvars.ContextVar("task", default="nobody")
    task.set("mine")
    found: list[str] = []
    with GatheredLog(lambda *_: found.append(task.get()), seconds=FOREVER) as log:
        log(logging.INFO, "line")
    assert found == ["mine"]


def test_it_writes_what_waits_when_the_work_breaks_off(records: Records) -> None:
    def work() -> None:
        with GatheredLog(records.take, seconds=FOREVER) as log:
            log(logging.INFO, "before")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert records == [(logging.INFO, "before")]


def test_a_record_that_cannot_be_written_does_not_keep_the_others() -> None:
    said: list[str] = []

    def write(_: int, text: str) -> None:
        if text == "first":
            raise OSError("the log is gone")
        said.append(text)

    with GatheredLog(write, seconds=FOREVER) as log:
        log(logging.INFO, "first")
        with pytest.raises(OSError, match="gone"):
            log(logging.ERROR, "wrong")
        log(logging.INFO, "after")
    assert said == ["after"]
