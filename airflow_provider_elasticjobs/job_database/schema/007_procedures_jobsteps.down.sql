DROP PROCEDURE jobs.sp_delete_jobstep;
GO
DROP PROCEDURE jobs.sp_update_jobstep;
GO
DROP PROCEDURE jobs.sp_add_jobstep;
