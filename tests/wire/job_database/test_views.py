from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.wire.job_database.runs import Run, new_job

_STEPS = """
job_name nvarchar(128) NN; job_id uniqueidentifier NN; job_version int NN; step_id int NN; step_name nvarchar(128) NN;
command_type nvarchar(50) NN; command_source nvarchar(50) N; command nvarchar(max) N; credential_name nvarchar(128) N;
target_group_name nvarchar(128) N; target_group_id uniqueidentifier N; initial_retry_interval_seconds int N;
maximum_retry_interval_seconds int N; retry_interval_backoff_multiplier real NN; retry_attempts int NN;
step_timeout_seconds int N; output_type nvarchar(50) N; output_credential_name nvarchar(128) N;
output_subscription_id uniqueidentifier N; output_resource_group_name nvarchar(128) N;
output_server_name nvarchar(256) N; output_database_name nvarchar(128) N; output_schema_name nvarchar(128) N;
output_table_name nvarchar(128) N; max_parallelism int N
"""

#: Reference 2.1 to 2.7, live types: every column in its order.
VIEWS = {
    "jobs": """
job_name nvarchar(128) NN; job_id uniqueidentifier NN; job_version int NN; description nvarchar(512) NN; enabled bit NN;
schedule_interval_type nvarchar(50) NN; schedule_interval_count int NN; schedule_start_time datetime2(7) NN;
schedule_end_time datetime2(7) NN
""",
    "job_versions": "job_name nvarchar(128) NN; job_id uniqueidentifier NN; job_version int NN",
    "jobsteps": _STEPS,
    "jobstep_versions": _STEPS,
    "job_executions": """
job_execution_id uniqueidentifier NN; job_name nvarchar(128) NN; job_id uniqueidentifier NN; job_version int NN;
step_name nvarchar(128) N; step_id int N; is_active bit NN; lifecycle nvarchar(50) NN; create_time datetime2(7) NN;
start_time datetime2(7) N; end_time datetime2(7) N; current_attempts int NN; current_attempt_start_time datetime2(7) N;
next_attempt_start_time datetime2(7) N; last_message nvarchar(max) N; target_type nvarchar(128) N;
target_id uniqueidentifier N; target_group_name nvarchar(128) N; target_subscription_id uniqueidentifier N;
target_resource_group_name nvarchar(128) N; target_server_name nvarchar(256) N; target_database_name nvarchar(128) N;
target_elastic_pool_name nvarchar(128) N
""",
    "target_groups": "target_group_name nvarchar(128) N; target_group_id uniqueidentifier NN",
    "target_group_members": """
target_group_name nvarchar(128) N; target_group_id uniqueidentifier NN; membership_type nvarchar(7) NN;
target_type nvarchar(128) NN; target_id uniqueidentifier NN; refresh_credential_name nvarchar(128) N;
subscription_id uniqueidentifier N; resource_group_name nvarchar(128) N; server_name nvarchar(256) N;
database_name nvarchar(128) N; elastic_pool_name nvarchar(128) N; shard_map_name nvarchar(128) N
""",
}

_TARGET = """
target_server_name nvarchar(256) N; target_database_name nvarchar(128) N; target_elastic_pool_name nvarchar(128) N
"""
_TASK = """
dag_id nvarchar(250) N; run_id nvarchar(250) N; task_id nvarchar(250) N; map_index int N; try_number int N
"""

#: Our own, as docs/job_database.md lists them.
EXTENDED_VIEWS = {
    "job_executions": f"""
job_execution_id uniqueidentifier NN; execution_id uniqueidentifier NN; job_name nvarchar(128) NN;
job_id uniqueidentifier NN; job_version int NN; step_name nvarchar(128) N; step_id int N; is_active bit NN;
lifecycle nvarchar(50) NN; create_time datetime2(7) NN; start_time datetime2(7) N; end_time datetime2(7) N;
current_attempts int NN; current_attempt_start_time datetime2(7) N; next_attempt_start_time datetime2(7) N;
last_message nvarchar(max) N; target_type nvarchar(128) N; target_id uniqueidentifier N;
target_group_name nvarchar(128) N; {_TARGET}; outcome nvarchar(20) N; error_number int N; {_TASK}
""",
    "job_attempts": f"""
job_execution_id uniqueidentifier NN; execution_id uniqueidentifier NN; job_name nvarchar(128) NN;
job_id uniqueidentifier NN; job_version int NN; step_name nvarchar(128) N; step_id int N; {_TARGET}; rerun int NN;
attempt int NN; start_time datetime2(7) NN; end_time datetime2(7) N; duration_milliseconds bigint N;
outcome nvarchar(20) N; error_number int N; message nvarchar(max) N; {_TASK}
""",
    "job_messages": """
job_execution_id uniqueidentifier NN; execution_id uniqueidentifier NN; job_name nvarchar(128) NN;
job_id uniqueidentifier NN; step_id int N; target_server_name nvarchar(256) N; target_database_name nvarchar(128) N;
rerun int NN; attempt int NN; ordinal int NN; kind nvarchar(20) NN; number int N; severity int N; state int N;
line int N; procedure_name nvarchar(128) N; row_count bigint N; text nvarchar(4000) NN
""",
    "rollout_waves": """
job_execution_id uniqueidentifier NN; job_name nvarchar(128) NN; job_id uniqueidentifier NN; step_id int NN;
wave int NN; target_count int NN; max_failures int N; begin_time datetime2(7) N; ended int N; failed int N;
skipped int N
""",
    "target_group_members": """
target_group_name nvarchar(128) N; target_group_id uniqueidentifier NN; membership_type nvarchar(7) NN;
target_type nvarchar(128) NN; target_id uniqueidentifier NN; refresh_credential_name nvarchar(128) N;
server_name nvarchar(256) N; database_name nvarchar(128) N; elastic_pool_name nvarchar(128) N;
shard_map_name nvarchar(128) N; is_pattern int NN; definition nvarchar(max) N; conn_id nvarchar(250) N
""",
    "waiting_targets": f"""
job_execution_id uniqueidentifier NN; execution_id uniqueidentifier NN; job_name nvarchar(128) NN;
job_id uniqueidentifier NN; job_version int NN; step_name nvarchar(128) N; step_id int N; {_TARGET};
lifecycle nvarchar(50) NN; current_attempts int NN; waiting_for nvarchar(20) N; waiting_cause nvarchar(600) N;
next_attempt_start_time datetime2(7) N; {_TASK}
""",
}
_ALL = [("jobs", view) for view in VIEWS] + [("jobs_ext", view) for view in EXTENDED_VIEWS]

