from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.operators import execution_request
from airflow_provider_elasticjobs.operators.execution_request import StartElasticJobOperator, StopElasticJobOperator
from tests.unit.operators.contexts import context

CHOSEN = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the job database was asked for."""
    asked: list[Any] = []

    def start(_: object, job_name: str, run: UUID, *, request_id: UUID) -> UUID:
        asked.append((job_name, run, request_id))
        return run

    def cancel(_: object, run: UUID, *, requested_by: str) -> Lifecycle | None:
        asked.append((run, requested_by))
        return Lifecycle.IN_PROGRESS if run == CHOSEN else None

    monkeypatch.setattr(execution_request, "connection_settings", lambda _: None)
    monkeypatch.setattr(execution_request, "open_job_database", lambda _: "database")
    monkeypatch.setattr(execution_request, "start_job", start)
    monkeypatch.setattr(execution_request, "cancel_execution", cancel)
    return asked


class TestStart:
    def test_a_retry_is_the_same_request_and_a_clear_is_another(self, calls: list[Any]) -> None:
        start = StartElasticJobOperator(task_id="start", job_name="Job1")
        first = start.execute(context())
        retry = start.execute(context(try_number=2))
        cleared = start.execute(context(try_number=2, max_tries=1))
        mapped = start.execute(context(map_index=3))
        assert first == retry
        assert len({first, cleared, mapped}) == 3
        assert calls[0][1:] == calls[1][1:]
        assert str(calls[0][1]) == first

    def test_a_chosen_id_is_used(self, calls: list[Any]) -> None:
        start = StartElasticJobOperator(task_id="start", job_name="Job1", job_execution_id=str(CHOSEN).upper())
        assert start.execute(context()) == str(CHOSEN)
        ((name, run, request),) = calls
        assert (name, run) == ("Job1", CHOSEN)
        assert request != CHOSEN

    def test_an_id_that_is_none_is_refused(self, calls: list[Any]) -> None:
        start = StartElasticJobOperator(task_id="start", job_name="Job1", job_execution_id="last night's")
        with pytest.raises(DefinitionError, match="is not a job_execution_id, like 00000000-"):
            start.execute(context())
        assert calls == []


class TestStop:
    def test_it_says_who_asks(self, calls: list[Any]) -> None:
        stop = StopElasticJobOperator(task_id="stop", job_execution_id=str(CHOSEN))
        assert stop.execute(context()) == "InProgress"
        assert calls == [(CHOSEN, "Airflow: a_dag a_run a_task")]

    def test_a_run_that_is_not_there_fails(self, calls: list[Any]) -> None:
        stop = StopElasticJobOperator(task_id="stop", job_execution_id=str(UUID(int=1)))
        with pytest.raises(AirflowFailException, match="there is no run"):
            stop.execute(context())
