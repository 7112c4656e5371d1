-- What the procedures of schema jobs have in common. Each of those runs in a transaction of its own, and begins by
-- locking what it changes: target groups before jobs, by a write to the row, because not every engine knows lock hints.
CREATE PROCEDURE jobs_internal.lock_job
    @job_name nvarchar(128),
    @job_id uniqueidentifier OUTPUT,
    @job_version int OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @error nvarchar(2048);
    SET @job_id = NULL;
    SET @job_version = NULL;
    UPDATE jobs_internal.jobs SET job_version = job_version WHERE job_name = @job_name AND tombstone_id = @live;
    SELECT @job_id = job_id, @job_version = job_version
    FROM jobs_internal.jobs
    WHERE job_name = @job_name AND tombstone_id = @live;
    SET @error = CASE
        WHEN @job_name IS NULL OR @job_name = N'' THEN N'@job_name is required: give the name of a job in jobs.jobs.'
        WHEN @job_id IS NULL
            THEN CONCAT(N'There is no job ''', @job_name, N'''. Look up its name in jobs.jobs, or add it with sp_add_job.')
        END;
    IF @error IS NOT NULL THROW 50000, @error, 1;
    RETURN 0;
END;
GO
CREATE PROCEDURE jobs_internal.lock_target_group
    @target_group_name nvarchar(128),
    @target_group_id uniqueidentifier OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @error nvarchar(2048);
    SET @target_group_id = NULL;
    UPDATE jobs_internal.target_groups SET create_time = create_time
    WHERE target_group_name = @target_group_name AND tombstone_id = @live;
    SELECT @target_group_id = target_group_id
    FROM jobs_internal.target_groups
    WHERE target_group_name = @target_group_name AND tombstone_id = @live;
    SET @error = CASE
        WHEN @target_group_name IS NULL OR @target_group_name = N''
            THEN N'@target_group_name is required: give the name of a group in jobs.target_groups.'
        WHEN @target_group_id IS NULL THEN CONCAT(N'There is no target group ''', @target_group_name,
            N'''. Look up its name in jobs.target_groups, or add it with sp_add_target_group.')
        END;
    IF @error IS NOT NULL THROW 50000, @error, 1;
    RETURN 0;
END;
GO
-- Refuses what a job cannot be, and gives the type of its interval its usual spelling.
CREATE PROCEDURE jobs_internal.check_job
    @job_name nvarchar(128),
    @schedule_interval_type nvarchar(50) OUTPUT,
    @schedule_interval_count int,
    @schedule_start_time datetime2,
    @schedule_end_time datetime2
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @error nvarchar(2048), @type nvarchar(50);
    SET @type = CASE LOWER(@schedule_interval_type)
        WHEN N'once' THEN N'Once' WHEN N'minutes' THEN N'Minutes' WHEN N'hours' THEN N'Hours'
        WHEN N'days' THEN N'Days' WHEN N'weeks' THEN N'Weeks' WHEN N'months' THEN N'Months' END;
    SET @error = CASE
        WHEN @job_name IS NULL OR @job_name = N'' THEN N'A job needs a name: give @job_name (or @new_name) a text.'
        WHEN CHARINDEX(N'%', @job_name) > 0
            THEN CONCAT(N'The job name ''', @job_name, N''' contains a percent sign (%): choose a name without it.')
        WHEN @type IS NULL THEN CONCAT(N'@schedule_interval_type is ''', @schedule_interval_type,
            N''': use Once, Minutes, Hours, Days, Weeks or Months.')
        WHEN @schedule_interval_count < 1 THEN CONCAT(N'@schedule_interval_count is ', @schedule_interval_count,
            N': it must be 1 or more.')
        WHEN @schedule_start_time > @schedule_end_time THEN CONCAT(N'@schedule_start_time (',
            @schedule_start_time, N') is after @schedule_end_time (', @schedule_end_time, N'): swap or change them.')
        END;
    IF @error IS NOT NULL THROW 50000, @error, 1;
    SET @schedule_interval_type = @type;
    RETURN 0;
END;
GO
-- Makes the next version of a job: its steps without @removed_step_id, the gap closed, and then with the id
-- @inserted_step_id free for a step that the caller puts there. The caller has locked the job.
CREATE PROCEDURE jobs_internal.add_job_version
    @job_id uniqueidentifier,
    @removed_step_id int,
    @inserted_step_id int,
    @job_version int OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @old_version int, @now datetime2 = SYSUTCDATETIME();
    SELECT @old_version = job_version FROM jobs_internal.jobs WHERE job_id = @job_id;
    SET @job_version = @old_version + 1;
    INSERT INTO jobs_internal.job_versions (job_id, job_version, create_time) VALUES (@job_id, @job_version, @now);
    INSERT INTO jobs_internal.job_steps (job_id, job_version, step_id, step_name, command_type, command_source,
        command, credential_name, target_group_id, initial_retry_interval_milliseconds,
        maximum_retry_interval_milliseconds, retry_interval_backoff_multiplier, retry_attempts,
        step_timeout_milliseconds, output_type, output_credential_name, output_subscription_id,
        output_resource_group_name, output_server_name, output_database_name, output_schema_name, output_table_name,
        max_parallelism, max_parallelism_per_server)
    SELECT s.job_id, @job_version, s.closed_id + CASE WHEN s.closed_id >= @inserted_step_id THEN 1 ELSE 0 END,
        s.step_name, s.command_type, s.command_source,
        s.command, s.credential_name, s.target_group_id, s.initial_retry_interval_milliseconds,
        s.maximum_retry_interval_milliseconds, s.retry_interval_backoff_multiplier, s.retry_attempts,
        s.step_timeout_milliseconds, s.output_type, s.output_credential_name, s.output_subscription_id,
        s.output_resource_group_name, s.output_server_name, s.output_database_name, s.output_schema_name,
        s.output_table_name, s.max_parallelism, s.max_parallelism_per_server
    FROM (SELECT o.*, o.step_id - CASE WHEN o.step_id > @removed_step_id THEN 1 ELSE 0 END AS closed_id
        FROM jobs_internal.job_steps AS o
        WHERE o.job_id = @job_id AND o.job_version = @old_version
            AND (@removed_step_id IS NULL OR o.step_id <> @removed_step_id)) AS s;
    UPDATE jobs_internal.jobs SET job_version = @job_version WHERE job_id = @job_id;
    RETURN 0;
END;
GO
-- Checks a step, and puts it into a version that has its id free.
CREATE PROCEDURE jobs_internal.put_job_step
    @job_id uniqueidentifier,
    @job_version int,
    @step_id int,
    @step_name nvarchar(128),
    @command_type nvarchar(50),
    @command_source nvarchar(50),
    @command nvarchar(max),
    @credential_name nvarchar(128),
    @target_group_id uniqueidentifier,
    @initial_retry_interval_seconds int,
    @maximum_retry_interval_seconds int,
    @retry_interval_backoff_multiplier real,
    @retry_attempts int,
    @step_timeout_seconds int,
    @output_type nvarchar(50),
    @output_credential_name nvarchar(128),
    @output_subscription_id uniqueidentifier,
    @output_resource_group_name nvarchar(128),
    @output_server_name nvarchar(256),
    @output_database_name nvarchar(128),
    @output_schema_name nvarchar(128),
    @output_table_name nvarchar(128),
    @max_parallelism int
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @error nvarchar(2048), @longest int = 2147483;
    IF @output_type IS NOT NULL AND @output_schema_name IS NULL SET @output_schema_name = N'dbo';
    SET @error = CASE
        WHEN @step_name IS NULL OR @step_name = N'' THEN N'@step_name is required, except for a new first step.'
        WHEN EXISTS (SELECT 1 FROM jobs_internal.job_steps
            WHERE job_id = @job_id AND job_version = @job_version AND step_name = @step_name)
            THEN CONCAT(N'The job already has a step ''', @step_name, N''': give the step another name.')
        WHEN LOWER(@command_type) <> N'tsql'
            THEN CONCAT(N'@command_type is ''', @command_type, N''': the only type of command is TSql.')
        WHEN LOWER(@command_source) <> N'inline'
            THEN CONCAT(N'@command_source is ''', @command_source, N''': the only source of a command is Inline.')
        WHEN @command IS NULL OR @command = N'' THEN N'@command is required: give the T-SQL script of the step.'
        WHEN LEN(@command + N'.') - 1 > 1048576
            THEN N'@command is longer than 1,048,576 characters: move parts of it into procedures, or into more steps.'
        WHEN @initial_retry_interval_seconds NOT BETWEEN 0 AND @longest
            THEN N'@initial_retry_interval_seconds must be from 0 to 2147483.'
        WHEN @maximum_retry_interval_seconds NOT BETWEEN 0 AND @longest
            THEN N'@maximum_retry_interval_seconds must be from 0 to 2147483.'
        WHEN @initial_retry_interval_seconds > @maximum_retry_interval_seconds
            THEN CONCAT(N'@initial_retry_interval_seconds (', @initial_retry_interval_seconds,
                N') is above @maximum_retry_interval_seconds (', @maximum_retry_interval_seconds, N'): give both.')
        WHEN @retry_interval_backoff_multiplier < 1 THEN N'@retry_interval_backoff_multiplier must be 1 or more.'
        WHEN @retry_attempts < 0 THEN N'@retry_attempts must be 0 or more; 0 means no retry.'
        WHEN @step_timeout_seconds NOT BETWEEN 1 AND @longest THEN N'@step_timeout_seconds must be from 1 to 2147483.'
        WHEN @max_parallelism < 1 THEN N'@max_parallelism must be 1 or more, or NULL for no limit (-1 in sp_update_jobstep).'
        WHEN LOWER(@output_type) <> N'sqldatabase'
            THEN CONCAT(N'@output_type is ''', @output_type, N''': the only type of output is SqlDatabase.')
        WHEN @output_type IS NOT NULL
            AND (@output_server_name IS NULL OR @output_database_name IS NULL OR @output_table_name IS NULL)
            THEN N'An output needs @output_type, @output_server_name, @output_database_name and @output_table_name: give them all.'
        WHEN @output_type IS NULL
            AND COALESCE(@output_credential_name, @output_resource_group_name, @output_server_name,
                @output_database_name, @output_schema_name, @output_table_name,
                CAST(@output_subscription_id AS nvarchar(36))) IS NOT NULL
            THEN N'Other @output_ arguments are set but no @output_type: give SqlDatabase, or leave them all out.'
        END;
    IF @error IS NOT NULL THROW 50000, @error, 1;
    INSERT INTO jobs_internal.job_steps (job_id, job_version, step_id, step_name, command_type, command_source,
        command, credential_name, target_group_id, initial_retry_interval_milliseconds,
        maximum_retry_interval_milliseconds, retry_interval_backoff_multiplier, retry_attempts,
        step_timeout_milliseconds, output_type, output_credential_name, output_subscription_id,
        output_resource_group_name, output_server_name, output_database_name, output_schema_name, output_table_name,
        max_parallelism)
    VALUES (@job_id, @job_version, @step_id, @step_name, N'TSql', N'Inline',
        @command, NULLIF(@credential_name, N''), @target_group_id, @initial_retry_interval_seconds * 1000,
        @maximum_retry_interval_seconds * 1000, @retry_interval_backoff_multiplier, @retry_attempts,
        @step_timeout_seconds * 1000, CASE WHEN @output_type IS NOT NULL THEN N'SqlDatabase' END,
        @output_credential_name, @output_subscription_id,
        @output_resource_group_name, @output_server_name, @output_database_name, @output_schema_name,
        @output_table_name, @max_parallelism);
    RETURN 0;
END;
GO
-- Finds the step that an id or a name says. A job with one step needs neither, if @may_omit is 1.
CREATE PROCEDURE jobs_internal.find_job_step
    @job_id uniqueidentifier,
    @job_version int,
    @may_omit bit,
    @step_id int OUTPUT,
    @step_name nvarchar(128)
AS
BEGIN
    SET NOCOUNT ON;
    DECLARE @error nvarchar(2048), @found int, @steps int;
    SELECT @steps = COUNT(*) FROM jobs_internal.job_steps WHERE job_id = @job_id AND job_version = @job_version;
    SELECT @found = MIN(step_id)
    FROM jobs_internal.job_steps
    WHERE job_id = @job_id AND job_version = @job_version
        AND ((@step_id IS NOT NULL AND step_id = @step_id) OR (@step_name IS NOT NULL AND step_name = @step_name)
            OR (@step_id IS NULL AND @step_name IS NULL AND @may_omit = 1 AND @steps = 1));
    SET @error = CASE
        WHEN @step_id IS NOT NULL AND @step_name IS NOT NULL THEN N'Give either @step_id or @step_name, not both.'
        WHEN @step_id IS NULL AND @step_name IS NULL AND @found IS NULL
            THEN N'Say which step: give either @step_id or @step_name.'
        WHEN @found IS NULL THEN CONCAT(N'The job has no step ', COALESCE(N'''' + @step_name + N'''',
            CAST(@step_id AS nvarchar(11))), N': look up its steps in jobs.jobsteps.')
        END;
    IF @error IS NOT NULL THROW 50000, @error, 1;
    SET @step_id = @found;
    RETURN 0;
END;
