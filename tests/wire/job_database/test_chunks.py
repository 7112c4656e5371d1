"""What a task with a chunk of targets finds to do in the job database."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.chunks import ChunkRow, begin_chunk
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.job_database.records import Agent
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import SERVER, Run, databases

PROCESS = Agent(UUID(int=1), "host", 1)
CREATED, SUCCEEDED, FAILED = Lifecycle.CREATED, Lifecycle.SUCCEEDED, Lifecycle.FAILED


def begin(run: Run, first: int = 1, last: int = 100, *, task: int = 0, **tries: int) -> list[ChunkRow]:
    chunk = TargetChunk(run.id, 1, first, last, 100)
    return begin_chunk(run.db, chunk, run.airflow(task, **tries), PROCESS)


def lifecycles(rows: list[ChunkRow]) -> list[Lifecycle]:
    return [row.lifecycle for row in rows]


def test_it_is_read_in_the_order_of_the_step_with_all_that_a_target_is(db: JobDatabase) -> None:
    run = Run(db)
    targets = [Target(SERVER, "z", "pool1", "conn"), *databases(4)]
    registered = run.begin(targets)
    rows = begin(run)
    assert [(row.execution_id, row.target) for row in rows] == [(one.execution_id, one.target) for one in registered]
    assert lifecycles(rows) == [CREATED] * 5
    assert [row.target for row in begin(run, 2, 3)] == targets[1:3]


def test_the_last_of_five_thousand_are_found(server: LiveServer, new_database: Callable[[], str]) -> None:
    db = server.job_database(new_database())
    upgrade(db)
    run = Run(db)
    registered = run.begin(5000)
    assert count_targets(db, run.id) == {CREATED: 5000}
    assert [row.execution_id for row in begin(run, 4991, 5000)] == [one.execution_id for one in registered[4990:]]
    db.close()


def test_a_step_that_is_resolved_anew_counts_its_targets_anew(db: JobDatabase) -> None:
    run = Run(db)
    run.begin(4)
    begin(run)
    one, _, three, _ = databases(4)
    run.begin([three, Target(SERVER, "new"), one], try_number=2, clear_number=1)
    assert [row.target.database_name for row in begin(run, 1, 2)] == ["db3", "new"]
    assert [row.target.database_name for row in begin(run, 3, 3)] == ["db1"]


def test_there_must_be_some(db: JobDatabase) -> None:
    run = Run(db)
    run.begin(2)
    with pytest.raises(JobDatabaseError, match="no targets 3-100 of 100 in step 1"):
        begin(run, 3)


class TestClearedTask:
    def test_it_begins_anew_what_failed_and_makes_step_and_job_wait(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one)
        run.run_target(two, FAILED)
        assert run.lifecycles() == ("Failed", "Failed")
        assert lifecycles(begin(run, try_number=2, clear_number=1)) == [SUCCEEDED, CREATED]
        assert run.lifecycles() == ("WaitingForChildJobExecutions",) * 2
        assert run.run_target(two, try_number=2, clear_number=1).job_lifecycle is SUCCEEDED

    def test_all_anew_if_all_had_ended_well_or_were_skipped(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one)
        run.run_target(two, Lifecycle.SKIPPED)
        again = begin(run, try_number=2, clear_number=1)
        assert lifecycles(again) == [CREATED] * 2
        # Sent again, by a process that is begun in the place of a lost one, it finds the same to do.
        run.run_target(one, try_number=2, clear_number=1)
        assert lifecycles(begin(run, try_number=3, clear_number=1)) == [SUCCEEDED, CREATED]

    def test_what_is_still_active_stays_as_it_is(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two, _ = run.begin(3)
        run.run_target(one)
        claim = run.claim_and_begin(two)
        assert lifecycles(begin(run, try_number=2, clear_number=1)) == [SUCCEEDED, Lifecycle.IN_PROGRESS, CREATED]
        assert run.finish(claim).written

    def test_other_chunks_stay_as_they_ended(self, db: JobDatabase) -> None:
        run = Run(db)
        for target in run.begin(3):
            run.run_target(target, FAILED)
        assert lifecycles(begin(run, 2, 2, try_number=2, clear_number=1)) == [CREATED]
        assert lifecycles(begin(run)) == [FAILED, CREATED, FAILED]

    def test_an_ended_run_that_had_been_stopped_goes_on(self, db: JobDatabase) -> None:
        run = Run(db)
        run.begin(2)
        cancel_execution(db, run.id)
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert lifecycles(begin(run, clear_number=1, try_number=2)) == [CREATED] * 2
        assert run.lifecycles() == ("WaitingForChildJobExecutions",) * 2

    def test_a_run_that_is_being_stopped_does_not(self, db: JobDatabase) -> None:
        run = Run(db)
        one, _ = run.begin(2)
        claim = run.claim_and_begin(one)
        cancel_execution(db, run.id)
        ended = begin(run, try_number=2, clear_number=1)
        assert lifecycles(ended) == [Lifecycle.IN_PROGRESS, Lifecycle.CANCELED]
        assert run.finish(claim, Lifecycle.CANCELED).job_lifecycle is Lifecycle.CANCELED


class TestSameTaskAgain:
    def test_a_higher_try_begins_anew_only_what_did_not_end_well(self, db: JobDatabase) -> None:
        run = Run(db)
        one, two = run.begin(2)
        run.run_target(one)
        assert lifecycles(begin(run, 1, 1, try_number=2)) == [SUCCEEDED]
        run.run_target(two, FAILED)
        assert lifecycles(begin(run, try_number=2)) == [SUCCEEDED, CREATED]

    def test_the_same_try_begins_nothing_anew(self, db: JobDatabase) -> None:
        run = Run(db)
        (one,) = run.begin(1)
        run.run_target(one, FAILED)
        assert lifecycles(begin(run)) == [FAILED]
        assert run.lifecycles() == ("Failed", "Failed")
