DROP PROCEDURE jobs.sp_delete_job;
GO
DROP PROCEDURE jobs.sp_update_job;
GO
DROP PROCEDURE jobs.sp_add_job;
