"""The writer's part for a step's targets: a row for each, ``Created``, in as few round trips as they fit in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import IS_CANCELLED
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import RegisteredTarget, StepStart, step_execution_id
from airflow_provider_elasticjobs.job_database.sentences import target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.identifiers import target_execution_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_WORKER, job_message, nothing_to_do, step_message
from airflow_provider_elasticjobs.model.parameters import parameters_to_text
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["register_targets"]

_STEP = {"step_row": "uniqueidentifier", "claim": "uniqueidentifier"}
_RESOLVING = "execution_id = @step_row AND claim_id = @claim AND lifecycle = 'InProgress'"

_ROW_TYPES = (
    "uniqueidentifier",
    "int",
    "nvarchar(256)",
    "nvarchar(128)",
    "nvarchar(128)",
    "nvarchar(250)",
    "nvarchar(max)",
)

_INSERT = Batch(
    f"""
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, step_id, is_active,
    lifecycle, create_time, current_attempts, last_message, target_type, target_server_name, target_database_name,
    target_elastic_pool_name, conn_id, target_ordinal, round, lock_count, lost_attempt,
    airflow_dag_id, airflow_run_id, airflow_clear_number, parameters)
SELECT v.execution_id, e.job_execution_id, e.job_id, e.job_version, e.step_id, 1, 'Created',
    @now, 0, @message, 'SqlDatabase', v.server_name, v.database_name,
    NULLIF(v.elastic_pool_name, N''), NULLIF(v.conn_id, N''), v.ordinal, e.round, 0, 0,
    e.airflow_dag_id, e.airflow_run_id, e.airflow_clear_number, NULLIF(v.parameters, N'')
FROM ({{rows}}) AS v (execution_id, ordinal, server_name, database_name, elastic_pool_name, conn_id, parameters)
CROSS JOIN jobs_internal.executions AS e
WHERE e.execution_id = @step_row AND e.claim_id = @claim AND e.lifecycle = 'InProgress'
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS x WHERE x.execution_id = v.execution_id);
SELECT round FROM jobs_internal.executions WHERE {_RESOLVING};
""",
    rows=_ROW_TYPES,
    message="nvarchar(max)",
    **_STEP,
)

#: In a later round the rows listed again are of this round, with the pool and connection that their target has now, and
#: those that had ended begin anew. What a place was given for does not change while it is held.
_RENEW = Batch(
    """
DECLARE @clear int;
SELECT @clear = airflow_clear_number FROM jobs_internal.executions WHERE execution_id = @step_row;
UPDATE e
SET round = @round,
    target_elastic_pool_name = CASE WHEN lifecycle = 'InProgress' THEN target_elastic_pool_name
        ELSE NULLIF(v.elastic_pool_name, N'') END,
    conn_id = CASE WHEN lifecycle = 'InProgress' THEN e.conn_id ELSE NULLIF(v.conn_id, N'') END,
    target_ordinal = v.ordinal,
    rerun = CASE WHEN is_active = 0 THEN rerun + 1 ELSE rerun END,
    lost_attempt = CASE WHEN is_active = 0 THEN 0 ELSE lost_attempt END,
    lifecycle = CASE WHEN is_active = 0 THEN 'Created' ELSE lifecycle END,
    start_time = CASE WHEN is_active = 0 THEN NULL ELSE start_time END,
    end_time = NULL,
    current_attempts = CASE WHEN is_active = 0 THEN 0 ELSE current_attempts END,
    current_attempt_start_time = CASE WHEN is_active = 0 THEN NULL ELSE current_attempt_start_time END,
    last_message = CASE WHEN is_active = 0 THEN @message ELSE last_message END,
    outcome = CASE WHEN is_active = 0 THEN NULL ELSE outcome END,
    error_number = CASE WHEN is_active = 0 THEN NULL ELSE error_number END,
    waiting_cause = CASE WHEN is_active = 0 THEN NULL ELSE waiting_cause END,
    claim_id = CASE WHEN is_active = 0 THEN NULL ELSE claim_id END,
    agent_id = CASE WHEN is_active = 0 THEN NULL ELSE agent_id END,
    airflow_try_number = CASE WHEN is_active = 0 THEN NULL ELSE airflow_try_number END,
    airflow_clear_number = CASE WHEN is_active = 0 THEN @clear ELSE airflow_clear_number END,
    parameters = CASE WHEN lifecycle = 'InProgress' THEN e.parameters ELSE NULLIF(v.parameters, N'') END,
    is_active = 1
FROM jobs_internal.executions AS e
INNER JOIN ({rows}) AS v (execution_id, ordinal, server_name, database_name, elastic_pool_name, conn_id, parameters)
    ON v.execution_id = e.execution_id
WHERE e.round < @round AND EXISTS (SELECT 1 FROM jobs_internal.executions AS s
    WHERE s.execution_id = @step_row AND s.claim_id = @claim AND s.lifecycle = 'InProgress');
""",
    rows=_ROW_TYPES,
    round="int",
    message="nvarchar(max)",
    **_STEP,
)

_TARGET_ROWS = "job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase'"
_TARGET_ROWS_E = "e.job_execution_id = @run AND e.step_id = @step AND e.target_type = 'SqlDatabase'"
_IDENTITY = """t.target_type = 'SqlDatabase' AND t.server_name = e.target_server_name
        AND t.database_name = e.target_database_name AND t.elastic_pool_name = N''
        AND t.refresh_credential_name = N'' AND t.variant = N''"""

#: Gives every row the identity of its target, the same in all groups and runs.
_IDENTIFY = f"""
INSERT INTO jobs_internal.targets
    (target_id, target_type, server_name, database_name, elastic_pool_name, refresh_credential_name)
