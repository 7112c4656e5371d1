"""Definitions as the command line reads them."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.catalog import job_steps, jobs, target_group
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.history import latest_runs
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import (
    FailedTargets,
    SqlDatabase,
    SqlElasticPool,
    SqlQueryTargets,
    SqlServer,
    SqlShardMap,
    TargetGroup,
)
from tests.wire.job_database.runs import SERVER, Run, new_job

_MEMBERS = Batch(
    "SELECT target_id FROM jobs.target_group_members WHERE target_group_name = @name;", name="nvarchar(128)"
)
_ADD = Batch(
    """
EXEC jobs.sp_add_target_group @name;
EXEC jobs.sp_add_target_group_member @name, 'Include', 'SqlDatabase', NULL, @server, N'tenant_*';
EXEC jobs.sp_add_target_group_member @name, 'Include', 'SqlElasticPool', NULL, @server, NULL, N'pool_?';
EXEC jobs.sp_add_target_group_member @name, 'Include', 'SqlShardMap', NULL, @server, N'manager', NULL, N'tenants';
""",
    name="nvarchar(128)",
    server="nvarchar(256)",
)


def test_a_job_with_its_steps_and_its_newest_run(db: JobDatabase) -> None:
    job = new_job("SELECT 1;", "SELECT 2;", description="two things")
    register_job(db, job)
    (row,) = jobs(db, job.name)
    assert (row.job_version, row.description, row.enabled, row.steps, row.last_lifecycle) == (
        1,
        "two things",
        False,
        2,
        None,
    )
    Run(db, job).begin(1)
    newest = Run(db, job)
    newest.begin(1)
    (row,) = jobs(db, job.name)
    assert (row.last_job_execution_id, row.last_lifecycle) == (newest.id, Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS)
    assert [one.job_name for one in jobs(db) if one.job_name == job.name] == [job.name]
    assert [(step.step_id, step.step_name, step.command) for step in job_steps(db, job.name)] == [
        (1, "step1", "SELECT 1;"),
        (2, "step2", "SELECT 2;"),
    ]


def test_what_is_not_there_is_empty(db: JobDatabase) -> None:
    assert (jobs(db, "nobody"), job_steps(db, "nobody"), target_group(db, "nobody")) == ([], [], None)


def test_a_group_comes_back_as_it_was_written(db: JobDatabase) -> None:
    group = TargetGroup(
        f"group {uuid4()}",
        [
            SqlServer(SERVER, refresh_conn_id="lister"),
            SqlElasticPool("other.example", "pool1", exclude=True),
            SqlDatabase(SERVER, "database2", exclude=True),
            SqlDatabase(SERVER, "tenant_*", refresh_conn_id="lister", conn_id="runner"),
            SqlDatabase(SERVER, "tenant_*", literal=True),
            SqlElasticPool(SERVER, "pool_?", database_name="t*"),
            SqlElasticPool(SERVER, "pool_?", literal=True),
            SqlShardMap(SERVER, "manager", "one"),
            SqlShardMap(SERVER, "manager", "two", refresh_conn_id="lister"),
            SqlQueryTargets("SELECT 1", server_name=SERVER, database_name="c", parameters={"d": date(2026, 1, 2)}),
            SqlQueryTargets("SELECT 2 -- \u20ac", refresh_conn_id="catalog", exclude=True),
            FailedTargets("{{ params.run }}", step="step1"),
            FailedTargets("{{ params.run }}", lifecycles=["Skipped"], exclude=True),
        ],
    )
    register_job(db, Job(f"job {uuid4()}", [JobStep("one", group, "SELECT 1;")]))
    found = target_group(db, group.name.upper())
    assert found is not None
    assert found.name == group.name
    assert sorted(map(repr, found.members)) == sorted(map(repr, group.members))
    assert {member for member in found.members if isinstance(member, SqlQueryTargets) and member.parameters}
    register_job(db, Job(f"job {uuid4()}", [JobStep("one", found, "SELECT 1;")]))
    assert len(db.run(_MEMBERS, name=group.name)) == len(group.members)


def test_parameters_are_not_part_of_the_definition_and_change_no_version(db: JobDatabase) -> None:
    name, group = f"job {uuid4()}", f"group {uuid4()}"

    def registered(value: str) -> int:
        member = SqlDatabase(SERVER, "d", parameters={"x": value})
        step = JobStep("one", TargetGroup(group, [member]), "SELECT 1;", parameters={"y": value})
        return register_job(db, Job(name, [step])).job_version

    assert (registered("one"), registered("two")) == (1, 1)


def test_what_a_procedure_wrote_is_a_name_and_no_pattern(db: JobDatabase) -> None:
    name = f"group {uuid4()}"
    db.run(_ADD, name=name, server=SERVER)
    found = target_group(db, name)
    assert found is not None
    assert set(found.members) == {
        SqlDatabase(SERVER, "tenant_*", literal=True),
        SqlElasticPool(SERVER, "pool_?", literal=True),
        SqlShardMap(SERVER, "manager", "tenants"),
    }
    register_job(db, Job(f"job {uuid4()}", [JobStep("one", found, "SELECT 1;")]))
    assert len(db.run(_MEMBERS, name=name)) == 3


def test_only_active_runs_on_request(db: JobDatabase) -> None:
    job = new_job()
    ended, active = Run(db, job), Run(db, job)
    ended.run_target(ended.begin(1)[0])
    active.begin(1)
    assert [row.job_execution_id for row in latest_runs(db, job_name=job.name)] == [active.id, ended.id]
    assert [row.job_execution_id for row in latest_runs(db, job_name=job.name, only_active=True)] == [active.id]
