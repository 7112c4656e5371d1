"""A history to measure on: runs of many jobs over forty-five days, as the writer would have left them.

Every job has forty runs, twenty-seven hours apart, of two steps on 250 databases: 20,000 target rows a job. Most
succeed; some runs have failed, timed-out, skipped or stopped targets, and the newest run of every tenth job is still
at its second step. The statements are plain T-SQL, a few for each job, so that the server makes the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["AGENT", "DAYS", "ROWS_OF_JOB", "RUNS", "fill", "job_name"]

RUNS = 40
STEPS = 2
TARGETS = 250
DAYS = 45
#: Target rows of one job.
ROWS_OF_JOB = RUNS * STEPS * TARGETS

_NUMBERS = """
CREATE TABLE dbo.numbers (n int NOT NULL PRIMARY KEY);
INSERT INTO dbo.numbers (n)
SELECT a.d + 10 * b.d + 100 * c.d
FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS a (d)
CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS b (d)
CROSS JOIN (VALUES (0), (1), (2)) AS c (d);
CREATE TABLE dbo.runs (job int NOT NULL, n int NOT NULL, run uniqueidentifier NOT NULL, PRIMARY KEY (job, n));
"""

#: One database of the first job is the job database itself, as people have it who keep the index of that one in order.
_FLEET = """
INSERT INTO jobs_internal.targets
    (target_id, target_type, server_name, database_name, elastic_pool_name, refresh_credential_name)
SELECT NEWID(), N'SqlDatabase', CONCAT(N'tenants', s.n, N'.database.windows.net'),
    CASE WHEN s.n = 0 AND t.n = 0 THEN DB_NAME() ELSE CONCAT(N'tenant', RIGHT(CONCAT(N'000', t.n), 4)) END, N'', N''
FROM dbo.numbers AS s CROSS JOIN dbo.numbers AS t
WHERE s.n < 5 AND t.n < 250;
"""

_DEFINITION = """
DECLARE @job uniqueidentifier = NEWID(), @group uniqueidentifier = NEWID(), @server uniqueidentifier = NEWID(),
    @live uniqueidentifier = '00000000-0000-0000-0000-000000000000',
    @first datetime2(7) = DATEADD(day, -46, SYSUTCDATETIME());
INSERT INTO jobs_internal.jobs (job_id, job_name, tombstone_id, job_version, description, enabled,
    schedule_interval_type, schedule_interval_count, schedule_start_time, schedule_end_time, create_time)
VALUES (@job, N'{job}', @live, 2, N'', 1, N'Hours', 27, '2026-01-01', '9999-12-31', @first);
INSERT INTO jobs_internal.job_versions (job_id, job_version, create_time) VALUES (@job, 1, @first), (@job, 2, @first);
INSERT INTO jobs_internal.target_groups (target_group_id, target_group_name, tombstone_id, create_time)
VALUES (@group, N'group of {job}', @live, @first);
INSERT INTO jobs_internal.targets
    (target_id, target_type, server_name, database_name, elastic_pool_name, refresh_credential_name)
VALUES (@server, N'SqlServer', N'tenants{server}.database.windows.net', N'', N'', N'refresh of {job}');
INSERT INTO jobs_internal.target_group_members (target_group_id, target_id, membership_type)
VALUES (@group, @server, N'Include');
INSERT INTO jobs_internal.job_steps (job_id, job_version, step_id, step_name, command_type, command_source, command,
    target_group_id, initial_retry_interval_milliseconds, maximum_retry_interval_milliseconds,
    retry_interval_backoff_multiplier, retry_attempts, step_timeout_milliseconds)
SELECT @job, v.n, s.n, CONCAT(N'step', s.n), N'TSql', N'Inline', N'EXEC dbo.maintain;', @group, 1000, 120000, 2, 2,
    43200000
