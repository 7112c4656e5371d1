DROP PROCEDURE jobs_internal.purge_runs;
GO
-- Removes a batch of runs that have ended, or as much of them as one batch should: messages and attempts before their
-- targets, targets before steps, the run's own row last. The newest run of a job that is not deleted stays: its next
-- due time follows from it. A transaction removes at most four messages, or attempts, for each target that it may
-- remove: below the number from which SQL Server locks a whole table, which every writer would wait for. In each, the
-- runs' rows are locked first, as all writers do, and looked at again: one that a cleared task has begun anew stays.
-- Done when @rows is 0.
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
    DECLARE @targets TABLE (target uniqueidentifier NOT NULL PRIMARY KEY, run uniqueidentifier NOT NULL);
    DECLARE @most_parts int = 4 * @most_rows, @parts int = 4 * @most_rows;
    SET @runs = 0;
    SET @rows = 0;
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
    INSERT INTO @targets (target, run)
    SELECT TOP (@most_rows) execution_id, job_execution_id FROM jobs_internal.executions
    WHERE job_execution_id IN (SELECT run FROM @chosen) AND target_type = N'SqlDatabase';
    WHILE @parts = @most_parts
    BEGIN
        BEGIN TRANSACTION;
        UPDATE jobs_internal.executions SET lock_count = lock_count + 1
        WHERE execution_id IN (SELECT run FROM @chosen);
        DELETE FROM @chosen
        WHERE run IN (SELECT execution_id FROM jobs_internal.executions
            WHERE step_id IS NULL AND (is_active = 1 OR end_time >= @oldest_date));
        DELETE FROM @targets WHERE run NOT IN (SELECT run FROM @chosen);
        DELETE TOP (@most_parts) FROM jobs_internal.messages WHERE execution_id IN (SELECT target FROM @targets);
        SET @parts = @@ROWCOUNT;
        IF @parts < @most_parts
        BEGIN
            DELETE TOP (@most_parts) FROM jobs_internal.attempts WHERE execution_id IN (SELECT target FROM @targets);
            SET @parts = @@ROWCOUNT;
        END;
        IF @parts < @most_parts
        BEGIN
            DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT target FROM @targets);
            SET @rows = @@ROWCOUNT;
            DELETE FROM @chosen
            WHERE EXISTS (SELECT 1 FROM jobs_internal.executions
                WHERE job_execution_id = run AND target_type = N'SqlDatabase');
            DELETE FROM jobs_internal.executions
            WHERE job_execution_id IN (SELECT run FROM @chosen) AND target_type = N'TargetGroup';
            SET @rows = @rows + @@ROWCOUNT;
            DELETE FROM jobs_internal.rollout_waves WHERE job_execution_id IN (SELECT run FROM @chosen);
            DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id IN (SELECT run FROM @chosen);
            DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT run FROM @chosen);
            SET @runs = @@ROWCOUNT;
            SET @rows = @rows + @runs;
        END;
        COMMIT TRANSACTION;
    END;
    RETURN 0;
END;
GO
