from __future__ import annotations

import pickle
from uuid import uuid4

from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef, StepStart, step_execution_id
from airflow_provider_elasticjobs.model.identifiers import target_execution_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle


def test_a_steps_row_has_an_id_of_its_own() -> None:
    run = uuid4()
    ids = {step_execution_id(run, 1), step_execution_id(run, 2), target_execution_id(run, 1, "s", "d"), run}
    assert len(ids) == 4
    assert step_execution_id(run, 1) == step_execution_id(run, 1)


def test_a_step_is_begun_only_while_it_evaluates() -> None:
    def start(lifecycle: Lifecycle | None) -> StepStart:
        return StepStart(uuid4(), 1, uuid4(), lifecycle, False, 1, "step1", "group", 1, None)

    assert start(Lifecycle.IN_PROGRESS).is_begun
    assert not any(start(each).is_begun for each in (None, Lifecycle.CANCELED, Lifecycle.SUCCEEDED))


def test_records_cross_processes() -> None:
    for record in (AirflowRef("d", "r", "t", 3, 2, 1), Agent(uuid4(), "h", 1)):
        assert pickle.loads(pickle.dumps(record)) == record  # noqa: S301
