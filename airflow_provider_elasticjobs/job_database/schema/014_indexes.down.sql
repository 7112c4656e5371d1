DROP INDEX IX_executions_settled ON jobs_internal.executions;
GO
DROP INDEX IX_executions_database ON jobs_internal.executions;
GO
DROP INDEX IX_executions_failed ON jobs_internal.executions;
GO
DROP INDEX IX_executions_runs ON jobs_internal.executions;
GO
DROP INDEX IX_executions_active ON jobs_internal.executions;
GO
-- As in 001: CREATE INDEX IX_executions_active
GO