FROM dbo.numbers AS v CROSS JOIN dbo.numbers AS s WHERE v.n BETWEEN 1 AND 2 AND s.n BETWEEN 1 AND {steps};
"""

_COLUMNS = """execution_id, job_execution_id, job_id, job_version, step_id, is_active, lifecycle,
    create_time, start_time, end_time, current_attempts, current_attempt_start_time, last_message, target_type,
    target_id, round, lock_count, lost_attempt, airflow_dag_id, airflow_run_id, airflow_clear_number"""

#: How a run came out follows from its number, 0 for the oldest.
_KIND = """CASE WHEN {active} = 1 AND n.n = {runs} - 1 THEN N'active' WHEN n.n % 5 = 1 THEN N'Failed'
        WHEN n.n % 10 = 3 THEN N'SucceededWithSkipped' WHEN n.n % 20 = 7 THEN N'TimedOut'
        WHEN n.n % 20 = 14 THEN N'Canceled' ELSE N'Succeeded' END"""

#: A new id that a query uses twice may be two: they are kept first.
_RUNS = f"""
INSERT INTO dbo.runs (job, n, run) SELECT {{number}}, n, NEWID() FROM dbo.numbers WHERE n < {{runs}};
INSERT INTO jobs_internal.executions ({_COLUMNS})
SELECT x.run, x.run, x.job_id, 2, NULL, CASE WHEN x.kind = N'active' THEN 1 ELSE 0 END,
    CASE WHEN x.kind = N'active' THEN N'WaitingForChildJobExecutions' ELSE x.kind END, x.began, x.began,
    CASE WHEN x.kind = N'active' THEN NULL ELSE DATEADD(second, 1202, x.began) END, 0, NULL,
    CASE WHEN x.kind = N'active' THEN N'Job execution waiting for its steps.'
        ELSE CONCAT(N'Job execution ', LOWER(x.kind), N'.') END,
    NULL, NULL, 1, 0, 0, N'dag of {{job}}', CONCAT(N'scheduled__', x.n), 0
FROM (SELECT n.run, j.job_id, n.n, {_KIND} AS kind,
        DATEADD(minute, -1620 * ({{runs}} - n.n) + 1600 + {{number}} % 20, SYSUTCDATETIME()) AS began
    FROM jobs_internal.jobs AS j CROSS JOIN dbo.runs AS n
    WHERE j.job_name = N'{{job}}' AND n.job = {{number}}) AS x;
"""

_STEPS = f"""
INSERT INTO jobs_internal.executions ({_COLUMNS})
SELECT NEWID(), x.job_execution_id, x.job_id, 2, x.n, x.is_active,
    CASE WHEN x.n < {{steps}} THEN N'Succeeded' ELSE x.lifecycle END, x.began, x.began,
    CASE WHEN x.is_active = 1 THEN NULL ELSE DATEADD(second, 600, x.began) END, 1, x.began,
    CASE WHEN x.is_active = 1 THEN CONCAT(N'Step ', x.n, N' waiting for targets.')
        ELSE CONCAT(N'Step ', x.n, N' ', LOWER(x.lifecycle), N'.') END,
    N'TargetGroup', x.target_group_id, 1, 0, 0, x.airflow_dag_id, x.airflow_run_id, 0
FROM (SELECT e.job_execution_id, e.job_id, e.lifecycle, e.airflow_dag_id, e.airflow_run_id, n.n, s.target_group_id,
        CASE WHEN n.n < {{steps}} THEN 0 ELSE e.is_active END AS is_active,
        DATEADD(second, (n.n - 1) * 600 + 1, e.start_time) AS began
    FROM jobs_internal.jobs AS j
    INNER JOIN jobs_internal.executions AS e ON e.job_id = j.job_id AND e.step_id IS NULL
    CROSS JOIN dbo.numbers AS n
    INNER JOIN jobs_internal.job_steps AS s ON s.job_id = j.job_id AND s.job_version = 2 AND s.step_id = n.n
    WHERE j.job_name = N'{{job}}' AND n.n BETWEEN 1 AND {{steps}}) AS x;
