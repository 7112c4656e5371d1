-- Every attempt on a target, and what its script said. A row of executions begins anew in a rerun (a cleared task);
-- its attempts are numbered within that from 1. The writer makes and ends an attempt in the transaction that changes
-- its row of executions, so the open attempt of a row in progress is the last one. Attempts made before this step of
-- the schema are not known.
ALTER TABLE jobs_internal.executions ADD rerun int NOT NULL CONSTRAINT DF_executions_rerun DEFAULT 0;
GO
-- Of a step's row: an earlier step began anew since, so this one does not count until it has begun anew too.
ALTER TABLE jobs_internal.executions ADD is_outdated bit NOT NULL CONSTRAINT DF_executions_is_outdated DEFAULT 0;
GO
DROP INDEX IX_executions_run ON jobs_internal.executions;
GO
-- Counting the children of a step, or the steps of a run, reads this index alone.
CREATE INDEX IX_executions_run ON jobs_internal.executions
    (job_execution_id, step_id, target_type, is_active, round, lifecycle) INCLUDE (is_outdated);
GO
CREATE TABLE jobs_internal.attempts (
    execution_id uniqueidentifier NOT NULL,
    rerun int NOT NULL,
    attempt int NOT NULL,
    claim_id uniqueidentifier NOT NULL,
    start_time datetime2(7) NOT NULL,
    end_time datetime2(7) NULL,
    outcome nvarchar(20) NULL,
    error_number int NULL,
    message nvarchar(max) NULL,
    airflow_dag_id nvarchar(250) NULL,
    airflow_run_id nvarchar(250) NULL,
    airflow_task_id nvarchar(250) NULL,
    airflow_map_index int NULL,
    airflow_try_number int NULL,
    CONSTRAINT PK_attempts PRIMARY KEY (execution_id, rerun, attempt),
    CONSTRAINT CK_attempts_end CHECK (
        (end_time IS NULL AND outcome IS NULL) OR (end_time IS NOT NULL AND outcome IS NOT NULL))
);
GO
CREATE TABLE jobs_internal.messages (
    execution_id uniqueidentifier NOT NULL,
    rerun int NOT NULL,
    attempt int NOT NULL,
    ordinal int NOT NULL,
    kind nvarchar(20) NOT NULL,
    number int NULL,
    severity int NULL,
    state int NULL,
    line int NULL,
    procedure_name nvarchar(128) NULL,
    row_count bigint NULL,
    text nvarchar(4000) NOT NULL,
    CONSTRAINT PK_messages PRIMARY KEY (execution_id, rerun, attempt, ordinal),
    CONSTRAINT CK_messages_kind CHECK (kind IN ('message', 'error', 'row count', 'result set', 'left out'))
);
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
CREATE VIEW jobs_ext.job_attempts AS
SELECT e.job_execution_id, a.execution_id, j.job_name, e.job_id, e.job_version, s.step_name, e.step_id,
    e.target_server_name, e.target_database_name, e.target_elastic_pool_name, a.rerun, a.attempt,
    a.start_time, a.end_time,
    CAST(DATEDIFF(second, a.start_time, a.end_time) AS bigint) * 1000
        + DATEPART(millisecond, a.end_time) - DATEPART(millisecond, a.start_time) AS duration_milliseconds,
    a.outcome, a.error_number, a.message,
    a.airflow_dag_id AS dag_id, a.airflow_run_id AS run_id, a.airflow_task_id AS task_id,
    a.airflow_map_index AS map_index, a.airflow_try_number AS try_number
FROM jobs_internal.attempts AS a
INNER JOIN jobs_internal.executions AS e ON e.execution_id = a.execution_id
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
LEFT JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
WHERE j.delete_requested_time IS NULL;
GO
CREATE VIEW jobs_ext.job_messages AS
SELECT e.job_execution_id, m.execution_id, j.job_name, e.job_id, e.step_id, e.target_server_name,
    e.target_database_name, m.rerun, m.attempt, m.ordinal, m.kind, m.number, m.severity, m.state, m.line,
    m.procedure_name, m.row_count, m.text
