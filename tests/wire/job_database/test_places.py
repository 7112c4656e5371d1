"""Caps: never exceeded, never leaked, nobody starves (reference 3.6)."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.job_database.agents import heartbeat, settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch, BoundBatch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, wait_for_retry
from airflow_provider_elasticjobs.job_database.places import QUEUE_SECONDS
from airflow_provider_elasticjobs.job_database.records import Agent, AttemptStart, Claim, RegisteredTarget
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_WORKER
from airflow_provider_elasticjobs.model.targets import Target, TargetGroup
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import SERVER, Run, internal, new_agent, new_job

BEGUN = AttemptStart(begun=True, cancelled=False)
FOR_POOL = f"Waiting for one of 2 places of elastic pool 'p1' on server '{SERVER}'."
FOR_SERVER = f"Waiting for one of 3 places of server '{SERVER}'."


def capped(*, pool: int | None = None, server: int | None = None) -> Job:
    """Return a job of one step with caps."""
    plain = new_job()
    group = TargetGroup(f"group of {plain.name}", plain.steps[0].target_group.members)
    step = JobStep("step1", group, "SELECT 1;", max_parallelism=pool, max_parallelism_per_server=server)
    return Job(plain.name, [step])


def in_pool(*pools: str | None) -> list[Target]:
    """Return a database in each of these pools, in this order."""
    return [Target(SERVER, f"db{number}", pool) for number, pool in enumerate(pools, 1)]


def begin(run: Run, claim: Claim, attempt: int = 1, **options: Any) -> AttemptStart:
    return begin_attempt(run.db, claim, attempt, **options)


def claims(run: Run, *pools: str | None, agent: Agent | None = None) -> list[Claim]:
    """Register a database in each of these pools, and claim all."""
    return [run.claim(target, agent=agent) for target in run.begin(in_pool(*pools))]


def grow_old(db: JobDatabase, execution_id: UUID, seconds: int = 1000) -> None:
    """Let everything that has a time, of a row and of its agent, be that much older."""
    columns = ("create_time", "start_time", "claim_time", "current_attempt_start_time", "waiting_time")
    ages = ", ".join(f"{column} = DATEADD(second, -@seconds, {column})" for column in columns)
    sql = f"""
