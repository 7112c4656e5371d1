-- A default's constraint goes before its column, where the engine keeps it by its name.
DROP PROCEDURE jobs.sp_purge_jobhistory;
GO
DROP PROCEDURE jobs_internal.purge_runs;
GO
-- As in 009: CREATE PROCEDURE jobs.sp_purge_jobhistory
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
-- As in 001: CREATE INDEX IX_executions_run
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
