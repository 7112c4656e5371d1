-- Cleaning up, in the tutorial's order: the purge by name comes after the job is gone. Runs last.
EXEC jobs.sp_delete_job @job_name = 'CreateTableTest';
EXEC jobs.sp_purge_jobhistory @job_name = 'CreateTableTest', @oldest_date = '2016-07-01 00:00:00';
GO
EXEC jobs.sp_add_job 'CreateTableTest';
EXEC jobs.sp_add_jobstep 'CreateTableTest', @command = 'SELECT 1;', @target_group_name = 'ServerGroup1';
EXEC jobs.sp_start_job 'CreateTableTest';
GO
EXEC jobs.sp_delete_job @job_name = 'CreateTableTest', @force = 1;
EXEC jobs.sp_delete_target_group 'ServerGroup1';
EXEC jobs.sp_delete_target_group @target_group_name = 'PoolGroup';
GO
IF EXISTS (SELECT * FROM jobs.jobs) OR EXISTS (SELECT * FROM jobs.job_executions)
    OR EXISTS (SELECT * FROM jobs.target_groups) OR EXISTS (SELECT * FROM jobs.target_group_members)
    THROW 50001, 'everything is gone', 1;
