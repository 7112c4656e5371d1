DROP PROCEDURE jobs.sp_delete_target_group_member;
GO
DROP PROCEDURE jobs.sp_add_target_group_member;
GO
DROP PROCEDURE jobs_internal.identify_target;
GO
DROP PROCEDURE jobs.sp_delete_target_group;
GO
DROP PROCEDURE jobs.sp_add_target_group;
