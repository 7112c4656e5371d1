from __future__ import annotations

import threading

from airflow_provider_elasticjobs.execution.deadlines import Deadlines


def test_a_deadline_calls_inside_its_block_in_order_of_moments() -> None:
    deadlines, called, done = Deadlines(), [], threading.Event()

    def last() -> None:
        called.append("late")
        done.set()

    with deadlines.within(0.2, last), deadlines.within(0.01, lambda: called.append("early")):
        assert done.wait(30)
    assert called == ["early", "late"]


def test_a_block_left_in_time_is_not_called() -> None:
    deadlines, called, later = Deadlines(), [], threading.Event()
    with deadlines.within(0.05, lambda: called.append("too late")):
        pass
    with deadlines.within(0.3, later.set):
        assert later.wait(30)
    assert called == []


def test_nothing_is_kept_of_what_ended_early() -> None:
    deadlines = Deadlines()
    for _ in range(1_000):
        with deadlines.within(43_200, lambda: None):
            pass
    assert len(deadlines._moments) <= 17
    assert not deadlines._calls


def test_the_thread_ends_when_nothing_is_waited_for() -> None:
    deadlines = Deadlines()
    with deadlines.within(43_200, lambda: None):
        thread = deadlines._thread
        assert thread is not None
    thread.join(30)
    assert not thread.is_alive()
    with deadlines.within(0.01, (called := threading.Event()).set):
        assert called.wait(30)
