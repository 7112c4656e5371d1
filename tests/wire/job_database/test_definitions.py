from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, TargetGroup
from tests.wire.job_database.runs import SERVER, Run, databases, new_job


def _query(db: JobDatabase, sql: str, name: str) -> list[Any]:
    return db.run(Batch(sql, name="nvarchar(128)"), name=name)


def _steps(db: JobDatabase, job: Job, view: str = "jobsteps") -> list[Any]:
    return _query(db, f"SELECT * FROM jobs.{view} WHERE job_name = @name ORDER BY job_version, step_id;", job.name)


def _members(db: JobDatabase, group: str) -> set[tuple[Any, ...]]:
    rows = _query(db, "SELECT * FROM jobs.target_group_members WHERE target_group_name = @name;", group)
    return {
        (row.membership_type, row.target_type, row.server_name, row.database_name, row.elastic_pool_name)
        for row in rows
    }


OPTIONS = """
SELECT s.output_options FROM jobs_internal.job_steps AS s
INNER JOIN jobs_internal.jobs AS j ON j.job_id = s.job_id AND j.job_version = s.job_version
WHERE j.job_name = @name ORDER BY s.step_id;
"""


def test_a_step_is_kept_with_all_its_options(db: JobDatabase) -> None:
    group = TargetGroup(f"group {uuid4().hex}", [SqlServer(SERVER)])
    retry = RetryPolicy(attempts=3, initial_interval=5, maximum_interval=60, backoff_multiplier=1.5)
    step = JobStep(
        "step1", group, "SELECT 'ö';\nGO\nSELECT 2;", retry=retry, step_timeout=30, max_parallelism=7, conn_id="c"
    )
    job = Job(f"job {uuid4().hex}", [step], description="what it does")
    registered = register_job(db, job)
    (row,) = _steps(db, job)
    assert (row.job_version, row.step_id, row.step_name, row.command_type) == (1, 1, "step1", "TSql")
    assert (row.command_source, row.command, row.credential_name) == ("Inline", step.command, "c")
    assert (row.initial_retry_interval_seconds, row.maximum_retry_interval_seconds, row.retry_attempts) == (5, 60, 3)
    assert (row.retry_interval_backoff_multiplier, row.step_timeout_seconds, row.max_parallelism) == (1.5, 30, 7)
    assert (row.target_group_name, row.output_type, row.output_table_name) == (group.name, None, None)
    (head,) = _query(db, "SELECT * FROM jobs.jobs WHERE job_name = @name;", job.name)
    assert (str(head.job_id).lower(), head.job_version) == (str(registered.job_id), registered.job_version)
    assert (head.description, head.enabled, head.schedule_interval_type) == ("what it does", False, "Once")
    assert str(head.schedule_start_time) == "0001-01-01 00:00:00"
    assert str(head.schedule_end_time) == "9999-12-31 11:59:59"


def test_an_output_is_kept_in_the_documented_columns(db: JobDatabase) -> None:
    step = new_job("SELECT 1;").steps[0]
    table = SqlDatabaseOutput("s", "d", "t", conn_id="c")
    outputs = [table, replace(table, result_sets="all", add_columns=["server_name"]), ParquetOutput("s3://b"), None]
    steps = [replace(step, name=f"step{number}", output=output) for number, output in enumerate(outputs)]
    job = Job(f"job {uuid4().hex}", steps)
    assert register_job(db, job) == register_job(db, job)
    columns = [f"output_{name}" for name in ("type", "credential_name", "server_name", "database_name")]
    columns += [f"output_{name}" for name in ("schema_name", "table_name", "subscription_id", "resource_group_name")]
    rows = [tuple(getattr(row, column) for column in columns) for row in _steps(db, job)]
    documented = ("SqlDatabase", "c", "s", "d", "dbo", "t", None, None)
    assert rows == [documented, documented, (None,) * 8, (None,) * 8]
    options = _query(db, OPTIONS, job.name)
    assert [row[0] and json.loads(row[0]) for row in options] == [
        None,
        {"result_sets": "all", "add_columns": ["server_name"]},
        {"output_type": "Parquet", "path": "s3://b"},
        None,
    ]


def test_a_command_of_a_million_characters_is_kept(db: JobDatabase) -> None:
    job = new_job("SELECT 1; -- " + "ä" * 1_000_000)
    register_job(db, job)
    (row,) = _steps(db, job)
    assert row.command == job.steps[0].command


