-- Text that is never missing in a table but may be NULL in a view by the contract goes through NULLIF, whose type some
-- engines forget, hence the CASTs.
-- The public views, with the columns, order, types and nullability of Azure Elastic Jobs, and who may read them.
CREATE VIEW jobs.jobs AS
SELECT job_name, job_id, job_version, description, enabled,
    schedule_interval_type, schedule_interval_count, schedule_start_time, schedule_end_time
FROM jobs_internal.jobs
WHERE delete_requested_time IS NULL;
GO
CREATE VIEW jobs.job_versions AS
SELECT j.job_name, j.job_id, v.job_version
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.job_versions AS v ON v.job_id = j.job_id
WHERE j.delete_requested_time IS NULL;
GO
CREATE VIEW jobs.jobstep_versions AS
SELECT j.job_name, j.job_id, s.job_version, s.step_id, s.step_name, s.command_type,
    CAST(NULLIF(s.command_source, N'') AS nvarchar(50)) AS command_source,
    CAST(NULLIF(s.command, N'') AS nvarchar(max)) AS command,
    s.credential_name,
    g.target_group_name, g.target_group_id,
    s.initial_retry_interval_milliseconds / 1000 AS initial_retry_interval_seconds,
    s.maximum_retry_interval_milliseconds / 1000 AS maximum_retry_interval_seconds,
    s.retry_interval_backoff_multiplier, s.retry_attempts,
    s.step_timeout_milliseconds / 1000 AS step_timeout_seconds,
    s.output_type, s.output_credential_name, s.output_subscription_id, s.output_resource_group_name,
    s.output_server_name, s.output_database_name, s.output_schema_name, s.output_table_name, s.max_parallelism
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.job_steps AS s ON s.job_id = j.job_id
LEFT JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
WHERE j.delete_requested_time IS NULL;
GO
CREATE VIEW jobs.jobsteps AS
SELECT j.job_name, j.job_id, s.job_version, s.step_id, s.step_name, s.command_type,
    CAST(NULLIF(s.command_source, N'') AS nvarchar(50)) AS command_source,
    CAST(NULLIF(s.command, N'') AS nvarchar(max)) AS command,
    s.credential_name,
    g.target_group_name, g.target_group_id,
    s.initial_retry_interval_milliseconds / 1000 AS initial_retry_interval_seconds,
    s.maximum_retry_interval_milliseconds / 1000 AS maximum_retry_interval_seconds,
    s.retry_interval_backoff_multiplier, s.retry_attempts,
    s.step_timeout_milliseconds / 1000 AS step_timeout_seconds,
    s.output_type, s.output_credential_name, s.output_subscription_id, s.output_resource_group_name,
    s.output_server_name, s.output_database_name, s.output_schema_name, s.output_table_name, s.max_parallelism
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.job_steps AS s ON s.job_id = j.job_id AND s.job_version = j.job_version
LEFT JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
WHERE j.delete_requested_time IS NULL;
GO
CREATE VIEW jobs.target_groups AS
SELECT CAST(NULLIF(target_group_name, N'') AS nvarchar(128)) AS target_group_name, target_group_id
FROM jobs_internal.target_groups
WHERE delete_requested_time IS NULL;
GO
CREATE VIEW jobs.target_group_members AS
SELECT CAST(NULLIF(g.target_group_name, N'') AS nvarchar(128)) AS target_group_name, g.target_group_id, m.membership_type,
    t.target_type, t.target_id,
    CAST(NULLIF(t.refresh_credential_name, N'') AS nvarchar(128)) AS refresh_credential_name,
    t.subscription_id, t.resource_group_name,
    CAST(NULLIF(t.server_name, N'') AS nvarchar(256)) AS server_name,
    CAST(NULLIF(t.database_name, N'') AS nvarchar(128)) AS database_name,
    CAST(NULLIF(t.elastic_pool_name, N'') AS nvarchar(128)) AS elastic_pool_name,
    t.shard_map_name
FROM jobs_internal.target_groups AS g
INNER JOIN jobs_internal.target_group_members AS m ON m.target_group_id = g.target_group_id
INNER JOIN jobs_internal.targets AS t ON t.target_id = m.target_id
WHERE g.delete_requested_time IS NULL;
GO
CREATE VIEW jobs.job_executions AS
SELECT e.job_execution_id, j.job_name, e.job_id, e.job_version, s.step_name, e.step_id, e.is_active, e.lifecycle,
    e.create_time, e.start_time, e.end_time,
    e.current_attempts, e.current_attempt_start_time, e.next_attempt_start_time, e.last_message,
    e.target_type, e.target_id, g.target_group_name, e.target_subscription_id, e.target_resource_group_name,
    e.target_server_name, e.target_database_name, e.target_elastic_pool_name
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
LEFT JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
LEFT JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
WHERE j.delete_requested_time IS NULL;
GO
CREATE ROLE jobs_reader;
GO
GRANT SELECT ON SCHEMA::jobs TO jobs_reader;
GO
