DROP PROCEDURE jobs_internal.find_job_step;
GO
DROP PROCEDURE jobs_internal.put_job_step;
GO
DROP PROCEDURE jobs_internal.add_job_version;
GO
DROP PROCEDURE jobs_internal.check_job;
GO
DROP PROCEDURE jobs_internal.lock_target_group;
GO
DROP PROCEDURE jobs_internal.lock_job;