UPDATE jobs_internal.executions SET {ages} WHERE execution_id = @id;
UPDATE jobs_internal.agents SET heartbeat_time = DATEADD(second, -@seconds, heartbeat_time)
WHERE agent_id IN (SELECT place_agent_id FROM jobs_internal.executions WHERE execution_id = @id);
"""
    db.run(Batch(sql, id="uniqueidentifier", seconds="int"), id=execution_id, seconds=seconds)


def test_a_target_above_the_cap_of_its_pool_waits_and_says_for_what(db: JobDatabase) -> None:
    run = Run(db, capped(pool=2))
    first, second, third = claims(run, "p1", "p1", "p1")
    assert (first.max_parallelism, first.needs_place) == (2, True)
    assert [begin(run, each) for each in (first, second)] == [BEGUN, BEGUN]
    assert begin(run, third) == AttemptStart(False, False, FOR_POOL)
    row = run.row(1, "db3")
    assert (row.lifecycle, row.last_message, row.current_attempts) == ("Created", FOR_POOL, 0)
    assert internal(db, third.execution_id).waiting_cause == FOR_POOL
    run.finish(first)
    assert begin(run, third) == BEGUN
    row = internal(db, third.execution_id)
    assert (row.lifecycle, row.waiting_cause, row.waiting_time) == ("InProgress", None, None)


def test_a_cap_of_pools_limits_each_pool_and_nothing_else(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two, outside, also_outside = claims(run, "p1", "p2", None, None)
    assert [begin(run, each) for each in (one, two, outside, also_outside)] == [BEGUN] * 4
    assert not outside.needs_place


def test_a_pool_of_the_same_name_on_another_server_is_another_pool(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1, server=5))
    here, there = (run.claim(each) for each in run.begin([Target("s1", "db", "p"), Target("s2", "db", "p")]))
    assert [begin(run, each) for each in (here, there)] == [BEGUN, BEGUN]


def test_a_cap_of_servers_limits_pools_or_not(db: JobDatabase) -> None:
    run = Run(db, capped(server=3))
    *three, fourth = claims(run, "p1", "p2", None, "p1")
    assert [begin(run, each) for each in three] == [BEGUN] * 3
    assert begin(run, fourth).waiting_cause == FOR_SERVER
    run.finish(three[2])
    assert begin(run, fourth) == BEGUN


def test_who_waits_for_a_pool_does_not_hold_up_who_could_run(db: JobDatabase) -> None:
    run = Run(db, capped(pool=2, server=3))
    one, two, waiting, other = claims(run, "p1", "p1", "p1", "p2")
    assert [begin(run, each).waiting_cause for each in (one, two, waiting, other)] == [None, None, FOR_POOL, None]
    run.finish(one)
    assert begin(run, waiting) == BEGUN


def test_caps_belong_to_one_run(db: JobDatabase) -> None:
    first = Run(db, capped(pool=1))
    second = Run(db, first.job)
    assert begin(first, claims(first, "p1")[0]) == BEGUN
    assert begin(second, claims(second, "p1")[0]) == BEGUN


def test_caps_belong_to_one_step(db: JobDatabase) -> None:
    one = capped(pool=1)
    run = Run(db, Job(one.name, [one.steps[0], replace(one.steps[0], name="step2")]))
    first, second = (run.claim(run.begin(in_pool("p1"), step_id)[0]) for step_id in (1, 2))
    assert [begin(run, each) for each in (first, second)] == [BEGUN, BEGUN]
    run.finish(second)
    run.finish(first)


def test_the_cap_is_that_of_the_version_that_the_run_began_with(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two = claims(run, "p1", "p1")
    wider = JobStep("step1", run.job.steps[0].target_group, "SELECT 1;", max_parallelism=9)
    assert Run(db, Job(run.job.name, [wider])).registered.job_version == 2
    assert begin(run, one) == BEGUN
    assert begin(run, two).waiting_cause is not None


def test_who_waits_for_a_retry_holds_no_place_and_gets_one_again_in_its_turn(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two = claims(run, "p1", "p1")
    assert begin(run, one) == BEGUN
    assert begin(run, two).waiting_cause == f"Waiting for the only place of elastic pool 'p1' on server '{SERVER}'."
    assert wait_for_retry(db, one, "deadlock victim", delay_seconds=0)
    assert begin(run, one, 2).waiting_cause is None, "the first in line goes first, even when it comes again"
    assert wait_for_retry(db, one, "deadlock victim", delay_seconds=0)
    assert begin(run, two) == BEGUN
    assert begin(run, one, 3).waiting_cause is not None
    row = run.row(1, "db1")
    assert (row.lifecycle, row.last_message) == ("WaitingForRetry", "deadlock victim")
    assert "the only place" in internal(db, one.execution_id).waiting_cause
    run.finish(two)
    assert begin(run, one, 3) == BEGUN
    run.finish(one)


@pytest.mark.parametrize("end", [Lifecycle.SUCCEEDED, Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED])
def test_every_end_gives_the_place_back(db: JobDatabase, end: Lifecycle) -> None:
    run = Run(db, capped(pool=1, server=1))
    one, two = claims(run, "p1", "p1")
    assert begin(run, one) == BEGUN
    run.finish(one, end)
    assert begin(run, two) == BEGUN
    run.finish(two)


def test_the_first_in_line_goes_first(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two, three = claims(run, "p1", "p1", "p1")
    assert [begin(run, each).begun for each in (one, three, two)] == [True, False, False]
    run.finish(one)
    assert not begin(run, three).begun
    assert begin(run, two) == BEGUN


def test_who_has_stopped_asking_holds_up_nobody(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two, three = claims(run, "p1", "p1", "p1")
    assert [begin(run, each).begun for each in (one, two, three)] == [True, False, False]
    run.finish(one)
    grow_old(db, two.execution_id, QUEUE_SECONDS + 1)
    assert begin(run, three) == BEGUN


class TestKilled:
    """Processes that die with places in their hands."""

    def test_a_place_comes_back_when_the_heartbeat_is_old(self, db: JobDatabase) -> None:
        run, killed = Run(db, capped(pool=1)), new_agent()
        heartbeat(db, killed)
        one, two = claims(run, "p1", "p1", agent=killed)
        assert begin(run, one) == BEGUN
        assert not begin(run, two).begun
        grow_old(db, one.execution_id)
        assert begin(run, two) == BEGUN

    def test_a_long_script_keeps_its_place_while_its_process_is_heard_of(self, db: JobDatabase) -> None:
        run, agent = Run(db, capped(pool=1)), new_agent()
        heartbeat(db, agent)
        one, two = claims(run, "p1", "p1", agent=agent)
        assert begin(run, one) == BEGUN
        grow_old(db, one.execution_id)
        heartbeat(db, agent)
        assert not begin(run, two).begun

    def test_the_expiry_is_the_callers(self, db: JobDatabase) -> None:
        run = Run(db, capped(pool=1))
        one, two = claims(run, "p1", "p1", agent=new_agent())
        assert begin(run, one) == BEGUN
        assert not begin(run, two, expiry_seconds=1000).begun
        grow_old(db, one.execution_id, 500)
        assert not begin(run, two, expiry_seconds=1000).begun
        assert begin(run, two, expiry_seconds=400) == BEGUN

    def test_a_settled_leftover_has_no_place(self, db: JobDatabase) -> None:
        run, killed = Run(db, capped(pool=1)), new_agent()
        one, two = claims(run, "p1", "p1", agent=killed)
        assert begin(run, one) == BEGUN
        grow_old(db, one.execution_id)
        settle_leftovers(db, run.id)
        assert internal(db, one.execution_id).lifecycle == "Failed"
        assert begin(run, two) == BEGUN

    def test_who_takes_a_row_over_takes_its_place_over(self, db: JobDatabase) -> None:
        run = Run(db, capped(pool=1))
        targets = run.begin(in_pool("p1", "p1"))
        one, two = (run.claim(each, agent=new_agent()) for each in targets)
        assert begin(run, one) == BEGUN
        again = run.claim(targets[0], agent=new_agent(), try_number=2)
        assert again.lost_attempt
        assert not begin(run, two).begun, "the lost script may still run"
        assert begin(run, again, 2) == BEGUN
        run.finish(again)
        assert begin(run, two) == BEGUN

    def test_who_takes_a_place_over_does_not_queue_for_it(self, db: JobDatabase) -> None:
        run = Run(db, capped(pool=1))
        targets = run.begin(in_pool("p1", "p1"))
        first, second = (run.claim(each, agent=new_agent()) for each in targets)
        assert [begin(run, each).begun for each in (second, first)] == [True, False]
        again = run.claim(targets[1], agent=new_agent(), try_number=2)
        assert begin(run, again, 2) == BEGUN, "the first in line waits for this very place"
        run.finish(again)
        assert begin(run, first) == BEGUN

    def test_rows_taken_over_after_their_places_were_given_to_others_wait_and_do_not_block_each_other(
        self, db: JobDatabase
    ) -> None:
        run = Run(db, capped(pool=1))
        targets = run.begin(in_pool("p1", "p1", "p1"))
        lost = [run.claim(each, agent=new_agent()) for each in targets]
        for each in lost:
            assert begin(run, each) == BEGUN
            grow_old(db, each.execution_id)
        again = [run.claim(each, agent=new_agent(), try_number=2) for each in targets]
        for turn, each in enumerate(again):
            begun = [begin(run, other, 2).begun for other in again[turn:]]
            assert begun == [True] + [False] * (len(begun) - 1)
            assert run.row(1, "db3").lifecycle == "InProgress"
            run.finish(each)
        assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_a_run_that_is_stopped_ends_who_waits(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two = claims(run, "p1", "p1")
    assert [begin(run, each).begun for each in (one, two)] == [True, False]
    cancel_execution(db, run.id)
    row = internal(db, two.execution_id)
    assert (row.lifecycle, row.waiting_cause) == ("Canceled", None)
    assert begin(run, two) == AttemptStart(begun=False, cancelled=True)
    run.finish(one, Lifecycle.CANCELED)
    assert run.lifecycles() == ("Canceled", "Canceled")


def test_who_lost_its_claim_neither_begins_nor_waits(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    targets = run.begin(in_pool("p1", "p1"))
    first, second = (run.claim(each) for each in targets)
    run.claim(targets[0], try_number=2)
    assert begin(run, first) == AttemptStart(begun=False, cancelled=False)
    assert begin(run, second) == BEGUN
    assert begin(run, first) == AttemptStart(begun=False, cancelled=False)
    assert internal(db, first.execution_id).waiting_cause is None


def test_beginning_and_waiting_may_be_sent_twice(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1, server=1))
    one, two = claims(run, "p1", "p1")
    assert begin(run, one) == BEGUN
    before = internal(db, one.execution_id)
    assert begin(run, one) == BEGUN
    assert internal(db, one.execution_id) == before
    assert begin(run, two) == begin(run, two)


def test_a_row_that_is_begun_anew_waits_for_a_worker_first(db: JobDatabase) -> None:
    run = Run(db, capped(pool=1))
    one, two = claims(run, "p1", "p1")
    assert [begin(run, each).begun for each in (one, two)] == [True, False]
    run.finish(two, Lifecycle.FAILED)
    run.finish(one)
    again = run.begin(in_pool("p1", "p1"), try_number=2, clear_number=1)
    assert run.row(1, "db2").last_message == WAITING_FOR_WORKER
    assert internal(db, again[1].execution_id).waiting_cause is None
    assert begin(run, run.claim(again[1], clear_number=1)) == BEGUN


@pytest.mark.parametrize("caps", [{}, {"pool": 2}, {"pool": 2, "server": 2}])
def test_a_target_costs_as_many_round_trips_with_caps_as_without(
    db: JobDatabase, monkeypatch: pytest.MonkeyPatch, caps: dict[str, int]
) -> None:
    run = Run(db, capped(**caps))
    target = run.begin(in_pool("p1"))[0]
    sent: list[BoundBatch] = []
    send = Session.send

    def counted(self: Session, bound: BoundBatch) -> list[list[Any]]:
        sent.append(bound)
        return send(self, bound)

    monkeypatch.setattr(Session, "send", counted)
    run.finish(run.claim_and_begin(target))
    assert len(sent) == 3


class _Places:
    """What Python sees of scripts that run: how many at a time, and the most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def enter(self, *names: str) -> None:
        with self._lock:
            self._now.update(names)
            for name in names:
                self.most[name] = max(self.most[name], self._now[name])

    def leave(self, *names: str) -> None:
        with self._lock:
            self._now.subtract(names)


