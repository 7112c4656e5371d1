-- Procedures for jobs (reference 1.1 to 1.3).
CREATE PROCEDURE jobs.sp_add_job
    @job_name nvarchar(128),
    @description nvarchar(512) = NULL,
    @enabled bit = 0,
    @schedule_interval_type nvarchar(50) = N'Once',
    @schedule_interval_count int = 1,
    @schedule_start_time datetime2 = '0001-01-01 00:00:00.0000000',
    @schedule_end_time datetime2 = '9999-12-31 11:59:59.0000000',
    @job_id uniqueidentifier = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @new_id uniqueidentifier = NEWID(),
        @duplicate nvarchar(2048), @now datetime2 = SYSUTCDATETIME();
    SET @schedule_interval_type = COALESCE(@schedule_interval_type, N'Once');
    SET @schedule_interval_count = COALESCE(@schedule_interval_count, 1);
    SET @schedule_start_time = COALESCE(@schedule_start_time, '0001-01-01 00:00:00.0000000');
    SET @schedule_end_time = COALESCE(@schedule_end_time, '9999-12-31 11:59:59.0000000');
    SET @duplicate = CONCAT(N'There is already a job ''', @job_name,
        N''': choose another name, or change it with sp_update_job.');
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.check_job @job_name, @schedule_interval_type OUTPUT, @schedule_interval_count,
            @schedule_start_time, @schedule_end_time;
        IF EXISTS (SELECT 1 FROM jobs_internal.jobs WHERE job_name = @job_name AND tombstone_id = @live)
            THROW 50000, @duplicate, 1;
        INSERT INTO jobs_internal.jobs (job_id, job_name, tombstone_id, job_version, description, enabled,
            schedule_interval_type, schedule_interval_count, schedule_start_time, schedule_end_time, create_time)
        VALUES (@new_id, @job_name, @live, 0, COALESCE(@description, N''), COALESCE(@enabled, 0),
            @schedule_interval_type, @schedule_interval_count, @schedule_start_time, @schedule_end_time, @now);
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        IF ERROR_NUMBER() IN (2601, 2627) THROW 50000, @duplicate, 1;
        THROW;
    END CATCH;
    SET @job_id = @new_id;
    RETURN 0;
END;
GO
-- NULL leaves a property as it is. No version: only steps make versions.
CREATE PROCEDURE jobs.sp_update_job
    @job_name nvarchar(128),
    @new_name nvarchar(128) = NULL,
    @description nvarchar(512) = NULL,
    @enabled bit = NULL,
    @schedule_interval_type nvarchar(50) = NULL,
    @schedule_interval_count int = NULL,
    @schedule_start_time datetime2 = NULL,
    @schedule_end_time datetime2 = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @duplicate nvarchar(2048),
        @job_id uniqueidentifier, @job_version int;
    SET @duplicate = CONCAT(N'There is already a job ''', @new_name, N''': choose another @new_name.');
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @job_version OUTPUT;
        SELECT @new_name = COALESCE(@new_name, job_name),
            @description = COALESCE(@description, description),
            @enabled = COALESCE(@enabled, enabled),
            @schedule_interval_type = COALESCE(@schedule_interval_type, schedule_interval_type),
            @schedule_interval_count = COALESCE(@schedule_interval_count, schedule_interval_count),
            @schedule_start_time = COALESCE(@schedule_start_time, schedule_start_time),
            @schedule_end_time = COALESCE(@schedule_end_time, schedule_end_time)
        FROM jobs_internal.jobs
        WHERE job_id = @job_id;
        EXEC jobs_internal.check_job @new_name, @schedule_interval_type OUTPUT, @schedule_interval_count,
            @schedule_start_time, @schedule_end_time;
        IF EXISTS (SELECT 1 FROM jobs_internal.jobs
            WHERE job_name = @new_name AND tombstone_id = @live AND job_id <> @job_id)
            THROW 50000, @duplicate, 1;
        UPDATE jobs_internal.jobs
        SET job_name = @new_name, description = @description, enabled = @enabled,
            schedule_interval_type = @schedule_interval_type, schedule_interval_count = @schedule_interval_count,
            schedule_start_time = @schedule_start_time, schedule_end_time = @schedule_end_time
        WHERE job_id = @job_id;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        IF ERROR_NUMBER() IN (2601, 2627) THROW 50000, @duplicate, 1;
        THROW;
    END CATCH;
    RETURN 0;
END;
GO
-- The job is marked as deleted, and with it vanishes all that the views show of it. The requests to stop its runs are
-- written in the same transaction; what they end at once is ended after it, each row by itself as all writers do.
CREATE PROCEDURE jobs.sp_delete_job
    @job_name nvarchar(128) = NULL,
    @force bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job_id uniqueidentifier, @job_version int, @error nvarchar(2048), @now datetime2 = SYSUTCDATETIME(),
        @requested_by nvarchar(256) = SUSER_SNAME(), @active int, @run uniqueidentifier;
    DECLARE @stopped TABLE (job_execution_id uniqueidentifier NOT NULL);
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @job_version OUTPUT;
        INSERT INTO @stopped (job_execution_id)
        SELECT DISTINCT job_execution_id FROM jobs_internal.executions WHERE job_id = @job_id AND is_active = 1;
        SELECT @active = COUNT(*) FROM @stopped;
        SET @error = CONCAT(N'The job ''', @job_name, N''' has ', @active, N' active execution(s): wait for them, stop',
            N' them with sp_stop_job, or delete the job with @force = 1.');
        IF @active > 0 AND COALESCE(@force, 0) = 0 THROW 50000, @error, 1;
        INSERT INTO jobs_internal.job_cancellations (job_execution_id, request_time, requested_by)
        SELECT s.job_execution_id, @now, COALESCE(@requested_by, N'')
        FROM @stopped AS s
        WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
            WHERE c.job_execution_id = s.job_execution_id);
        UPDATE jobs_internal.jobs SET delete_requested_time = @now, tombstone_id = job_id WHERE job_id = @job_id;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    WHILE @active > 0
    BEGIN
        SELECT @run = MIN(CAST(job_execution_id AS nvarchar(36))) FROM @stopped;
        EXEC jobs_internal.cancel_execution @run, @requested_by;
        PRINT CONCAT(N'Requested cancellation of job execution ', CAST(@run AS nvarchar(36)), N'.');
        DELETE FROM @stopped WHERE job_execution_id = @run;
        SET @active = @active - 1;
    END;
    RETURN 0;
END;
