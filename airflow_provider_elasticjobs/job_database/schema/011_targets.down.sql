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
-- As in 008: CREATE PROCEDURE jobs_internal.identify_target
GO
-- As in 008: CREATE PROCEDURE jobs.sp_add_target_group_member
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