_COLUMNS = Batch(
    """
SELECT COLUMN_NAME AS name, DATA_TYPE AS type_name, CHARACTER_MAXIMUM_LENGTH AS length,
    DATETIME_PRECISION AS scale, IS_NULLABLE AS nullable
FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA = @schema AND TABLE_NAME = @view
ORDER BY ORDINAL_POSITION;
""",
    schema="nvarchar(128)",
    view="nvarchar(128)",
)


def _expected(schema: str, view: str) -> list[list[str]]:
    text = (VIEWS if schema == "jobs" else EXTENDED_VIEWS)[view]
    return [column.split() for column in text.replace("\n", " ").split(";")]


def _type(name: str, length: int | None, scale: int | None) -> str:
    if name.startswith("datetime2"):
        # Babelfish gives six digits at most, and says so
        return "datetime2(7)" if scale in (6, 7) else f"datetime2({scale})"
    if length is None or name == "uniqueidentifier":
        return name
    return f"{name}({'max' if length == -1 else length})"


@pytest.mark.parametrize(("schema", "view"), _ALL)
def test_columns_order_and_types(db: JobDatabase, schema: str, view: str) -> None:
    rows = db.run(_COLUMNS, schema=schema, view=view)
    found = [(row.name, _type(row.type_name, row.length, row.scale)) for row in rows]
    assert found == [(name, type_name) for name, type_name, _ in _expected(schema, view)]


@pytest.mark.parametrize(("schema", "view"), _ALL)
def test_nullability(db: JobDatabase, schema: str, view: str) -> None:
    """PostgreSQL, and so Babelfish, calls every column of a view nullable; there only the data can be looked at."""
    Run(db).begin(2)
    found = {row.name: row.nullable for row in db.run(_COLUMNS, schema=schema, view=view)}
    required = {name for name, _, null in _expected(schema, view) if null == "NN"}
    if set(found.values()) != {"YES"}:
        assert {name for name, nullable in found.items() if nullable == "NO"} == required
    condition = " OR ".join(f"{name} IS NULL" for name in sorted(required))
    assert db.run(Batch(f"SELECT COUNT(*) AS broken FROM {schema}.{view} WHERE {condition};"))[0].broken == 0


@pytest.mark.parametrize(("schema", "views"), [("jobs", VIEWS), ("jobs_ext", EXTENDED_VIEWS)])
def test_there_are_no_other_views_in_the_schema(db: JobDatabase, schema: str, views: dict[str, str]) -> None:
    rows = db.run(Batch(f"SELECT TABLE_NAME AS name FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{schema}';"))
    assert {row.name for row in rows} == set(views)


@pytest.mark.parametrize("view", EXTENDED_VIEWS)
def test_the_page_about_our_own_views_lists_their_columns(view: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "job_database.md").read_text(encoding="utf-8")
    section = page.split(f"### `jobs_ext.{view}`")[1].split("\n#")[0]
    listed = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    assert [[cell.strip(" `") for cell in cells] for cells in listed] == [
        [name, type_name, "" if null == "NN" else "NULL"] for name, type_name, null in _expected("jobs_ext", view)
    ]


def test_a_deleted_job_vanishes_from_every_view(db: JobDatabase) -> None:
    run = Run(db, new_job("SELECT 1;"))
    run.run_target(run.begin(1)[0])
    db.run(_DELETE, job=run.registered.job_id)
    for view in ("jobs", "job_versions", "jobsteps", "jobstep_versions", "job_executions"):
        sql = f"SELECT COUNT(*) AS found FROM jobs.{view} WHERE job_id = @job;"
        assert db.run(Batch(sql, job="uniqueidentifier"), job=run.registered.job_id)[0].found == 0
    again = Run(db, new_job("SELECT 1;", name=run.job.name))
    assert (again.registered.job_version, again.registered.job_id == run.registered.job_id) == (1, False)


_DELETE = Batch(
    "UPDATE jobs_internal.jobs SET delete_requested_time = @now, tombstone_id = job_id WHERE job_id = @job;",
    job="uniqueidentifier",
)