@pytest.mark.parametrize(("cap", "server_cap"), [(1, 1), (2, 3), (3, None), (20, 4)])
def test_under_load_from_several_processes_no_cap_is_exceeded_and_all_come_through(
    installed: JobDatabase, db: JobDatabase, server: LiveServer, cap: int, server_cap: int | None
) -> None:
    """Each process has connections of its own; attempts fail and come again, and none of them may be left waiting."""
    run, places = Run(db, capped(pool=cap, server=server_cap)), _Places()
    targets = run.begin(in_pool(*["p1", "p2"] * 10))
    processes = [server.job_database(installed.database, pool_size=2) for _ in range(4)]

    def attempt(process: JobDatabase, claim: Claim, number: int) -> None:
        while not begin_attempt(process, claim, number).begun:
            time.sleep(0.02)
        names = claim.target.elastic_pool_name or "", "server"
        places.enter(*names)
        time.sleep(0.02)
        places.leave(*names)

    def work(index: int) -> Lifecycle | None:
        process, target = processes[index % len(processes)], targets[index]
        mine = Run.__new__(Run)
        mine.__dict__.update(run.__dict__, db=process)
        claim = mine.claim(target, agent=new_agent())
        attempt(process, claim, 1)
        if index % 3 == 0:
            wait_for_retry(process, claim, "again", delay_seconds=0)
            attempt(process, claim, 2)
        return mine.finish(claim).lifecycle

    with ThreadPoolExecutor(len(targets)) as threads:
        ended = list(threads.map(work, range(len(targets))))
    assert ended == [Lifecycle.SUCCEEDED] * len(targets)
    assert places.most["p1"] <= cap
    assert places.most["p2"] <= cap
    assert places.most["server"] <= (server_cap or 2 * cap)
    assert run.lifecycles() == ("Succeeded", "Succeeded")
    for process in processes:
        process.close()


