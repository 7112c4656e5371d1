"""The sixteen monitoring queries of reference section 9, as people have them in their scripts."""

# ruff: noqa: E501 the queries stand as people have them
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import wait_for_retry
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import SERVER, Run, new_job


@pytest.fixture(scope="module")
def fleet(installed: JobDatabase) -> tuple[Run, Run, Run]:
    """Two runs of one job: one that has ended, one that is active; and a failed one of another."""
    ended = Run(installed, new_job("SELECT 1;", "SELECT 2;"))
    for step_id in (1, 2):
        for target in ended.begin(2, step_id):
            ended.run_target(target)
    active = Run(installed, ended.job)
    one, _ = active.begin(2)
    wait_for_retry(installed, active.claim_and_begin(one), "Divide by zero", delay_seconds=60)
    failed = Run(installed)
    failed.finish(
        failed.claim_and_begin(failed.begin([Target(SERVER, "master", "pool1")])[0]), Lifecycle.FAILED, "no table"
    )
    return ended, active, failed


@pytest.fixture
def client(server: LiveServer, installed: JobDatabase) -> Iterator[pyodbc.Connection]:
    connection = server.connect(installed.database)
    yield connection
    connection.close()


def _rows(client: pyodbc.Connection, sql: str) -> list[Any]:
    cursor = client.execute(sql)
    while cursor.description is None:
        assert cursor.nextset()
    return list(cursor.fetchall())


Fleet = tuple[Run, Run, Run]


def test_01_all_jobs_and_enabled_jobs(client: pyodbc.Connection, fleet: Fleet) -> None:
    names = {row.job_name for row in _rows(client, "SELECT * FROM jobs.jobs")}
    assert {run.job.name for run in fleet} <= names
    # jobs of DAGs have no schedule of their own
    enabled = {row.job_name for row in _rows(client, "SELECT * FROM jobs.jobs WHERE enabled = 1")}
    assert enabled.isdisjoint({run.job.name for run in fleet})


