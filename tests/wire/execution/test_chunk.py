"""Several databases in one task: how many at a time, what a stop leaves, and what a task that comes again repeats."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.exceptions import (
    ClaimLostError,
    ConnectionSettingsError,
    ExecutionReleasedError,
    JobDatabaseError,
)
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.chunk import MOST_LINES, ChunkResult, TargetAccess
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.job_database import executions, together
from airflow_provider_elasticjobs.job_database.agents import heartbeat, settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.records import AirflowRef, Claim, Settled
from airflow_provider_elasticjobs.job_database.waves import begin_wave
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.operators.mapped_items import mapped_items, read_item
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]

ONCE = RetryPolicy(attempts=0)
#: Counts its runs, and fails where it is told to.
COUNTED = """
INSERT INTO visits VALUES (1);
IF EXISTS (SELECT * FROM luck) THROW 50001, 'no luck', 1;
"""
SLOW = "RAISERROR('begun', 0, 1) WITH NOWAIT; WAITFOR DELAY '00:02:00';"


_OTHER_CONNECTION = Batch(
    "UPDATE jobs_internal.executions SET conn_id = N'theirs' WHERE execution_id = @execution;",
    execution="uniqueidentifier",
)


@pytest.fixture
def in_chunks() -> bool:
    """The tests make their chunks themselves."""
    return False


@pytest.fixture
def counted_run(new_run: NewRun, server: LiveServer) -> Callable[..., Run]:
    """Return a function that begins a run of a script that counts how often it ran in each database."""

    def begin(databases: int, *, unlucky: tuple[int, ...] = ()) -> Run:
        run = new_run(COUNTED, databases=databases)
        for index, name in enumerate(run.databases):
            server.execute("CREATE TABLE visits (n int); CREATE TABLE luck (n int);", name)
            if index in unlucky:
                server.execute("INSERT INTO luck VALUES (1)", name)
        return run

    return begin


def _visits(run: Run) -> list[int]:
    counts = [run.server.execute("SELECT COUNT(*) FROM visits", name)[0][0] for name in run.databases]
    return [int(str(count)) for count in counts]


def _targets(run: Run) -> list[str]:
    return [run.target(name).lifecycle for name in run.databases]


def _ends(result: ChunkResult) -> list[Lifecycle | type[BaseException]]:
    return [type(end) if isinstance(end, BaseException) else end.lifecycle for end in result.ends.values()]


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


def _held(run: Run, database: str) -> Claim:
    """Begin an attempt in another process, which keeps its place."""
    agent = JobAgent(run.job_database).record
    heartbeat(run.job_database, agent)
    airflow = AirflowRef("dag", "run", "run", 7)
    claim = claim_target(run.job_database, run.orders[database].execution_id, airflow, agent)
    assert isinstance(claim, Claim)
    assert executions.begin_attempt(run.job_database, claim, 1).begun
    return claim


def _begun(run: Run, count: int = 1) -> Callable[[], bool]:
    return lambda: sum("begun" in line for line in run.log) == count


class TestAll:
    def test_every_database_has_its_own_row_and_its_label_in_the_log(self, counted_run: NewRun) -> None:
        run = counted_run(3)
        result = run.chunk().run()
        assert (result.lifecycle, result.message) == (Lifecycle.SUCCEEDED, "targets 1-3 of 3: Succeeded")
        assert run.lifecycles() == ["Succeeded"] * 5
        assert _visits(run) == [1, 1, 1]
        assert "targets 1-3 of 3: 3 to do, 2 at a time" in run.log
        for name in run.databases:
            assert f"{run.server.name}/{name}: 1 row(s) affected" in run.log

    def test_a_chunk_leaves_the_targets_of_others_alone(self, counted_run: NewRun) -> None:
        run = counted_run(4)
        assert len(run.chunk(2, 3).run().ends) == 2
        assert _visits(run) == [0, 1, 1, 0]
        assert run.lifecycles()[:2] == ["WaitingForChildJobExecutions"] * 2
        run.chunk(1, 1).run()
        run.chunk(4, 4).run()
        assert run.lifecycles() == ["Succeeded"] * 6

    def test_one_that_fails_does_not_stop_the_others_and_is_named(self, counted_run: NewRun) -> None:
        run = counted_run(3, unlucky=(0,))
        result = run.chunk(at_once=1, retry=ONCE).run()
        assert result.lifecycle is Lifecycle.FAILED
        assert _targets(run) == ["Failed", "Succeeded", "Succeeded"]
        assert f"1 of 3 databases did not end well: {run.server.name}/{run.databases[0]} Failed." in result.message
        assert run.log[-1] == result.message

    def test_an_endless_script_does_not_fill_the_log(self, new_run: NewRun) -> None:
        lines = "".join(f"PRINT 'line {number}';\n" for number in range(MOST_LINES + 50))
        run = new_run(lines, databases=2)
        assert run.chunk().run().lifecycle is Lifecycle.SUCCEEDED
        for name in run.databases:
            mine = [line for line in run.log if line.startswith(f"{run.server.name}/{name}: ")]
            assert len(mine) == MOST_LINES + 1
            assert mine[-1].endswith(f"more lines than {MOST_LINES} are left out")

    def test_targets_that_are_not_there_are_an_error(self, counted_run: NewRun) -> None:
        run = counted_run(1)
        with pytest.raises(JobDatabaseError, match=r"no targets 2-3 of 1 in step 1 .*purged"):
            run.chunk(2, 3).run()

    def test_a_connection_that_does_not_exist_is_its_databases_failure_alone(self, counted_run: NewRun) -> None:
        run = counted_run(2)
        run.job_database.run(_OTHER_CONNECTION, execution=run.orders[run.databases[0]].execution_id)

        def access_by(conn_id: str | None) -> TargetAccess:
            if conn_id is not None:
                raise ConnectionSettingsError(f"there is no connection {conn_id}")
            return TargetAccess(connector(run.server.settings))

        result = run.chunk(access_by=access_by).run()
        assert _targets(run) == ["Failed", "Succeeded"]
        assert run.target(run.databases[0]).last_message == "there is no connection theirs"
        assert result.lifecycle is Lifecycle.FAILED


class TestAtATime:
    @pytest.mark.sandbox_only
    @pytest.mark.parametrize("at_once", [1, 3])
    def test_never_more_scripts_run_than_there_are_turns(
        self, new_run: NewRun, sandbox: SandboxClient, at_once: int
    ) -> None:
        mark = f"at once {UUID(int=at_once)}"
        run = new_run(f"/* {mark} */ WAITFOR DELAY '00:00:00.200';", databases=8)
        assert run.chunk(at_once=at_once).run().lifecycle is Lifecycle.SUCCEEDED
        assert sandbox.peak_running(containing=mark) == at_once

    def test_nobody_waits_until_anothers_success_is_written(
        self, counted_run: NewRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = counted_run(3)
        write, written = together.succeed_targets, list[int]()

        def write_late(*args: Any) -> list[Settled]:
            _until(lambda: sum(_visits(run)) == 3)
            written.append(len(args[1]))
            return write(*args)

        monkeypatch.setattr(together, "succeed_targets", write_late)
        assert run.chunk(at_once=1).run().lifecycle is Lifecycle.SUCCEEDED
        assert run.lifecycles() == ["Succeeded"] * 5
        # What came while the first was on its way went together.
        assert sum(written) == 3
        assert len(written) < 3

    def test_who_has_said_much_is_written_alone(self, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(together, "succeed_targets", None)
        run = new_run("SELECT 1;\n" * (together.MOST_MESSAGES_TOGETHER + 1), databases=2)
        assert run.chunk().run().lifecycle is Lifecycle.SUCCEEDED

    def test_with_a_cap_the_next_waits_until_the_place_is_free(
        self, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError

        monkeypatch.setattr(together, "succeed_targets", refuse)
        run = new_run("SELECT 1;", databases=3, step={"max_parallelism_per_server": 1})
        assert run.chunk(at_once=3).run().lifecycle is Lifecycle.SUCCEEDED

    def test_who_waits_for_a_place_lets_another_work(self, new_run: NewRun) -> None:
        names = new_run("SELECT 1;", databases=3).databases
        run = new_run("SELECT 1;", databases=names, pools=dict.fromkeys(names[:2], "p1"), step={"max_parallelism": 1})
        holder = _held(run, names[0])
        started = Started(run.chunk(2, 3, at_once=1))
        _until(lambda: run.target(names[2]).lifecycle == "Succeeded", 60)
        assert run.target(names[1]).lifecycle == "Created"
        executions.finish_target(run.job_database, holder, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED)
        assert started.result().lifecycle is Lifecycle.SUCCEEDED
        assert run.lifecycles() == ["Succeeded"] * 5

    def test_who_waits_for_its_retry_lets_another_work(self, counted_run: NewRun) -> None:
        run = counted_run(2, unlucky=(0,))
        started = Started(run.chunk(at_once=1, retry=RetryPolicy(attempts=1, initial_interval=100)))
        _until(lambda: run.target(run.databases[1]).lifecycle == "Succeeded", 60)
        assert run.target(run.databases[0]).lifecycle == "WaitingForRetry"
        started.execution.cancel()
        assert started.result().lifecycle is Lifecycle.CANCELED
        assert _visits(run) == [1, 1]


class TestComesAgain:
    def test_a_cleared_one_repeats_only_what_did_not_end_well(self, counted_run: NewRun, server: LiveServer) -> None:
        run = counted_run(3, unlucky=(1,))
        assert run.chunk(retry=ONCE).run().lifecycle is Lifecycle.FAILED
        assert run.lifecycles()[:2] == ["Failed", "Failed"]
        server.execute("DELETE FROM luck", run.databases[1])
        result = run.chunk(try_number=2, clear_number=1).run()
        assert result.lifecycle is Lifecycle.SUCCEEDED
        assert _visits(run) == [1, 2, 1]
        assert "targets 1-3 of 3: 1 to do, 2 at a time" in run.log
        assert run.lifecycles() == ["Succeeded"] * 5

    def test_a_cleared_one_that_had_ended_well_repeats_everything(self, counted_run: NewRun) -> None:
        run = counted_run(2)
        run.chunk().run()
        assert run.chunk(try_number=2, clear_number=1).run().lifecycle is Lifecycle.SUCCEEDED
        assert _visits(run) == [2, 2]

    def test_it_does_so_even_if_its_process_dies_on_the_way(self, counted_run: NewRun) -> None:
        run = counted_run(3)
        run.chunk().run()
        lost = run.chunk(try_number=2, clear_number=1)
        lost.release()
        with pytest.raises(ExecutionReleasedError):
            lost.run()
        run.chunk(1, 1, try_number=2, clear_number=1).run()
        again = run.chunk(try_number=3, clear_number=1, agent=JobAgent(run.job_database))
        assert again.run().lifecycle is Lifecycle.SUCCEEDED
        assert _visits(run) == [2, 2, 2]

    def test_a_retry_of_airflow_repeats_only_what_did_not_end_well(self, counted_run: NewRun) -> None:
        run = counted_run(2, unlucky=(0,))
        run.chunk(retry=ONCE).run()
        run.chunk(try_number=2, retry=ONCE).run()
        assert _visits(run) == [2, 1]
        run.chunk(2, 2, try_number=2).run()
        assert _visits(run) == [2, 1]

    def test_the_same_try_again_reports_what_there_is(self, counted_run: NewRun) -> None:
        run = counted_run(2, unlucky=(0,))
        first = run.chunk(retry=ONCE).run()
        again = run.chunk(retry=ONCE).run()
        assert _ends(again) == _ends(first) == [Lifecycle.FAILED, Lifecycle.SUCCEEDED]
        assert again.message == first.message
        assert _visits(run) == [1, 1]

    def test_an_earlier_try_that_comes_late_gives_up(self, counted_run: NewRun) -> None:
        run = counted_run(3)
        later = AirflowRef("dag", "run", "run", 1, 5)
        for name in run.databases:
            claim_target(run.job_database, run.orders[name].execution_id, later, run.agent.record)
        result = run.chunk(at_once=1).run()
        assert _ends(result)[0] is JobDatabaseError
        assert result.lifecycle is Lifecycle.FAILED
        assert _targets(run) == ["Created"] * 3
        assert _visits(run) == [0, 0, 0]

    def test_what_it_does_not_come_to_when_it_breaks_is_anybodys(
        self, counted_run: NewRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The process lives on: only what it gives back is ended by the job's last task."""
        run = counted_run(3)

        def refuse(*_: object, **__: object) -> None:
            raise JobDatabaseError("no right")

        monkeypatch.setattr(together, "begin_attempts", refuse)
        assert run.chunk(at_once=1).run().lifecycle is Lifecycle.FAILED
        assert _targets(run) == ["Created"] * 3
        _until(lambda: len(settle_leftovers(run.job_database, run.job_execution_id, include_created=True)) == 3)
        assert run.lifecycles() == ["Failed"] * 5


