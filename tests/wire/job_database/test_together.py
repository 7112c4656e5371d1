"""Rows of several targets written in one round trip: each becomes what it would have become alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.attempt_history import attempts, messages
from airflow_provider_elasticjobs.job_database.attempts import LOST
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target, wait_for_retry
from airflow_provider_elasticjobs.job_database.records import AttemptMessage, Claim, Settled
from airflow_provider_elasticjobs.job_database.together import (
    MOST_BEGINNINGS,
    MOST_ENDS,
    MOST_MESSAGES_TOGETHER,
    begin_attempts,
    succeed_targets,
)
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from tests.wire.job_database.runs import Run, internal

HELLO = AttemptMessage("message", "hello", 0, 0, 1, 3)
ROWS = AttemptMessage("row count", "(5 rows affected)", rows=5)
LONG = AttemptMessage("error", "\N{SNOWMAN}" * 4000, 8134, 16, 2, 4, "dbo.divide")

_OWN = {
    "execution_id",
    "job_execution_id",
    "job_id",
    "claim_id",
    "airflow_run_id",
    "settled_by",
    "agent_id",
    "target_id",
}


def claims(run: Run, count: int) -> list[Claim]:
    return [run.claim(target) for target in run.begin(count)]


def rows(run: Run, name: str) -> list[dict[str, Any]]:
    """Return the rows of an internal table that belong to a run, without their ids and times."""
    sql = (
        f"SELECT x.*, e.target_ordinal AS place FROM jobs_internal.{name} AS x"
        " INNER JOIN jobs_internal.executions AS e ON e.execution_id = x.execution_id"
        " WHERE e.job_execution_id = @run ORDER BY e.step_id, e.target_ordinal"
        + (", x.attempt" if name != "executions" else "")
        + (", x.ordinal;" if name == "messages" else ";")
    )
    found = run.db.run(Batch(sql, run="uniqueidentifier"), run=run.id)
    names = [column[0] for column in found[0].cursor_description] if found else []
    return [
        {
            key: (value is not None) if key.endswith("_time") else value
            for key, value in zip(names, row, strict=True)
            if key not in _OWN
        }
        for row in found
    ]


@pytest.mark.parametrize("said", [[], [HELLO, ROWS, LONG]], ids=["silent", "talkative"])
def test_rows_become_what_they_would_have_become_alone(db: JobDatabase, said: list[AttemptMessage]) -> None:
    alone, together = Run(db), Run(db)
    for claim in claims(alone, 3):
        assert begin_attempt(db, claim, 1).begun
        finish_target(db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=said)
    held = claims(together, 3)
    starts = begin_attempts(db, [(claim, 1) for claim in held])
    assert [(start.begun, start.cancelled) for start in starts] == [(True, False)] * 3
    ends = succeed_targets(db, [(claim, said) for claim in held])
    assert ends == [Settled(True, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED)] * 3
    assert rows(together, "attempts") == rows(alone, "attempts")
    assert rows(together, "messages") == rows(alone, "messages")
    found, expected = rows(together, "executions"), rows(alone, "executions")
    for row in (*found, *expected):
        row.pop("lock_count")
    assert found == expected


def test_messages_are_kept_of_those_who_have_some(db: JobDatabase) -> None:
    run = Run(db)
    held = claims(run, 3)
    begin_attempts(db, [(claim, 1) for claim in held])
    succeed_targets(db, [(held[0], []), (held[1], [HELLO]), (held[2], [HELLO, LONG])])
    found = [(one.target_database_name, one.ordinal, one.text) for one in messages(db, run.id)]
    assert found == [("db2", 1, HELLO.text), ("db3", 1, HELLO.text), ("db3", 2, LONG.text)]


@pytest.mark.parametrize("said", [[], [HELLO]], ids=["silent", "talkative"])
def test_one_whose_claim_was_lost_keeps_no_other_from_being_written(
    db: JobDatabase, said: list[AttemptMessage]
) -> None:
    run = Run(db)
    targets = run.begin(2)
    old, other = (run.claim(target) for target in targets)
    new = run.claim(targets[0], try_number=2)
    # Whoever has lost a row and whoever holds it may ask at once, in one process.
    starts = begin_attempts(db, [(old, 1), (other, 1), (new, 1)])
    assert [start.begun for start in starts] == [False, True, True]
    ends = succeed_targets(db, [(new, said), (old, [HELLO, ROWS]), (other, said)])
    assert [(end.written, end.lifecycle) for end in ends] == [
        (True, Lifecycle.SUCCEEDED),
        (False, None),
        (True, Lifecycle.SUCCEEDED),
    ]
    assert [(one.attempt, one.outcome) for one in attempts(db, run.id)] == [(1, "succeeded")] * 2
    assert [one.text for one in messages(db, run.id)] == [one.text for one in said * 2]
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_a_row_that_another_holds_is_left_as_it_is(db: JobDatabase) -> None:
    run = Run(db)
    targets = run.begin(2)
    old, other = (run.claim(target) for target in targets)
    run.claim_and_begin(targets[0], try_number=2)
    begin_attempts(db, [(other, 1)])
    ends = succeed_targets(db, [(old, [HELLO]), (other, [])])
    assert [end.lifecycle for end in ends] == [None, Lifecycle.SUCCEEDED]
    assert internal(db, old.execution_id).lifecycle == "InProgress"
    assert [(one.attempt, one.outcome) for one in attempts(db, run.id)] == [(1, None), (1, "succeeded")]
    assert messages(db, run.id) == []
    assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")


def test_every_write_may_be_sent_twice(db: JobDatabase) -> None:
    run = Run(db)
    held = claims(run, 2)
    starts, ends = [(claim, 1) for claim in held], [(claim, [HELLO]) for claim in held]
    assert begin_attempts(db, starts) == begin_attempts(db, starts)
    assert len(attempts(db, run.id)) == 2
    first = succeed_targets(db, ends)
    before = [internal(db, claim.execution_id).end_time for claim in held]
    again = succeed_targets(db, ends)
    assert [end.lifecycle for end in again] == [end.lifecycle for end in first]
    assert [internal(db, claim.execution_id).end_time for claim in held] == before
    assert len(messages(db, run.id)) == 2
    # What has ended does not begin.
    assert not any(start.begun for start in begin_attempts(db, starts))


def test_a_row_that_is_gone_has_not_begun_and_not_ended(db: JobDatabase) -> None:
    run = Run(db)
    (claim,) = claims(run, 1)
    db.run(
        Batch("DELETE jobs_internal.executions WHERE execution_id = @id;", id="uniqueidentifier"), id=claim.execution_id
    )
    assert not begin_attempts(db, [(claim, 1)])[0].begun
    assert succeed_targets(db, [(claim, [])]) == [Settled(written=False)]


def test_nothing_begins_in_a_run_that_was_stopped(db: JobDatabase) -> None:
    run = Run(db)
    held = claims(run, 2)
    begin_attempts(db, [(held[0], 1)])
    cancel_execution(db, run.id)
    answers = begin_attempts(db, [(claim, 1) for claim in held])
    assert [(answer.begun, answer.cancelled) for answer in answers] == [(True, True), (False, True)]


def test_a_later_attempt_ends_the_one_that_was_lost(db: JobDatabase) -> None:
    run = Run(db)
    targets = run.begin(3)
    for target in targets[:2]:
        run.claim_and_begin(target)
    waits = run.claim_and_begin(targets[2])
    wait_for_retry(db, waits, "busy", delay_seconds=0)
    held = [run.claim(target, try_number=2) for target in targets]
    assert [claim.lost_attempt for claim in held] == [True, True, False]
    starts = [(claim, 2) for claim in held]
    assert all(answer.begun for answer in begin_attempts(db, starts))
    assert begin_attempts(db, starts) == begin_attempts(db, starts)
    found = [(one.attempt, one.outcome, one.message) for one in attempts(db, run.id)]
    lost = [(1, "unknown", LOST), (2, None, None)]
    assert found == [*lost, *lost, (1, "failed", "busy"), (2, None, None)]


def test_as_many_as_a_batch_takes(db: JobDatabase) -> None:
    run = Run(db)
    held = claims(run, MOST_ENDS)
    assert MOST_BEGINNINGS >= MOST_ENDS > 10
    begin_attempts(db, [(claim, 1) for claim in held])
    said = [HELLO] * MOST_MESSAGES_TOGETHER
    assert all(end.written for end in succeed_targets(db, [(claim, said) for claim in held]))
    assert len(messages(db, run.id)) == MOST_ENDS * MOST_MESSAGES_TOGETHER
    assert run.lifecycles() == ("Succeeded", "Succeeded")


def test_an_engine_sees_few_texts_whatever_the_number_of_targets(db: JobDatabase) -> None:
    run = Run(db)
    held = claims(run, 10)
    texts: set[str] = set()

    class Watched(JobDatabase):
        def run(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[Any]:
            texts.add(batch.bind(rows, **values).sql)
            return db.run(batch, rows, **values)

    watched = Watched(lambda: pytest.fail("asks for itself"))
    for few in (held[:3], held[3:7], held[7:]):
        begin_attempts(watched, [(claim, 1) for claim in few])
        succeed_targets(watched, [(claim, [ROWS]) for claim in few])
    assert len(texts) == 2
    assert run.lifecycles() == ("Succeeded", "Succeeded")
