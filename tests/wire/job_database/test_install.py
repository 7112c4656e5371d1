from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.install import check, current_version, schema_steps, upgrade
from tests.wire.conftest import LiveServer

NewDatabase = Callable[[], str]
LATEST = schema_steps()[-1].version


def test_an_empty_database_gets_every_step_once(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    assert current_version(db) == 0
    assert upgrade(db) == [step.name for step in schema_steps()]
    assert upgrade(db) == []
    assert check(db) == current_version(db) == LATEST
    recorded = db.run(Batch("SELECT version, name FROM jobs_internal.schema_versions ORDER BY version;"))
    assert [(row.version, row.name) for row in recorded] == [(step.version, step.name) for step in schema_steps()]
    db.close()


def test_two_at_once_install_each_step_once(server: LiveServer, new_database: NewDatabase) -> None:
    name = new_database()
    databases = [server.job_database(name) for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        applied = list(threads.map(upgrade, databases))
    assert sorted(step for each in applied for step in each) == [step.name for step in schema_steps()]
    for db in databases:
        assert check(db) == LATEST
        db.close()


def test_a_step_that_fails_leaves_nothing_behind(
    server: LiveServer, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_elasticjobs.job_database import install  # noqa: PLC0415

    first, *rest = schema_steps()
    broken = install.SchemaStep(1, first.name, first.script + "\nGO\nSELECT * FROM jobs_internal.no_such_table;")
    db = server.job_database(new_database())
    with monkeypatch.context() as patched:
        patched.setattr(install, "schema_steps", lambda: [broken, *rest])
        with pytest.raises(JobDatabaseError, match="no_such_table"):
            upgrade(db)
    assert current_version(db) == 0
    assert upgrade(db) == [step.name for step in schema_steps()]
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
    for refuse in (upgrade, check, current_version):
        with pytest.raises(JobDatabaseError, match=f"{name} already has a schema 'jobs'"):
            refuse(db)
    assert db.run(objects)[0].found == before
    db.close()


def test_a_database_without_the_schema_says_what_to_do(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    with pytest.raises(JobDatabaseError, match=r"not installed.*airflow elasticjobs db upgrade"):
        check(db)
    db.close()


def test_a_newer_schema_is_refused(server: LiveServer, new_database: NewDatabase) -> None:
    db = server.job_database(new_database())
    upgrade(db)
    db.run(Batch("INSERT INTO jobs_internal.schema_versions VALUES (999, N'from the future', @now);"))
    for refuse in (upgrade, check):
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
