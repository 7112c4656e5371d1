-- Procedures for target groups and their members (reference 1.9 to 1.12, 5.2).
CREATE PROCEDURE jobs.sp_add_target_group
    @target_group_name nvarchar(128),
    @target_group_id uniqueidentifier = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @new_id uniqueidentifier = NEWID(),
        @duplicate nvarchar(2048), @now datetime2 = SYSUTCDATETIME();
    SET @duplicate = CONCAT(N'There is already a target group ''', @target_group_name,
        N''': choose another name, or add members to it with sp_add_target_group_member.');
    BEGIN TRY
        BEGIN TRANSACTION;
        IF @target_group_name IS NULL OR @target_group_name = N''
            THROW 50000, N'A target group needs a name: give @target_group_name a text.', 1;
        IF EXISTS (SELECT 1 FROM jobs_internal.target_groups
            WHERE target_group_name = @target_group_name AND tombstone_id = @live)
            THROW 50000, @duplicate, 1;
        INSERT INTO jobs_internal.target_groups (target_group_id, target_group_name, tombstone_id, create_time)
        VALUES (@new_id, @target_group_name, @live, @now);
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        IF ERROR_NUMBER() IN (2601, 2627) THROW 50000, @duplicate, 1;
        THROW;
    END CATCH;
    SET @target_group_id = @new_id;
    RETURN 0;
END;
GO
-- @force exists for callers that pass it, and changes nothing.
CREATE PROCEDURE jobs.sp_delete_target_group
    @target_group_name nvarchar(128),
    @force bit = 0
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @target_group_id uniqueidentifier, @user nvarchar(128), @running nvarchar(128), @error nvarchar(2048),
        @now datetime2 = SYSUTCDATETIME();
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_target_group @target_group_name, @target_group_id OUTPUT;
        SELECT @user = MIN(j.job_name)
        FROM jobs_internal.jobs AS j
        INNER JOIN jobs_internal.job_steps AS s ON s.job_id = j.job_id AND s.job_version = j.job_version
        WHERE s.target_group_id = @target_group_id AND j.delete_requested_time IS NULL;
        SELECT @running = MIN(j.job_name)
        FROM jobs_internal.executions AS e
        INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
        INNER JOIN jobs_internal.job_steps AS s ON s.job_id = e.job_id AND s.job_version = e.job_version
        WHERE s.target_group_id = @target_group_id AND e.is_active = 1;
        SET @error = CASE
            WHEN @user IS NOT NULL THEN CONCAT(N'The target group ''', @target_group_name, N''' is used by the job ''',
                @user, N''': change or delete its steps on this group first.')
            WHEN @running IS NOT NULL THEN CONCAT(N'The target group ''', @target_group_name,
                N''' is used by an active execution of the job ''', @running, N''': wait for it, or stop it with sp_stop_job.')
            END;
        IF @error IS NOT NULL THROW 50000, @error, 1;
        UPDATE jobs_internal.target_groups SET delete_requested_time = @now, tombstone_id = target_group_id
        WHERE target_group_id = @target_group_id;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    RETURN 0;
END;
GO
-- Gives the id of a target, the same for the same values everywhere. Two may ask for a new one at once; so it is added
-- before the caller's transaction, where the loser finds the winner's.
CREATE PROCEDURE jobs_internal.identify_target
    @target_type nvarchar(128),
    @server_name nvarchar(256),
    @database_name nvarchar(128),
    @elastic_pool_name nvarchar(128),
    @refresh_credential_name nvarchar(128),
    @target_id uniqueidentifier OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    BEGIN TRY
        INSERT INTO jobs_internal.targets
            (target_id, target_type, server_name, database_name, elastic_pool_name, refresh_credential_name)
        SELECT NEWID(), @target_type, @server_name, @database_name, @elastic_pool_name, @refresh_credential_name
        WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.targets
            WHERE target_type = @target_type AND server_name = @server_name AND database_name = @database_name
                AND elastic_pool_name = @elastic_pool_name AND refresh_credential_name = @refresh_credential_name);
    END TRY
    BEGIN CATCH
        IF XACT_STATE() = -1 OR ERROR_NUMBER() NOT IN (2601, 2627) THROW;
    END CATCH;
    SET @target_id = NULL;
    SELECT @target_id = target_id
    FROM jobs_internal.targets
    WHERE target_type = @target_type AND server_name = @server_name AND database_name = @database_name
        AND elastic_pool_name = @elastic_pool_name AND refresh_credential_name = @refresh_credential_name;
    RETURN 0;
END;
GO
-- A refresh credential is the name of an Airflow connection, which is looked up when a step lists the databases.
CREATE PROCEDURE jobs.sp_add_target_group_member
    @target_group_name nvarchar(128),
    @membership_type nvarchar(50) = N'Include',
    @target_type nvarchar(50),
    @refresh_credential_name nvarchar(128) = NULL,
    @server_name nvarchar(256) = NULL,
    @database_name nvarchar(128) = NULL,
    @elastic_pool_name nvarchar(128) = NULL,
    @shard_map_name nvarchar(128) = NULL,
    @target_id uniqueidentifier = NULL OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @target_group_id uniqueidentifier, @new_id uniqueidentifier, @type nvarchar(50), @membership nvarchar(7),
        @error nvarchar(2048);
    SET @membership = CASE LOWER(COALESCE(@membership_type, N'Include'))
        WHEN N'include' THEN N'Include' WHEN N'exclude' THEN N'Exclude' END;
    SET @type = CASE LOWER(@target_type)
        WHEN N'sqlserver' THEN N'SqlServer' WHEN N'sqlelasticpool' THEN N'SqlElasticPool'
        WHEN N'sqldatabase' THEN N'SqlDatabase' WHEN N'sqlshardmap' THEN N'SqlShardMap' END;
    SET @refresh_credential_name = COALESCE(@refresh_credential_name, N'');
    SET @server_name = COALESCE(@server_name, N'');
    SET @database_name = COALESCE(@database_name, N'');
    SET @elastic_pool_name = COALESCE(@elastic_pool_name, N'');
    SET @error = CASE
        WHEN @membership IS NULL
            THEN CONCAT(N'@membership_type is ''', @membership_type, N''': use Include or Exclude.')
        WHEN @type IS NULL
            THEN CONCAT(N'@target_type is ''', @target_type, N''': use SqlServer, SqlElasticPool or SqlDatabase.')
        WHEN @type = N'SqlShardMap' OR @shard_map_name <> N''
            THEN N'Shard maps are not supported: add their databases as SqlDatabase, or their servers or pools.'
        WHEN @server_name = N'' THEN CONCAT(N'A ', @type, N' member needs @server_name, the full name of the server.')
        WHEN @type = N'SqlDatabase' AND @database_name = N'' THEN N'A SqlDatabase member needs @database_name.'
        WHEN @type <> N'SqlDatabase' AND @database_name <> N''
            THEN CONCAT(N'A ', @type, N' member has no @database_name: leave it out, or use SqlDatabase.')
        WHEN @type = N'SqlElasticPool' AND @elastic_pool_name = N''
            THEN N'A SqlElasticPool member needs @elastic_pool_name.'
        WHEN @type <> N'SqlElasticPool' AND @elastic_pool_name <> N''
            THEN CONCAT(N'A ', @type, N' member has no @elastic_pool_name: leave it out, or use SqlElasticPool.')
        WHEN @type = N'SqlDatabase' AND @refresh_credential_name <> N''
            THEN N'A SqlDatabase member has no @refresh_credential_name, as nothing is listed: leave it out.'
        END;
    BEGIN TRY
        IF @error IS NOT NULL THROW 50000, @error, 1;
        EXEC jobs_internal.identify_target @type, @server_name, @database_name, @elastic_pool_name,
            @refresh_credential_name, @new_id OUTPUT;
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_target_group @target_group_name, @target_group_id OUTPUT;
        IF EXISTS (SELECT 1 FROM jobs_internal.target_group_members
            WHERE target_group_id = @target_group_id AND target_id = @new_id)
        BEGIN
            SET @error = CONCAT(N'The target group ''', @target_group_name, N''' already has this member (target id ',
                CAST(@new_id AS nvarchar(36)), N'): remove it with sp_delete_target_group_member to add it anew.');
            THROW 50000, @error, 1;
        END;
        INSERT INTO jobs_internal.target_group_members (target_group_id, target_id, membership_type)
        VALUES (@target_group_id, @new_id, @membership);
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    SET @target_id = @new_id;
    RETURN 0;
END;
GO
CREATE PROCEDURE jobs.sp_delete_target_group_member
    @target_group_name nvarchar(128),
    @target_id uniqueidentifier = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @target_group_id uniqueidentifier, @error nvarchar(2048);
    BEGIN TRY
        BEGIN TRANSACTION;
        EXEC jobs_internal.lock_target_group @target_group_name, @target_group_id OUTPUT;
        SET @error = CASE
            WHEN @target_id IS NULL THEN N'@target_id is required: look it up in jobs.target_group_members.'
            WHEN NOT EXISTS (SELECT 1 FROM jobs_internal.target_group_members
                WHERE target_group_id = @target_group_id AND target_id = @target_id)
                THEN CONCAT(N'The target group ''', @target_group_name, N''' has no member with target id ',
                    CAST(@target_id AS nvarchar(36)), N': look it up in jobs.target_group_members.')
            END;
        IF @error IS NOT NULL THROW 50000, @error, 1;
        DELETE FROM jobs_internal.target_group_members
        WHERE target_group_id = @target_group_id AND target_id = @target_id;
        COMMIT TRANSACTION;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    RETURN 0;
END;
