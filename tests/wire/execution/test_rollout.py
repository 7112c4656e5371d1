"""Rollouts as scripts meet them: once the budget is used up no attempt begins, what runs is drained, the rest is left."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.records import AirflowRef, AlreadyFinished, Claim
from airflow_provider_elasticjobs.job_database.rollouts import stop_if_used_up
from airflow_provider_elasticjobs.job_database.waves import begin_wave
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]

ONCE = RetryPolicy(attempts=0)
FAILS = "THROW 50001, 'not here', 1;"
FINE = "SELECT 1;"


@pytest.fixture
def roll_out(new_run: NewRun) -> Callable[..., Run]:
    """Return a function that begins a run with a rollout on databases that need not exist."""

    def begin(rollout: Rollout, count: int = 4, command: str = FINE, **options: Any) -> Run:
        names = [f"tenant{number:02}" for number in range(1, count + 1)]
        return new_run(command, databases=names, step={"rollout": rollout}, **options)

    return begin


def claim_of(run: Run, database: str, *, clear_number: int = 0, try_number: int = 1) -> Claim | AlreadyFinished:
    order = run.orders[database]
    airflow = AirflowRef("dag", "run", "run", run.databases.index(database), try_number, clear_number)
    return executions.claim_target(run.job_database, order.execution_id, airflow, JobAgent(run.job_database).record)


def end(run: Run, claim: Claim, lifecycle: Lifecycle, attempt: int = 1) -> executions.Settled:
    outcome = Outcome.SUCCEEDED if lifecycle is Lifecycle.SUCCEEDED else Outcome.FAILED
    return executions.finish_target(run.job_database, claim, lifecycle, outcome=outcome)


def attempt(run: Run, database: str, lifecycle: Lifecycle, **claimed: Any) -> executions.Settled:
    """Begin and end one attempt on a database."""
    claim = claim_of(run, database, **claimed)
    assert isinstance(claim, Claim)
    assert executions.begin_attempt(run.job_database, claim, claim.attempts + 1).begun
    return end(run, claim, lifecycle)


class TestBudget:
    def test_one_failure_too_many_leaves_out_what_has_not_begun(self, roll_out: NewRun) -> None:
        run = roll_out(Rollout(max_failures=1), 4)
        first, second, third, fourth = run.databases
        assert not attempt(run, first, Lifecycle.FAILED).rollout_stopped
        assert run.target(second).lifecycle == "Created"
        assert attempt(run, second, Lifecycle.FAILED).rollout_stopped
        for left_out in (third, fourth):
            row = run.target(left_out)
            assert (row.lifecycle, row.current_attempts) == ("Skipped", 0)
            assert row.last_message == (
                f"Step 1 skipped execution on target (server '{run.server.name}', database '{left_out}'): "
                "the rollout was stopped, 2 of 4 databases failed and at most 1 may."
            )
        assert run.lifecycles() == ["Failed", "Failed", "Failed", "Failed", "Skipped", "Skipped"]
