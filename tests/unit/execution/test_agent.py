"""The heart of a process, with a stand-in for the job database; requests that reach scripts are in tests/wire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import ClaimLostError, JobDatabaseAwayError
from airflow_provider_elasticjobs.execution import agent as module
from airflow_provider_elasticjobs.execution.agent import JobAgent

AWAY = JobDatabaseAwayError("no answer")


class FakeDatabase:
    """Answers heartbeats with what a test says; an error is raised."""

    def __init__(self, *answers: list[UUID] | Exception) -> None:
        self.answers = list(answers)
        self.beats = 0

    def alongside(self) -> FakeDatabase:
        return self

    def beat(self) -> list[UUID]:
        self.beats += 1
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def agent_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., JobAgent]:
    """Return a function that makes an agent with a fast heart."""
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(module, "heartbeat", lambda db, _: db.beat())
    monkeypatch.setattr(module, "retire", lambda db, _: None)

    def make(database: Any) -> JobAgent:
        return JobAgent(database)

    return make


class Write:
    """A write that fails with some errors before it is done."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0
        self.done = threading.Event()

    def __call__(self) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()


def _stopped(agent: JobAgent) -> bool:
    thread = agent._thread
    if thread is not None:
        thread.join(10)
    return agent._thread is None


def test_a_run_that_is_to_stop_is_told_although_a_heartbeat_was_lost(agent_of: Callable[..., JobAgent]) -> None:
    run, told = uuid4(), threading.Event()
    agent = agent_of(FakeDatabase(AWAY, [uuid4()], [run]))
    with agent.track(run, told.set):
        assert told.wait(10)
    assert _stopped(agent)


def test_who_begins_during_a_beat_is_not_told_its_answer(agent_of: Callable[..., JobAgent]) -> None:
    """The answer may be older than the clearing of the run that was stopped."""
    run, told, later = uuid4(), threading.Event(), ExitStack()

    class BeginsMeanwhile(FakeDatabase):
        def beat(self) -> list[UUID]:
            if not self.beats:
                later.enter_context(agent.track(run, told.set))
            return super().beat()

    database = BeginsMeanwhile([run])
    agent = agent_of(database)
    with agent.track(uuid4(), told.set), later:
        while database.beats < 3:
            time.sleep(0.01)
    assert _stopped(agent)
    assert not told.is_set()


def test_what_could_not_be_written_is_written_when_the_job_database_is_back(agent_of: Callable[..., JobAgent]) -> None:
    database, write = FakeDatabase(AWAY, AWAY), Write(AWAY, AWAY)
    agent = agent_of(database)
    agent.write_later(write)
    assert write.done.wait(10)
    assert _stopped(agent)
    assert (write.tries, database.beats) == (3, 5)


def test_a_row_that_is_anothers_by_now_does_not_hold_up_the_next(
    agent_of: Callable[..., JobAgent], caplog: pytest.LogCaptureFixture
) -> None:
    agent, lost, write = agent_of(FakeDatabase()), Write(ClaimLostError("taken over")), Write()
    agent.write_later(lost)
    agent.write_later(write)
    assert write.done.wait(10)
    assert _stopped(agent)
    assert lost.tries == 1
    assert "could not be written" in caplog.text
