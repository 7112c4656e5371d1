-- Members of kinds that the procedures before this step do not know are removed.
DELETE FROM jobs_internal.target_group_members WHERE target_id IN
    (SELECT target_id FROM jobs_internal.targets WHERE variant <> N'');
GO
DELETE FROM jobs_internal.targets WHERE variant <> N'';
GO
DROP PROCEDURE jobs.sp_add_target_group_member;
GO
DROP PROCEDURE jobs_internal.identify_target;
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
DROP VIEW jobs_ext.target_group_members;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN parameters;
GO
ALTER TABLE jobs_internal.targets DROP CONSTRAINT UQ_targets;
GO
ALTER TABLE jobs_internal.targets ADD CONSTRAINT UQ_targets
    UNIQUE (server_name, database_name, target_type, elastic_pool_name, refresh_credential_name);
GO
ALTER TABLE jobs_internal.targets DROP COLUMN definition;
GO
IF EXISTS (SELECT 1 FROM sys.default_constraints WHERE name = 'DF_targets_variant')
    ALTER TABLE jobs_internal.targets DROP CONSTRAINT DF_targets_variant;
GO
ALTER TABLE jobs_internal.targets DROP COLUMN variant;
GO
