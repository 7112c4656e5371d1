-- Tables of the job database. Every time is UTC. Empty text stands for "none" where a column is part of a unique key,
-- because engines differ on whether two NULLs are equal there. A zero tombstone_id marks what is live, so that the
-- name of something deleted can be used again. There are no foreign keys: every writer makes the parent first, and
-- nothing but a purge deletes rows, children first.
CREATE SCHEMA jobs;
GO
CREATE SCHEMA jobs_internal;
GO
CREATE TABLE jobs_internal.schema_versions (
    version int NOT NULL,
    name nvarchar(128) NOT NULL,
    applied_time datetime2(7) NOT NULL,
    CONSTRAINT PK_schema_versions PRIMARY KEY (version)
);
GO
CREATE TABLE jobs_internal.jobs (
    job_id uniqueidentifier NOT NULL,
    job_name nvarchar(128) NOT NULL,
    tombstone_id uniqueidentifier NOT NULL,
    job_version int NOT NULL,
    description nvarchar(512) NOT NULL,
    enabled bit NOT NULL,
    schedule_interval_type nvarchar(50) NOT NULL,
    schedule_interval_count int NOT NULL,
    schedule_start_time datetime2(7) NOT NULL,
    schedule_end_time datetime2(7) NOT NULL,
    create_time datetime2(7) NOT NULL,
    delete_requested_time datetime2(7) NULL,
    CONSTRAINT PK_jobs PRIMARY KEY (job_id),
    CONSTRAINT UQ_jobs_name UNIQUE (job_name, tombstone_id),
    CONSTRAINT CK_jobs_interval_type CHECK (schedule_interval_type IN
        ('Once', 'Minutes', 'Hours', 'Days', 'Weeks', 'Months')),
    CONSTRAINT CK_jobs_interval_count CHECK (schedule_interval_count >= 1),
    CONSTRAINT CK_jobs_window CHECK (schedule_start_time <= schedule_end_time)
);
GO
CREATE TABLE jobs_internal.job_versions (
    job_id uniqueidentifier NOT NULL,
    job_version int NOT NULL,
    create_time datetime2(7) NOT NULL,
    CONSTRAINT PK_job_versions PRIMARY KEY (job_id, job_version)
);
GO
CREATE TABLE jobs_internal.target_groups (
    target_group_id uniqueidentifier NOT NULL,
    target_group_name nvarchar(128) NOT NULL,
    tombstone_id uniqueidentifier NOT NULL,
    create_time datetime2(7) NOT NULL,
    delete_requested_time datetime2(7) NULL,
    CONSTRAINT PK_target_groups PRIMARY KEY (target_group_id),
    CONSTRAINT UQ_target_groups_name UNIQUE (target_group_name, tombstone_id)
);
GO
CREATE TABLE jobs_internal.job_steps (
    job_id uniqueidentifier NOT NULL,
    job_version int NOT NULL,
    step_id int NOT NULL,
    step_name nvarchar(128) NOT NULL,
    command_type nvarchar(50) NOT NULL,
    command_source nvarchar(50) NOT NULL,
    command nvarchar(max) NOT NULL,
    credential_name nvarchar(128) NULL,
    target_group_id uniqueidentifier NOT NULL,
    initial_retry_interval_milliseconds int NOT NULL,
    maximum_retry_interval_milliseconds int NOT NULL,
    retry_interval_backoff_multiplier real NOT NULL,
    retry_attempts int NOT NULL,
    step_timeout_milliseconds int NOT NULL,
    output_type nvarchar(50) NULL,
    output_credential_name nvarchar(128) NULL,
    output_subscription_id uniqueidentifier NULL,
    output_resource_group_name nvarchar(128) NULL,
    output_server_name nvarchar(256) NULL,
    output_database_name nvarchar(128) NULL,
    output_schema_name nvarchar(128) NULL,
    output_table_name nvarchar(128) NULL,
    max_parallelism int NULL,
    CONSTRAINT PK_job_steps PRIMARY KEY (job_id, job_version, step_id),
    CONSTRAINT UQ_job_steps_name UNIQUE (job_id, job_version, step_name),
    CONSTRAINT CK_job_steps_retry CHECK (retry_attempts >= 0 AND initial_retry_interval_milliseconds >= 0
        AND maximum_retry_interval_milliseconds >= initial_retry_interval_milliseconds
        AND retry_interval_backoff_multiplier >= 1),
    CONSTRAINT CK_job_steps_timeout CHECK (step_timeout_milliseconds > 0),
    CONSTRAINT CK_job_steps_parallelism CHECK (max_parallelism IS NULL OR max_parallelism >= 1)
);
GO
-- A target is a value: the same type, server, database, pool and credential has one target_id everywhere.
CREATE TABLE jobs_internal.targets (
    target_id uniqueidentifier NOT NULL,
    target_type nvarchar(128) NOT NULL,
    server_name nvarchar(256) NOT NULL,
    database_name nvarchar(128) NOT NULL,
    elastic_pool_name nvarchar(128) NOT NULL,
    refresh_credential_name nvarchar(128) NOT NULL,
    subscription_id uniqueidentifier NULL,
    resource_group_name nvarchar(128) NULL,
    shard_map_name nvarchar(128) NULL,
    CONSTRAINT PK_targets PRIMARY KEY (target_id),
    CONSTRAINT UQ_targets UNIQUE (server_name, database_name, target_type, elastic_pool_name, refresh_credential_name)
);
GO
CREATE TABLE jobs_internal.target_group_members (
    target_group_id uniqueidentifier NOT NULL,
    target_id uniqueidentifier NOT NULL,
    membership_type nvarchar(7) NOT NULL,
    conn_id nvarchar(250) NULL,
    CONSTRAINT PK_target_group_members PRIMARY KEY (target_group_id, target_id),
    CONSTRAINT CK_target_group_members_type CHECK (membership_type IN ('Include', 'Exclude'))
);
GO
-- One process that runs scripts. A claim belongs to an agent; when its heartbeat is old, so is the claim.
CREATE TABLE jobs_internal.agents (
    agent_id uniqueidentifier NOT NULL,
    host_name nvarchar(256) NOT NULL,
    process_id int NOT NULL,
    start_time datetime2(7) NOT NULL,
    heartbeat_time datetime2(7) NOT NULL,
    CONSTRAINT PK_agents PRIMARY KEY (agent_id)
);
GO
-- A request to stop a run, in force until the run is begun anew by a cleared task.
CREATE TABLE jobs_internal.job_cancellations (
    job_execution_id uniqueidentifier NOT NULL,
    request_time datetime2(7) NOT NULL,
    requested_by nvarchar(256) NOT NULL,
    CONSTRAINT PK_job_cancellations PRIMARY KEY (job_execution_id)
);
GO
-- Job rows (step_id NULL; execution_id = job_execution_id), step rows (target_type TargetGroup) and target rows.
-- round counts how often the step began anew; a step is settled from the targets of its own round.
-- lock_count exists to take the row's lock before children are counted, so that a parent is settled once.
CREATE TABLE jobs_internal.executions (
    execution_id uniqueidentifier NOT NULL,
    job_execution_id uniqueidentifier NOT NULL,
    job_id uniqueidentifier NOT NULL,
    job_version int NOT NULL,
    step_id int NULL,
    is_active bit NOT NULL,
    lifecycle nvarchar(50) NOT NULL,
    create_time datetime2(7) NOT NULL,
    start_time datetime2(7) NULL,
    end_time datetime2(7) NULL,
    current_attempts int NOT NULL,
    current_attempt_start_time datetime2(7) NULL,
    next_attempt_start_time datetime2(7) NULL,
    last_message nvarchar(max) NULL,
    target_type nvarchar(128) NULL,
    target_id uniqueidentifier NULL,
    target_subscription_id uniqueidentifier NULL,
    target_resource_group_name nvarchar(128) NULL,
    target_server_name nvarchar(256) NULL,
    target_database_name nvarchar(128) NULL,
    target_elastic_pool_name nvarchar(128) NULL,
    target_ordinal int NULL,
    conn_id nvarchar(250) NULL,
    round int NOT NULL,
    lock_count int NOT NULL,
    claim_id uniqueidentifier NULL,
    claim_time datetime2(7) NULL,
    agent_id uniqueidentifier NULL,
    lost_attempt bit NOT NULL,
    settled_by uniqueidentifier NULL,
    outcome nvarchar(20) NULL,
    error_number int NULL,
    airflow_dag_id nvarchar(250) NULL,
    airflow_run_id nvarchar(250) NULL,
    airflow_task_id nvarchar(250) NULL,
    airflow_map_index int NULL,
    airflow_try_number int NULL,
    airflow_clear_number int NOT NULL,
    CONSTRAINT PK_executions PRIMARY KEY (execution_id),
    CONSTRAINT CK_executions_lifecycle CHECK (
        (is_active = 1 AND lifecycle IN ('Created', 'InProgress', 'WaitingForChildJobExecutions', 'WaitingForRetry'))
        OR (is_active = 0 AND lifecycle IN
            ('Succeeded', 'SucceededWithSkipped', 'Skipped', 'Failed', 'TimedOut', 'Canceled'))),
    CONSTRAINT CK_executions_start CHECK (
        (lifecycle = 'Created' AND start_time IS NULL) OR (lifecycle <> 'Created' AND start_time IS NOT NULL)),
    CONSTRAINT CK_executions_end CHECK (
        (is_active = 1 AND end_time IS NULL) OR (is_active = 0 AND end_time IS NOT NULL)),
    CONSTRAINT CK_executions_retry CHECK (
        (lifecycle = 'WaitingForRetry' AND next_attempt_start_time IS NOT NULL)
        OR (lifecycle <> 'WaitingForRetry' AND next_attempt_start_time IS NULL)),
    CONSTRAINT CK_executions_level CHECK (
        (step_id IS NULL AND target_type IS NULL AND current_attempts = 0 AND execution_id = job_execution_id)
        OR (step_id IS NOT NULL AND target_type = 'TargetGroup')
        OR (step_id IS NOT NULL AND target_type = 'SqlDatabase'
            AND target_server_name IS NOT NULL AND target_database_name IS NOT NULL))
);
GO
-- Counting the children of a step, or the steps of a run, reads this index alone.
CREATE INDEX IX_executions_run ON jobs_internal.executions
    (job_execution_id, step_id, target_type, is_active, round, lifecycle);
GO
CREATE INDEX IX_executions_job ON jobs_internal.executions (job_id, create_time);
GO
CREATE INDEX IX_executions_active ON jobs_internal.executions (is_active, agent_id);
GO
