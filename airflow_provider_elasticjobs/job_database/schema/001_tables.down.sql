-- Everything that was ever recorded goes with these tables.
DROP TABLE jobs_internal.executions;
GO
DROP TABLE jobs_internal.job_cancellations;
GO
DROP TABLE jobs_internal.agents;
GO
DROP TABLE jobs_internal.target_group_members;
GO
DROP TABLE jobs_internal.targets;
GO
DROP TABLE jobs_internal.job_steps;
GO
DROP TABLE jobs_internal.target_groups;
GO
DROP TABLE jobs_internal.job_versions;
GO
DROP TABLE jobs_internal.jobs;
GO
DROP TABLE jobs_internal.schema_versions;
GO
DROP SCHEMA jobs_internal;
GO
DROP SCHEMA jobs;
