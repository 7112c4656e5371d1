-- A default's constraint goes before its column, where the engine keeps it by its name.
DROP PROCEDURE jobs.sp_purge_jobhistory;
GO
DROP PROCEDURE jobs_internal.purge_runs;
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
GO
DROP VIEW jobs_ext.waiting_targets;
GO
DROP VIEW jobs_ext.job_messages;
GO
DROP VIEW jobs_ext.job_attempts;
GO
DROP TABLE jobs_internal.rollout_waves;
GO
DROP TABLE jobs_internal.messages;
GO
DROP TABLE jobs_internal.attempts;
GO
DROP INDEX IX_executions_run ON jobs_internal.executions;
GO
CREATE INDEX IX_executions_run ON jobs_internal.executions
    (job_execution_id, step_id, target_type, is_active, round, lifecycle);
GO
IF EXISTS (SELECT 1 FROM sys.default_constraints WHERE name = 'DF_executions_is_outdated')
    ALTER TABLE jobs_internal.executions DROP CONSTRAINT DF_executions_is_outdated;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN start_delay_milliseconds;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN wave;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN is_outdated;
GO
IF EXISTS (SELECT 1 FROM sys.default_constraints WHERE name = 'DF_executions_rerun')
    ALTER TABLE jobs_internal.executions DROP CONSTRAINT DF_executions_rerun;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN rerun;
GO
