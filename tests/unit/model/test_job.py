from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup

GROUP = TargetGroup("everyone", [SqlServer("tenants.database.windows.net")])


def _step(name: str = "step1", **arguments: Any) -> JobStep:
    return JobStep(name, GROUP, "SELECT 1", **arguments)


def test_defaults_are_those_of_the_contract() -> None:
    step = _step()
    assert (step.step_timeout_seconds, step.max_parallelism, step.retry) == (43_200, None, RetryPolicy())
    assert RetryPolicy() == RetryPolicy(attempts=10, initial_interval=1, maximum_interval=120, backoff_multiplier=2.0)


def test_documented_waits() -> None:
    waits = [RetryPolicy().delay(retry) for retry in range(1, 11)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert sum(waits) == 487
    assert [RetryPolicy(initial_interval=5).delay(retry) for retry in (1, 2, 3)] == [5, 10, 20]


def test_a_far_retry_waits_no_longer_than_the_maximum() -> None:
    assert RetryPolicy(attempts=10_000).delay(10_000) == 120
    with pytest.raises(ValueError, match="from 1"):
        RetryPolicy().delay(0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"attempts": -1}, "attempts must be 0 or more"),
        ({"initial_interval": -1}, "initial_interval must be 0"),
        ({"initial_interval": 9, "maximum_interval": 8}, "maximum_interval is below"),
        ({"backoff_multiplier": 0.9}, "backoff_multiplier must be 1"),
        ({"retry_on": "sometimes"}, "retry_on must be"),
        ({"retry_on": [None]}, "retry_on must be"),
        ({"availability_timeout": -1}, "availability_timeout must be 0"),
    ],
)
def test_retry_ranges(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        RetryPolicy(**arguments)


def test_the_wait_for_a_database_outlasts_one_that_resumes() -> None:
    assert RetryPolicy().availability_timeout >= 60


def test_clocks_are_kept_as_seconds() -> None:
    step = _step(target_timeout=timedelta(hours=1), lock_timeout=timedelta(milliseconds=1500))
    assert (step.target_timeout, step.lock_timeout) == (3600, 1.5)
    assert (_step(lock_timeout=0).lock_timeout, _step().lock_timeout, _step().target_timeout) == (0, None, None)


def test_a_job_survives_json() -> None:
    steps = [
        _step("step0", transaction=True, target_timeout=60, lock_timeout=0.5),
        _step("step2", retry=RetryPolicy(retry_on=(1205, 50000)), step_timeout=timedelta(minutes=5), conn_id="c"),
    ]
    job = Job("Job1", steps, description="nightly")
    again = Job.from_json(json.loads(json.dumps(job.to_json())))
    assert again == job
    assert (again.step(1).transaction, again.step(1).lock_timeout) == (True, 0.5)
    assert again.step(2).step_timeout_seconds == 300
    assert again.step(2).retry.retry_on == (1205, 50000)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"step_timeout": 0}, "step_timeout must be 1 to"),
        ({"step_timeout": True}, "step_timeout must be 1 to"),
        ({"step_timeout": timedelta(days=30)}, "step_timeout must be 1 to"),
        ({"target_timeout": 0}, "target_timeout must be 1 to"),
        ({"lock_timeout": -1}, "lock_timeout must be 0 to"),
        ({"lock_timeout": True}, "lock_timeout must be 0 to"),
        ({"lock_timeout": timedelta(days=30)}, "lock_timeout must be 0 to"),
        ({"max_parallelism": 0}, "max_parallelism must be 1"),
        ({"max_parallelism": 1.5}, "max_parallelism must be 1"),
        ({"max_parallelism_per_server": 0}, "max_parallelism_per_server must be 1"),
        ({"max_parallelism_per_server": True}, "max_parallelism_per_server must be 1"),
    ],
)
def test_step_ranges(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError, match=f"step 'step1': {told}"):
        _step(**arguments)


@pytest.mark.parametrize("command", ["", "  \n", None, "x" * 1_048_577])
def test_unusable_commands(command: Any) -> None:
    with pytest.raises(DefinitionError, match="step 'step1': command"):
        JobStep("step1", GROUP, command)


@pytest.mark.parametrize(
    ("name", "steps", "told"),
    [
        ("Job1", [], "has no steps"),
        ("100%", [_step()], "must not contain '%'"),
        ("Job1", [_step("a"), _step("A")], "two steps are called"),
        (
            "Job1",
            [_step("a"), JobStep("b", TargetGroup("EVERYONE", [SqlServer("other")]), "x")],
            "two different target groups are called 'everyone'",
        ),
    ],
)
def test_unusable_jobs(name: str, steps: list[JobStep], told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        Job(name, steps)


@pytest.mark.parametrize("step_id", [0, 3])
def test_steps_are_counted_from_one(step_id: int) -> None:
    job = Job("Job1", [_step("a"), _step("b")])
    assert job.step(1).name == "a"
    with pytest.raises(DefinitionError, match="steps 1 to 2"):
        job.step(step_id)


def test_missing_and_surplus_json_fields_are_named() -> None:
    data = Job("Job1", [_step()]).to_json()
    data["steps"][0]["maximum_parallelism"] = 3
    with pytest.raises(DefinitionError, match="maximum_parallelism"):
        Job.from_json(data)
    del data["steps"][0]["command"]
    with pytest.raises(DefinitionError, match="'command' is missing"):
        Job.from_json(data)
