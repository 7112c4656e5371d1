"""What the job database keeps of each attempt that the real driver makes, and how often it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution import agent as agents
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.job_database.attempt_history import AttemptRow, MessageRow, attempts, messages
from airflow_provider_elasticjobs.job_database.attempts import LOST
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]
SLOW = "RAISERROR('begun', 0, 1) WITH NOWAIT; WAITFOR DELAY '00:02:00';"


def made(run: Run) -> list[AttemptRow]:
    return attempts(run.job_database, run.job_execution_id)


def said(run: Run) -> list[MessageRow]:
    return messages(run.job_database, run.job_execution_id)


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """The batches that go to the job database, each one round trip."""
    sent: list[Batch] = []
    results = Session.results

    def count(session: Session, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> Any:
        sent.append(batch)
        return results(session, batch, rows, **values)

    monkeypatch.setattr(Session, "results", count)
    return sent


def test_a_target_costs_three_round_trips(new_run: NewRun, trips: list[Batch], in_chunks: bool) -> None:
    run = new_run("PRINT 'hello'; SELECT 1 AS a;")
    trips.clear()
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    assert len(trips) == 3 + in_chunks
    assert [one.text for one in said(run)] == ["hello", "Result set of 1 column(s) and 1 row(s)"]


def test_each_retry_costs_two_more(new_run: NewRun, trips: list[Batch], in_chunks: bool) -> None:
    run = new_run("SELECT 1/0;")
    trips.clear()
    assert run.execution().run().attempts == 3
    assert len(trips) == 3 + 2 * 2 + in_chunks


def test_what_a_script_says_is_kept_in_its_order(new_run: NewRun) -> None:
    run = new_run(
        "CREATE TABLE t (a int);\nGO\nPRINT 'one';\nINSERT INTO t VALUES (1), (2);\nRAISERROR('two', 5, 3);\n"
        "SELECT a, a FROM t;\nUPDATE t SET a = 3;\nPRINT N'\u00fcn\u00ef';"
    )
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    kept = [(one.kind, one.text, one.row_count) for one in said(run)]
    assert kept == [
        ("message", "one", None),
        ("row count", "2 row(s) affected", 2),
        ("message", "two", None),
        ("result set", "Result set of 2 column(s) and 2 row(s)", 2),
        ("row count", "2 row(s) affected", 2),
        ("message", "\u00fcn\u00ef", None),
    ]
    assert [one.ordinal for one in said(run)] == list(range(1, 7))


def test_each_attempt_has_its_own_error_and_messages(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(
        "IF NOT EXISTS (SELECT * FROM tries) BEGIN INSERT INTO tries VALUES (1); THROW 50001, 'come again', 1; END;\n"
        "PRINT 'done';"
    )
    server.execute("CREATE TABLE tries (a int)", run.databases[0])
    assert run.execution().run().attempts == 2
    first, second = made(run)
    assert (first.outcome, first.error_number, second.outcome, second.error_number) == (
        "failed",
        50001,
        "succeeded",
        None,
    )
    assert "come again" in str(first.message)
    assert second.message == run.target().last_message
    assert (first.dag_id, first.run_id, first.task_id, first.map_index, first.try_number) == ("dag", "run", "run", 0, 1)
    error = next(one for one in said(run) if one.kind == "error")
    assert (error.attempt, error.number, error.text, error.state) == (1, 50001, "come again", 1)
    assert [(one.attempt, one.text) for one in said(run)][-1] == (2, "done")


def test_a_script_that_says_too_much_keeps_both_ends(new_run: NewRun, in_chunks: bool) -> None:
    run = new_run("DECLARE @i int = 0; WHILE @i < 1000 BEGIN SET @i = @i + 1; PRINT CONCAT('line ', @i); END;")
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    kept = said(run)
    assert len(kept) == 201
    assert [kept[index].text for index in (0, 99, 101, 200)] == ["line 1", "line 100", "line 901", "line 1000"]
    assert (kept[100].kind, kept[100].row_count) == ("left out", 800)
    # The log of a task that takes many databases is bounded for each of them.
    assert run.log.count("line 500") == (not in_chunks)


@pytest.mark.sandbox_only
def test_one_lost_twice_is_waited_for_by_the_third(new_run: NewRun, server: LiveServer, sandbox: SandboxClient) -> None:
    """The first dies in progress, the second cannot connect and dies too: the third still knows of the first."""
    run = new_run(SLOW)
    _lose(run, lambda: _begun(run))
    sandbox.add_fault("login_dropped", database=run.databases[0], times=1)
    later = run.orders[run.databases[0]].retry.__class__(attempts=5, initial_interval=60, maximum_interval=60)
    _lose(run, lambda: run.target().lifecycle == "WaitingForRetry", retry=later)
    assert [one.outcome for one in made(run)] == ["unknown", "failed"]
    result = run.execution(agent=JobAgent(run.job_database), idempotent=False).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
    assert "an earlier attempt was lost" in result.message
    assert _begun(run) == 1
    assert [one.outcome for one in made(run)] == ["unknown", "failed", "unknown"]
    assert made(run)[0].message == LOST


def _begun(run: Run) -> int:
    return sum("begun" in line for line in run.log)


def _lose(run: Run, until: Callable[[], object], **changes: Any) -> None:
    started = Started(run.execution(agent=JobAgent(run.job_database), **changes))
    _until(until)
    started.execution.release()
    with pytest.raises(ExecutionReleasedError):
        started.result(20)


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_process_is_known_while_it_has_something_to_do(
    new_run: NewRun, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "HEARTBEAT_SECONDS", 0.1)
    run = new_run(SLOW)
    started = Started(run.execution())
    _until(lambda: _is_known(run.job_database, run.agent))
    started.execution.cancel()
    assert started.result().lifecycle is Lifecycle.CANCELED
    _until(lambda: not _is_known(run.job_database, run.agent))


def _is_known(job_database: JobDatabase, agent: JobAgent) -> bool:
    return bool(job_database.run(_AGENT, id=agent.record.agent_id))


_AGENT = Batch("SELECT agent_id FROM jobs_internal.agents WHERE agent_id = @id;", id="uniqueidentifier")