FROM jobs_internal.messages AS m
INNER JOIN jobs_internal.executions AS e ON e.execution_id = m.execution_id
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
WHERE j.delete_requested_time IS NULL;
GO
-- A target also waits for its wave to begin, or, before a process has it, for its time in a rollout that is spread.
CREATE VIEW jobs_ext.waiting_targets AS
SELECT w.job_execution_id, w.execution_id, w.job_name, w.job_id, w.job_version, w.step_name, w.step_id,
    w.target_server_name, w.target_database_name, w.target_elastic_pool_name, w.lifecycle, w.current_attempts,
    CAST(w.waiting_for AS nvarchar(20)) AS waiting_for,
    CAST(CASE w.waiting_for
        WHEN N'process' THEN N'Waiting for its task to come back, or for a reconciliation: its process gives no sign of life.'
        WHEN N'retry' THEN N'Waiting until the next attempt is due.'
        WHEN N'turn' THEN w.waiting_cause
        WHEN N'wave' THEN CONCAT(N'Waiting for wave ', w.wave, N' of the rollout to begin.')
        ELSE N'Waiting for a worker or a free slot of its pool in Airflow.' END AS nvarchar(600)) AS waiting_cause,
    w.next_attempt_start_time, w.dag_id, w.run_id, w.task_id, w.map_index, w.try_number
FROM (
    SELECT e.job_execution_id, e.execution_id, j.job_name, e.job_id, e.job_version, s.step_name, e.step_id,
        e.target_server_name, e.target_database_name, e.target_elastic_pool_name, e.lifecycle, e.current_attempts,
        CASE
            WHEN e.claim_id IS NULL AND v.begin_time IS NULL AND v.wave IS NOT NULL THEN N'wave'
            WHEN e.claim_id IS NULL AND e.waiting_cause IS NOT NULL THEN N'turn'
            WHEN e.claim_id IS NULL THEN N'worker'
            WHEN e.claim_time < DATEADD(second, -120, SYSUTCDATETIME()) AND NOT EXISTS (
                SELECT 1 FROM jobs_internal.agents AS a
                WHERE a.agent_id = e.agent_id AND a.heartbeat_time >= DATEADD(second, -120, SYSUTCDATETIME()))
                THEN N'process'
            WHEN e.waiting_cause IS NOT NULL THEN N'turn'
            WHEN e.lifecycle = 'WaitingForRetry' THEN N'retry'
            WHEN e.lifecycle = 'Created' THEN N'worker'
            END AS waiting_for,
        e.waiting_cause, e.wave, e.next_attempt_start_time,
        e.airflow_dag_id AS dag_id, e.airflow_run_id AS run_id, e.airflow_task_id AS task_id,
        e.airflow_map_index AS map_index, e.airflow_try_number AS try_number
    FROM jobs_internal.executions AS e
    INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
    LEFT JOIN jobs_internal.job_steps AS s
        ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
    LEFT JOIN jobs_internal.rollout_waves AS v
        ON v.job_execution_id = e.job_execution_id AND v.step_id = e.step_id AND v.wave = e.wave
    WHERE e.is_active = 1 AND e.target_type = 'SqlDatabase' AND j.delete_requested_time IS NULL
) AS w
WHERE w.waiting_for IS NOT NULL;
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
    DELETE FROM jobs_internal.rollout_waves WHERE job_execution_id IN (SELECT run FROM @chosen);
    DELETE FROM jobs_internal.job_cancellations WHERE job_execution_id IN (SELECT run FROM @chosen);
    DELETE FROM jobs_internal.executions WHERE execution_id IN (SELECT run FROM @chosen);
    SET @runs = @@ROWCOUNT;
    SET @rows = @rows + @runs;
    COMMIT TRANSACTION;
    RETURN 0;
END;
GO
DROP PROCEDURE jobs.sp_purge_jobhistory;
GO
-- Removes runs that have ended, in short transactions. The latest run of a job that still lives stays. An unknown job
-- has no history: nothing to do.
CREATE PROCEDURE jobs.sp_purge_jobhistory
    @job_name nvarchar(128) = NULL,
    @job_id uniqueidentifier = NULL,
    @oldest_date datetime2 = NULL
AS
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @live uniqueidentifier = '00000000-0000-0000-0000-000000000000', @id uniqueidentifier,
        @runs int, @rows int = 1;
    BEGIN TRY
        IF (@job_name IS NULL AND @job_id IS NULL) OR (@job_name IS NOT NULL AND @job_id IS NOT NULL)
            THROW 50000, N'Say whose history: give either @job_name or @job_id, and not both.', 1;
        SELECT @id = job_id FROM jobs_internal.jobs
        WHERE job_id = @job_id OR (job_name = @job_name AND tombstone_id = @live);
        WHILE @id IS NOT NULL AND @rows > 0
            EXEC jobs_internal.purge_runs @id, @oldest_date, 50, 1000, @runs OUTPUT, @rows OUTPUT;
    END TRY
    BEGIN CATCH
        IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;
        THROW;
    END CATCH;
    RETURN 0;
END;
GO
