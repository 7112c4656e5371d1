-- The rights first: some engines do not drop a role that has any.
REVOKE SELECT ON SCHEMA::jobs_ext FROM jobs_resource_manager;
GO
REVOKE EXECUTE ON SCHEMA::jobs FROM jobs_resource_manager;
GO
REVOKE SELECT ON SCHEMA::jobs FROM jobs_resource_manager;
GO
DROP ROLE jobs_resource_manager;
GO
REVOKE SELECT ON SCHEMA::jobs_ext FROM jobs_admin;
GO
REVOKE EXECUTE ON SCHEMA::jobs FROM jobs_admin;
GO
REVOKE SELECT ON SCHEMA::jobs FROM jobs_admin;
GO
DROP ROLE jobs_admin;
GO
REVOKE SELECT ON SCHEMA::jobs_ext FROM jobs_reader;
GO
DROP VIEW jobs_ext.job_executions;
GO
DROP SCHEMA jobs_ext;
