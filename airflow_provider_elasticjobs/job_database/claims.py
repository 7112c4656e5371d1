"""Claims: whose a target's row is, so that nobody else can write it.

A claim is taken for a row alone, or for some rows of a chunk in one round trip. Sent twice, a batch changes nothing
more, and answers the same or takes over from itself what it has not begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.attempts import LOSE_ATTEMPT
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import (
    CLAIM_TYPES,
    END_TIME,
    IS_CANCELLED,
    IS_NOT_SUPERSEDED,
    TAKE,
    TAKE_EACH,
    claim_values,
)
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef, AlreadyFinished, Claim
from airflow_provider_elasticjobs.job_database.reopening import reopen
from airflow_provider_elasticjobs.job_database.sentences import DOUBT, target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.identifiers import work_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_WORKER
from airflow_provider_elasticjobs.model.parameters import parameters_from_text
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["claim_fresh_targets", "claim_target", "give_chunk_back"]

#: What a claim tells of its row ``e``.
_CLAIMED = """e.claim_id, e.is_active, e.lifecycle, e.last_message, e.error_number, e.job_execution_id,
    e.job_id, e.job_version, e.step_id, e.current_attempts, e.lost_attempt, e.target_server_name,
    e.target_database_name, e.target_elastic_pool_name, e.conn_id, e.airflow_try_number,
    r.create_time AS job_execution_create_time, j.job_name, s.step_name, g.target_group_name,
    s.max_parallelism, s.max_parallelism_per_server, e.target_ordinal, e.wave, e.parameters,
    e.create_time, e.rerun, DATEDIFF(second, e.start_time, @now) AS elapsed_seconds
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.executions AS r ON r.execution_id = e.job_execution_id
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
INNER JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
INNER JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id"""

_CLAIM = Batch(
    f"""
{DECLARATIONS}
DECLARE @step_row uniqueidentifier, @taken int;
SET @settler = @claim;
SELECT @run = job_execution_id, @step = step_id
FROM jobs_internal.executions WHERE execution_id = @execution AND target_type = 'SqlDatabase';
SELECT @step_row = execution_id
FROM jobs_internal.executions WHERE job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup';
{reopen("execution_id = @execution")}
UPDATE jobs_internal.executions SET airflow_clear_number = @clear
WHERE execution_id = @run AND airflow_clear_number < @clear;
UPDATE jobs_internal.executions
SET lost_attempt = CASE WHEN lifecycle = 'InProgress' THEN 1 ELSE lost_attempt END, {TAKE}
WHERE execution_id = @execution AND is_active = 1 AND (claim_id IS NULL OR claim_id <> @claim)
    AND {IS_NOT_SUPERSEDED} AND NOT {IS_CANCELLED};
SET @taken = @@ROWCOUNT;
IF {IS_CANCELLED}
BEGIN
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions
    SET lifecycle = 'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = {END_TIME},
        next_attempt_start_time = NULL, waiting_cause = NULL,
        last_message = {target_sentence(Lifecycle.CANCELED)} + {DOUBT},
        outcome = CASE WHEN lifecycle = 'InProgress' OR lost_attempt = 1 THEN 'unknown' ELSE 'cancelled' END, {TAKE}
    WHERE execution_id = @execution AND is_active = 1 AND {IS_NOT_SUPERSEDED};
    IF @@ROWCOUNT > 0
        {LOSE_ATTEMPT}
    COMMIT TRANSACTION;
{SETTLE}
END;
UPDATE jobs_internal.executions
SET airflow_task_id = @task, airflow_map_index = @map_index, airflow_try_number = @try, airflow_clear_number = @clear
WHERE execution_id = @execution AND is_active = 0 AND airflow_try_number IS NULL;
SELECT @taken AS taken, {_CLAIMED}
WHERE e.execution_id = @execution AND e.target_type = 'SqlDatabase';
""",
    execution="uniqueidentifier",
    waiting="nvarchar(max)",
    **CLAIM_TYPES,
)


def claim_target(
    db: JobDatabase, execution_id: UUID, airflow: AirflowRef, agent: Agent | None = None
) -> Claim | AlreadyFinished:
    """Claim a target's row for a task, so that only this claim can write it from now on.

    A row that ended is begun anew, with its step and its job and attempts from 0, by a task that was cleared since, or,
    if it did not end well, by a later try; for any other task it is :class:`AlreadyFinished`. An active row is taken
    over from an earlier claim, whose writes are refused from then on. In a run that was asked to stop, the row ends
    ``Canceled``.

    :param db: the job database.
    :param execution_id: the row.
    :param airflow: the task.
    :param agent: the process that will run the script; its heartbeat keeps the claim alive.
    :raises JobDatabaseError: if there is no such row, or a later try of the same task has claimed it.
    """
    claim_id = uuid4()
    rows = db.run(_CLAIM, execution=execution_id, waiting=WAITING_FOR_WORKER, **claim_values(claim_id, agent, airflow))
    if not rows:
        message = f"no target execution {execution_id} in the job database (was its history purged?)"
        raise JobDatabaseError(message, server=db.server, database=db.database)
    row = rows[0]
    if not row.is_active:
        return AlreadyFinished(Lifecycle(row.lifecycle), row.last_message, row.error_number)
    # A claim that was taken and lost again at once is still a claim: its first write will be refused.
    if not row.taken and UUID(str(row.claim_id)) != claim_id:
        message = f"target execution {execution_id} was claimed by a later try ({row.airflow_try_number}) of the task"
        raise JobDatabaseError(message, server=db.server, database=db.database)
    return _claim(row, execution_id, claim_id)


#: Rows that no script has begun on, nor any in doubt; all else is claimed one by one.
_CLAIM_FRESH = Batch(
    f"""
