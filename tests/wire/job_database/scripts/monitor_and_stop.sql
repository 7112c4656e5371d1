-- Watching runs, and stopping them. Runs after schedule_and_update.sql.
SELECT * FROM jobs.job_executions WHERE step_id IS NULL ORDER BY start_time DESC;
SELECT * FROM jobs.job_executions WHERE job_name = 'CreateTableTest' AND step_id IS NULL ORDER BY start_time DESC;
SELECT * FROM jobs.job_executions WHERE is_active = 1;
GO
SELECT job_name, job_execution_id, job_version, step_id, is_active, lifecycle, start_time, current_attempts,
    current_attempt_start_time, last_message, target_group_name, target_server_name, target_database_name
FROM jobs.job_executions
WHERE is_active = 1 AND job_name = 'CreateTableTest'
ORDER BY start_time DESC;
GO
DECLARE @run uniqueidentifier;
SELECT TOP (1) @run = job_execution_id FROM jobs.job_executions
WHERE is_active = 1 AND job_name = 'CreateTableTest' ORDER BY create_time;
EXEC jobs.sp_stop_job @run;
IF (SELECT lifecycle FROM jobs.job_executions WHERE job_execution_id = @run) <> 'Canceled'
    THROW 50001, 'a run that nobody took is Canceled at once', 1;
GO
-- there is no stop by name: people loop
DECLARE @run uniqueidentifier;
DECLARE runs CURSOR FOR
    SELECT DISTINCT job_execution_id FROM jobs.job_executions WHERE is_active = 1 AND job_name = 'CreateTableTest';
OPEN runs;
FETCH NEXT FROM runs INTO @run;
WHILE @@FETCH_STATUS = 0
BEGIN
    EXEC jobs.sp_stop_job @job_execution_id = @run;
    FETCH NEXT FROM runs INTO @run;
END;
CLOSE runs;
DEALLOCATE runs;
GO
IF EXISTS (SELECT * FROM jobs.job_executions WHERE is_active = 1 AND job_name = 'CreateTableTest')
    THROW 50001, 'nothing is active', 1;
