-- Indexes for a long history: what people ask of jobs.job_executions, and what the writers and the purge ask, is found
-- without reading the history. Each but one holds only the few rows that its condition names, so that the many rows of
-- targets that ended well cost nothing. A filter's column is in its index: some engines look into the rows otherwise.
-- Active rows by the process that has them. As an index of all rows it would hold the whole history.
DROP INDEX IX_executions_active ON jobs_internal.executions;
GO
CREATE INDEX IX_executions_active ON jobs_internal.executions (agent_id, job_execution_id)
    INCLUDE (is_active, job_id)
    WHERE is_active = 1;
GO
-- The rows of the runs themselves: latest runs, runs of a job, runs to purge.
CREATE INDEX IX_executions_runs ON jobs_internal.executions (job_id, create_time)
    INCLUDE (step_id, is_active, end_time)
    WHERE step_id IS NULL;
GO
CREATE INDEX IX_executions_failed ON jobs_internal.executions (job_id, create_time)
    INCLUDE (lifecycle, target_type)
    WHERE lifecycle = 'Failed';
GO
-- What ran on one database.
CREATE INDEX IX_executions_database ON jobs_internal.executions (target_database_name, create_time);
GO
-- What a reconciliation has ended.
CREATE INDEX IX_executions_settled ON jobs_internal.executions (settled_by)
    WHERE settled_by IS NOT NULL;
GO