DECLARE @asked TABLE (execution_id uniqueidentifier NOT NULL PRIMARY KEY);
INSERT INTO @asked (execution_id) SELECT v.execution_id FROM ({{rows}}) AS v (execution_id);
UPDATE jobs_internal.executions SET {TAKE_EACH}
WHERE execution_id IN (SELECT execution_id FROM @asked)
    AND round = (SELECT round FROM jobs_internal.executions
        WHERE job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup')
    AND is_active = 1 AND lifecycle = 'Created' AND current_attempts = 0 AND lost_attempt = 0
    AND {IS_NOT_SUPERSEDED} AND NOT {IS_CANCELLED}
    AND EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run AND airflow_clear_number >= @clear);
SELECT e.execution_id, {_CLAIMED}
WHERE e.execution_id IN (SELECT execution_id FROM @asked) AND e.claim_time = @now AND e.agent_id = @agent;
""",
    ("uniqueidentifier",),
    run="uniqueidentifier",
    step="int",
    **CLAIM_TYPES,
)


def claim_fresh_targets(
    db: JobDatabase, chunk: TargetChunk, execution_ids: Iterable[UUID], airflow: AirflowRef, agent: Agent
) -> dict[UUID, Claim]:
    """Claim rows of a chunk for a task in one round trip: those on which no script has begun.

    What is not among them (a run that was asked to stop, a lost attempt, a task that was cleared just now) is for
    :func:`claim_target`, which knows how to go on with it.

    :param db: the job database.
    :param chunk: the chunk.
    :param execution_ids: rows of it, at most 1,000.
    :param airflow: the task.
    :param agent: the process that will run the scripts.
    :returns: the claims by their rows' ids, each with an id of its own.
    """
    rows = db.run(
        _CLAIM_FRESH,
        [(execution_id,) for execution_id in execution_ids],
        run=chunk.job_execution_id,
        step=chunk.step_id,
        **claim_values(uuid4(), agent, airflow),
    )
    return {UUID(str(row[0])): _claim(row, UUID(str(row[0])), UUID(str(row.claim_id))) for row in rows}


_GIVE_BACK = Batch(
    """
UPDATE jobs_internal.executions SET claim_id = NULL, claim_time = NULL, agent_id = NULL
WHERE job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase'
    AND target_ordinal BETWEEN @first AND @last
    AND is_active = 1 AND lifecycle = 'Created' AND agent_id = @agent AND airflow_task_id = @task
    AND airflow_map_index = @map_index AND airflow_try_number = @try AND airflow_clear_number = @clear;
""",
    run="uniqueidentifier",
    step="int",
    first="int",
    last="int",
    **CLAIM_TYPES,
)


def give_chunk_back(db: JobDatabase, chunk: TargetChunk, airflow: AirflowRef, agent: Agent) -> None:
    """Let go of the rows of a chunk that a task has claimed and will not begin.

    They are anybody's then: a later try of the task claims them, or the job's last task ends them. Claimed by a process
    that lives, they would stay active.

    :param db: the job database.
    :param chunk: the chunk, whose work has broken off.
    :param airflow: the task; what a later try has claimed in the same process stays its own.
    :param agent: the process.
    """
    db.run(
        _GIVE_BACK,
        run=chunk.job_execution_id,
        step=chunk.step_id,
        first=chunk.first,
        last=chunk.last,
        **claim_values(uuid4(), agent, airflow),
    )


def _claim(row: Any, execution_id: UUID, claim_id: UUID) -> Claim:
    return Claim(
        execution_id=execution_id,
        claim_id=claim_id,
        job_execution_id=UUID(str(row.job_execution_id)),
        job_execution_create_time=row.job_execution_create_time,
        job_id=UUID(str(row.job_id)),
        job_name=row.job_name,
        job_version=row.job_version,
        step_id=row.step_id,
        step_name=row.step_name,
        target_group_name=row.target_group_name,
        target=Target(
            row.target_server_name,
            row.target_database_name,
            row.target_elastic_pool_name,
            row.conn_id,
            parameters_from_text(row.parameters),
        ),
        attempts=row.current_attempts,
        lost_attempt=bool(row.lost_attempt),
        work_id=work_id(execution_id, row.create_time, row.rerun),
        elapsed_seconds=row.elapsed_seconds or 0,
        max_parallelism=row.max_parallelism,
        max_parallelism_per_server=row.max_parallelism_per_server,
        target_ordinal=row.target_ordinal or 0,
        wave=row.wave,
    )
