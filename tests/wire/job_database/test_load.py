"""Hundreds of targets that are claimed, begun and finished at once by several processes: no row is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.job_database.agents import heartbeat, settle_leftovers
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target
from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef, Claim, RegisteredTarget, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LIVE_SERVER, LiveServer
from tests.wire.job_database.processes import in_processes
from tests.wire.job_database.runs import Run
from tests.wire.job_database.test_places import capped, in_pool

_log = logging.getLogger(__name__)
_L = Lifecycle
PROCESSES, TARGETS, THREADS = 4, 800, 200


@dataclass(frozen=True)
class Part:
    """What one process does.

    :param run: the job's run.
    :param rows: the targets' rows.
    :param failing: of them, those that end badly.
    """

    run: UUID
    rows: tuple[UUID, ...]
    failing: frozenset[UUID] = frozenset()


@dataclass(frozen=True)
class Finished:
    """What one process saw."""

    seconds: float
    settled: list[Settled]
    slowest_heartbeat: float


def parts(run: Run, registered: list[RegisteredTarget], processes: int = PROCESSES) -> list[Part]:
    rows = [each.execution_id for each in registered]
    return [Part(run.id, tuple(rows[number::processes])) for number in range(processes)]


def claim(db: JobDatabase, run: UUID, row: UUID, agent: Agent | None = None) -> Claim:
    found = claim_target(db, row, AirflowRef("dag", f"run {run}", "run", 0), agent)
    assert isinstance(found, Claim)
    return found


def begin(db: JobDatabase, run: UUID, row: UUID, agent: Agent | None = None) -> Claim:
    found = claim(db, run, row, agent)
    assert begin_attempt(db, found, 1).begun
    return found


def finish(db: JobDatabase, claimed: Claim, lifecycle: Lifecycle = _L.SUCCEEDED) -> Settled:
    return finish_target(db, claimed, lifecycle, outcome=Outcome.SUCCEEDED if lifecycle.is_good else Outcome.FAILED)


def finish_together(db: JobDatabase, part: Part, barrier: Any) -> Finished:
    """Begin all rows, wait for the other processes, and end all rows at the same moment, with a heart that beats."""
    agent, aside, pulses = Agent(uuid4(), "here", 1), db.alongside(), []

    def finish_one(claimed: Claim) -> Settled:
        return finish(db, claimed, _L.FAILED if claimed.execution_id in part.failing else _L.SUCCEEDED)

    with ThreadPoolExecutor(THREADS) as threads:
        claims = list(threads.map(lambda row: begin(db, part.run, row, agent), part.rows))
        heartbeat(aside, agent)
        barrier.wait(300)
        began = time.monotonic()
        ends = [threads.submit(finish_one, each) for each in claims]
        while not all(each.done() for each in ends):
            asked = time.monotonic()
            heartbeat(aside, agent)
            pulses.append(time.monotonic() - asked)
        settled = [each.result() for each in ends]
    aside.close()
    return Finished(time.monotonic() - began, settled, max(pulses, default=0))


@pytest.fixture
def trouble(request: pytest.FixtureRequest, db: JobDatabase) -> Iterator[int]:
    """Let the writes of ends meet deadlocks and lost connections, where they can be had; how many there are."""
    if LIVE_SERVER:
        yield 0
        return
    sandbox: SandboxClient = request.getfixturevalue("sandbox")
    counts = {"deadlock": 150, "dropped_before": 15, "dropped_after": 15}
    for kind, times in counts.items():
        sandbox.add_fault(kind, database=db.database, times=times, containing="AS step_lifecycle")
    yield sum(counts.values())
    assert sandbox.pending_faults() == []


def test_eight_hundred_that_finish_together_lose_no_row_and_settle_once(
    db: JobDatabase, server: LiveServer, trouble: int
) -> None:
    run = Run(db)
    registered = run.begin(TARGETS)
    failing = frozenset(each.execution_id for each in registered[::100])
    finished = in_processes(
        server, db.database, finish_together, [replace(each, failing=failing) for each in parts(run, registered)]
    )
    settled = [each for one in finished for each in one.settled]
    seconds, pulse = max(one.seconds for one in finished), max(one.slowest_heartbeat for one in finished)
    _log.info("%s ends in %.1f s, %s faults; slowest heartbeat %.2f s", TARGETS, seconds, trouble, pulse)
    assert len(settled) == TARGETS
    assert all(each.written for each in settled)
    assert [each.step_lifecycle for each in settled if each.step_lifecycle] == [_L.FAILED]
    assert [each.job_lifecycle for each in settled if each.job_lifecycle] == [_L.FAILED]
    assert run.lifecycles() == ("Failed", "Failed")
    assert count_targets(db, run.id) == {_L.SUCCEEDED: TARGETS - len(failing), _L.FAILED: len(failing)}


def claim_all_begin_and_finish(db: JobDatabase, part: Part, barrier: Any) -> tuple[int, int]:
    """Claim every row like the other processes, and then begin and end what is still this process's."""
    with ThreadPoolExecutor(8) as threads:
        claims = list(threads.map(lambda row: claim(db, part.run, row), part.rows))
        barrier.wait(300)
        begun = [each.begun for each in threads.map(lambda each: begin_attempt(db, each, 1), claims)]
        barrier.wait(300)
        written = [each.written for each in threads.map(lambda each: finish(db, each), claims)]
    assert written == begun
    return sum(begun), len(claims)


