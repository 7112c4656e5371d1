from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup

WAVES = [Wave(count=1), Wave(ratio=0.1), Wave(names=["server/db", "db"]), Wave(pattern="canary_*")]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "exactly one of count, ratio, names, pattern"),
        ({"count": 1, "ratio": 0.1}, "exactly one"),
        ({"count": 0}, "count must be 1 or more"),
        ({"count": True}, "count must be 1 or more"),
        ({"count": 1.5}, "count must be 1 or more"),
        ({"ratio": 0}, "ratio must be above 0 and below 1"),
        ({"ratio": 1}, "ratio must be above 0 and below 1"),
        ({"ratio": "0.5"}, "ratio must be above 0"),
        ({"names": []}, "names must be a list"),
        ({"names": "db"}, "names must be a list"),
        ({"names": [1]}, "names must be a list"),
        ({"names": [""]}, "names must be a list"),
        ({"pattern": ""}, "pattern must be a non-empty text"),
    ],
)
def test_a_wave_that_cannot_be_is_refused(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(DefinitionError, match=rule):
        Wave(**arguments)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"waves": [1]}, "waves must be a list of Wave"),
        ({"waves": 3}, "waves must be a list of Wave"),
        ({"waves": [Wave(count=1)] * 21}, "20 waves at most"),
        ({"max_failures": -1}, "max_failures must be 0 or more"),
        ({"max_failures": 0.5}, "max_failures must be 0 or more"),
        ({"max_failure_ratio": 1}, "max_failure_ratio must be from 0 to below 1"),
        ({"max_failure_ratio": -0.1}, "max_failure_ratio must be"),
        ({"spread": -1}, "spread must be 0 to"),
        ({"spread": timedelta(days=30)}, "spread must be 0 to"),
        ({"spread": True}, "spread must be 0 to"),
        ({"largest_first": 1}, "largest_first must be True or False"),
    ],
)
def test_a_rollout_that_cannot_be_is_refused(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(DefinitionError, match=rule):
        Rollout(**arguments)


@pytest.mark.parametrize(
    "rollout",
    [
        Rollout(),
        Rollout(waves=WAVES, max_failures=2, max_failure_ratio=0.25, spread=600, largest_first=True),
        Rollout(spread=timedelta(minutes=10)),
    ],
)
def test_it_crosses_processes_as_plain_json(rollout: Rollout) -> None:
    again = Rollout.from_json(json.loads(json.dumps(rollout.to_json())))
    assert again == rollout
    assert hash(again) == hash(rollout)


@pytest.mark.parametrize(
    "data", [{"max_failure": 1}, {"waves": [{"size": 1}]}, {"waves": [{"count": 0}]}, {"spread": "600"}]
)
def test_json_that_says_something_else_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        Rollout.from_json(data)


def test_shares_are_counted_as_they_are_written() -> None:
    assert Rollout(max_failure_ratio=0.29).wave_budget(100) == 29
    assert Rollout(max_failure_ratio=0.1).wave_budget(30) == 3
    assert Rollout(max_failure_ratio=0.5).wave_budget(1) == 0
    assert Rollout().wave_budget(100) is None
    assert Wave(ratio=0.07).size(100) == 7
    assert Wave(ratio=0.01).size(3) == 1
    assert Wave(count=5).size(3) == 5
    assert Wave(pattern="*").size(3) is None


@given(st.floats(0, 0.999, allow_nan=False), st.integers(0, 10_000))
def test_a_budget_is_never_above_its_share_and_less_than_one_below(ratio: float, targets: int) -> None:
    budget = Rollout(max_failure_ratio=ratio).wave_budget(targets)
    assert budget is not None
    assert budget <= ratio * targets + 1e-6 < budget + 1 + 2e-6


class TestStep:
    GROUP = TargetGroup("everyone", [SqlServer("s")])

    def test_a_step_keeps_its_rollout(self) -> None:
        step = JobStep("one", self.GROUP, "SELECT 1", rollout=Rollout(waves=WAVES))
        assert JobStep.from_json(json.loads(json.dumps(step.to_json()))) == step
        assert JobStep.from_json(JobStep("one", self.GROUP, "SELECT 1").to_json()).rollout is None

    def test_anything_else_is_refused(self) -> None:
        with pytest.raises(DefinitionError, match="step 'one': rollout must be a Rollout"):
            JobStep("one", self.GROUP, "SELECT 1", rollout={"max_failures": 1})  # type: ignore[arg-type]
