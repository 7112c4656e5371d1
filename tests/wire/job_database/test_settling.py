from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt
from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.job_database.records import AirflowRef, Claim, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle, combine
from airflow_provider_elasticjobs.model.messages import job_message, step_message
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import Run, internal, new_job

_L = Lifecycle


@pytest.mark.parametrize(
    "children",
    [
        (_L.SUCCEEDED, _L.SUCCEEDED),
        (_L.SUCCEEDED, _L.SKIPPED),
        (_L.SKIPPED, _L.SKIPPED),
        (_L.SUCCEEDED, _L.SKIPPED, _L.CANCELED),
        (_L.CANCELED, _L.TIMED_OUT, _L.SUCCEEDED),
        (_L.TIMED_OUT, _L.FAILED, _L.CANCELED),
    ],
    ids="+".join,
)
def test_step_and_job_follow_from_the_targets(db: JobDatabase, children: tuple[Lifecycle, ...]) -> None:
    run = Run(db)
    targets = run.begin(len(children))
    settled = [run.run_target(target, lifecycle) for target, lifecycle in zip(targets, children, strict=True)]
    expected = combine(children)
    assert settled[-1] == Settled(True, children[-1], expected, expected)
    assert all(each.step_lifecycle is None and each.job_lifecycle is None for each in settled[:-1])
    assert run.lifecycles() == (expected, expected)
    assert run.row(1).last_message == step_message(expected, 1)
    assert run.row().last_message == job_message(expected)


def test_the_job_waits_for_its_last_step(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;", "SELECT 3;"))
    for step_id in (1, 2):
        settled = [run.run_target(target) for target in run.begin(2, step_id)]
        assert settled[-1].step_lifecycle is _L.SUCCEEDED
        assert settled[-1].job_lifecycle is None
        assert run.lifecycles(step_id) == ("WaitingForChildJobExecutions", "Succeeded")
    assert run.run_target(run.begin(1, 3)[0], _L.SKIPPED).job_lifecycle is _L.SUCCEEDED_WITH_SKIPPED


@pytest.mark.parametrize("lifecycle", [_L.FAILED, _L.TIMED_OUT, _L.CANCELED])
def test_a_step_that_ends_badly_ends_the_job(db: JobDatabase, lifecycle: Lifecycle) -> None:
    run = Run(db, new_job("SELECT 1;", "SELECT 2;"))
    one, two = run.begin(2)
    assert run.run_target(one, lifecycle).step_lifecycle is None
    assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
    assert run.run_target(two).job_lifecycle is lifecycle


def test_a_run_is_settled_by_the_steps_of_its_own_version(db: JobDatabase) -> None:
    old = Run(db, new_job("SELECT 1;"))
    target = old.begin(1)[0]
    new = Run(db, new_job("SELECT 1;", "SELECT 2;", name=old.job.name))
    assert (old.registered.job_version, new.registered.job_version) == (1, 2)
    assert old.run_target(target).job_lifecycle is _L.SUCCEEDED
    assert new.run_target(new.begin(1)[0]).job_lifecycle is None


def test_fifty_threads_that_finish_together_settle_once(db: JobDatabase) -> None:
    run = Run(db)
    targets = run.begin(50)
    claims = [run.claim_and_begin(target) for target in targets]
    barrier = Barrier(len(claims))

    def finish(claim: Claim) -> Settled:
        barrier.wait()
        return run.finish(claim, _L.FAILED if claim.target.database_name == "db7" else _L.SUCCEEDED)

    with ThreadPoolExecutor(len(claims)) as threads:
        settled = list(threads.map(finish, claims))
    assert all(each.written for each in settled)
    assert [each.step_lifecycle for each in settled if each.step_lifecycle] == [_L.FAILED]
    assert [each.job_lifecycle for each in settled if each.job_lifecycle] == [_L.FAILED]
    assert run.lifecycles() == ("Failed", "Failed")
    assert count_targets(db, run.id) == {_L.SUCCEEDED: 49, _L.FAILED: 1}


def _finish_in_process(server: LiveServer, database: str, claims: list[Claim], answers: Any, start: Any) -> None:
    db = server.job_database(database, pool_size=4)
    run = Run.__new__(Run)
    run.db = db
    start.wait()
    with ThreadPoolExecutor(4) as threads:
        settled = list(threads.map(run.finish, claims))
    answers.put([(each.written, each.step_lifecycle, each.job_lifecycle) for each in settled])
    db.close()


def test_two_processes_that_finish_together_settle_once(db: JobDatabase, server: LiveServer) -> None:
    run = Run(db)
    claims = [run.claim_and_begin(target) for target in run.begin(40)]
    spawn = multiprocessing.get_context("spawn")
    answers, start = spawn.Queue(), spawn.Barrier(2)
    arguments = [(server, db.database, half, answers, start) for half in (claims[::2], claims[1::2])]
    processes = [spawn.Process(target=_finish_in_process, args=each) for each in arguments]
    for process in processes:
        process.start()
    settled = [each for _ in processes for each in answers.get(timeout=60)]
    for process in processes:
        process.join(timeout=30)
    assert len(settled) == 40
    assert all(written for written, _, _ in settled)
    assert [step for _, step, _ in settled if step] == [_L.SUCCEEDED]
    assert [job for _, _, job in settled if job] == [_L.SUCCEEDED]
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_clearing_one_target_while_the_last_other_finishes_loses_nothing(db: JobDatabase) -> None:
    """Whichever comes first, the step ends exactly when the cleared target has ended."""
    for _ in range(8):
        run = Run(db)
        ended, last = run.begin(2)
        run.run_target(ended, _L.FAILED)
        claim = run.claim_and_begin(last)
        barrier = Barrier(2)

        def finish(run: Run = run, claim: Claim = claim, barrier: Barrier = barrier) -> None:
            barrier.wait()
            run.finish(claim)

        def clear(run: Run = run, row: UUID = ended.execution_id, barrier: Barrier = barrier) -> Claim:
            barrier.wait()
            answer = claim_target(db, row, AirflowRef("dag", f"run {run.id}", "run", 0, 2, 1))
            assert isinstance(answer, Claim)
            return answer

        with ThreadPoolExecutor(2) as threads:
            finishing, clearing = threads.submit(finish), threads.submit(clear)
            finishing.result()
            cleared = clearing.result()
        assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
        begin_attempt(db, cleared, 1)
        assert run.finish(cleared).job_lifecycle is _L.SUCCEEDED


def test_many_threads_that_claim_one_row_leave_it_to_one(db: JobDatabase) -> None:
    run = Run(db)
    target = run.begin(1)[0]
    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda _: run.claim(target), range(8)))
    begun = [claim for claim in claims if begin_attempt(db, claim, 1).begun]
    assert [claim.claim_id for claim in begun] == [UUID(str(internal(db, target.execution_id).claim_id))]
    assert run.finish(begun[0]).job_lifecycle is _L.SUCCEEDED
