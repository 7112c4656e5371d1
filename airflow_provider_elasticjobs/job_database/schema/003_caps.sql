-- How many databases of one elastic pool, and of one server, a step of a run works on at a time.
ALTER TABLE jobs_internal.job_steps ADD max_parallelism_per_server int NULL;
GO
ALTER TABLE jobs_internal.job_steps ADD CONSTRAINT CK_job_steps_parallelism_per_server
    CHECK (max_parallelism_per_server IS NULL OR max_parallelism_per_server >= 1);
GO
-- The process that an attempt's place was given to: the place is free again when its heartbeat is old.
ALTER TABLE jobs_internal.executions ADD place_agent_id uniqueidentifier NULL;
GO
-- What an active row waits for, and when it last asked for it.
ALTER TABLE jobs_internal.executions ADD waiting_cause nvarchar(600) NULL;
GO
ALTER TABLE jobs_internal.executions ADD waiting_time datetime2(7) NULL;
GO
-- One row for each pool, and for each server (its pool is ''), that ever had a cap: whoever hands out a place writes it
-- first, so that places of one pool are counted by one at a time. The flag has no meaning: it makes the write a change.
CREATE TABLE jobs_internal.place_locks (
    server_name nvarchar(256) NOT NULL,
    elastic_pool_name nvarchar(128) NOT NULL,
    flag int NOT NULL,
    CONSTRAINT PK_place_locks PRIMARY KEY (server_name, elastic_pool_name)
);
GO
-- Counting places reads this index alone: a reader that went on to the rows could wait in a circle with their writers.
CREATE INDEX IX_executions_places ON jobs_internal.executions
    (job_execution_id, step_id, target_type, target_server_name)
    INCLUDE (execution_id, is_active, lifecycle, target_elastic_pool_name, target_ordinal,
        current_attempt_start_time, place_agent_id, waiting_cause, waiting_time)
    WHERE is_active = 1;
GO