def test_02_steps_of_current_versions(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = """
SELECT jobs.job_name, js.step_name, js.command FROM jobs.jobsteps js
JOIN jobs.jobs jobs ON js.job_id = jobs.job_id AND js.job_version = jobs.job_version
"""
    steps = [row.step_name for row in _rows(client, sql) if row.job_name == fleet[0].job.name]
    assert sorted(steps) == ["step1", "step2"]


def test_03_step_versions_and_all_steps(client: pyodbc.Connection, fleet: Fleet) -> None:
    name = fleet[0].job.name
    versions = _rows(client, f"SELECT * FROM jobs.jobstep_versions WHERE job_name = N'{name}'")
    assert [(row.job_version, row.step_id) for row in sorted(versions, key=lambda row: row.step_id)] == [(1, 1), (1, 2)]
    assert len([row for row in _rows(client, "SELECT * FROM jobs.jobsteps") if row.job_name == name]) == 2


def test_04_top_level_status(client: pyodbc.Connection, fleet: Fleet) -> None:
    ended, active, _ = fleet
    sql = f"""
--View top-level execution status for the job, newest first
SELECT * FROM jobs.job_executions
WHERE job_name = '{ended.job.name}' and step_id IS NULL
ORDER BY start_time DESC;
"""
    rows = _rows(client, sql)
    assert [str(row.job_execution_id).lower() for row in rows] == [str(active.id), str(ended.id)]
    assert [(row.is_active, row.lifecycle) for row in rows] == [
        (True, "WaitingForChildJobExecutions"), (False, "Succeeded"),
    ]  # fmt: skip


def test_05_everything_of_a_job(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"SELECT * FROM jobs.job_executions WHERE job_name = '{fleet[0].job.name}' ORDER BY start_time DESC"
    rows = _rows(client, sql)
    assert len(rows) == (1 + 2 + 4) + (1 + 1 + 2)
    assert rows[-1].start_time is None


def test_06_active_executions(client: pyodbc.Connection, fleet: Fleet) -> None:
    rows = _rows(client, "SELECT * FROM jobs.job_executions WHERE is_active = 1 ORDER BY start_time DESC;")
    assert str(fleet[1].id) in {str(row.job_execution_id).lower() for row in rows}
    named = f"SELECT * FROM jobs.job_executions WHERE is_active = 1 AND job_name = '{fleet[2].job.name}'"
    assert _rows(client, named) == []


def test_07_by_run_id(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"""
DECLARE @je uniqueidentifier;
SET @je = '{fleet[0].id}';
SELECT * FROM jobs.job_executions WHERE job_execution_id = @je;
"""
    assert len(_rows(client, sql)) == 7


def test_08_explicit_list_before_cancelling(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"""
-- View all active executions to determine job_execution_id
SELECT job_name
, job_execution_id
, job_version
, step_id
, is_active
, lifecycle
, start_time
, current_attempts
, current_attempt_start_time
, last_message
, target_group_name
, target_server_name
, target_database_name
FROM jobs.job_executions
WHERE is_active = 1 AND job_name = '{fleet[1].job.name}'
ORDER BY start_time DESC;
"""
    rows = _rows(client, sql)
    groups = {row.target_group_name for row in rows if row.step_id is not None}
    assert groups == {f"group of {fleet[1].job.name}"}
    assert [row.target_group_name for row in rows if row.step_id is None] == [None]
    assert {row.last_message for row in rows if row.lifecycle == "WaitingForRetry"} == {"Divide by zero"}


def test_09_polling_until_the_end(client: pyodbc.Connection, fleet: Fleet) -> None:
    head = f"SELECT is_active, lifecycle FROM jobs.job_executions WHERE job_execution_id = '{fleet[0].id}' AND step_id IS NULL"
    assert [tuple(row) for row in _rows(client, head)] == [(False, "Succeeded")]
    sql = f"""
SELECT target_database_name, is_active, lifecycle, last_message FROM jobs.job_executions
WHERE job_execution_id = '{fleet[0].id}' AND target_database_name IS NOT NULL AND step_id = 1
ORDER BY target_database_name
"""
    assert [tuple(row) for row in _rows(client, sql)] == [
        (name, False, "Succeeded", f"Step 1 succeeded execution on target (server '{SERVER}', database '{name}').")
        for name in ("db1", "db2")
    ]


def test_10_groups_and_members(client: pyodbc.Connection, fleet: Fleet) -> None:
    group = f"group of {fleet[0].job.name}"
    assert len(_rows(client, f"SELECT * FROM jobs.target_groups WHERE target_group_name = N'{group}';")) == 1
    sql = f"SELECT target_group_name, membership_type, target_type, refresh_credential_name, server_name, database_name FROM jobs.target_group_members WHERE target_group_name = N'{group}' AND server_name = '{SERVER}' ORDER BY membership_type"
    (row,) = _rows(client, sql)
    assert (row.membership_type, row.target_type, row.server_name) == ("Include", "SqlServer", SERVER)
    assert (row.refresh_credential_name, row.database_name) == (None, None)


def test_11_a_members_target_id_in_a_variable(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"""
--Retrieve the target_id for a target_group_member
declare @tid uniqueidentifier
SELECT @tid = target_id FROM [jobs].target_group_members WHERE target_group_name = 'group of {fleet[0].job.name}' and server_name = '{SERVER}'
SELECT @tid AS target_id
"""
    assert _rows(client, sql)[0].target_id is not None


def test_12_failures(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"""
SELECT job_name, step_name, target_resource_group_name, target_server_name, target_database_name,
    target_elastic_pool_name, DATEDIFF(SECOND, start_time, end_time) AS duration, last_message
FROM jobs.job_executions
WHERE lifecycle = 'Failed' AND target_type = 'SqlDatabase' AND job_name = '{fleet[2].job.name}'
"""
    (row,) = _rows(client, sql)
    assert (row.step_name, row.target_resource_group_name, row.target_elastic_pool_name) == ("step1", None, "pool1")
    assert 0 <= row.duration < 600
    assert row.last_message == "no table"


def test_13_target_rows(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = f"SELECT target_type FROM jobs.job_executions WHERE target_type IS NOT NULL AND job_execution_id = '{fleet[0].id}'"
    assert sorted(row.target_type for row in _rows(client, sql)) == ["SqlDatabase"] * 4 + ["TargetGroup"] * 2
    own = "SELECT * FROM jobs.job_executions WHERE target_type = 'SqlDatabase' AND target_database_name = DB_NAME()"
    assert _rows(client, own) == []


def test_14_distinct_active_runs(client: pyodbc.Connection, fleet: Fleet) -> None:
    rows = _rows(client, "SELECT DISTINCT job_execution_id FROM jobs.job_executions WHERE is_active = 1")
    ids = [str(row.job_execution_id).lower() for row in rows]
    assert ids.count(str(fleet[1].id)) == 1
    assert str(fleet[0].id) not in ids


def test_15_latest_row_per_job_and_messages_per_run(client: pyodbc.Connection, fleet: Fleet) -> None:
    sql = """
SELECT e.job_name, e.job_execution_id, e.lifecycle
FROM jobs.job_executions AS e
INNER JOIN (SELECT job_name, MAX(create_time) AS create_time FROM jobs.job_executions WHERE step_id IS NULL
    GROUP BY job_name) AS latest
    ON latest.job_name = e.job_name AND latest.create_time = e.create_time
WHERE e.step_id IS NULL
"""
    latest = {row.job_name: str(row.job_execution_id).lower() for row in _rows(client, sql)}
    assert latest[fleet[0].job.name] == str(fleet[1].id)
    sql = f"""
SELECT job_execution_id, STRING_AGG(last_message, '; ') AS messages FROM jobs.job_executions
WHERE job_execution_id = '{fleet[2].id}' GROUP BY job_execution_id
"""
    (row,) = _rows(client, sql)
    assert "no table" in row.messages
    assert "Job execution failed." in row.messages


def test_16_guards_around_the_add_procedures(client: pyodbc.Connection, fleet: Fleet) -> None:
    group = f"group of {fleet[0].job.name}"
    sql = f"""
DECLARE @missing nvarchar(200) = N'';
IF NOT EXISTS (SELECT * FROM jobs.target_groups WHERE target_group_name = N'{group}')
    SET @missing = @missing + N' group';
IF NOT EXISTS (SELECT 1 FROM [jobs].[target_group_members] WHERE target_group_name = N'{group}' AND target_type = 'SqlServer'
    AND server_name = N'{SERVER}')
    SET @missing = @missing + N' member';
IF NOT EXISTS (SELECT 1 FROM jobs.jobsteps WHERE job_name = N'{fleet[0].job.name}' AND step_name = N'step2')
    SET @missing = @missing + N' step2';
IF NOT EXISTS (SELECT 1 FROM jobs.jobsteps WHERE job_name = N'{fleet[0].job.name}' AND step_name = N'step3')
    SET @missing = @missing + N' step3';
SELECT @missing AS missing;
"""
    assert _rows(client, sql)[0].missing == " step3"