@pytest.mark.parametrize(("caps", "lock"), [({"pool": 1}, "p1"), ({"server": 1}, "")])
def test_who_counts_waits_for_the_one_who_counts_at_the_same_moment(
    installed: JobDatabase, db: JobDatabase, server: LiveServer, caps: dict[str, int], lock: str
) -> None:
    """Under row versions neither sees what the other is about to write: only the write to the lock's row tells."""
    run = Run(db, capped(**caps))
    before, one, two = claims(run, "p1", "p1", "p1")
    assert begin(run, before) == BEGUN
    run.finish(before)
    other = server.connect(installed.database)
    other.autocommit = False
    locked = "UPDATE jobs_internal.place_locks SET flag = 1 - flag WHERE server_name = ? AND elastic_pool_name = ?"
    assert other.execute(locked, SERVER, lock).rowcount == 1
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(begin, run, two)
        time.sleep(0.3)
        other.execute(
            "UPDATE jobs_internal.executions SET lifecycle = 'InProgress', start_time = create_time,"
            " current_attempts = 1, current_attempt_start_time = SYSUTCDATETIME() WHERE execution_id = ?;"
            "INSERT INTO jobs_internal.attempts (execution_id, rerun, attempt, claim_id, start_time)"
            " VALUES (?, 0, 1, ?, SYSUTCDATETIME());",
            *(str(one.execution_id), str(one.execution_id), str(one.claim_id)),
        )
        other.commit()
        assert not asking.result(60).begun
    other.close()
    run.finish(one)
    assert begin(run, two) == BEGUN


