"""A group made of the targets on which an earlier run failed."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.failed_targets import failed_targets
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import FailedTargets, Target
from tests.wire.job_database.runs import SERVER, Run, databases, new_job

ENDS = (Lifecycle.SUCCEEDED, Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.SKIPPED)


@pytest.fixture
def run(db: JobDatabase) -> Run:
    """A run whose first step ended on four databases in four ways."""
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    for registered, lifecycle in zip(run.begin(4), ENDS, strict=True):
        run.run_target(registered, lifecycle)
    return run


def names(run: Run, **asked: object) -> list[str]:
    return [target.database_name for target in failed_targets(run.db, FailedTargets(str(run.id), **asked))]  # type: ignore[arg-type]


def test_failed_and_timed_out_unless_said_otherwise(run: Run) -> None:
    assert names(run) == ["db2", "db3"]
    assert names(run, lifecycles=["timedout", "SKIPPED"]) == ["db3", "db4"]
    assert names(run, lifecycles=["Canceled"]) == []


def test_one_step_by_id_or_name(run: Run) -> None:
    assert names(run, step=1) == names(run, step="STEP1") == ["db2", "db3"]
    with pytest.raises(DefinitionError, match=r"has no step 2; it has 1 \(step1\)"):
        names(run, step=2)


def test_a_run_that_is_not_there_is_an_error(db: JobDatabase) -> None:
    with pytest.raises(DefinitionError, match=r"there is no run .*: it never was, or its history was purged"):
        failed_targets(db, FailedTargets(str(uuid4())))
    with pytest.raises(DefinitionError, match=r"'\{\{ x }}' is not a job_execution_id"):
        failed_targets(db, FailedTargets("{{ x }}"))


def test_each_is_as_it_was_when_it_failed(db: JobDatabase) -> None:
    run = Run(db)
    target = Target(SERVER, "its own", "pool1", "theirs", {"day": date(2026, 1, 2), "text": "it's"})
    (registered,) = run.begin([target])
    assert run.claim(registered).target == target
    run.run_target(registered, Lifecycle.FAILED)
    assert failed_targets(db, FailedTargets(str(run.id))) == [target]


def test_a_target_that_is_begun_anew_gets_the_parameters_of_now(db: JobDatabase) -> None:
    run = Run(db)
    (registered,) = run.begin([Target(SERVER, "db1", parameters={"a": 1, "b": 2})])
    run.run_target(registered, Lifecycle.FAILED)
    (again,) = run.begin([Target(SERVER, "db1", parameters={"a": 3})], clear_number=1)
    assert run.claim(again, clear_number=1).target.parameters == {"a": 3}


def test_a_target_that_a_later_round_left_out_is_not_failed_any_more(db: JobDatabase) -> None:
    run = Run(db)
    first, _ = run.begin(databases(2))
    run.run_target(first, Lifecycle.FAILED)
    run.begin(databases(2)[1:], clear_number=1)
    assert names(run) == []