class TestRollout:
    def test_what_a_stopped_rollout_left_out_is_repeated_with_what_failed(
        self, new_run: NewRun, counted_run: NewRun, server: LiveServer
    ) -> None:
        names = counted_run(3, unlucky=(1,)).databases
        run = new_run(COUNTED, databases=names, step={"rollout": Rollout(max_failures=0)})
        first = run.chunk(at_once=1, retry=ONCE).run()
        assert first.lifecycle is Lifecycle.FAILED
        assert _targets(run) == ["Succeeded", "Failed", "Skipped"]
        server.execute("DELETE FROM luck", names[1])
        assert run.chunk(try_number=2, clear_number=1, at_once=1).run().lifecycle is Lifecycle.SUCCEEDED
        assert _targets(run) == ["Succeeded"] * 3
        assert _visits(run) == [1, 2, 1]

    def test_a_wave_is_a_chunk_by_its_places_in_the_step(self, counted_run: NewRun, new_run: NewRun) -> None:
        names = counted_run(3).databases
        run = new_run(COUNTED, databases=names, step={"rollout": Rollout(waves=[Wave(count=1)])})
        run.chunk(1, 1).run()
        start = begin_wave(run.job_database, run.job_execution_id, 1, 2)
        assert (start.before, len(start.targets)) == (1, 2)
        (item,) = mapped_items(
            start.targets, job_execution_id=run.job_execution_id, step_id=1, targets_per_task=5, before=start.before
        )
        mapping = read_item(item, "a")
        assert mapping["chunk"] == "targets 1-2 of 2"
        chunk = TargetChunk.from_json(mapping)
        assert run.chunk(chunk.first, chunk.last).run().lifecycle is Lifecycle.SUCCEEDED
        assert run.lifecycles() == ["Succeeded"] * 5


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
class TestStop:
    @pytest.mark.parametrize("by", ["task", "run"])
    def test_a_cancel_ends_what_runs_and_what_has_not_begun(self, new_run: NewRun, by: str) -> None:
        run = new_run(SLOW, databases=5)
        started = Started(run.chunk(at_once=2))
        _until(_begun(run, 2))
        if by == "task":
            started.execution.cancel()
        else:
            cancel_execution(run.job_database, run.job_execution_id)
        assert started.result(30).lifecycle is Lifecycle.CANCELED
        assert run.lifecycles() == ["Canceled"] * 7
        assert sum(run.target(name).current_attempts for name in run.databases) == 2

    def test_released_work_is_taken_over_row_by_row(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run("IF EXISTS (SELECT * FROM pace) BEGIN " + SLOW + " END;", databases=3)
        for name in run.databases:
            server.execute("CREATE TABLE pace (a int);", name)
        for name in run.databases[1:]:
            server.execute("INSERT INTO pace VALUES (1);", name)
        started = Started(run.chunk(at_once=1))
        _until(_begun(run))
        started.execution.release()
        with pytest.raises(ExecutionReleasedError):
            started.result(20)
        assert _targets(run) == ["Succeeded", "InProgress", "Created"]
        for name in run.databases:
            server.execute("DELETE FROM pace", name)
        result = run.chunk(agent=JobAgent(run.job_database)).run()
        assert [end.attempts for end in result.ends.values() if not isinstance(end, BaseException)] == [0, 2, 1]
        assert run.lifecycles() == ["Succeeded"] * 5

    def test_the_first_stop_counts(self, new_run: NewRun) -> None:
        run = new_run(SLOW, databases=3)
        started = Started(run.chunk(at_once=1))
        _until(_begun(run))
        started.execution.cancel()
        started.execution.release()
        assert started.result(30).lifecycle is Lifecycle.CANCELED
        assert _targets(run) == ["Canceled"] * 3

    def test_a_row_that_another_process_takes_over_is_that_process_alone(self, new_run: NewRun) -> None:
        run = new_run(SLOW, databases=2)
        started = Started(run.chunk(at_once=2))
        _until(_begun(run, 2))
        other = AirflowRef("dag", "run", "run", 1, 2)
        taken = claim_target(run.job_database, run.orders[run.databases[0]].execution_id, other, run.agent.record)
        assert isinstance(taken, Claim)
        started.execution.cancel()
        with pytest.raises(ClaimLostError):
            started.result(30)
        assert _targets(run) == ["InProgress", "Canceled"]
        executions.finish_target(run.job_database, taken, Lifecycle.CANCELED, outcome=Outcome.CANCELLED)


def test_its_order_survives_as_json(new_run: NewRun) -> None:
    run = new_run("SELECT 1;")
    pattern = run.orders[run.databases[0]]
    order = ChunkOrder(TargetChunk(run.job_execution_id, 1, 1, 50, 5000), pattern, 7)
    assert ChunkOrder.from_json(order.to_json()) == order
    assert ChunkOrder.is_json(order.to_json())
    assert not ChunkOrder.is_json(pattern.to_json())
