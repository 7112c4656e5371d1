"""A stage: executions are fakes, connections are names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_elasticjobs.triggers import elastic_job, process, target_run
from tests.unit.triggers.fakes import FakeConnector, FakeProcess, Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    this = FakeProcess()
    made = Stage(this)
    monkeypatch.setattr(target_run, "TargetExecution", made.make)
    monkeypatch.setattr(target_run, "connector", FakeConnector)
    monkeypatch.setattr(target_run, "this_process", lambda: this)
    monkeypatch.setattr(process, "this_process", lambda: this)
    monkeypatch.setattr(elastic_job, "_task_states", lambda _: {"t_2": made.task_state})
    yield made
    for execution in made.made:
        execution.end(RuntimeError("the test is over"))
    this.threads.shutdown()