class TestVersions:
    def test_the_same_steps_are_the_same_version(self, db: JobDatabase) -> None:
        job = new_job("SELECT 1;", "SELECT 2;")
        assert register_job(db, job) == register_job(db, Job.from_json(job.to_json()))
        assert len(_steps(db, job, "jobstep_versions")) == 2

    @pytest.mark.parametrize(
        "change",
        [
            {"command": "SELECT 2;"},
            {"command": "select 1;"},
            {"name": "other"},
            {"retry": RetryPolicy(attempts=1)},
            {"retry": RetryPolicy(initial_interval=2)},
            {"retry": RetryPolicy(maximum_interval=200)},
            {"retry": RetryPolicy(backoff_multiplier=1.1)},
            {"step_timeout": 60},
            {"max_parallelism": 2},
            {"max_parallelism_per_server": 2},
            {"rollout": Rollout(max_failures=1)},
            {"conn_id": "other"},
            {"output": SqlDatabaseOutput("s", "d", "t")},
            {"output": ParquetOutput("s3://bucket")},
            {"target_group": TargetGroup("another group", [SqlServer(SERVER)])},
        ],
        ids=str,
    )
    def test_a_changed_step_is_the_next_version_once(self, db: JobDatabase, change: dict[str, Any]) -> None:
        job = new_job("SELECT 1;")
        first = register_job(db, job)
        changed = Job(job.name, [replace(job.steps[0], **change)])
        second = register_job(db, changed)
        assert (second.job_id, second.job_version) == (first.job_id, 2)
        assert register_job(db, changed) == second
        assert [row.job_version for row in _steps(db, job)] == [2]
        assert [row.job_version for row in _steps(db, job, "jobstep_versions")] == [1, 2]

    def test_an_added_step_is_the_next_version(self, db: JobDatabase) -> None:
        job = new_job("SELECT 1;")
        register_job(db, job)
        longer = Job(job.name, [*job.steps, JobStep("step2", job.steps[0].target_group, "SELECT 2;")])
        assert register_job(db, longer).job_version == 2
        assert register_job(db, job).job_version == 3

    def test_the_description_is_no_version(self, db: JobDatabase) -> None:
        job = new_job("SELECT 1;")
        register_job(db, job)
        assert register_job(db, Job(job.name, job.steps, description="new")).job_version == 1
        (head,) = _query(db, "SELECT description FROM jobs.jobs WHERE job_name = @name;", job.name)
        assert head.description == "new"

    def test_the_members_of_a_group_are_no_version(self, db: JobDatabase) -> None:
        job = new_job("SELECT 1;")
        register_job(db, job)
        group = TargetGroup(job.steps[0].target_group.name, [SqlDatabase(SERVER, "only")])
        assert register_job(db, Job(job.name, [replace(job.steps[0], target_group=group)])).job_version == 1
        assert _members(db, group.name) == {("Include", "SqlDatabase", SERVER, "only", None)}

    def test_names_are_the_same_in_any_letter_case(self, db: JobDatabase) -> None:
        job = new_job("SELECT 1;")
        first = register_job(db, job)
        second = register_job(db, Job(job.name.upper(), job.steps))
        assert second == first


class TestGroups:
    def test_members_become_what_the_dag_says(self, db: JobDatabase) -> None:
        name = f"group {uuid4().hex}"
        before = TargetGroup(name, [SqlServer(SERVER, refresh_conn_id="r"), SqlDatabase(SERVER, "db2", exclude=True)])
        after = TargetGroup(name, [SqlElasticPool(SERVER, "pool1"), SqlDatabase(SERVER, "db2")])
        job = Job(f"job {name}", [JobStep("step1", before, "SELECT 1;")])
        register_job(db, job)
        assert _members(db, name) == {
            ("Include", "SqlServer", SERVER, None, None), ("Exclude", "SqlDatabase", SERVER, "db2", None),
        }  # fmt: skip
        register_job(db, Job(job.name, [JobStep("step1", after, "SELECT 1;")]))
        assert _members(db, name) == {
            ("Include", "SqlElasticPool", SERVER, None, "pool1"), ("Include", "SqlDatabase", SERVER, "db2", None),
        }  # fmt: skip

    def test_a_target_has_one_id_everywhere(self, db: JobDatabase) -> None:
        database = f"db {uuid4().hex}"
        groups = [
            TargetGroup(f"group {uuid4().hex}", [SqlDatabase(name, database)]) for name in (SERVER, SERVER.upper())
        ]
        for group in groups:
            register_job(db, Job(f"job of {group.name}", [JobStep("step1", group, "SELECT 1;")]))
        run = Run(db)
        targets = databases(1, prefix=database)
        run.begin([replace(targets[0], database_name=database)])
        sql = """
SELECT DISTINCT target_id FROM jobs.target_group_members WHERE database_name = @name
UNION SELECT target_id FROM jobs.job_executions WHERE target_database_name = @name;
"""
        assert len(_query(db, sql, database)) == 1

    def test_two_kinds_of_member_are_two_targets(self, db: JobDatabase) -> None:
        name = f"group {uuid4().hex}"
        members = [SqlServer(SERVER), SqlElasticPool(SERVER, "pool1"), SqlDatabase(SERVER, "pool1")]
        register_job(db, Job(f"job {name}", [JobStep("step1", TargetGroup(name, members), "SELECT 1;")]))
        sql = "SELECT target_id FROM jobs.target_group_members WHERE target_group_name = @name;"
        assert len({str(row.target_id) for row in _query(db, sql, name)}) == 3

    def test_a_thousand_members_are_kept(self, db: JobDatabase) -> None:
        name = f"group {uuid4().hex}"
        members = [SqlDatabase(SERVER, f"tenant{number}") for number in range(1000)]
        register_job(db, Job(f"job {name}", [JobStep("step1", TargetGroup(name, members), "SELECT 1;")]))
        assert len(_members(db, name)) == 1000


def test_eight_processes_that_register_one_job_make_one_version(db: JobDatabase) -> None:
    job = new_job("SELECT 1;", "SELECT 2;")
    with ThreadPoolExecutor(8) as threads:
        registered = list(threads.map(lambda _: register_job(db, job), range(8)))
    assert len(set(registered)) == 1
    assert registered[0].job_version == 1
    assert len(_steps(db, job, "jobstep_versions")) == 2


def test_two_versions_registered_in_turns_are_never_lost(db: JobDatabase) -> None:
    one = new_job("SELECT 1;")
    two = Job(one.name, [replace(one.steps[0], command="SELECT 2;")])
    with ThreadPoolExecutor(4) as threads:
        registered = list(threads.map(lambda job: (job, register_job(db, job)), [one, two] * 4))
    commands = {row.job_version: row.command for row in _steps(db, one, "jobstep_versions")}
    assert all(commands[found.job_version] == job.steps[0].command for job, found in registered)
    assert sorted(commands) == list(range(1, len(commands) + 1))
