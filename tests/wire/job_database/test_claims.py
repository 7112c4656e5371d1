"""Rows of a chunk that are claimed together: only what is fresh, each by a claim of its own."""

from __future__ import annotations

from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.agents import heartbeat, settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_fresh_targets, give_chunk_back
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt
from airflow_provider_elasticjobs.job_database.records import Agent, Claim, RegisteredTarget
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from tests.wire.job_database.runs import Run

_LOSE = Batch(
    "UPDATE jobs_internal.executions SET lost_attempt = 1 WHERE execution_id = @execution;",
    execution="uniqueidentifier",
)


CHUNK = (1, 100, 100)


def claim(run: Run, *targets: RegisteredTarget, agent: Agent | None = None, **tries: int) -> dict[UUID, Claim]:
    process = agent or Agent(uuid4(), "host", 1)
    asked = [one.execution_id for one in targets]
    return claim_fresh_targets(run.db, TargetChunk(run.id, 1, *CHUNK), asked, run.airflow(0, **tries), process)


def ids(*targets: RegisteredTarget) -> set[UUID]:
    return {one.execution_id for one in targets}


def test_a_claim_is_what_it_is_when_it_is_taken_alone(db: JobDatabase) -> None:
    run = Run(db)
    one, two = run.begin(2)
    claims = claim(run, one, two)
    alone = run.claim(two)
    assert claims.keys() == ids(one, two)
    found = claims[two.execution_id]
    assert found.claim_id != alone.claim_id
    assert [getattr(found, name) for name in vars(alone) if name != "claim_id"] == [
        getattr(alone, name) for name in vars(alone) if name != "claim_id"
    ]
    assert found.target == two.target


def test_each_row_has_a_claim_of_its_own_that_can_write_it(db: JobDatabase) -> None:
    run = Run(db)
    claims = claim(run, *run.begin(5))
    assert len({one.claim_id for one in claims.values()}) == 5
    for one in claims.values():
        assert begin_attempt(db, one, 1).begun
        assert run.finish(one).written
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_only_what_is_asked_for(db: JobDatabase) -> None:
    run = Run(db)
    _, two, three, _ = run.begin(4)
    assert claim(run, two, three).keys() == ids(two, three)


def test_what_has_begun_has_ended_or_is_in_doubt_is_left(db: JobDatabase) -> None:
    run = Run(db)
    begun, ended, lost, fresh = run.begin(4)
    running = run.claim_and_begin(begun)
    run.run_target(ended, Lifecycle.FAILED)
    db.run(_LOSE, execution=lost.execution_id)
    assert claim(run, begun, ended, lost, fresh).keys() == ids(fresh)
    assert run.finish(running).written


def test_what_a_later_try_has_is_left_to_it(db: JobDatabase) -> None:
    run = Run(db)
    taken, free = run.begin(2)
    later = run.claim(taken, try_number=2)
    assert claim(run, taken, free).keys() == ids(free)
    assert begin_attempt(db, later, 1).begun


def test_a_later_try_takes_over_and_the_earlier_one_is_refused(db: JobDatabase) -> None:
    run = Run(db)
    (target,) = run.begin(1)
    earlier = claim(run, target)[target.execution_id]
    later = claim(run, target, try_number=2)[target.execution_id]
    assert not begin_attempt(db, earlier, 1).begun
    assert begin_attempt(db, later, 1).begun


def test_sent_twice_it_is_still_the_process_s_own(db: JobDatabase) -> None:
    run, agent = Run(db), Agent(uuid4(), "host", 1)
    (target,) = run.begin(1)
    claim(run, target, agent=agent)
    again = claim(run, target, agent=agent)[target.execution_id]
    assert begin_attempt(db, again, 1).begun


def test_none_in_a_run_that_was_asked_to_stop_or_cleared_just_now(db: JobDatabase) -> None:
    run, cleared = Run(db), Run(db)
    stopped = run.begin(2)
    cancel_execution(db, run.id)
    assert claim(run, *stopped) == {}
    one, two = cleared.begin(2)
    # The one who comes first tells the run that it was cleared.
    assert claim(cleared, one, two, clear_number=1) == {}
    cleared.claim(one, clear_number=1)
    assert claim(cleared, one, two, clear_number=1).keys() == ids(one, two)


def test_what_a_broken_chunk_will_not_begin_is_anybodys(db: JobDatabase) -> None:
    """A process that lives keeps its rows from being ended as left behind; what it gives back is ended."""
    run, process = Run(db), Agent(uuid4(), "host", 1)
    begun, ahead, others = run.begin(3)
    heartbeat(db, process)
    claims = claim(run, begun, ahead, agent=process)
    run.claim(others)
    assert begin_attempt(db, claims[begun.execution_id], 1).begun
    settle_leftovers(db, run.id, include_created=True)
    assert run.lifecycles()[0] == "WaitingForChildJobExecutions"
    chunk = TargetChunk(run.id, 1, *CHUNK)
    give_chunk_back(db, chunk, run.airflow(0, try_number=2), process)
    assert settle_leftovers(db, run.id, include_created=True) == []
    give_chunk_back(db, chunk, run.airflow(0), process)
    assert [one.execution_id for one in settle_leftovers(db, run.id, include_created=True)] == [ahead.execution_id]
    assert not begin_attempt(db, claims[ahead.execution_id], 1).begun
    assert run.finish(claims[begun.execution_id]).written
