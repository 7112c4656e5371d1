"""The writer's usual part for several targets of one step in one round trip: begin attempts, end what succeeded.

Each row is written on the same conditions as alone (:mod:`.executions`), and answered for itself: one whose claim was
lost is left as it is, and keeps no other from being written. What needs more (a place, a turn in a rollout, an error's
text) is written alone.

Rows written together are locked together, by their ids. Who changes many rows of a run in another order (a stop, a
sweep) may meet that in a deadlock, which whoever loses it repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.job_database.attempts import LOST, MESSAGE_TYPES, lose_attempts, message_rows
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import IS_CANCELLED
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.places import begun, may_begin
from airflow_provider_elasticjobs.job_database.records import AttemptMessage, AttemptStart, Claim, Settled
from airflow_provider_elasticjobs.job_database.sentences import target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE, SETTLED, settled_of
from airflow_provider_elasticjobs.model.lifecycle import TRANSITIONS, Lifecycle

__all__ = ["MOST_BEGINNINGS", "MOST_ENDS", "MOST_MESSAGES_TOGETHER", "begin_attempts", "succeed_targets"]

#: How many messages of an attempt :func:`succeed_targets` takes.
MOST_MESSAGES_TOGETHER = 5

# The columns of what is asked have names of their own, so that those of the rows need no prefix. One row may be asked
# for twice, by the claim that holds it and by one that has lost it.
_JOINED = """FROM @asked AS a
INNER JOIN jobs_internal.executions AS e ON e.execution_id = a.row_id"""
_FENCE = "e.claim_id = a.holder"

_LOSE_EARLIER = lose_attempts(f"""EXISTS (SELECT 1 {_JOINED}
        WHERE e.execution_id = jobs_internal.attempts.execution_id AND {_FENCE} AND e.lifecycle = 'InProgress'
            AND e.current_attempts = a.number
            AND NOT (jobs_internal.attempts.rerun = e.rerun AND jobs_internal.attempts.attempt = a.number))""")

_BEGIN = Batch(
    f"""
DECLARE @asked TABLE (
    row_id uniqueidentifier NOT NULL, holder uniqueidentifier NOT NULL, number int NOT NULL,
    PRIMARY KEY (row_id, holder));
INSERT INTO @asked (row_id, holder, number)
SELECT v.row_id, v.holder, v.number FROM ({{rows}}) AS v (row_id, holder, number);
BEGIN TRANSACTION;
UPDATE e SET {begun("a.number", target_sentence(Lifecycle.IN_PROGRESS))}
{_JOINED}
WHERE {may_begin(_FENCE, "a.number")};
IF EXISTS (SELECT 1 FROM @asked WHERE number > 1)
    {_LOSE_EARLIER}
INSERT INTO jobs_internal.attempts (execution_id, rerun, attempt, claim_id, start_time,
    airflow_dag_id, airflow_run_id, airflow_task_id, airflow_map_index, airflow_try_number)
SELECT e.execution_id, e.rerun, a.number, e.claim_id, @now,
    e.airflow_dag_id, e.airflow_run_id, e.airflow_task_id, e.airflow_map_index, e.airflow_try_number
{_JOINED}
WHERE {_FENCE} AND e.lifecycle = 'InProgress' AND e.current_attempts = a.number
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.attempts AS t
        WHERE t.execution_id = e.execution_id AND t.rerun = e.rerun AND t.attempt = a.number);
COMMIT TRANSACTION;
SELECT a.holder,
    CASE WHEN {_FENCE} AND e.lifecycle = 'InProgress' AND e.current_attempts = a.number THEN 1 ELSE 0 END AS begun,
    CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS cancelled
{_JOINED};
""",
    ("uniqueidentifier", "uniqueidentifier", "int"),
    run="uniqueidentifier",
)

_NOBODY = UUID(int=0)


def _power_of_two(most: int) -> int:
    """Return the largest that is not above."""
    return 1 << (most.bit_length() - 1)


#: How many targets :func:`begin_attempts` takes.
MOST_BEGINNINGS = _power_of_two(_BEGIN.rows_at_once)


def begin_attempts(db: JobDatabase, starts: Sequence[tuple[Claim, int]]) -> list[AttemptStart]:
    """Record that attempts of a step's script begin now, as :func:`.executions.begin_attempt` does for one.

    :param db: the job database.
    :param starts: claims on rows of one step of one run, whose attempts need no place and no turn, and the attempts; at
        most :data:`MOST_BEGINNINGS`.
    :return: for each, in their order, whether it may run.
    """
    asked = [(claim.execution_id, claim.claim_id, attempt) for claim, attempt in starts]
    rows = db.run(_BEGIN, _filled_up(asked, (_NOBODY, 1)), run=starts[0][0].job_execution_id)
    found = {UUID(str(row.holder)): AttemptStart(bool(row.begun), bool(row.cancelled)) for row in rows}
    gone = AttemptStart(begun=False, cancelled=False)
    return [found.get(claim.claim_id, gone) for claim, _ in starts]


_SOURCES = ", ".join(f"'{source}'" for source, follow in TRANSITIONS.items() if Lifecycle.SUCCEEDED in follow)

#: Row 0 of a target is its end, the others are its messages.
_ASK_WITH_MESSAGES = """
DECLARE @told TABLE (row_id uniqueidentifier NOT NULL, holder uniqueidentifier NOT NULL, ordinal int NOT NULL,
    kind nvarchar(20) NULL, number int NULL, severity int NULL, state int NULL, line int NULL,
    procedure_name nvarchar(128) NULL, row_count bigint NULL, text nvarchar(4000) NULL,
    PRIMARY KEY (row_id, holder, ordinal));
