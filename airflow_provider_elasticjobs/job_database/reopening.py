"""How a cleared task begins ended rows anew, as T-SQL."""

from __future__ import annotations

from airflow_provider_elasticjobs.job_database.claiming import IS_NEWER, REOPEN_PARENT, TAKE
from airflow_provider_elasticjobs.job_database.rollouts import renew_budget
from airflow_provider_elasticjobs.job_database.sentences import job_sentence, step_sentence

__all__ = ["reopen"]


def reopen(rows: str, is_newer: str = IS_NEWER) -> str:
    """Return T-SQL by which a cleared task begins ended rows anew.

    It makes step and job wait again; a request to stop a run that has ended is spent. The batch has ``@run``,
    ``@step_row``, ``@round``, ``@waiting``, and the types of a claim.

    :param rows: the rows.
    :param is_newer: those of them that the task may begin anew, if they have ended.
    """
    reopenable = f"""EXISTS (SELECT 1 FROM jobs_internal.executions
        WHERE {rows} AND is_active = 0 AND {is_newer})
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
        INNER JOIN jobs_internal.executions AS j ON j.execution_id = c.job_execution_id
        WHERE c.job_execution_id = @run AND j.is_active = 1)"""
    return f"""
IF {reopenable}
BEGIN
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @run;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @step_row;
    IF {reopenable}
    BEGIN
{renew_budget(rows)}
        DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id = @run
            AND EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run AND is_active = 0);
        UPDATE jobs_internal.executions SET {REOPEN_PARENT},
            last_message = {job_sentence("'WaitingForChildJobExecutions'")}
        WHERE execution_id = @run AND is_active = 0;
        UPDATE jobs_internal.executions SET {REOPEN_PARENT},
            last_message = {step_sentence("'WaitingForChildJobExecutions'", "step_id")}
        WHERE execution_id = @step_row AND is_active = 0;
        SELECT @round = round FROM jobs_internal.executions WHERE execution_id = @step_row;
        UPDATE jobs_internal.executions
        SET lifecycle = 'Created', is_active = 1, start_time = NULL, end_time = NULL, next_attempt_start_time = NULL,
            current_attempts = 0, current_attempt_start_time = NULL, last_message = @waiting, outcome = NULL,
            error_number = NULL, lost_attempt = 0, round = @round, rerun = rerun + 1, waiting_cause = NULL, {TAKE}
        WHERE {rows} AND is_active = 0 AND {is_newer};
    END;
    COMMIT TRANSACTION;
END;
"""
