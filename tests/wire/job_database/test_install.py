"""Installing and upgrading: what is there afterwards, and when nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.attempt_history import attempts
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target
from airflow_provider_elasticjobs.job_database.inspection import inspect_job_database
from airflow_provider_elasticjobs.job_database.install import current_version, upgrade
from airflow_provider_elasticjobs.job_database.purge import Purged, purge_history
from airflow_provider_elasticjobs.job_database.records import AirflowRef, Claim
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import Run, new_job

NewDatabase = Callable[[], str]
LATEST = schema_steps()[-1].version


def test_an_empty_database_gets_every_step_once(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    assert current_version(db) == 0
    assert upgrade(db) == [step.name for step in schema_steps()]
    assert upgrade(db) == []
    assert inspect_job_database(db).version == current_version(db) == LATEST
    recorded = db.run(Batch("SELECT version, name FROM jobs_internal.schema_versions ORDER BY version;"))
    assert [(row.version, row.name) for row in recorded] == [(step.version, step.name) for step in schema_steps()]
    db.close()


def test_a_database_with_runs_in_it_gets_the_attempts(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    upgrade(db, [step for step in schema_steps() if step.version < 10])
    assert current_version(db) == 9
    db.run(_RUN_OF_VERSION_9, job=(job := uuid4()), run=(run := uuid4()), target=(target := uuid4()), step=uuid4())
    assert upgrade(db) == [step.name for step in schema_steps() if step.version >= 10]
    assert attempts(db, run) == [], "what was done before is not known"
    claim = claim_target(db, target, AirflowRef("dag", "run", "run"))
    assert isinstance(claim, Claim)
    assert (claim.attempts, claim.lost_attempt) == (1, True)
    assert begin_attempt(db, claim, 2).begun
    settled = finish_target(db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED)
    assert settled.job_lifecycle is Lifecycle.SUCCEEDED
    assert [(one.rerun, one.attempt, one.outcome) for one in attempts(db, run)] == [(0, 2, "succeeded")]
    procedures = "SELECT COUNT(*) AS found FROM sys.procedures WHERE name IN ('sp_purge_jobhistory', 'purge_runs');"
    assert db.run(Batch(procedures))[0].found == 2
    db.run(Batch("UPDATE jobs_internal.jobs SET delete_requested_time = @now;"))
    assert purge_history(db, job_id=job) == Purged(1, 3)
    assert attempts(db, run) == []
    db.close()


#: A run of one step on one target, whose script was running when its process was lost.
_RUN_OF_VERSION_9 = Batch(
    """
DECLARE @group uniqueidentifier = NEWID(), @none uniqueidentifier = '00000000-0000-0000-0000-000000000000';
INSERT INTO jobs_internal.jobs VALUES
    (@job, N'job', @none, 1, N'', 1, N'Once', 1, '0001-01-01', '9999-12-31', @now, NULL);
INSERT INTO jobs_internal.target_groups VALUES (@group, N'group', @none, @now, NULL);
INSERT INTO jobs_internal.job_steps (job_id, job_version, step_id, step_name, command_type, command_source, command,
    target_group_id, initial_retry_interval_milliseconds, maximum_retry_interval_milliseconds,
    retry_interval_backoff_multiplier, retry_attempts, step_timeout_milliseconds)
VALUES (@job, 1, 1, N'step1', N'TSql', N'Inline', N'SELECT 1;', @group, 1000, 1000, 1, 0, 1000);
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, step_id, is_active,
    lifecycle, create_time, start_time, current_attempts, current_attempt_start_time, last_message, target_type,
    target_server_name, target_database_name, round, lock_count, lost_attempt, airflow_clear_number, claim_id)
VALUES (@run, @run, @job, 1, NULL, 1, N'WaitingForChildJobExecutions', @now, @now, 0, NULL, N'x', NULL, NULL, NULL,
        1, 0, 0, 0, NULL),
    (@step, @run, @job, 1, 1, 1, N'WaitingForChildJobExecutions', @now, @now, 1, @now, N'x', N'TargetGroup', NULL, NULL,
        1, 0, 0, 0, NULL),
    (@target, @run, @job, 1, 1, 1, N'InProgress', @now, @now, 1, @now, N'x', N'SqlDatabase', N's', N'd',
        1, 0, 0, 0, NEWID());