INSERT INTO @told (row_id, holder, ordinal, kind, number, severity, state, line, procedure_name, row_count, text)
SELECT v.row_id, v.holder, v.ordinal, v.kind, v.number, v.severity, v.state, v.line, v.procedure_name, v.row_count,
    v.text
FROM ({rows}) AS v (row_id, holder, ordinal, kind, number, severity, state, line, procedure_name, row_count, text);
INSERT INTO @asked (row_id, holder) SELECT row_id, holder FROM @told WHERE ordinal = 0;
"""
_WRITE_MESSAGES = f"""
INSERT INTO jobs_internal.messages (execution_id, rerun, attempt, ordinal, kind, number, severity, state, line,
    procedure_name, row_count, text)
SELECT t.execution_id, t.rerun, t.attempt, m.ordinal, m.kind, m.number, m.severity, m.state, m.line,
    m.procedure_name, m.row_count, m.text
{_JOINED}
INNER JOIN jobs_internal.attempts AS t ON t.execution_id = e.execution_id
INNER JOIN @told AS m ON m.row_id = a.row_id AND m.holder = a.holder
WHERE {_FENCE} AND e.lifecycle = 'Succeeded' AND t.end_time IS NULL AND t.claim_id = e.claim_id AND m.ordinal > 0;
"""


def _succeed_batch(ask: str, write_messages: str, types: Sequence[str]) -> Batch:
    return Batch(
        f"""
{DECLARATIONS}
DECLARE @asked TABLE (
    row_id uniqueidentifier NOT NULL, holder uniqueidentifier NOT NULL, PRIMARY KEY (row_id, holder));
{ask}
SET @settler = @claim;
SET @run = @job_run;
SET @step = @step_number;
BEGIN TRANSACTION;
UPDATE e SET lifecycle = 'Succeeded', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
    next_attempt_start_time = NULL, last_message = {target_sentence(Lifecycle.SUCCEEDED)}, error_number = NULL,
    outcome = CASE WHEN EXISTS (SELECT 1 FROM jobs_internal.attempts AS t
            WHERE t.execution_id = e.execution_id AND t.end_time IS NULL AND t.claim_id <> e.claim_id)
        THEN 'unknown' ELSE 'succeeded' END, waiting_cause = NULL
{_JOINED}
WHERE {_FENCE} AND lifecycle IN ({_SOURCES});
{write_messages}
UPDATE t SET end_time = @now, outcome = CASE WHEN t.claim_id = a.holder THEN 'succeeded' ELSE 'unknown' END,
    message = CASE WHEN t.claim_id = a.holder THEN e.last_message ELSE N'{LOST}' END
{_JOINED}
INNER JOIN jobs_internal.attempts AS t ON t.execution_id = e.execution_id
WHERE {_FENCE} AND e.lifecycle = 'Succeeded' AND t.end_time IS NULL;
COMMIT TRANSACTION;
{SETTLE}
SELECT a.holder, e.lifecycle, {SETTLED} {_JOINED} WHERE {_FENCE};
""",
        ("uniqueidentifier", "uniqueidentifier", *types),
        job_run="uniqueidentifier",
        step_number="int",
        claim="uniqueidentifier",
    )


_SUCCEED = _succeed_batch(
    "INSERT INTO @asked (row_id, holder) SELECT v.row_id, v.holder FROM ({rows}) AS v (row_id, holder);", "", ()
)
_SUCCEED_WITH_MESSAGES = _succeed_batch(_ASK_WITH_MESSAGES, _WRITE_MESSAGES, MESSAGE_TYPES)
_END = (0, *[None] * (len(MESSAGE_TYPES) - 1))

#: How many targets :func:`succeed_targets` takes.
MOST_ENDS = _power_of_two(_SUCCEED_WITH_MESSAGES.rows_at_once // (1 + MOST_MESSAGES_TOGETHER))


def succeed_targets(db: JobDatabase, ends: Sequence[tuple[Claim, Sequence[AttemptMessage]]]) -> list[Settled]:
    """End the rows of targets whose scripts succeeded, as :func:`.executions.finish_target` does for one.

    :param db: the job database.
    :param ends: claims on rows of one step of one run, at most :data:`MOST_ENDS`, and what the script said during the
        attempt that ends, at most :data:`MOST_MESSAGES_TOGETHER` messages.
    :return: for each, in their order, what became of its row; all tell of a parent that they have settled together.
    """
    first, said_first = ends[0]
    asked = _filled_up(
        [(claim.execution_id, claim.claim_id, message_rows(said)) for claim, said in ends],
        (_NOBODY, message_rows(said_first)),
    )
    batch, rows = _SUCCEED, [(row, holder) for row, holder, _ in asked]
    if any(said for _, said in ends):
        batch = _SUCCEED_WITH_MESSAGES
        rows = [(row, holder, *line) for row, holder, said in asked for line in (_END, *said)]
    written = db.run(batch, rows, job_run=first.job_execution_id, step_number=first.step_id, claim=first.claim_id)
    found = {UUID(str(row.holder)): settled_of(row, Lifecycle.SUCCEEDED) for row in written}
    return [found.get(claim.claim_id, Settled(written=False)) for claim, _ in ends]


def _filled_up(asked: Sequence[tuple[Any, ...]], rest: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Fill up with rows that nobody has, to a power of two: an engine keeps a plan for each text."""
    missing = 2 * _power_of_two(len(asked) - 1) - len(asked) if len(asked) > 1 else 0
    return [*asked, *((UUID(int=number), *rest) for number in range(missing))]
