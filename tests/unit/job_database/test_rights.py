from __future__ import annotations

from airflow_provider_elasticjobs.job_database.rights import (
    TO_RUN,
    LackingRights,
    Right,
    rights_to_apply,
    rights_to_undo,
)
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps


def named(*scripts: str) -> list[str]:
    return [str(right) for right in rights_to_apply([SchemaStep(1, "x", script) for script in scripts])]


def test_what_the_scripts_create_decides() -> None:
    owned = [str(right) for right in rights_to_undo()]
    assert named("CREATE TABLE jobs_internal.x (a int);\nGO\ncreate  index y ON jobs_internal.x (a);") == [
        "CREATE TABLE",
        *owned,
    ]
    assert named("-- CREATE ROLE z\nDROP VIEW jobs.v;", "CREATE VIEW jobs.v AS SELECT 1 AS a;") == [
        "CREATE VIEW",
        *owned,
    ]
    assert named() == owned


def test_installing_everything_needs_five_rights_on_the_database() -> None:
    on_database = [str(right) for right in rights_to_apply(schema_steps()) if right.schema is None]
    assert on_database == ["CREATE PROCEDURE", "CREATE ROLE", "CREATE SCHEMA", "CREATE TABLE", "CREATE VIEW"]


def test_what_is_lacking_comes_with_the_statements_that_grant_it() -> None:
    rights = (Right("CREATE TABLE"), Right("CREATE VIEW"), Right("INSERT", "jobs_internal"), Right("SELECT", "jobs"))
    lacking = LackingRights("o]brien", rights)
    assert lacking
    assert lacking.grants == (
        "GRANT CREATE TABLE, CREATE VIEW TO [o]]brien]; GRANT INSERT ON SCHEMA::jobs_internal TO [o]]brien];"
        " GRANT SELECT ON SCHEMA::jobs TO [o]]brien];"
    )
    assert "lacks the right(s) CREATE TABLE, CREATE VIEW, INSERT on schema jobs_internal, SELECT on schema jobs" in str(
        lacking
    )


def test_nothing_lacking_is_false() -> None:
    assert not LackingRights("anybody", ())


def test_running_needs_no_right_to_change_the_schema() -> None:
    assert {right.permission for right in TO_RUN} == {"SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE"}
