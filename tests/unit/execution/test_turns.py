from __future__ import annotations

import threading

import pytest

from airflow_provider_elasticjobs.execution.turns import Turns


def taken(turns: Turns) -> threading.Event:
    """Return what is set when another thread has got a turn."""
    got = threading.Event()

    def take() -> None:
        turns.take()
        got.set()

    threading.Thread(target=take, daemon=True).start()
    return got


def test_there_are_only_so_many() -> None:
    turns = Turns(2)
    turn = turns.take()
    assert taken(turns).wait(10)
    third = taken(turns)
    assert not third.wait(0.1)
    turn.give_back()
    assert third.wait(10)


def test_a_turn_is_given_back_once() -> None:
    turns = Turns(1)
    turn = turns.take()
    turn.give_back()
    turn.give_back()
    assert taken(turns).wait(10)
    assert not taken(turns).wait(0.1)


def test_who_waits_aside_lets_another_work_and_goes_on_after_it() -> None:
    turns = Turns(1)
    turn = turns.take()
    waited_for, back = threading.Event(), threading.Event()

    def wait_aside() -> None:
        with turn.aside():
            waited_for.wait(10)
        back.set()

    threading.Thread(target=wait_aside, daemon=True).start()
    other = turns.take()
    waited_for.set()
    assert not back.wait(0.1)
    other.give_back()
    assert back.wait(10)


def test_an_error_aside_keeps_the_turn() -> None:
    turns = Turns(1)
    with pytest.raises(RuntimeError), turns.take().aside():
        raise RuntimeError
    assert not taken(turns).wait(0.1)
