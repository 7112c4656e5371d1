from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string
from airflow.triggers.base import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_provider_elasticjobs.exceptions import ClaimLostError, JobDatabaseError
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.triggers import elastic_job, process
from airflow_provider_elasticjobs.triggers.elastic_job import ElasticJobTrigger
from tests.unit.triggers.fakes import ARGUMENTS, FakeProcess, Stage


def trigger() -> ElasticJobTrigger:
    return ElasticJobTrigger(**ARGUMENTS)


async def events_of(started: ElasticJobTrigger) -> list[TriggerEvent]:
    return [event async for event in started.run()]


def as_the_triggerer_does(
    act: Callable[[ElasticJobTrigger, asyncio.Task[list[TriggerEvent]]], Awaitable[None]],
) -> ElasticJobTrigger:
    """Run a trigger as the triggerer does, and let ``act`` happen while it runs."""
    made = trigger()

    async def main() -> None:
        task = asyncio.create_task(events_of(made))
        await asyncio.sleep(0)
        await act(made, task)

    asyncio.run(main())
    return made


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


class TestArguments:
    def test_they_are_plain_json_and_make_the_same_trigger_again(self) -> None:
        path, arguments = trigger().serialize()
        again = import_string(path)(**json.loads(json.dumps(arguments)))
        assert again.serialize() == (path, arguments)

    def test_they_name_connections_and_hold_nothing_of_them(self) -> None:
        _, arguments = trigger().serialize()
        assert set(arguments) == {"order", "airflow", "elasticjobs_conn_id", "job_database_conn_id"}


class TestEvents:
    @pytest.mark.parametrize(
        ("lifecycle", "event"),
        [
            (Lifecycle.SUCCEEDED, TaskSuccessEvent),
            (Lifecycle.FAILED, TaskFailedEvent),
            (Lifecycle.TIMED_OUT, TaskFailedEvent),
            (Lifecycle.CANCELED, TaskFailedEvent),
            (Lifecycle.SKIPPED, TaskSkippedEvent),
        ],
    )
    def test_the_lifecycle_ends_the_task(self, stage: Stage, lifecycle: Lifecycle, event: type[TriggerEvent]) -> None:
        stage.ending = lifecycle
        assert [type(one) for one in asyncio.run(events_of(trigger()))] == [event]

    @pytest.mark.parametrize("error", [JobDatabaseError("it is away"), RuntimeError("a bug")])
    def test_whatever_goes_wrong_the_task_does_not_return_to_a_worker(self, stage: Stage, error: Exception) -> None:
        stage.ending = error
        assert [type(one) for one in asyncio.run(events_of(trigger()))] == [TaskFailedEvent]


