from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, ExecutionReleasedError
from airflow_provider_elasticjobs.execution.chunk import ChunkResult
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.triggers import target_run as target_run_module
from airflow_provider_elasticjobs.triggers.target_run import TargetRun
from tests.unit.triggers.fakes import AIRFLOW, ARGUMENTS, ORDER, FakeConnector, FakeSettings, Stage


def target_run(log: list[tuple[int, str]] | None = None) -> TargetRun:
    lines = log if log is not None else []
    return TargetRun(**ARGUMENTS, log=lambda level, text: lines.append((level, text)))


def in_thread(run: TargetRun) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(run.run())
        except ExecutionReleasedError as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, results


def test_plain_values_become_the_execution(stage: Stage) -> None:
    stage.ending = Lifecycle.SUCCEEDED
    lines: list[tuple[int, str]] = []
    assert target_run(lines).run().lifecycle is Lifecycle.SUCCEEDED
    made = stage.execution
    assert made.order.execution_id == UUID(ORDER["execution_id"])
    assert made.order.target.label == "s/d"
    assert made.order.retry.attempts == 3
    assert made.airflow == AirflowRef(**AIRFLOW)
    assert lines == [(20, "a line of the script")]


def test_each_connection_has_its_purpose(stage: Stage) -> None:
    stage.ending = Lifecycle.SUCCEEDED
    target_run().run()
    assert stage.execution.connect == FakeConnector(FakeSettings("scripts"))
    assert stage.execution.errors == "errors of scripts"
    assert stage.execution.agent == "agent of rows"


@pytest.mark.parametrize(("refresh_conn_id", "used"), [(None, "scripts"), ("refresher", "refresher")])
def test_master_is_asked_by_the_refresh_connection_if_there_is_one(
    stage: Stage, refresh_conn_id: str | None, used: str
) -> None:
    stage.ending = Lifecycle.SUCCEEDED
    order = {**ORDER, "refresh_conn_id": refresh_conn_id}
    TargetRun(**{**ARGUMENTS, "order": order}, log=lambda level, text: None).run()
    assert stage.execution.open_master("s", "master", "x") == f"s/master by settings of {used}, as x"


def test_a_refresh_connection_that_is_missing_is_an_error_of_ours(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.ending = Lifecycle.SUCCEEDED
    target_run().run()

    def missing(conn_id: str) -> FakeSettings:
        raise AirflowNotFoundException(f"there is no {conn_id}")

    monkeypatch.setattr(stage.process, "settings", missing)
    with pytest.raises(ConnectionSettingsError, match="there is no scripts"):
        stage.execution.open_master("s", "master", "x")


@pytest.mark.parametrize(("stop", "result"), [("cancel", Lifecycle.CANCELED), ("release", ExecutionReleasedError)])
def test_a_stop_reaches_the_running_execution(stage: Stage, stop: str, result: Any) -> None:
    run = target_run()
    thread, results = in_thread(run)
    assert stage.execution.started.wait(20)
    getattr(run, stop)()
    thread.join(20)
    assert stage.execution.calls == [stop]
    assert results[0].lifecycle is result if stop == "cancel" else isinstance(results[0], result)


def test_a_stop_before_the_beginning_is_not_forgotten(stage: Stage) -> None:
    run = target_run()
    run.cancel()
    assert run.run().lifecycle is Lifecycle.CANCELED
    assert stage.execution.calls == ["cancel"]


def test_the_first_stop_counts(stage: Stage) -> None:
    run = target_run()
    run.release()
    run.cancel()
    with pytest.raises(ExecutionReleasedError):
        run.run()


def test_the_order_of_a_chunk_becomes_a_chunks_execution(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Chunk:
        def __init__(self, order: ChunkOrder, airflow: AirflowRef, **named: Any) -> None:
            asked.append({"order": order, "airflow": airflow, **named})

        def run(self) -> ChunkResult:
            return ChunkResult(Lifecycle.SKIPPED, "all of them", {})

    monkeypatch.setattr(target_run_module, "ChunkExecution", Chunk)
    order = ChunkOrder(TargetChunk(UUID(int=1), 1, 1, 9, 9), TargetOrder.from_json(ORDER), 3)
    result = TargetRun(**{**ARGUMENTS, "order": order.to_json()}, log=lambda *_: None).run()
    assert result.lifecycle is Lifecycle.SKIPPED
    (made,) = asked
    assert (made["order"], made["airflow"]) == (order, AirflowRef(**AIRFLOW))
    assert made["agent"] == "agent of rows"
    for conn_id, used in ((None, "scripts"), ("theirs", "theirs")):
        access = made["access_by"](conn_id)
        assert (access.connect, access.errors) == (FakeConnector(FakeSettings(used)), f"errors of {used}")
        assert access.open_master("s", "master", "x") == f"s/master by settings of {used}, as x"
    assert stage.made == []
