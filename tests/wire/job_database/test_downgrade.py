"""Taking the schema back, step by step: what each undo script leaves, and when nothing is undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.downgrade import downgrade
from airflow_provider_elasticjobs.job_database.install import current_version, upgrade
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import Run

NewDatabase = Callable[[], str]
#: Those that can be undone one after the other, down to nothing.
STEPS = list(takewhile(lambda step: step.undo is not None, schema_steps()))
NAMES = [step.name for step in STEPS]
_COMMENTS = re.compile(r"^\s*--.*$", re.MULTILINE)


@pytest.fixture
def db(server: LiveServer, new_database: NewDatabase) -> Iterator[JobDatabase]:
    """An empty database of the test's own."""
    made = server.job_database(new_database())
    yield made
    made.close()


_OBJECTS = "sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id AND s.name LIKE N'jobs%'"
#: What a database holds of the job database.
CATALOG = (
    "SELECT N'schema', name, N'', N'' FROM sys.schemas WHERE name LIKE N'jobs%'",
    "SELECT N'role', name, N'', N'' FROM sys.database_principals WHERE name LIKE N'jobs%'",
    f"SELECT o.type, s.name, o.name, N'' FROM {_OBJECTS} WHERE o.type IN ('U', 'V', 'P', 'C')",
    f"SELECT N'column', s.name, o.name, c.name FROM {_OBJECTS} JOIN sys.columns AS c ON c.object_id = o.object_id",
    f"SELECT N'index', o.name, i.name, N'' FROM {_OBJECTS} JOIN sys.indexes AS i ON i.object_id = o.object_id",
    f"SELECT N'definition', s.name, o.name, m.definition FROM {_OBJECTS}"  # noqa: ISC004
    " JOIN sys.sql_modules AS m ON m.object_id = o.object_id",
)


def catalog(db: JobDatabase) -> set[tuple[str, ...]]:
    """Return schemas, objects, columns, indexes, roles, and the text of views and procedures."""
    rows = [row for query in CATALOG for row in db.run(Batch(query))]
    return {tuple(" ".join(_COMMENTS.sub("", str(value)).split()) for value in row) for row in rows}


def test_each_undo_leaves_what_its_step_found(db: JobDatabase) -> None:
    found = [catalog(db)]
    for number in range(1, len(STEPS) + 1):
        upgrade(db, STEPS[:number])
        found.append(catalog(db))
        assert found[-1] != found[-2]
    for number in reversed(range(len(STEPS))):
        assert downgrade(db, STEPS[number].version - 1, steps=STEPS) == [STEPS[number].name]
        assert catalog(db) == found[number], STEPS[number].name
    assert current_version(db) == 0
    assert upgrade(db, STEPS) == NAMES
    assert catalog(db) == found[-1]