SELECT NEWID(), 'SqlDatabase', e.target_server_name, e.target_database_name, N'', N''
FROM jobs_internal.executions AS e
WHERE {_TARGET_ROWS_E} AND e.target_id IS NULL
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.targets AS t WHERE {_IDENTITY});
UPDATE e SET target_id = t.target_id
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.targets AS t ON {_IDENTITY}
WHERE {_TARGET_ROWS_E} AND e.target_id IS NULL;
"""

#: Rows that nobody has begun and nobody lists any more vanish, with what there was of them in earlier reruns.
_FORGET = "".join(
    f"""
    DELETE FROM jobs_internal.{table} WHERE execution_id IN (SELECT e.execution_id FROM jobs_internal.executions AS e
        WHERE {_TARGET_ROWS_E} AND e.lifecycle = 'Created' AND e.claim_id IS NULL AND e.round < @listed_round);"""
    for table in ("messages", "attempts", "executions")
)

_FINISH = Batch(
    f"""
{DECLARATIONS}
DECLARE @listed_round int;
SET @settler = @claim;
SET @empty_message = @nothing_to_do;
SELECT @run = job_execution_id, @step = step_id, @listed_round = round
FROM jobs_internal.executions WHERE execution_id = @step_row AND claim_id = @claim;
IF EXISTS (SELECT 1 FROM jobs_internal.executions WHERE {_RESOLVING})
BEGIN
{_IDENTIFY}
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions
    SET lifecycle = 'WaitingForChildJobExecutions', last_message = COALESCE(@nothing_to_do, @job_waiting)
    WHERE execution_id = @run AND lifecycle IN ('InProgress', 'WaitingForChildJobExecutions');
    UPDATE jobs_internal.executions SET lifecycle = 'WaitingForChildJobExecutions', last_message = @waiting
    WHERE {_RESOLVING};
{_FORGET}
    COMMIT TRANSACTION;
END;
IF {IS_CANCELLED}
    UPDATE jobs_internal.executions
    SET lifecycle = 'Canceled', is_active = 0, start_time = @now, end_time = @now, outcome = 'cancelled',
        last_message = {target_sentence(Lifecycle.CANCELED)}
    WHERE {_TARGET_ROWS} AND lifecycle = 'Created';
{SETTLE}
SELECT lifecycle FROM jobs_internal.executions WHERE execution_id = @step_row AND claim_id = @claim;
""",
    nothing_to_do="nvarchar(max)",
    waiting="nvarchar(max)",
    job_waiting="nvarchar(max)",
    **_STEP,
)


def register_targets(db: JobDatabase, step: StepStart, targets: Sequence[Target]) -> list[RegisteredTarget]:
    """Make a row for each target of a begun step, ``Created``; the step then waits for them.

    In a step that is begun anew, the rows of targets listed again begin anew too if they had ended, rows that are
    active stay as they are, and rows no longer listed count no more. Without targets the step is settled at once, with
    a message that there was nothing to do, and so is the job if this is its last step.

    :param db: the job database.
    :param step: what :func:`~airflow_provider_elasticjobs.job_database.steps.start_step` returned, ``is_begun``.
    :param targets: the databases, in the order to run them; a repeated one is registered once.
    :return: the targets with the ids of their rows, in the same order.
    :raises JobDatabaseError: if another try has taken over the step, or the run was stopped, meanwhile.
    """
    registered = _identified(step, targets)
    values: dict[str, Any] = {
        "step_row": step_execution_id(step.job_execution_id, step.step_id),
        "claim": step.claim_id,
    }
    ordinals = {each.execution_id: ordinal for ordinal, each in enumerate(registered, start=1)}
    for chunk in _chunks(registered, min(_INSERT.rows_at_once, _RENEW.rows_at_once)):
        rows = [(each.execution_id, ordinals[each.execution_id], *_described(each.target)) for each in chunk]
        answer = db.run(_INSERT, rows, message=WAITING_FOR_WORKER, **values)
        if answer and answer[0].round > 1:
            db.run(_RENEW, rows, round=answer[0].round, message=WAITING_FOR_WORKER, **values)
    _finish(db, step, values, nothing=not registered)
    return registered


def _finish(db: JobDatabase, step: StepStart, values: dict[str, Any], *, nothing: bool) -> None:
    rows = db.run(
        _FINISH,
        nothing_to_do=nothing_to_do(step.step_id, step.target_group_name) if nothing else None,
        waiting=step_message(Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS, step.step_id),
        job_waiting=job_message(Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS),
        **values,
    )
    if not rows:
        raise JobDatabaseError(
            f"step {step.step_id} of run {step.job_execution_id} was taken over by another try of its resolver",
            server=db.server,
            database=db.database,
            step_name=step.step_name,
        )


def _identified(step: StepStart, targets: Sequence[Target]) -> list[RegisteredTarget]:
    unique: dict[UUID, RegisteredTarget] = {}
    for target in targets:
        execution_id = target_execution_id(
            step.job_execution_id, step.step_id, target.server_name, target.database_name
        )
        unique.setdefault(execution_id, RegisteredTarget(execution_id, target))
    return list(unique.values())


def _described(target: Target) -> tuple[str, ...]:
    # '' for none: the type of a parameter that is NULL in every row is unknown to some engines
    names = target.server_name, target.database_name, target.elastic_pool_name or "", target.conn_id or ""
    return *names, parameters_to_text(target.parameters, target.label)


def _chunks(items: Sequence[RegisteredTarget], size: int) -> list[Sequence[RegisteredTarget]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
