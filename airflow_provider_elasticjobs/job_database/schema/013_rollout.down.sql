DROP VIEW jobs_ext.rollout_waves;
GO
DROP INDEX IX_executions_rollout ON jobs_internal.executions;
GO
ALTER TABLE jobs_internal.job_steps DROP COLUMN rollout;
GO