class TestRefusals:
    """Each leaves the version, and everything else, as it was."""

    @pytest.fixture
    def refused(self, db: JobDatabase) -> Callable[..., str]:
        upgrade(db)

        def refuse(version: int = 0, **options: Any) -> str:
            before = catalog(db), current_version(db)
            with pytest.raises(JobDatabaseError) as caught:
                downgrade(db, version, **options)
            assert (catalog(db), current_version(db)) == before
            return str(caught.value)

        return refuse

    def test_active_runs(self, db: JobDatabase, refused: Callable[..., str]) -> None:
        run = Run(db)
        targets = run.begin(2)
        assert "has 1 active run(s)" in refused(accept_loss=True)
        for target in targets:
            run.run_target(target)
        assert downgrade(db, 0, accept_loss=True)[-1] == STEPS[0].name

    def test_rows_that_would_be_lost_are_counted(self, db: JobDatabase, refused: Callable[..., str]) -> None:
        run = Run(db)
        for target in run.begin(3):
            run.run_target(target)
        said = refused()
        assert "5 row(s) of jobs_internal.executions" in said
        assert "1 row(s) of jobs_internal.jobs" in said
        assert "schema_versions" not in said
        assert "say --yes" in said

    def test_a_column_that_goes_is_a_loss_where_it_says_something(
        self, db: JobDatabase, refused: Callable[..., str]
    ) -> None:
        run = Run(db)
        run.run_target(run.begin(1)[0])
        db.run(Batch("UPDATE jobs_internal.job_steps SET max_parallelism_per_server = 3;"))
        said = refused(2)
        assert "1 row(s) of jobs_internal.job_steps.max_parallelism_per_server" in said
        assert "jobs_internal.executions," not in said

    def test_members_of_a_role_that_would_go(
        self, db: JobDatabase, refused: Callable[..., str], server: LiveServer
    ) -> None:
        db.run(Batch("CREATE ROLE dashboards;"))
        db.run(Batch("ALTER ROLE jobs_reader ADD MEMBER dashboards;"))
        assert "ALTER ROLE jobs_reader DROP MEMBER [dashboards];" in refused()
        assert downgrade(db, 4, steps=STEPS) == NAMES[:3:-1]

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("CREATE TABLE jobs_internal.one_more (a int);", "the package has no undo script one_more.down.sql"),
            ("-- Irreversible: it merges two columns.\nSELECT 1 AS one;", "it merges two columns."),
        ],
    )
    def test_a_step_that_cannot_be_undone(
        self, db: JobDatabase, refused: Callable[..., str], script: str, reason: str
    ) -> None:
        version = schema_steps()[-1].version + 1
        steps = [*schema_steps(), SchemaStep(version, "one_more", script)]
        upgrade(db, steps)
        said = refused(version - 1, accept_loss=True, steps=steps)
        assert f"cannot go back below version {version}: step one_more cannot be undone: {reason}" in said

    def test_a_newer_schema(self, db: JobDatabase, refused: Callable[..., str]) -> None:
        db.run(Batch("INSERT INTO jobs_internal.schema_versions VALUES (999, N'from the future', @now);"))
        assert "version 999" in refused()


def test_somebody_elses_job_database_is_left_alone(db: JobDatabase, server: LiveServer) -> None:
    for sql in ("CREATE SCHEMA jobs", "CREATE SCHEMA jobs_internal", "CREATE TABLE jobs_internal.jobs (job_id int)"):
        server.execute(sql, db.database)
    before = catalog(db)
    with pytest.raises(JobDatabaseError, match="already has a schema 'jobs'"):
        downgrade(db, 0, accept_loss=True)
    assert catalog(db) == before


def test_what_is_not_installed_has_nothing_to_undo(db: JobDatabase) -> None:
    assert downgrade(db, 0) == []


def test_two_at_once_undo_each_step_once(db: JobDatabase, server: LiveServer) -> None:
    upgrade(db, STEPS)
    databases = [server.job_database(db.database) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        undone = list(threads.map(lambda each: downgrade(each, 0, steps=STEPS), databases))
    assert sorted(name for names in undone for name in names) == sorted(NAMES)
    assert current_version(db) == 0
    for each in databases:
        each.close()


def test_an_undo_that_fails_leaves_its_step_in_place(db: JobDatabase) -> None:
    upgrade(db, STEPS)
    last = STEPS[-1]
    broken = SchemaStep(last.version, last.name, last.script, f"{last.undo}\nGO\nDROP VIEW jobs.no_such_view;")
    before = catalog(db)
    with pytest.raises(JobDatabaseError, match="no_such_view"):
        downgrade(db, 0, steps=[*STEPS[:-1], broken])
    assert (catalog(db), current_version(db)) == (before, last.version)
    assert downgrade(db, 0, steps=STEPS) == NAMES[::-1]


def test_what_stays_is_there_after_going_back_and_forth(db: JobDatabase) -> None:
    upgrade(db, STEPS)
    run = Run(db)
    for target in run.begin(2):
        run.run_target(target)
    before = [tuple(row) for row in db.run(Batch("SELECT * FROM jobs.job_executions ORDER BY create_time, step_id;"))]
    downgrade(db, 4, accept_loss=True, steps=STEPS)
    upgrade(db)
    after = [tuple(row) for row in db.run(Batch("SELECT * FROM jobs.job_executions ORDER BY create_time, step_id;"))]
    assert after == before