class _Model:
    """The rule in Python: who may begin, given who holds places and who waits for what, in their order."""

    def __init__(self, pools: list[str | None], pool_cap: int, server_cap: int) -> None:
        self.pools, self.pool_cap, self.server_cap = pools, pool_cap, server_cap
        self.running: set[int] = set()
        self.waiting: dict[int, str] = {}

    def begin(self, index: int) -> str | None:
        """Let one begin; return ``pool`` or ``server`` if it has to wait for that."""
        pool = self.pools[index]
        in_pool = sum(self.pools[other] == pool for other in self.running)
        ahead = [other for other in self.waiting if other < index]
        before_me = sum(self.waiting[other] == "pool" and self.pools[other] == pool for other in ahead)
        if pool is not None and in_pool + before_me >= self.pool_cap:
            self.waiting[index] = "pool"
        elif len(self.running) + sum(self.waiting[other] == "server" for other in ahead) >= self.server_cap:
            self.waiting[index] = "server"
        else:
            self.waiting.pop(index, None)
            self.running.add(index)
            return None
        return self.waiting[index]


@pytest.mark.parametrize("seed", range(4))
def test_the_rows_follow_the_model_on_every_walk(db: JobDatabase, seed: int) -> None:
    walk = random.Random(seed)
    pools = [walk.choice(["p1", "p2", None]) for _ in range(9)]
    model, run = _Model(pools, 2, 3), Run(db, capped(pool=2, server=3))
    targets: list[RegisteredTarget] = run.begin(in_pool(*pools))
    held = {index: run.claim(target) for index, target in enumerate(targets)}
    attempts: Counter[int] = Counter()
    causes = {None: None, "server": FOR_SERVER, "pool": "elastic pool"}
    while held:
        index = walk.choice(sorted(held))
        if index not in model.running:
            expected, answer = model.begin(index), begin(run, held[index], attempts[index] + 1)
            assert answer.begun is (expected is None)
            assert (causes[expected] or "") in (answer.waiting_cause or "")
            attempts[index] += answer.begun
        elif attempts[index] < 3 and walk.random() < 0.3:
            assert wait_for_retry(db, held[index], "again", delay_seconds=0)
            model.running.remove(index)
        else:
            assert run.finish(held.pop(index)).written
            model.running.remove(index)
    assert run.lifecycles() == ("Succeeded", "Succeeded")