""",
    job="uniqueidentifier",
    run="uniqueidentifier",
    target="uniqueidentifier",
    step="uniqueidentifier",
)


def test_two_at_once_install_each_step_once(server: LiveServer, new_database: NewDatabase) -> None:
    name = new_database()
    databases = [server.job_database(name) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        applied = list(threads.map(upgrade, databases))
    assert sorted(step for each in applied for step in each) == [step.name for step in schema_steps()]
    for db in databases:
        assert current_version(db) == LATEST
        db.close()


@pytest.mark.parametrize("broken_at", [1, 5])
def test_a_step_that_fails_in_the_middle_leaves_the_version_as_it_was(
    server: LiveServer, new_database: NewDatabase, broken_at: int
) -> None:
    steps = schema_steps()
    whole = steps[broken_at - 1]
    script = whole.script + "\nGO\nSELECT * FROM jobs_internal.no_such_table;"
    broken = [*steps[: broken_at - 1], SchemaStep(broken_at, whole.name, script), *steps[broken_at:]]
    db = server.job_database(new_database())
    with pytest.raises(JobDatabaseError, match="no_such_table"):
        upgrade(db, broken)
    assert current_version(db) == broken_at - 1
    assert upgrade(db) == [step.name for step in steps[broken_at - 1 :]]
    db.close()


@pytest.mark.sandbox_only
@pytest.mark.parametrize(
    ("kind", "containing"),
    [
        ("dropped_before", "CREATE PROCEDURE jobs.sp_update_job"),
        ("dropped_after", "CREATE PROCEDURE jobs.sp_update_job"),
        ("dropped_after", "COMMIT TRANSACTION"),
        ("deadlock", "INSERT INTO jobs_internal.schema_versions"),
    ],
)
def test_a_fault_on_the_way_is_got_over(
    server: LiveServer, new_database: NewDatabase, sandbox: Any, kind: str, containing: str
) -> None:
    db = server.job_database(new_database())
    sandbox.add_fault(kind, server=server.name, database=db.database, containing=containing)
    upgrade(db)
    assert sandbox.pending_faults() == []
    assert current_version(db) == LATEST
    recorded = db.run(Batch("SELECT version FROM jobs_internal.schema_versions ORDER BY version;"))
    assert [row.version for row in recorded] == [step.version for step in schema_steps()]
    db.close()


@pytest.mark.sandbox_only
def test_an_error_of_the_server_in_the_middle_leaves_the_version_as_it_was(
    server: LiveServer, new_database: NewDatabase, sandbox: Any
) -> None:
    db = server.job_database(new_database())
    text = "CREATE PROCEDURE jobs.sp_update_jobstep"
    sandbox.add_fault("error", server=server.name, database=db.database, containing=text, number=1105)
    with pytest.raises(JobDatabaseError) as caught:
        upgrade(db)
    assert caught.value.number == 1105
    assert current_version(db) == 6
    upgrade(db)
    assert current_version(db) == LATEST
    db.close()


_OLD_ROWS = """
DECLARE @job uniqueidentifier = '0f8fad5b-d9cb-469f-a165-70867728950e', @group uniqueidentifier = NEWID(),
    @target uniqueidentifier = NEWID(), @run uniqueidentifier = NEWID(), @then datetime2(7) = '2024-05-06 07:08:09';
INSERT INTO jobs_internal.jobs VALUES (@job, N'old job', '00000000-0000-0000-0000-000000000000', 1, N'', 0,
    N'Once', 1, '0001-01-01', '9999-12-31', @then, NULL);
INSERT INTO jobs_internal.job_versions VALUES (@job, 1, @then);
INSERT INTO jobs_internal.target_groups VALUES
    (@group, N'old group', '00000000-0000-0000-0000-000000000000', @then, NULL);
INSERT INTO jobs_internal.targets VALUES (@target, N'SqlDatabase', N's', N'd', N'', N'', NULL, NULL, NULL);
INSERT INTO jobs_internal.target_group_members VALUES (@group, @target, N'Include', NULL);
INSERT INTO jobs_internal.job_steps (job_id, job_version, step_id, step_name, command_type, command_source, command,
    target_group_id, initial_retry_interval_milliseconds, maximum_retry_interval_milliseconds,
    retry_interval_backoff_multiplier, retry_attempts, step_timeout_milliseconds)
