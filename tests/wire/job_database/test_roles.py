"""Who may do what (reference 1.0, 2.8): readers read the views, administrators use the procedures, nobody the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.wire.conftest import LiveServer
from tests.wire.job_database.procedures import Procedures
from tests.wire.job_database.runs import Run
from tests.wire.job_database.test_job_procedures import started

ROLES = ("jobs_reader", "jobs_admin", "jobs_resource_manager")
VIEWS = (
    "jobs",
    "job_versions",
    "jobsteps",
    "jobstep_versions",
    "job_executions",
    "target_groups",
    "target_group_members",
)


@pytest.fixture
def member_of(server: LiveServer, installed: JobDatabase) -> Iterator[Callable[[str], Procedures]]:
    """Return a function that connects as a new user who has nothing but one role."""
    made: list[tuple[str, pyodbc.Connection]] = []

    def enter(role: str) -> Procedures:
        name, password = f"user_{uuid4().hex[:10]}", f"Pw!{uuid4().hex}"
        server.execute(f"CREATE LOGIN {name} WITH PASSWORD = '{password}';")
        server.execute(f"CREATE USER {name} FOR LOGIN {name};", installed.database)
        server.execute(f"ALTER ROLE {role} ADD MEMBER {name};", installed.database)
        settings = replace(server.settings, authentication=SqlLogin(name, password))
        made.append((name, connect(settings, server.name, installed.database)))
        return Procedures(made[-1][1])

    yield enter
    for name, connection in made:
        connection.close()
        with suppress(pyodbc.Error):
            server.execute(f"DROP USER {name};", installed.database)
            server.execute(f"DROP LOGIN {name};")


def is_babelfish(sql: Procedures) -> bool:
    return "Babelfish" in str(sql.script("SELECT @@VERSION;")[0][0][0])


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_the_views(
    sql: Procedures, db: JobDatabase, member_of: Callable[[str], Procedures], role: str
) -> None:
    job, _ = started(sql)
    member = member_of(role)
    for view in VIEWS:
        member.query(f"SELECT * FROM jobs.{view};")
    for view in ("job_executions", "waiting_targets", "job_attempts", "job_messages"):
        member.query(f"SELECT * FROM jobs_ext.{view};")
    assert job in {row["job_name"] for row in member.query("SELECT * FROM jobs_ext.job_executions;")}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM jobs_internal.jobs;",
        "SELECT * FROM jobs_internal.executions;",
        "SELECT * FROM jobs_internal.messages;",
        "EXEC jobs_internal.purge_runs NULL, NULL, 1, 1, 0, 0;",
        "DELETE FROM jobs_internal.job_versions;",
        "EXEC jobs_internal.cancel_execution NULL, NULL;",
        "UPDATE jobs.jobs SET description = N'x';",
        "DELETE FROM jobs.target_groups;",
    ],
)
def test_the_internal_schema_is_closed(member_of: Callable[[str], Procedures], role: str, statement: str) -> None:
    with pytest.raises(pyodbc.Error, match=r"denied|permission|not updatable"):
        member_of(role).script(statement)


@pytest.mark.parametrize("statement", ["EXEC jobs.sp_add_job N'x';", "EXEC jobs.sp_add_target_group N'x';"])
def test_a_reader_changes_nothing(member_of: Callable[[str], Procedures], statement: str) -> None:
    with pytest.raises(pyodbc.Error, match=r"denied|permission"):
        member_of("jobs_reader").script(statement)


@pytest.mark.parametrize("role", ROLES[1:])
def test_administrators_use_the_procedures(
    sql: Procedures, db: JobDatabase, member_of: Callable[[str], Procedures], role: str
) -> None:
    if is_babelfish(sql):
        pytest.skip("Babelfish has no ownership chains: a procedure reaches only the tables that its caller may")
    member = member_of(role)
    job, run = started(member)
    member.call("sp_stop_job", run)
    member.call("sp_delete_job", job)
    assert "There is no job" in member.refused("sp_delete_job", job)


def test_a_row_leads_to_its_airflow_task(sql: Procedures, db: JobDatabase) -> None:
    run = Run(db)
    run.run_target(run.begin(1)[0])
    rows = sql.query(
        f"SELECT * FROM jobs_ext.job_executions WHERE job_execution_id = '{run.id}' AND target_type = 'SqlDatabase';"
    )
    (row,) = rows
    assert (row["dag_id"], row["run_id"], row["task_id"]) == ("dag", f"run {run.id}", "run")
    assert (row["map_index"], row["try_number"], row["outcome"], row["error_number"]) == (0, 1, "succeeded", None)


def test_the_extended_view_has_the_rows_of_the_public_one(sql: Procedures, db: JobDatabase) -> None:
    started(sql)
    Run(db).begin(3)
    deleted, _ = started(sql)
    sql.call("sp_delete_job", deleted, 1)
    columns = (
        "job_execution_id, job_name, job_version, step_id, step_name, lifecycle, last_message, target_database_name"
    )
    one, two = (_rows(sql, f"SELECT {columns} FROM {schema}.job_executions;") for schema in ("jobs", "jobs_ext"))
    assert one == two


def _rows(sql: Procedures, query: str) -> list[str]:
    rows: list[Any] = sql.script(query)[0]
    return sorted(map(str, rows))
