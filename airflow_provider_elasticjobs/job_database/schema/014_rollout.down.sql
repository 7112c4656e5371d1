DROP PROCEDURE jobs_internal.purge_runs;
GO
-- Removes a batch of runs that have ended, or as much of them as one transaction should: messages and attempts before
-- their targets, targets before steps, the run's own row last. The newest run of a job that is not deleted stays: its
-- next due time follows from it. The runs' rows are locked first, as all writers do, and looked at again: one that a
-- cleared task has begun anew stays. Done when @rows is 0.
CREATE PROCEDURE jobs_internal.purge_runs
    @job_id uniqueidentifier,
    @oldest_date datetime2,
    @most_runs int,
    @most_rows int,
    @runs int OUTPUT,
    @rows int OUTPUT
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @chosen TABLE (run uniqueidentifier NOT NULL PRIMARY KEY);
    DECLARE @targets TABLE (target uniqueidentifier NOT NULL PRIMARY KEY);
    INSERT INTO @chosen (run)
    SELECT TOP (@most_runs) e.execution_id
    FROM jobs_internal.executions AS e
    INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
    WHERE e.step_id IS NULL AND e.is_active = 0 AND (@oldest_date IS NULL OR e.end_time < @oldest_date)
        AND (@job_id IS NULL OR e.job_id = @job_id)
        AND (j.delete_requested_time IS NOT NULL OR EXISTS (SELECT 1 FROM jobs_internal.executions AS n
            WHERE n.job_id = e.job_id AND n.step_id IS NULL AND (n.create_time > e.create_time
                OR (n.create_time = e.create_time AND n.execution_id > e.execution_id))))
        AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS c
            WHERE c.job_execution_id = e.execution_id AND c.is_active = 1)
    ORDER BY e.end_time, e.execution_id;
    BEGIN TRANSACTION;
    UPDATE jobs_internal.executions SET lock_count = lock_count + 1 WHERE execution_id IN (SELECT run FROM @chosen);
    DELETE FROM @chosen
    WHERE run IN (SELECT execution_id FROM jobs_internal.executions WHERE step_id IS NULL AND is_active = 1);
    INSERT INTO @targets (target)
    SELECT TOP (@most_rows) execution_id FROM jobs_internal.executions
    WHERE job_execution_id IN (SELECT run FROM @chosen) AND target_type = N'SqlDatabase';
    DELETE FROM jobs_internal.messages WHERE execution_id IN (SELECT target FROM @targets);
    DELETE FROM jobs_internal.attempts WHERE execution_id IN (SELECT target FROM @targets);
    DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT target FROM @targets);
    SET @rows = @@ROWCOUNT;
    DELETE FROM @chosen
    WHERE EXISTS (SELECT 1 FROM jobs_internal.executions
        WHERE job_execution_id = run AND target_type = N'SqlDatabase');
    DELETE FROM jobs_internal.executions
    WHERE job_execution_id IN (SELECT run FROM @chosen) AND target_type = N'TargetGroup';
    SET @rows = @rows + @@ROWCOUNT;
    DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id IN (SELECT run FROM @chosen);
    DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT run FROM @chosen);
    SET @runs = @@ROWCOUNT;
    SET @rows = @rows + @runs;
    COMMIT TRANSACTION;
    RETURN 0;
END;
GO
DROP VIEW jobs_ext.waiting_targets;
GO
-- A process counts as lost after 120 seconds without a heartbeat, as for a reconciliation. A cause that is written down
-- comes first: it is what keeps a retry that is due, or a target that a process has, from going on.
CREATE VIEW jobs_ext.waiting_targets AS
SELECT w.job_execution_id, w.execution_id, w.job_name, w.job_id, w.job_version, w.step_name, w.step_id,
    w.target_server_name, w.target_database_name, w.target_elastic_pool_name, w.lifecycle, w.current_attempts,
    CAST(w.waiting_for AS nvarchar(20)) AS waiting_for,
    CAST(CASE w.waiting_for
        WHEN N'process' THEN N'Waiting for its task to come back, or for a reconciliation: its process gives no sign of life.'
        WHEN N'retry' THEN N'Waiting until the next attempt is due.'
        WHEN N'turn' THEN w.waiting_cause
        ELSE N'Waiting for a worker or a free slot of its pool in Airflow.' END AS nvarchar(600)) AS waiting_cause,
    w.next_attempt_start_time, w.dag_id, w.run_id, w.task_id, w.map_index, w.try_number
FROM (
    SELECT e.job_execution_id, e.execution_id, j.job_name, e.job_id, e.job_version, s.step_name, e.step_id,
        e.target_server_name, e.target_database_name, e.target_elastic_pool_name, e.lifecycle, e.current_attempts,
        CASE
            WHEN e.claim_id IS NULL THEN N'worker'
            WHEN e.claim_time < DATEADD(second, -120, SYSUTCDATETIME()) AND NOT EXISTS (
                SELECT 1 FROM jobs_internal.agents AS a
                WHERE a.agent_id = e.agent_id AND a.heartbeat_time >= DATEADD(second, -120, SYSUTCDATETIME()))
                THEN N'process'
            WHEN e.waiting_cause IS NOT NULL THEN N'turn'
            WHEN e.lifecycle = 'WaitingForRetry' THEN N'retry'
            WHEN e.lifecycle = 'Created' THEN N'worker'
            END AS waiting_for,
        e.waiting_cause, e.next_attempt_start_time,
        e.airflow_dag_id AS dag_id, e.airflow_run_id AS run_id, e.airflow_task_id AS task_id,
        e.airflow_map_index AS map_index, e.airflow_try_number AS try_number
    FROM jobs_internal.executions AS e
    INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
    LEFT JOIN jobs_internal.job_steps AS s
        ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
    WHERE e.is_active = 1 AND e.target_type = 'SqlDatabase' AND j.delete_requested_time IS NULL
) AS w
WHERE w.waiting_for IS NOT NULL;
GO
DROP VIEW jobs_ext.rollout_waves;
GO
DROP INDEX IX_executions_rollout ON jobs_internal.executions;
GO
DROP TABLE jobs_internal.rollout_waves;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN start_delay_milliseconds;
GO
ALTER TABLE jobs_internal.executions DROP COLUMN wave;
GO
ALTER TABLE jobs_internal.job_steps DROP COLUMN rollout;