"""

#: A target's lifecycle: those of a run that did not end well are in its last step.
_TARGET_LIFECYCLE = """CASE s.lifecycle
        WHEN N'Failed' THEN CASE WHEN n.n % 12 = 5 THEN N'Failed' ELSE N'Succeeded' END
        WHEN N'TimedOut' THEN CASE WHEN n.n % 100 = 7 THEN N'TimedOut' ELSE N'Succeeded' END
        WHEN N'SucceededWithSkipped' THEN CASE WHEN n.n % 50 = 9 THEN N'Skipped' ELSE N'Succeeded' END
        WHEN N'Canceled' THEN CASE WHEN n.n >= {targets} * 4 / 5 THEN N'Canceled' ELSE N'Succeeded' END
        WHEN N'WaitingForChildJobExecutions' THEN CASE WHEN n.n >= {targets} * 3 / 5 THEN N'Created'
            WHEN n.n >= {targets} * 2 / 5 THEN N'InProgress' ELSE N'Succeeded' END
        ELSE N'Succeeded' END"""

_TARGETS = f"""
INSERT INTO jobs_internal.executions ({_COLUMNS}, target_server_name, target_database_name, target_elastic_pool_name,
    target_ordinal, claim_id, claim_time, agent_id, outcome, error_number, airflow_task_id, airflow_map_index,
    airflow_try_number)
