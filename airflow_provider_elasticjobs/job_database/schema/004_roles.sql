-- What Elastic Jobs never had, and who may do what. The rights come before the procedures that they are for: Babelfish
-- fails to grant on a schema that has long ones. Nobody gets a right on jobs_internal: the procedures and views of
-- jobs and jobs_ext reach it because all of them have one owner.
CREATE SCHEMA jobs_ext;
GO
CREATE VIEW jobs_ext.job_executions AS
SELECT e.job_execution_id, e.execution_id, j.job_name, e.job_id, e.job_version, s.step_name, e.step_id, e.is_active,
    e.lifecycle, e.create_time, e.start_time, e.end_time, e.current_attempts, e.current_attempt_start_time,
    e.next_attempt_start_time, e.last_message, e.target_type, e.target_id, g.target_group_name, e.target_server_name,
    e.target_database_name, e.target_elastic_pool_name, e.outcome, e.error_number,
    e.airflow_dag_id AS dag_id, e.airflow_run_id AS run_id, e.airflow_task_id AS task_id,
    e.airflow_map_index AS map_index, e.airflow_try_number AS try_number
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.jobs AS j ON j.job_id = e.job_id
LEFT JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
LEFT JOIN jobs_internal.target_groups AS g ON g.target_group_id = s.target_group_id
WHERE j.delete_requested_time IS NULL;
GO
GRANT SELECT ON SCHEMA::jobs_ext TO jobs_reader;
GO
CREATE ROLE jobs_admin;
GO
GRANT SELECT ON SCHEMA::jobs TO jobs_admin;
GO
GRANT EXECUTE ON SCHEMA::jobs TO jobs_admin;
GO
GRANT SELECT ON SCHEMA::jobs_ext TO jobs_admin;
GO
CREATE ROLE jobs_resource_manager;
GO
GRANT SELECT ON SCHEMA::jobs TO jobs_resource_manager;
GO
GRANT EXECUTE ON SCHEMA::jobs TO jobs_resource_manager;
GO
GRANT SELECT ON SCHEMA::jobs_ext TO jobs_resource_manager;
