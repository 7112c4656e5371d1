-- Procedures for the steps of a job (reference 1.4 to 1.6). Each makes the next version of the job; a run that has
-- begun keeps its own. A credential is the name of an Airflow connection, which is looked up when the step runs.
CREATE PROCEDURE jobs.sp_add_jobstep
    @job_name nvarchar(128),
    @step_id int = NULL OUTPUT,
    @step_name nvarchar(128) = NULL,
    @command_type nvarchar(50) = N'TSql',
    @command_source nvarchar(50) = N'Inline',
    @command nvarchar(max) = NULL,
    @credential_name nvarchar(128) = NULL,
    @target_group_name nvarchar(128),
    @initial_retry_interval_seconds int = 1,
    @maximum_retry_interval_seconds int = 120,
    @retry_interval_backoff_multiplier real = 2.0,
    @retry_attempts int = 10,
    @step_timeout_seconds int = 43200,
    @output_type nvarchar(50) = NULL,
    @output_credential_name nvarchar(128) = NULL,
    @output_subscription_id uniqueidentifier = NULL,
    @output_resource_group_name nvarchar(128) = NULL,
    @output_server_name nvarchar(256) = NULL,
    @output_database_name nvarchar(128) = NULL,
    @output_schema_name nvarchar(128) = NULL,
    @output_table_name nvarchar(128) = NULL,
    @job_version int = NULL OUTPUT,
    @max_parallelism int = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job_id uniqueidentifier, @target_group_id uniqueidentifier, @old_version int, @new_version int,
        @new_id int, @steps int, @error nvarchar(2048);
    SET @command_type = COALESCE(@command_type, N'TSql');
    SET @command_source = COALESCE(@command_source, N'Inline');
    SET @initial_retry_interval_seconds = COALESCE(@initial_retry_interval_seconds, 1);
    SET @maximum_retry_interval_seconds = COALESCE(@maximum_retry_interval_seconds, 120);
    SET @retry_interval_backoff_multiplier = COALESCE(@retry_interval_backoff_multiplier, 2.0);
    SET @retry_attempts = COALESCE(@retry_attempts, 10);
    SET @step_timeout_seconds = COALESCE(@step_timeout_seconds, 43200);
    SET @output_type = NULLIF(@output_type, N'');
    SET @output_credential_name = NULLIF(@output_credential_name, N'');
    SET @output_subscription_id = NULLIF(@output_subscription_id, '00000000-0000-0000-0000-000000000000');
    SET @output_resource_group_name = NULLIF(@output_resource_group_name, N'');
    SET @output_server_name = NULLIF(@output_server_name, N'');
    SET @output_database_name = NULLIF(@output_database_name, N'');
    SET @output_schema_name = NULLIF(@output_schema_name, N'');
    SET @output_table_name = NULLIF(@output_table_name, N'');
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_target_group @target_group_name, @target_group_id OUTPUT;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @old_version OUTPUT;
        SELECT @steps = COUNT(*) FROM jobs_internal.job_steps WHERE job_id = @job_id AND job_version = @old_version;
        SET @new_id = COALESCE(@step_id, @steps + 1);
        SET @error = CONCAT(N'@step_id is ', @new_id, N': a step can be added at 1 to ', @steps + 1, N'.');
        IF @new_id NOT BETWEEN 1 AND @steps + 1 THROW 50000, @error, 1;
        IF @step_name IS NULL AND @new_id = 1 SET @step_name = N'JobStep';
        EXEC jobs_internal.add_job_version @job_id, NULL, @new_id, @new_version OUTPUT;
        EXEC jobs_internal.put_job_step @job_id, @new_version, @new_id, @step_name, @command_type, @command_source,
            @command, @credential_name, @target_group_id, @initial_retry_interval_seconds,
            @maximum_retry_interval_seconds, @retry_interval_backoff_multiplier, @retry_attempts,
            @step_timeout_seconds, @output_type, @output_credential_name, @output_subscription_id,
            @output_resource_group_name, @output_server_name, @output_database_name, @output_schema_name,
            @output_table_name, @max_parallelism;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    SET @step_id = @new_id;
    SET @job_version = @new_version;
    RETURN 0;
