from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sensors import elastic_job_execution
from airflow_provider_elasticjobs.sensors.elastic_job_execution import ElasticJobExecutionSensor

RUN = "0f8fad5b-d9cb-469f-a165-70867728950e"
ACTIVE = [each for each in Lifecycle if each.is_active]
GOOD = [each for each in Lifecycle if each.is_good]
BAD = [each for each in Lifecycle if not each.is_active and not each.is_good]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The run's lifecycle, and how many connections were left open."""
    state = SimpleNamespace(lifecycle=Lifecycle.CREATED, open=0)

    def close() -> None:
        state.open -= 1

    def opened(_: object) -> Any:
        state.open += 1
        return SimpleNamespace(close=close)

    def lifecycle(_: object, run: UUID) -> Lifecycle | None:
        assert run == UUID(RUN)
        return state.lifecycle

    monkeypatch.setattr(elastic_job_execution, "connection_settings", lambda _: None)
    monkeypatch.setattr(elastic_job_execution, "open_job_database", opened)
    monkeypatch.setattr(elastic_job_execution, "job_lifecycle", lifecycle)
    return state


def poke(**options: Any) -> tuple[bool, object]:
    seen = ElasticJobExecutionSensor(task_id="wait", job_execution_id=RUN, **options).poke({})
    return seen.is_done, seen.xcom_value if seen.is_done else None


@pytest.mark.parametrize("lifecycle", ACTIVE)
def test_it_waits_while_the_run_is_active(now: SimpleNamespace, lifecycle: Lifecycle) -> None:
    now.lifecycle = lifecycle
    assert poke() == (False, None)
    assert now.open == 0


@pytest.mark.parametrize("lifecycle", GOOD)
def test_a_good_end_is_what_it_waits_for(now: SimpleNamespace, lifecycle: Lifecycle) -> None:
    now.lifecycle = lifecycle
    assert poke() == (True, str(lifecycle))


@pytest.mark.parametrize("lifecycle", BAD)
def test_a_bad_end_fails_unless_it_is_said_not_to(now: SimpleNamespace, lifecycle: Lifecycle) -> None:
    now.lifecycle = lifecycle
    with pytest.raises(AirflowFailException, match=f"run {RUN} is {lifecycle}"):
        poke()
    assert poke(failing=()) == (True, str(lifecycle))
    assert now.open == 0


def test_it_can_wait_for_a_run_to_begin_and_fails_when_that_was_missed(now: SimpleNamespace) -> None:
    begun = {"lifecycles": ["inprogress", "WaitingForChildJobExecutions"]}
    assert poke(**begun) == (False, None)
    now.lifecycle = Lifecycle.IN_PROGRESS
    assert poke(**begun) == (True, "InProgress")
    now.lifecycle = Lifecycle.SUCCEEDED
    with pytest.raises(AirflowFailException, match="is Succeeded"):
        poke(**begun)


def test_skipped_may_count_as_a_failure(now: SimpleNamespace) -> None:
    now.lifecycle = Lifecycle.SUCCEEDED_WITH_SKIPPED
    with pytest.raises(AirflowFailException, match="SucceededWithSkipped"):
        poke(failing=["SucceededWithSkipped"])


def test_a_run_that_is_not_known_fails_unless_it_may_come_later(now: SimpleNamespace) -> None:
    now.lifecycle = None
    with pytest.raises(AirflowFailException, match="there is no run"):
        poke()
    assert poke(may_come_later=True) == (False, None)


@pytest.mark.parametrize("lifecycles", ["Succeeded", ["Done"], ["Succeeded", "In Progress"]])
def test_a_lifecycle_that_does_not_exist_is_refused_at_once(lifecycles: Any) -> None:
    with pytest.raises(DefinitionError, match="is not a list of lifecycles; known: Created, InProgress"):
        ElasticJobExecutionSensor(task_id="wait", job_execution_id=RUN, lifecycles=lifecycles)


def test_it_looks_every_ten_seconds_unless_told_otherwise() -> None:
    assert ElasticJobExecutionSensor(task_id="wait", job_execution_id=RUN).poke_interval == 10
    assert ElasticJobExecutionSensor(task_id="wait", job_execution_id=RUN, poke_interval=3).poke_interval == 3
