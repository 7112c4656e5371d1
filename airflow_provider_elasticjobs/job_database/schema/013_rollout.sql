-- Rollouts: waves, a budget of failures, starts that are spread in time. The definition is the step's, as JSON.
ALTER TABLE jobs_internal.job_steps ADD rollout nvarchar(max) NULL;
GO
-- Counting failures reads this index alone.
CREATE INDEX IX_executions_rollout ON jobs_internal.executions
    (job_execution_id, step_id, lifecycle)
    INCLUDE (wave, round, end_time)
    WHERE wave IS NOT NULL;
GO
-- How far a rollout is; wave 0 is the step as a whole.
CREATE VIEW jobs_ext.rollout_waves AS
SELECT w.job_execution_id, j.job_name, j.job_id, w.step_id, w.wave, w.target_count, w.max_failures, w.begin_time,
    SUM(CASE WHEN e.is_active = 0 THEN 1 ELSE 0 END) AS ended,
    SUM(CASE WHEN e.lifecycle IN ('Failed', 'TimedOut') THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN e.lifecycle = 'Skipped' THEN 1 ELSE 0 END) AS skipped
FROM jobs_internal.rollout_waves AS w
INNER JOIN jobs_internal.executions AS r ON r.execution_id = w.job_execution_id
INNER JOIN jobs_internal.jobs AS j ON j.job_id = r.job_id
LEFT JOIN jobs_internal.executions AS e
    ON e.job_execution_id = w.job_execution_id AND e.step_id = w.step_id AND e.round = w.round
    AND (e.wave = w.wave OR (w.wave = 0 AND e.wave IS NOT NULL))
WHERE j.delete_requested_time IS NULL
GROUP BY w.job_execution_id, j.job_name, j.job_id, w.step_id, w.wave, w.target_count, w.max_failures, w.begin_time;
GO
