-- Schedules, and changes to a job that exists. Runs after create_and_run.sql.
EXEC jobs.sp_update_job
    @job_name = 'CreateTableTest',
    @enabled = 1,
    @schedule_interval_type = 'Minutes',
    @schedule_interval_count = 15;
GO
IF NOT EXISTS (SELECT * FROM jobs.jobs
    WHERE enabled = 1 AND schedule_interval_type = 'Minutes' AND schedule_interval_count = 15
        AND description = 'Create Table Test' AND job_name = 'CreateTableTest' AND job_version = 2)
    THROW 50001, 'the schedule is set, and nothing else', 1;
GO
EXEC jobs.sp_update_jobstep @job_name = 'CreateTableTest', @step_name = 'Results', @new_id = 1, @max_parallelism = -1;
GO
IF (SELECT step_name FROM jobs.jobsteps WHERE job_name = 'CreateTableTest' AND step_id = 1) <> 'Results'
    THROW 50001, 'the step was moved', 1;
IF (SELECT COUNT(*) FROM jobs.jobstep_versions WHERE job_name = 'CreateTableTest') <> 5
    THROW 50001, 'every version keeps its steps', 1;
GO
DECLARE @tid uniqueidentifier;
SELECT @tid = target_id FROM jobs.target_group_members
WHERE target_group_name = 'ServerGroup1' AND server_name = 'server1.database.windows.net' AND database_name = 'MappingDB';
EXEC jobs.sp_delete_target_group_member @target_group_name = 'ServerGroup1', @target_id = @tid;
GO
IF EXISTS (SELECT * FROM jobs.target_group_members WHERE database_name = 'MappingDB')
    THROW 50001, 'the member is gone', 1;
GO
-- the guard that people write around the procedures
IF NOT EXISTS (SELECT target_group_name FROM jobs.target_groups WHERE target_group_name = 'ServerGroup1')
    EXEC jobs.sp_add_target_group 'ServerGroup1';
GO
EXEC jobs.sp_delete_jobstep @job_name = 'CreateTableTest', @step_name = 'Results';
