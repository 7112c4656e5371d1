DROP PROCEDURE jobs.sp_purge_jobhistory;
GO
DROP PROCEDURE jobs.sp_stop_job;
GO
DROP PROCEDURE jobs_internal.cancel_execution;
GO
DROP PROCEDURE jobs.sp_start_job;
