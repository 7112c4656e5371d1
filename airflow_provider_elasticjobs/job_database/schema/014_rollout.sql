-- Rollouts: waves, a budget of failures, starts that are spread in time. The definition is the step's, as JSON.
ALTER TABLE jobs_internal.job_steps ADD rollout nvarchar(max) NULL;
GO
-- The wave of a target, and how long after the wave's beginning its script may begin. NULL in a step without a rollout.
ALTER TABLE jobs_internal.executions ADD wave int NULL;
GO
ALTER TABLE jobs_internal.executions ADD start_delay_milliseconds int NULL;
GO
-- One row for each wave of a step's rollout in one run, and wave 0 for the step as a whole. Whoever begins a target or
-- ends one badly writes wave 0 first (the flag has no meaning), so that failures are counted by one at a time.
-- Failures count from counted_since on, in the step's present round.
CREATE TABLE jobs_internal.rollout_waves (
    job_execution_id uniqueidentifier NOT NULL,
    step_id int NOT NULL,
    wave int NOT NULL,
    target_count int NOT NULL,
    max_failures int NULL,
    spread_milliseconds int NOT NULL,
    begin_time datetime2(7) NULL,
    counted_since datetime2(7) NOT NULL,
    round int NOT NULL,
    flag int NOT NULL,
    CONSTRAINT PK_rollout_waves PRIMARY KEY (job_execution_id, step_id, wave)
);
GO
-- Counting failures reads this index alone.
CREATE INDEX IX_executions_rollout ON jobs_internal.executions
    (job_execution_id, step_id, lifecycle)
    INCLUDE (wave, round, end_time)
    WHERE wave IS NOT NULL;
GO
-- How far a rollout is.
CREATE VIEW jobs_ext.rollout_waves AS
SELECT w.job_execution_id, w.step_id, w.wave, w.target_count, w.max_failures, w.begin_time,
    COALESCE(SUM(CASE WHEN e.is_active = 0 THEN 1 ELSE 0 END), 0) AS ended,
    COALESCE(SUM(CASE WHEN e.lifecycle IN ('Failed', 'TimedOut') THEN 1 ELSE 0 END), 0) AS failed,
    COALESCE(SUM(CASE WHEN e.lifecycle = 'Skipped' THEN 1 ELSE 0 END), 0) AS skipped
FROM jobs_internal.rollout_waves AS w
LEFT JOIN jobs_internal.executions AS e
    ON e.job_execution_id = w.job_execution_id AND e.step_id = w.step_id AND e.round = w.round
    AND (e.wave = w.wave OR (w.wave = 0 AND e.wave IS NOT NULL))
GROUP BY w.job_execution_id, w.step_id, w.wave, w.target_count, w.max_failures, w.begin_time;
GO
