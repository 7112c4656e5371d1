-- The tutorial's way from nothing to a run: a group, its members, a job, its steps, a start.
EXEC jobs.sp_add_target_group 'ServerGroup1';
GO
EXEC [jobs].sp_add_target_group_member
    'ServerGroup1',
    @target_type = 'SqlServer',
    @refresh_credential_name = 'refresh_credential',
    @server_name = 'server1.database.windows.net';
GO
EXEC [jobs].[sp_add_target_group_member]
    @target_group_name = N'ServerGroup1',
    @membership_type = 'Exclude',
    @target_type = N'SqlDatabase',
    @server_name = 'server1.database.windows.net',
    @database_name = N'MappingDB';
GO
EXEC jobs.sp_add_target_group 'PoolGroup';
EXEC jobs.sp_add_target_group_member
    'PoolGroup',
    @target_type = 'SqlElasticPool',
    @server_name = 'server1.database.windows.net',
    @elastic_pool_name = 'ElasticPool-1';
GO
SELECT * FROM jobs.target_groups WHERE target_group_name = 'ServerGroup1';
SELECT * FROM jobs.target_group_members WHERE target_group_name = 'ServerGroup1' ORDER BY membership_type;
GO
EXEC jobs.sp_add_job @job_name = 'CreateTableTest', @description = 'Create Table Test';
GO
EXEC jobs.sp_add_jobstep
    @job_name = 'CreateTableTest',
    @command = N'IF NOT EXISTS (SELECT * FROM sys.tables WHERE object_id = object_id(''Test''))
CREATE TABLE [dbo].[Test]([TestId] [int] NOT NULL);',
    @credential_name = 'job_credential',
    @target_group_name = 'ServerGroup1';
GO
DECLARE @step int, @version int;
EXEC jobs.sp_add_jobstep
    @job_name = 'CreateTableTest',
    @step_id = @step OUTPUT,
    @step_name = 'Results',
    @command = N'SELECT DB_NAME() AS DatabaseName, COUNT(*) AS Tables FROM sys.tables;',
    @target_group_name = 'PoolGroup',
    @retry_attempts = 2,
    @output_type = 'SqlDatabase',
    @output_credential_name = 'output_credential',
    @output_server_name = 'server1.database.windows.net',
    @output_database_name = 'Results',
    @output_table_name = 'TableCounts',
    @job_version = @version OUTPUT,
    @max_parallelism = 5;
IF @step <> 2 OR @version <> 2 THROW 50001, 'the second step is step 2 of version 2', 1;
GO
SELECT * FROM jobs.jobsteps AS s INNER JOIN jobs.jobs AS j ON j.job_id = s.job_id AND j.job_version = s.job_version;
GO
DECLARE @je uniqueidentifier;
EXEC jobs.sp_start_job 'CreateTableTest', @job_execution_id = @je OUTPUT;
SELECT @je;
SELECT * FROM jobs.job_executions WHERE job_execution_id = @je;
IF (SELECT lifecycle FROM jobs.job_executions WHERE job_execution_id = @je AND step_id IS NULL) <> 'Created'
    THROW 50001, 'a run that nobody took is Created', 1;
GO
EXEC jobs.sp_start_job 'CreateTableTest';
GO
IF (SELECT COUNT(*) FROM jobs.job_executions WHERE is_active = 1 AND job_name = 'CreateTableTest') <> 2
    THROW 50001, 'two runs are active', 1;
