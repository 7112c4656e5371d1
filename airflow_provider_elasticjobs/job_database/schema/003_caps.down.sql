DROP INDEX IX_executions_places ON jobs_internal.executions;
GO
DROP TABLE jobs_internal.place_locks;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN waiting_time;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN waiting_cause;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN place_agent_id;
GO
ALTER TABLE jobs_internal.job_steps DROP CONSTRAINT CK_job_steps_parallelism_per_server;
GO
ALTER TABLE jobs_internal.job_steps DROP COLUMN max_parallelism_per_server;