VALUES (@job, 1, 1, N'step1', N'TSql', N'Inline', N'SELECT 1;', @group, 1000, 2000, 2, 3, 4000);
INSERT INTO jobs_internal.executions (execution_id, job_execution_id, job_id, job_version, step_id, is_active,
    lifecycle, create_time, start_time, end_time, current_attempts, current_attempt_start_time, last_message,
    target_type, target_id, target_server_name, target_database_name, round, lock_count, lost_attempt,
    airflow_clear_number)
VALUES (@run, @run, @job, 1, NULL, 0, N'Succeeded', @then, @then, @then, 0, NULL, N'done', NULL, NULL, NULL, NULL,
        1, 0, 0, 0),
    (NEWID(), @run, @job, 1, 1, 0, N'Succeeded', @then, @then, @then, 1, @then, N'done', N'TargetGroup', @group,
        NULL, NULL, 1, 0, 0, 0),
    (NEWID(), @run, @job, 1, 1, 0, N'Succeeded', @then, @then, @then, 1, @then, N'done', N'SqlDatabase', @target,
        N's', N'd', 1, 0, 0, 0);
"""


def test_an_older_version_with_rows_in_it_is_upgraded(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    upgrade(db, [step for step in schema_steps() if step.version <= 4])
    db.transact(lambda session: session.text(_OLD_ROWS))
    upgrade(db)
    unknown = "a row's attempts are all written down"  # attempts are known from version 10 on
    assert [each for each in broken_invariants(db) if not each.startswith(unknown)] == []
    rows = db.run(Batch("SELECT target_database_name FROM jobs.job_executions WHERE job_name = N'old job';"))
    assert sorted(row.target_database_name or "" for row in rows) == ["", "", "d"]
    db.run(Batch("EXEC jobs.sp_update_job @job_name = N'old job', @description = N'new words';"))
    run = Run(db, new_job("SELECT 2;", name="old job"))
    run.run_target(run.begin(1)[0])
    assert (run.row().lifecycle, run.row().job_version) == ("Succeeded", 2)
    assert [each for each in broken_invariants(db) if not each.startswith(unknown)] == []
    db.close()


def test_somebody_elses_job_database_is_refused_and_left_alone(server: LiveServer, new_database: NewDatabase) -> None:
    name = new_database()
    for sql in ("CREATE SCHEMA jobs", "CREATE SCHEMA jobs_internal", "CREATE TABLE jobs_internal.jobs (job_id int)"):
        server.execute(sql, name)
    server.execute("CREATE VIEW jobs.jobs AS SELECT job_id FROM jobs_internal.jobs", name)
    db = server.job_database(name)
    objects = Batch(
        "SELECT COUNT(*) AS found FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
        " WHERE s.name IN ('jobs', 'jobs_internal');"
    )
    before = db.run(objects)[0].found
    for refuse in (upgrade, inspect_job_database, current_version):
        with pytest.raises(JobDatabaseError, match=f"{name} already has a schema 'jobs'"):
            refuse(db)
    assert db.run(objects)[0].found == before
    db.close()


def test_a_database_of_the_servers_own_is_refused(server: LiveServer) -> None:
    db = server.job_database("master")
    with pytest.raises(JobDatabaseError, match="one of the server's own databases"):
        upgrade(db)
    db.close()


def test_a_newer_schema_is_refused(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    upgrade(db)
    db.run(Batch("INSERT INTO jobs_internal.schema_versions VALUES (999, N'from the future', @now);"))
    for refuse in (upgrade, inspect_job_database):
        with pytest.raises(JobDatabaseError, match=r"version 999.*upgrade the package"):
            refuse(db)
    db.close()


def test_the_readers_role_is_made(server: LiveServer, new_database: NewDatabase) -> None:
    name = new_database()
    db = server.job_database(name)
    upgrade(db)
    grants = db.run(Batch("SELECT COUNT(*) AS roles FROM sys.database_principals WHERE name = 'jobs_reader';"))
    assert grants[0].roles == 1
    db.close()
