-- A row that is stopped while it waits for its retry says unknown if an attempt of it was lost: it said cancelled. And
-- none ends before it began: somebody may have begun it after this procedure had looked at the clock.
DROP PROCEDURE jobs_internal.cancel_execution;
GO
-- Records the request to stop a run that is active. What waits (Created, WaitingForRetry) ends here: nothing of it is
-- running. What runs is ended by its own process, which its heartbeat tells. Each row is ended by a statement of its
-- own, and only then its parent, under the parent's lock; so whoever comes last sees that nothing is left.
CREATE PROCEDURE jobs_internal.cancel_execution
    @job_execution_id uniqueidentifier,
    @requested_by nvarchar(256)
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @step int, @clear int, @now datetime2 = SYSUTCDATETIME();
    BEGIN TRY
        INSERT INTO jobs_internal.job_cancellations (job_execution_id, request_time, requested_by)
        SELECT execution_id, @now, COALESCE(@requested_by, N'')
        FROM jobs_internal.executions
        WHERE execution_id = @job_execution_id AND is_active = 1 AND NOT EXISTS
            (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @job_execution_id);
    END TRY
    BEGIN CATCH
        -- another request, at the same moment, is as good
        IF XACT_STATE() = -1 OR ERROR_NUMBER() NOT IN (2601, 2627) THROW;
    END CATCH;
    IF NOT EXISTS (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @job_execution_id)
        RETURN 0;
    SELECT @clear = airflow_clear_number FROM jobs_internal.executions WHERE execution_id = @job_execution_id;
    UPDATE jobs_internal.executions
    SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now),
        end_time = CASE WHEN start_time > @now THEN start_time ELSE @now END,
        next_attempt_start_time = NULL, waiting_cause = NULL,
        outcome = CASE WHEN lost_attempt = 1 THEN N'unknown' ELSE N'cancelled' END,
        last_message = CONCAT(N'Step ', step_id, N' canceled execution on target (server ''', target_server_name,
            N''', database ''', target_database_name, N''').',
            CASE WHEN lost_attempt = 1 THEN N' Whether an earlier attempt took effect is unknown.' END),
        airflow_clear_number = CASE WHEN claim_id IS NULL THEN @clear ELSE airflow_clear_number END
    WHERE job_execution_id = @job_execution_id AND target_type = N'SqlDatabase'
        AND lifecycle IN (N'Created', N'WaitingForRetry');
    UPDATE jobs_internal.executions
    SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now),
        end_time = CASE WHEN start_time > @now THEN start_time ELSE @now END,
        next_attempt_start_time = NULL, outcome = N'cancelled', last_message = CONCAT(N'Step ', step_id, N' canceled.')
    WHERE job_execution_id = @job_execution_id AND target_type = N'TargetGroup'
        AND lifecycle IN (N'Created', N'WaitingForRetry');
    SELECT @step = MAX(step_id) FROM jobs_internal.executions
    WHERE job_execution_id = @job_execution_id AND target_type = N'TargetGroup' AND is_active = 1;
    IF EXISTS (SELECT 1 FROM jobs_internal.executions
            WHERE job_execution_id = @job_execution_id AND step_id = @step AND target_type = N'TargetGroup'
                AND lifecycle = N'WaitingForChildJobExecutions')
        AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions
            WHERE job_execution_id = @job_execution_id AND step_id = @step AND target_type = N'SqlDatabase'
                AND is_active = 1)
    BEGIN
        BEGIN TRANSACTION;
        UPDATE jobs_internal.executions SET lock_count = lock_count + 1
        WHERE job_execution_id = @job_execution_id AND step_id = @step AND target_type = N'TargetGroup';
        UPDATE jobs_internal.executions
        SET lifecycle = N'Canceled', is_active = 0,
            end_time = CASE WHEN start_time > @now THEN start_time ELSE @now END, next_attempt_start_time = NULL,
            settled_by = @job_execution_id, last_message = CONCAT(N'Step ', step_id, N' canceled.')
        WHERE job_execution_id = @job_execution_id AND step_id = @step AND target_type = N'TargetGroup'
            AND lifecycle = N'WaitingForChildJobExecutions'
            AND EXISTS (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @job_execution_id)
            AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
                WHERE c.job_execution_id = @job_execution_id AND c.step_id = @step AND c.target_type = N'SqlDatabase'
                    AND c.is_active = 1);
        COMMIT TRANSACTION;
    END;
    IF EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @job_execution_id AND is_active = 1)
        AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions
            WHERE job_execution_id = @job_execution_id AND target_type = N'TargetGroup' AND is_active = 1)
    BEGIN
        BEGIN TRANSACTION;
        UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id = @job_execution_id;
        UPDATE jobs_internal.executions
        SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now),
            end_time = CASE WHEN start_time > @now THEN start_time ELSE @now END,
            next_attempt_start_time = NULL, settled_by = @job_execution_id, last_message = N'Job execution canceled.'
        WHERE execution_id = @job_execution_id AND is_active = 1
            AND EXISTS (SELECT 1 FROM jobs_internal.job_cancellations WHERE job_execution_id = @job_execution_id)
            AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
                WHERE c.job_execution_id = @job_execution_id AND c.target_type = N'TargetGroup' AND c.is_active = 1);
        COMMIT TRANSACTION;
    END;
    RETURN 0;
END;
GO