class TestTakenOver:
    def test_the_one_that_keeps_the_trigger_goes_on_with_what_the_other_left(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(elastic_job, "_RIVAL_SECONDS", 0.01)

        async def act(_: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            stage.made[0].end(ClaimLostError("taken"))
            await until(lambda: len(stage.made) == 2)
            stage.made[1].end(Lifecycle.SUCCEEDED)
            assert [type(event) for event in await task] == [TaskSuccessEvent]

        as_the_triggerer_does(act)

    def test_the_one_that_loses_the_trigger_says_nothing_and_leaves_the_row_alone(self, stage: Stage) -> None:
        stage.ending = ClaimLostError("taken")
        stage.task_state = "deferred"

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(lambda: made._work is not None and made._work.done())
            task.cancel("user-action")
            await asyncio.wait([task])
            assert task.cancelled()
            await made.on_kill()
            await made.cleanup()

        as_the_triggerer_does(act)
        assert [execution.calls for execution in stage.made] == [[]]

    def test_it_does_not_go_on_for_ever(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elastic_job, "_RIVAL_SECONDS", 0)
        stage.ending = ClaimLostError("taken")
        assert [type(one) for one in asyncio.run(events_of(trigger()))] == [TaskFailedEvent]
        assert len(stage.made) == elastic_job._MOST_BEGINNINGS


class TestThreads:
    def test_the_loop_is_free_while_the_script_runs(self, stage: Stage) -> None:
        async def act(_: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            assert not task.done()
            stage.execution.end(Lifecycle.SUCCEEDED)
            assert isinstance((await task)[0], TaskSuccessEvent)

        as_the_triggerer_does(act)

    def test_the_thread_has_the_context_by_which_logs_are_found(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trigger_id: contextvars.ContextVar[int] = contextvars.ContextVar("trigger_id", default=0)
        seen: list[int] = []
        monkeypatch.setattr(ElasticJobTrigger, "_say", lambda *_: seen.append(trigger_id.get()))
        stage.ending = Lifecycle.SUCCEEDED

        async def main() -> None:
            trigger_id.set(7)
            await events_of(trigger())

        asyncio.run(main())
        assert seen == [7]


class TestOnKill:
    def test_it_cancels_and_waits_until_the_row_is_written(self, stage: Stage) -> None:
        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            task.cancel("user-action")
            await asyncio.wait([task])
            await made.on_kill()
            assert made._work is not None
            assert made._work.result().lifecycle is Lifecycle.CANCELED
            await made.cleanup()

        as_the_triggerer_does(act)
        assert stage.execution.calls == ["cancel"]

    def test_a_script_that_still_waits_for_a_thread_gets_its_row_canceled(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = FakeProcess(threads=1)
        monkeypatch.setattr(process, "this_process", lambda: full)

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            task.cancel("user-action")
            await asyncio.wait([task])
            await made.on_kill()
            await made.cleanup()

        release = _occupy(full)
        as_the_triggerer_does(act)
        release()
        full.threads.shutdown()
        assert [execution.calls for execution in stage.made] == [["cancel"]]

    def test_it_does_not_wait_for_ever(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(elastic_job, "_CANCEL_SECONDS", 0.05)
        stage.stubborn = True

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            task.cancel("user-action")
            await asyncio.wait([task])
            await made.on_kill()
            assert made._work is not None
            assert not made._work.done()
            stage.execution.end(Lifecycle.CANCELED)

        as_the_triggerer_does(act)

    def test_a_trigger_that_another_triggerer_has_now_is_released(self, stage: Stage) -> None:
        stage.task_state = "deferred"

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            task.cancel("user-action")
            await asyncio.wait([task])
            await made.on_kill()
            await made.cleanup()

        as_the_triggerer_does(act)
        assert stage.execution.calls == ["release"]

    def test_when_airflow_does_not_tell_the_script_is_cancelled(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def silent(_: object) -> dict[str, str]:
            raise ConnectionError("no answer")

        monkeypatch.setattr(elastic_job, "_task_states", silent)

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            task.cancel("user-action")
            await asyncio.wait([task])
            await made.on_kill()

        as_the_triggerer_does(act)
        assert stage.execution.calls == ["cancel"]

    def test_before_the_beginning_there_is_nothing_to_stop(self) -> None:
        asyncio.run(trigger().on_kill())


class TestCleanup:
    def test_a_triggerer_that_stops_releases_what_runs(self, stage: Stage) -> None:
        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await until(stage.appeared.is_set)
            task.cancel()
            await asyncio.wait([task])
            await made.cleanup()
            assert made._work is not None
            assert made._work.done()

        as_the_triggerer_does(act)
        assert stage.execution.calls == ["release"]

    def test_after_a_normal_end_it_does_nothing(self, stage: Stage) -> None:
        stage.ending = Lifecycle.SUCCEEDED

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            await task
            await made.cleanup()

        as_the_triggerer_does(act)
        assert stage.execution.calls == []

    def test_a_script_that_waits_for_a_thread_is_left_as_it_is(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = FakeProcess(threads=1)
        monkeypatch.setattr(process, "this_process", lambda: full)

        async def act(made: ElasticJobTrigger, task: asyncio.Task[list[TriggerEvent]]) -> None:
            task.cancel()
            await asyncio.wait([task])
            await made.cleanup()

        release = _occupy(full)
        as_the_triggerer_does(act)
        release()
        full.threads.shutdown()
        assert stage.made == []


def _occupy(process: FakeProcess) -> Callable[[], Any]:
    free = threading.Event()
    process.threads.submit(functools.partial(free.wait, 20))
    return free.set
