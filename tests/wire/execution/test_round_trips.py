"""How often the job database is asked: at most three times for a target, and in big batches for many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.batch import BoundBatch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.job_database.registering import register_targets
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run
from tests.wire.job_database import runs

NewRun = Callable[..., Run]

#: An engine takes no more arguments in one statement.
MOST_ARGUMENTS = 2_100


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[BoundBatch]:
    """The batches that were sent to the job database, heartbeats excepted."""
    batches: list[BoundBatch] = []
    send = Session.send

    def note(session: Session, bound: BoundBatch) -> list[list[Any]]:
        if "heartbeat_time = @now" not in bound.sql:
            batches.append(bound)
        return send(session, bound)

    monkeypatch.setattr(Session, "send", note)
    return batches


def _asked(sandbox: SandboxClient, db: JobDatabase, after: int) -> list[int]:
    """Return the numbers of the batches that the server has seen in the job database, without what an agent sends."""
    log = sandbox.statements(database=db.database)
    own = ("heartbeat_time = @now", "DELETE FROM jobs_internal.agents")
    return [one["number"] for one in log if one["number"] > after and not any(text in one["text"] for text in own)]


@pytest.mark.parametrize(
    "step",
    [{}, {"max_parallelism_per_server": 5}, {"rollout": Rollout(max_failures=1)}],
    ids=["free", "capped", "rolled out"],
)
def test_a_target_takes_three_round_trips(
    new_run: NewRun, sandbox: SandboxClient, installed: JobDatabase, step: dict[str, Any], in_chunks: bool
) -> None:
    run = new_run("SELECT 1;\nGO\nPRINT 'done';", databases=3, step=step)
    before = max(_asked(sandbox, installed, 0))
    assert [run.execution(database).run().lifecycle for database in run.databases] == [Lifecycle.SUCCEEDED] * 3
    assert len(_asked(sandbox, installed, before)) == (3 + in_chunks) * len(run.databases)


def test_a_target_is_asked_for_its_lock_the_script_and_what_is_left_open(
    new_run: NewRun, sandbox: SandboxClient
) -> None:
    run = new_run("SELECT 'the script';\nGO\nPRINT 'done';", databases=1)
    (database,) = run.databases
    assert run.execution(database).run().lifecycle is Lifecycle.SUCCEEDED
    asked = sandbox.statements(database=database)
    words = ("getapplock", "the script", "done", "TRANCOUNT")
    assert [next(word for word in words if word in one["text"]) for one in asked] == list(words)
    assert len({one["session_id"] for one in asked}) == 1


def test_each_further_attempt_takes_two_more(new_run: NewRun, sent: list[BoundBatch], in_chunks: bool) -> None:
    run = new_run("THROW 50001, 'come again', 1;")
    sent.clear()
    result = run.execution().run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
    assert len(sent) == 3 + 2 * 2 + in_chunks


@pytest.mark.parametrize("in_chunks", ["single"], indirect=True)
def test_a_chunk_takes_at_most_two_round_trips_a_target_and_one_for_twenty(
    new_run: NewRun, sent: list[BoundBatch]
) -> None:
    run = new_run("SELECT 1;", databases=21)
    sent.clear()
    assert run.chunk().run().lifecycle is Lifecycle.SUCCEEDED
    # What several write at once goes together, so there are fewer, as chance will have it.
    assert 1 + 2 + 2 < len(sent) <= 1 + 2 + 2 * 21
    begun = sum(batch.sql.count("INSERT INTO jobs_internal.attempts") for batch in sent)
    ended = sum(batch.sql.count("lifecycle = 'Succeeded', is_active = 0") for batch in sent)
    assert begun + ended == len(sent) - 3


def test_five_thousand_targets_are_registered_in_few_batches_of_few_arguments(
    server: LiveServer, new_database: Callable[[], str], sent: list[BoundBatch]
) -> None:
    # Not in the job database of the other tests, whose rules are checked row by row.
    db = server.job_database(new_database())
    upgrade(db)
    run = runs.Run(db)
    start = run.start()
    sent.clear()
    registered = register_targets(db, start, runs.databases(5_000))
    assert len(registered) == 5_000
    assert len(sent) <= 20
    assert max(len(batch.arguments) for batch in sent) <= MOST_ARGUMENTS
    assert count_targets(db, run.id) == {Lifecycle.CREATED: 5_000}
    db.close()