def test_a_row_that_several_processes_claim_is_begun_and_ended_by_one(db: JobDatabase, server: LiveServer) -> None:
    run = Run(db)
    everything = Part(run.id, tuple(each.execution_id for each in run.begin(24)))
    counts = in_processes(server, db.database, claim_all_begin_and_finish, [everything] * 3)
    assert [claimed for _, claimed in counts] == [24] * 3
    assert sum(begun for begun, _ in counts) == 24
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def end_in_one_way(db: JobDatabase, part: tuple[str, Part], barrier: Any) -> tuple[int, int]:
    """End rows as their process does, or as a reconciler, or stop the run; how many ended, and settled the step."""
    role, mine = part
    claims = [begin(db, mine.run, row) for row in mine.rows]
    barrier.wait(300)
    if role == "stop":
        cancel_execution(db, mine.run)
        return 0, 0
    if role == "settle":
        return len(settle_leftovers(db, mine.run, expiry_seconds=0)), 0
    with ThreadPoolExecutor(8) as threads:
        settled = list(threads.map(lambda each: finish(db, each), claims))
    return sum(each.written for each in settled), sum(each.step_lifecycle is not None for each in settled)


def test_rows_that_end_while_the_run_is_stopped_and_reconciled_end_once(db: JobDatabase, server: LiveServer) -> None:
    run = Run(db)
    halves = parts(run, run.begin(80), 2)
    nothing = Part(run.id, ())
    roles = [("finish", halves[0]), ("finish", halves[1]), ("stop", nothing), ("settle", nothing)]
    ended = in_processes(server, db.database, end_in_one_way, roles)
    assert sum(rows for rows, _ in ended) == 80
    assert sum(steps for _, steps in ended) <= 1
    step, job = run.lifecycles()
    # Whether the run had ended before it was stopped, and whether a script or a reconciler ended a row, is chance.
    assert step == job
    assert job in ("Canceled", "Failed", "Succeeded")
    assert sum(count_targets(db, run.id).values()) == 80


def work_in_places(db: JobDatabase, part: Part, barrier: Any) -> list[tuple[str, float, float]]:
    """Begin each row as soon as it has a place, and return its pool and the time in which it surely held it."""

    def work(row: UUID) -> tuple[str, float, float]:
        held = claim(db, part.run, row, agent)
        while not begin_attempt(db, held, 1).begun:
            time.sleep(0.02)
        began = time.time()
        heartbeat(db, agent)
        ended = time.time()
        assert finish(db, held).written
        return str(held.target.elastic_pool_name), began, ended

    agent = Agent(uuid4(), "here", 1)
    barrier.wait(300)
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(work, part.rows))


def test_processes_together_hold_no_more_places_than_there_are(db: JobDatabase, server: LiveServer) -> None:
    run = Run(db, capped(pool=2, server=3))
    registered = run.begin(in_pool(*["p1", "p2", None] * 8))
    worked = [
        one for each in in_processes(server, db.database, work_in_places, parts(run, registered, 3)) for one in each
    ]
    assert len(worked) == 24
    for pool, most in (("p1", 2), ("p2", 2), (None, 3)):
        times = [(began, ended) for of, began, ended in worked if pool in (of, None)]
        assert max(sum(began < at <= ended for began, ended in times) for _, at in times) <= most
    assert run.lifecycles() == ("Succeeded", "Succeeded")