SELECT NEWID(), x.job_execution_id, x.job_id, 2, x.step_id,
    CASE WHEN x.lifecycle IN (N'Created', N'InProgress') THEN 1 ELSE 0 END, x.lifecycle, x.created,
    CASE WHEN x.lifecycle <> N'Created' THEN x.began END,
    CASE WHEN x.lifecycle NOT IN (N'Created', N'InProgress') THEN DATEADD(millisecond, 2000 + x.n * 7, x.began) END,
    CASE WHEN x.lifecycle = N'Failed' THEN 3 WHEN x.lifecycle IN (N'Created', N'Canceled', N'Skipped') THEN 0
        ELSE 1 END,
    CASE WHEN x.lifecycle = N'Failed' THEN DATEADD(millisecond, 400, x.began)
        WHEN x.lifecycle NOT IN (N'Created', N'Canceled', N'Skipped') THEN x.began END,
    CASE x.lifecycle WHEN N'Created' THEN N'Waiting for an available worker.'
        WHEN N'Failed' THEN N'Invalid object name ''dbo.visits''. (208)'
        ELSE CONCAT(N'Step ', x.step_id, N' ', LOWER(x.lifecycle), N' execution on target (server ''', x.server_name,
            N''', database ''', x.database_name, N''').') END,
    N'SqlDatabase', x.target_id, 1, 0, 0, x.airflow_dag_id, x.airflow_run_id, 0,
    x.server_name, x.database_name, CASE WHEN x.n < 100 THEN N'pool1' END, x.n + 1,
    CASE WHEN x.lifecycle NOT IN (N'Created', N'Canceled') THEN NEWID() END,
    CASE WHEN x.lifecycle NOT IN (N'Created', N'Canceled') THEN x.began END,
    CASE WHEN x.lifecycle NOT IN (N'Created', N'Canceled') THEN '{{agent}}' END,
    CASE x.lifecycle WHEN N'Succeeded' THEN N'succeeded' WHEN N'Failed' THEN N'failed'
        WHEN N'TimedOut' THEN N'timed_out' WHEN N'Skipped' THEN N'skipped' WHEN N'Canceled' THEN N'cancelled' END,
    CASE WHEN x.lifecycle = N'Failed' THEN 208 END, N'run', x.n,
    CASE WHEN x.lifecycle NOT IN (N'Created', N'Canceled') THEN 1 END
FROM (SELECT s.job_execution_id, s.job_id, s.step_id, s.airflow_dag_id, s.airflow_run_id, t.target_id, t.server_name,
        t.database_name, n.n, {_TARGET_LIFECYCLE} AS lifecycle, s.start_time AS created,
        DATEADD(millisecond, 1000 + n.n * 2000, s.start_time) AS began
    FROM jobs_internal.jobs AS j
    INNER JOIN jobs_internal.executions AS s ON s.job_id = j.job_id AND s.target_type = N'TargetGroup'
    CROSS JOIN dbo.numbers AS n
    INNER JOIN jobs_internal.targets AS t ON t.target_type = N'SqlDatabase'
        AND t.server_name = N'tenants{{server}}.database.windows.net'
        AND t.database_name = CASE WHEN {{server}} = 0 AND n.n = 0 THEN DB_NAME()
            ELSE CONCAT(N'tenant', RIGHT(CONCAT(N'000', n.n), 4)) END
    WHERE j.job_name = N'{{job}}' AND n.n < {{targets}}) AS x;
"""

_ATTEMPTS = """
INSERT INTO jobs_internal.attempts (execution_id, rerun, attempt, claim_id, start_time, end_time, outcome, error_number,
    message, airflow_dag_id, airflow_run_id, airflow_task_id, airflow_map_index, airflow_try_number)
SELECT e.execution_id, 0, n.n, e.claim_id, DATEADD(millisecond, 200 * (n.n - 1), e.start_time),
    CASE WHEN n.n = e.current_attempts THEN e.end_time ELSE DATEADD(millisecond, 200 * n.n - 50, e.start_time) END,
    e.outcome, e.error_number,
    CASE WHEN e.is_active = 0 THEN e.last_message END, e.airflow_dag_id, e.airflow_run_id, e.airflow_task_id,
    e.airflow_map_index, e.airflow_try_number
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.executions AS e ON e.job_id = j.job_id AND e.target_type = N'SqlDatabase'
INNER JOIN dbo.numbers AS n ON n.n BETWEEN 1 AND e.current_attempts
WHERE j.job_name = N'{job}';
"""

_MESSAGES = """
INSERT INTO jobs_internal.messages (execution_id, rerun, attempt, ordinal, kind, row_count, text)
SELECT a.execution_id, a.rerun, a.attempt, 1, N'row count', 12, N'12 rows affected'
FROM jobs_internal.jobs AS j
INNER JOIN jobs_internal.executions AS e ON e.job_id = j.job_id AND e.target_type = N'SqlDatabase'
INNER JOIN jobs_internal.attempts AS a ON a.execution_id = e.execution_id
WHERE j.job_name = N'{job}' AND a.end_time IS NOT NULL;
"""

#: The process that has the active rows.
AGENT = "7a9c0f3e-0c5f-4f5e-9d6c-2f1f6f3b9a01"
_HEARTBEAT = f"""
INSERT INTO jobs_internal.agents (agent_id, host_name, process_id, start_time, heartbeat_time)
VALUES ('{AGENT}', N'host', 1, SYSUTCDATETIME(), SYSUTCDATETIME());
"""


def job_name(number: int) -> str:
    """Return the name of a job of the history, counted from 0."""
    return f"nightly {number:02}"


def fill(
    connection: Any,
    jobs: int,
    *,
    runs: int = RUNS,
    targets: int = TARGETS,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Make the history of so many jobs in an installed job database.

    :param connection: in autocommit mode; each statement is a transaction.
    :param jobs: how many, at most 1,000.
    :param runs: of each job.
    :param targets: databases of each step, at most 250.
    :param progress: told after every tenth job.
    """
    for statement in (_NUMBERS, _FLEET, _HEARTBEAT):
        connection.execute(statement).close()
    for number in range(jobs):
        values = {
            "job": job_name(number), "number": number, "server": number % 5, "agent": AGENT, "runs": runs,
            "steps": STEPS, "targets": targets, "active": int(number % 10 == 0),
        }  # fmt: skip
        for statement in (_DEFINITION, _RUNS, _STEPS, _TARGETS, _ATTEMPTS, _MESSAGES):
            connection.execute(f"SET NOCOUNT ON;{statement.format(**values)}").close()
        if number % 10 == 9:
            progress(f"{(number + 1) * runs * STEPS * targets:,} target rows")