END;
GO
-- NULL leaves a property as it is; '', -1 and the zero id take away what may be absent. '' as @output_type takes away
-- the whole output.
CREATE PROCEDURE jobs.sp_update_jobstep
    @job_name nvarchar(128),
    @step_id int = NULL,
    @step_name nvarchar(128) = NULL,
    @new_id int = NULL,
    @new_name nvarchar(128) = NULL,
    @command_type nvarchar(50) = NULL,
    @command_source nvarchar(50) = NULL,
    @command nvarchar(max) = NULL,
    @credential_name nvarchar(128) = NULL,
    @target_group_name nvarchar(128) = NULL,
    @initial_retry_interval_seconds int = NULL,
    @maximum_retry_interval_seconds int = NULL,
    @retry_interval_backoff_multiplier real = NULL,
    @retry_attempts int = NULL,
    @step_timeout_seconds int = NULL,
    @output_type nvarchar(50) = NULL,
    @output_credential_name nvarchar(128) = NULL,
    @output_server_name nvarchar(256) = NULL,
    @output_subscription_id uniqueidentifier = NULL,
    @output_resource_group_name nvarchar(128) = NULL,
    @output_database_name nvarchar(128) = NULL,
    @output_schema_name nvarchar(128) = NULL,
    @output_table_name nvarchar(128) = NULL,
    @job_version int = NULL OUTPUT,
    @max_parallelism int = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job_id uniqueidentifier, @target_group_id uniqueidentifier, @old_version int, @new_version int,
        @old_id int = @step_id, @steps int, @error nvarchar(2048), @keeps_output int = 1, @stored_name nvarchar(128),
        @zero uniqueidentifier = '00000000-0000-0000-0000-000000000000';
    IF @output_type = N'' SET @keeps_output = 0;
    BEGIN TRY
        BEGIN TRANSACTION;
        IF @target_group_name IS NOT NULL
            EXEC jobs_internal.lock_target_group @target_group_name, @target_group_id OUTPUT;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @old_version OUTPUT;
        EXEC jobs_internal.find_job_step @job_id, @old_version, 1, @old_id OUTPUT, @step_name;
        SELECT @steps = COUNT(*) FROM jobs_internal.job_steps WHERE job_id = @job_id AND job_version = @old_version;
        SET @error = CASE
            WHEN @new_id NOT BETWEEN 1 AND @steps
                THEN CONCAT(N'@new_id is ', @new_id, N': a step of this job can be moved to 1 to ', @steps, N'.')
            WHEN @new_name = N'' THEN N'@new_name is empty: give the step a name, or NULL to keep the one it has.'
            WHEN EXISTS (SELECT 1 FROM jobs_internal.job_steps
                WHERE job_id = @job_id AND job_version = @old_version AND step_name = @new_name)
                THEN CONCAT(N'The job already has a step ''', @new_name, N''': choose another @new_name.')
            WHEN @max_parallelism < -1 OR @max_parallelism = 0
                THEN N'@max_parallelism must be 1 or more, -1 for no limit, or NULL to keep it.'
            END;
        IF @error IS NOT NULL THROW 50000, @error, 1;
        SELECT @new_id = COALESCE(@new_id, @old_id),
            @stored_name = COALESCE(@new_name, step_name),
            @command_type = COALESCE(@command_type, command_type),
            @command_source = COALESCE(@command_source, command_source),
            @command = COALESCE(@command, command),
            @credential_name = COALESCE(@credential_name, credential_name),
            @target_group_id = COALESCE(@target_group_id, target_group_id),
            @initial_retry_interval_seconds
                = COALESCE(@initial_retry_interval_seconds, initial_retry_interval_milliseconds / 1000),
            @maximum_retry_interval_seconds
                = COALESCE(@maximum_retry_interval_seconds, maximum_retry_interval_milliseconds / 1000),
            @retry_interval_backoff_multiplier
                = COALESCE(@retry_interval_backoff_multiplier, retry_interval_backoff_multiplier),
            @retry_attempts = COALESCE(@retry_attempts, retry_attempts),
            @step_timeout_seconds = COALESCE(@step_timeout_seconds, step_timeout_milliseconds / 1000),
            @max_parallelism = COALESCE(@max_parallelism, max_parallelism),
            @output_type = NULLIF(COALESCE(@output_type, output_type), N''),
            @output_credential_name = NULLIF(COALESCE(@output_credential_name,
                CASE WHEN @keeps_output = 1 THEN output_credential_name END), N''),
            @output_server_name = NULLIF(COALESCE(@output_server_name,
                CASE WHEN @keeps_output = 1 THEN output_server_name END), N''),
            @output_subscription_id = NULLIF(COALESCE(@output_subscription_id,
                CASE WHEN @keeps_output = 1 THEN output_subscription_id END), @zero),
            @output_resource_group_name = NULLIF(COALESCE(@output_resource_group_name,
                CASE WHEN @keeps_output = 1 THEN output_resource_group_name END), N''),
            @output_database_name = NULLIF(COALESCE(@output_database_name,
                CASE WHEN @keeps_output = 1 THEN output_database_name END), N''),
            @output_schema_name = NULLIF(COALESCE(@output_schema_name,
                CASE WHEN @keeps_output = 1 THEN output_schema_name END), N''),
            @output_table_name = NULLIF(COALESCE(@output_table_name,
                CASE WHEN @keeps_output = 1 THEN output_table_name END), N'')
        FROM jobs_internal.job_steps
        WHERE job_id = @job_id AND job_version = @old_version AND step_id = @old_id;
        SET @max_parallelism = NULLIF(@max_parallelism, -1);
        EXEC jobs_internal.add_job_version @job_id, @old_id, @new_id, @new_version OUTPUT;
        EXEC jobs_internal.put_job_step @job_id, @new_version, @new_id, @stored_name, @command_type, @command_source,
            @command, @credential_name, @target_group_id, @initial_retry_interval_seconds,
            @maximum_retry_interval_seconds, @retry_interval_backoff_multiplier, @retry_attempts,
            @step_timeout_seconds, @output_type, @output_credential_name, @output_subscription_id,
            @output_resource_group_name, @output_server_name, @output_database_name, @output_schema_name,
            @output_table_name, @max_parallelism;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    SET @job_version = @new_version;
    RETURN 0;
END;
GO
CREATE PROCEDURE jobs.sp_delete_jobstep
    @job_name nvarchar(128),
    @step_id int = NULL,
    @step_name nvarchar(128) = NULL,
    @job_version int = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @job_id uniqueidentifier, @old_version int, @new_version int, @old_id int = @step_id;
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_job @job_name, @job_id OUTPUT, @old_version OUTPUT;
        EXEC jobs_internal.find_job_step @job_id, @old_version, 0, @old_id OUTPUT, @step_name;
        EXEC jobs_internal.add_job_version @job_id, @old_id, NULL, @new_version OUTPUT;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    SET @job_version = @new_version;
    RETURN 0;
END;
