"""How parents are settled, as T-SQL: whoever finishes last settles the step, and then the job, exactly once.

The writer first ends its own row, in a transaction of its own, and then asks whether anything is left. So the one who
commits last always sees that nothing is left, under locking and under row versions alike. Those who see it then take
the parent's row lock with a write (not with a lock hint, which not every engine knows), look again, and settle: the
second to come finds the parent settled. Locks are taken from the top down (job, step, target), and children are only
read, so nobody waits in a circle.

The fragments are parts of a batch that has declared ``@now`` and :data:`DECLARATIONS`.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_elasticjobs.job_database.records import Settled
from airflow_provider_elasticjobs.job_database.sentences import job_sentence, step_sentence
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = ["DECLARATIONS", "IS_BAD", "SETTLE", "SETTLED", "settled_of"]

#: Variables of the fragments. ``@run``, ``@step`` and ``@settler`` (who asks: a claim's id) are set before
#: :data:`SETTLE`; ``@empty_message`` is the sentence to use where a step had no targets at all.
DECLARATIONS = """
DECLARE @run uniqueidentifier, @step int, @settler uniqueidentifier, @empty_message nvarchar(max);
DECLARE @cancelled int, @active int, @total int, @failed int, @timed_out int, @canceled int, @skipped int, @partly int;
DECLARE @round int, @last_step int, @combined nvarchar(50);
"""

#: Lifecycles of a step after which no further step begins.
IS_BAD = "lifecycle IN ('Failed', 'TimedOut', 'Canceled')"

#: Counts what the parent's ``@combined`` lifecycle follows from; the rules are those of ``model.lifecycle.combine``.
_COUNT = """
    SELECT @total = COUNT(*),
        @active = COALESCE(SUM(CASE WHEN is_active = 1 THEN 1 ELSE 0 END), 0),
        @failed = COALESCE(SUM(CASE WHEN lifecycle = 'Failed' THEN 1 ELSE 0 END), 0),
        @timed_out = COALESCE(SUM(CASE WHEN lifecycle = 'TimedOut' THEN 1 ELSE 0 END), 0),
        @canceled = COALESCE(SUM(CASE WHEN lifecycle = 'Canceled' THEN 1 ELSE 0 END), 0),
        @skipped = COALESCE(SUM(CASE WHEN lifecycle = 'Skipped' THEN 1 ELSE 0 END), 0),
        @partly = COALESCE(SUM(CASE WHEN lifecycle = 'SucceededWithSkipped' THEN 1 ELSE 0 END), 0)
    FROM jobs_internal.executions
    WHERE {children};
    SELECT @cancelled = COUNT(*) FROM jobs_internal.job_cancellations WHERE job_execution_id = @run;
    SET @combined = CASE
        WHEN @cancelled > 0 THEN 'Canceled'
        WHEN @failed > 0 THEN 'Failed'
        WHEN @timed_out > 0 THEN 'TimedOut'
        WHEN @canceled > 0 THEN 'Canceled'
        WHEN @total > 0 AND @skipped = @total THEN 'Skipped'
        WHEN @skipped + @partly > 0 THEN 'SucceededWithSkipped'
        ELSE 'Succeeded' END;
"""

_STEP_ROW = "job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup'"
_TARGET_ROWS = "job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase'"
#: A step that is to begin anew does not count as it was.
_STEP_ROWS = "job_execution_id = @run AND target_type = 'TargetGroup' AND is_outdated = 0"

_ENDED = "is_active = 0, end_time = @now, next_attempt_start_time = NULL, settled_by = @settler"

_SETTLE_STEP = f"""
IF NOT EXISTS (SELECT 1 FROM jobs_internal.executions WHERE {_TARGET_ROWS} AND is_active = 1)
    AND EXISTS (SELECT 1 FROM jobs_internal.executions
        WHERE {_STEP_ROW} AND lifecycle = 'WaitingForChildJobExecutions')
BEGIN
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1
    WHERE {_STEP_ROW} AND lifecycle = 'WaitingForChildJobExecutions';
    SELECT @round = round FROM jobs_internal.executions WHERE {_STEP_ROW};
    {_COUNT.format(children=_TARGET_ROWS + " AND (is_active = 1 OR round = @round)")}
    IF @active = 0
        UPDATE jobs_internal.executions
        SET lifecycle = @combined, {_ENDED},
            last_message = CASE WHEN @total = 0 AND @combined = 'Succeeded' AND @empty_message IS NOT NULL
                THEN @empty_message ELSE {step_sentence("@combined", "@step")} END
        WHERE {_STEP_ROW} AND lifecycle = 'WaitingForChildJobExecutions';
    COMMIT TRANSACTION;
END;
"""

_NO_STEP_IS_ACTIVE = f"NOT EXISTS (SELECT 1 FROM jobs_internal.executions WHERE {_STEP_ROWS} AND is_active = 1)"

#: A job ends when no step is active, and either a step ended badly, or the last step has ended, or the run was stopped.
_JOB_MAY_END = f"""
    {_NO_STEP_IS_ACTIVE}
    AND (EXISTS (SELECT 1 FROM jobs_internal.executions WHERE {_STEP_ROWS} AND {IS_BAD})
        OR EXISTS (SELECT 1 FROM jobs_internal.executions WHERE {_STEP_ROWS} AND step_id = @last_step)
        OR EXISTS (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @run))
"""

_SETTLE_JOB = f"""
IF {_NO_STEP_IS_ACTIVE} AND EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run AND is_active = 1)
BEGIN
    SELECT @last_step = MAX(s.step_id)
    FROM jobs_internal.executions AS e
    INNER JOIN jobs_internal.job_steps AS s ON s.job_id = e.job_id AND s.job_version = e.job_version
    WHERE e.execution_id = @run;
    IF {_JOB_MAY_END}
    BEGIN
        BEGIN TRANSACTION;
        UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @run AND is_active = 1;
        {_COUNT.format(children=_STEP_ROWS)}
        IF {_JOB_MAY_END}
            UPDATE jobs_internal.executions
            SET lifecycle = @combined, {_ENDED}, start_time = COALESCE(start_time, @now),
                last_message = CASE WHEN @combined = 'Succeeded' AND @empty_message IS NOT NULL
                    THEN @empty_message ELSE {job_sentence("@combined")} END
            WHERE execution_id = @run AND is_active = 1;
        COMMIT TRANSACTION;
    END;
END;
"""

#: Settles the step ``@step`` of ``@run`` if nothing of it is left, and then the job if nothing of that is left.
SETTLE = _SETTLE_STEP + _SETTLE_JOB

#: Columns of an answer: the lifecycles of the parents that ``@settler`` has settled, also when it asks twice.
SETTLED = f"""
    (SELECT lifecycle FROM jobs_internal.executions
        WHERE {_STEP_ROW} AND settled_by = @settler) AS step_lifecycle,
    (SELECT lifecycle FROM jobs_internal.executions
        WHERE execution_id = @run AND settled_by = @settler) AS job_lifecycle
"""


def settled_of(row: Any, lifecycle: Lifecycle) -> Settled:
    """Return what a write did that was to end a row.

    :param row: the row's ``lifecycle`` now, and the columns of :data:`SETTLED`.
    :param lifecycle: what it was to end with.
    """
    now, step, job = (
        None if value is None else Lifecycle(value) for value in (row.lifecycle, row.step_lifecycle, row.job_lifecycle)
    )
    return Settled(now is lifecycle, now, step, job)
