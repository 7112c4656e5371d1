-- The rights first: some engines do not drop a role that has any.
REVOKE SELECT ON SCHEMA::jobs FROM jobs_reader;
GO
DROP ROLE jobs_reader;
GO
DROP VIEW jobs.job_executions;
GO
DROP VIEW jobs.target_group_members;
GO
DROP VIEW jobs.target_groups;
GO
DROP VIEW jobs.jobsteps;
GO
DROP VIEW jobs.jobstep_versions;
GO
DROP VIEW jobs.job_versions;
GO
DROP VIEW jobs.jobs;
