-- Procedures for runs: start, stop, purge (reference 1.7, 1.8, 1.13).
CREATE PROCEDURE jobs.sp_start_job
    @job_name nvarchar(128),
    @job_execution_id uniqueidentifier = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job_id uniqueidentifier, @job_version int, @run uniqueidentifier = COALESCE(@job_execution_id, NEWID()),
        @empty nvarchar(2048), @duplicate nvarchar(2048), @now datetime2 = SYSUTCDATETIME();
    SET @empty = CONCAT(N'The job ''', @job_name, N''' has no steps: add one with sp_add_jobstep.');
    SET @duplicate = CONCAT(N'There is already a job execution ', CAST(@run AS nvarchar(36)),
        N': pass NULL, or an id that was never used.');
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @job_version OUTPUT;
        IF NOT EXISTS (SELECT 1 FROM jobs_internal.job_steps WHERE job_id = @job_id AND job_version = @job_version)
            THROW 50000, @empty, 1;
        IF EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @run)
            THROW 50000, @duplicate, 1;
        INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, is_active,
            lifecycle, create_time, current_attempts, last_message, round, lock_count, lost_attempt,
            airflow_clear_number)
        VALUES (@run, @run, @job_id, @job_version, 1, N'Created', @now, 0, N'Job execution is created.', 1, 0, 0, 0);
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        IF ERROR_NUMBER() IN (2601, 2627) THROW 50000, @duplicate, 1;
        THROW;
    END CATCH;
    SET @job_execution_id = @run;
    RETURN 0;
END;
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
    SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
        next_attempt_start_time = NULL, outcome = N'cancelled', waiting_cause = NULL,
        last_message = CONCAT(N'Step ', step_id, N' canceled execution on target (server ''', target_server_name,
            N''', database ''', target_database_name, N''').'),
        airflow_clear_number = CASE WHEN claim_id IS NULL THEN @clear ELSE airflow_clear_number END
    WHERE job_execution_id = @job_execution_id AND target_type = N'SqlDatabase'
        AND lifecycle IN (N'Created', N'WaitingForRetry');
    UPDATE jobs_internal.executions
    SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
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
        SET lifecycle = N'Canceled', is_active = 0, end_time = @now, next_attempt_start_time = NULL,
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
        SET lifecycle = N'Canceled', is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now,
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
-- A run that has ended is left as it is.
CREATE PROCEDURE jobs.sp_stop_job
    @job_execution_id uniqueidentifier = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @error nvarchar(2048), @requested_by nvarchar(256) = SUSER_SNAME();
    BEGIN TRY
        SET @error = CASE
            WHEN @job_execution_id IS NULL
                THEN N'@job_execution_id is required: look it up in jobs.job_executions (is_active = 1).'
            WHEN NOT EXISTS (SELECT 1 FROM jobs_internal.executions WHERE execution_id = @job_execution_id
                AND step_id IS NULL)
                THEN CONCAT(N'There is no job execution ', CAST(@job_execution_id AS nvarchar(36)),
                    N': look up the job_execution_id in jobs.job_executions.')
            END;
        IF @error IS NOT NULL THROW 50000, @error, 1;
        EXEC jobs_internal.cancel_execution @job_execution_id, @requested_by;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    RETURN 0;
END;
GO
-- Removes runs that have ended, each in a transaction of its own, its rows from the bottom up. The latest run of a job
-- that still lives stays. An unknown job has no history: nothing to do.
CREATE PROCEDURE jobs.sp_purge_jobhistory
    @job_name nvarchar(128) = NULL,
    @job_id uniqueidentifier = NULL,
    @oldest_date datetime2 = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @id uniqueidentifier,
        @latest uniqueidentifier, @run uniqueidentifier;
    BEGIN TRY
        IF (@job_name IS NULL AND @job_id IS NULL) OR (@job_name IS NOT NULL AND @job_id IS NOT NULL)
            THROW 50000, N'Say whose history: give either @job_name or @job_id, and not both.', 1;
        SELECT @id = job_id FROM jobs_internal.jobs
        WHERE job_id = @job_id OR (job_name = @job_name AND tombstone_id = @live);
        SELECT TOP (1) @latest = e.execution_id
        FROM jobs_internal.executions AS e
        INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
        WHERE e.job_id = @id AND e.step_id IS NULL AND j.delete_requested_time IS NULL
        ORDER BY e.create_time DESC, e.execution_id DESC;
        WHILE @id IS NOT NULL
        BEGIN
            SET @run = NULL;
            SELECT TOP (1) @run = e.execution_id
            FROM jobs_internal.executions AS e
            WHERE e.job_id = @id AND e.step_id IS NULL AND e.is_active = 0
                AND (@oldest_date IS NULL OR e.end_time < @oldest_date)
                AND (@latest IS NULL OR e.execution_id <> @latest)
                AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
                    WHERE c.job_execution_id = e.execution_id AND c.is_active = 1)
            ORDER BY e.create_time;
            IF @run IS NULL BREAK;
            BEGIN TRANSACTION;
            UPDATE jobs_internal.executions SET lock_count = lock_count + 1
            WHERE execution_id = @run AND is_active = 0;
            IF @@ROWCOUNT > 0
            BEGIN
                DELETE FROM jobs_internal.executions WHERE job_execution_id = @run AND target_type = N'SqlDatabase';
                DELETE FROM jobs_internal.executions WHERE job_execution_id = @run AND target_type = N'TargetGroup';
                DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id = @run;
                DELETE FROM jobs_internal.executions WHERE execution_id = @run;
            END;
            COMMIT TRANSACTION;
        END;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    RETURN 0;
END;
