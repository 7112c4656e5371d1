from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.wire.job_database.procedures import Procedures, literal
from tests.wire.job_database.test_job_procedures import new_name

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OUTPUT = {
    "output_type": "SqlDatabase",
    "output_credential_name": "out",
    "output_subscription_id": UUID(SUBSCRIPTION),
    "output_resource_group_name": "resources",
    "output_server_name": "results.database.windows.net",
    "output_database_name": "results",
    "output_schema_name": "log",
    "output_table_name": "rows",
}
NO_OUTPUT = dict.fromkeys(OUTPUT)


@pytest.fixture
def group(sql: Procedures) -> str:
    name = new_name("group")
    sql.call("sp_add_target_group", name)
    return name


@pytest.fixture
def job(sql: Procedures) -> str:
    """A job without steps."""
    name = new_name()
    sql.call("sp_add_job", name)
    return name


@pytest.fixture
def abc(sql: Procedures, job: str, group: str) -> str:
    """A job with the steps a, b and c, at version 3."""
    for step in "abc":
        sql.call("sp_add_jobstep", job, step_name=step, command=f"SELECT '{step}';", target_group_name=group)
    return job


def steps(sql: Procedures, job: str, view: str = "jobsteps", version: int | None = None) -> list[dict[str, Any]]:
    where = "" if version is None else f" AND job_version = {version}"
    return sql.query(f"SELECT * FROM jobs.{view} WHERE job_name = {literal(job)}{where} ORDER BY step_id;")


def order(sql: Procedures, job: str) -> str:
    """Return the steps' names in order, and assert that their ids have no gaps."""
    rows = steps(sql, job)
    assert [row["step_id"] for row in rows] == list(range(1, len(rows) + 1))
    return "".join(row["step_name"] for row in rows)


class TestAddJobstep:
    def test_defaults(self, sql: Procedures, job: str, group: str) -> None:
        added = sql.call("sp_add_jobstep", job, command="SELECT 1;", target_group_name=group)
        assert added == {"step_id": 1, "job_version": 1}
        (row,) = steps(sql, job)
        assert (row["step_name"], row["command_type"], row["command_source"]) == ("JobStep", "TSql", "Inline")
        assert (row["command"], row["credential_name"], row["target_group_name"]) == ("SELECT 1;", None, group)
        assert (row["initial_retry_interval_seconds"], row["maximum_retry_interval_seconds"]) == (1, 120)
        assert (row["retry_interval_backoff_multiplier"], row["retry_attempts"]) == (2.0, 10)
        assert (row["step_timeout_seconds"], row["max_parallelism"], row["job_version"]) == (43200, None, 1)
        assert {key: row[key] for key in OUTPUT} == NO_OUTPUT

    def test_everything_by_position(self, sql: Procedures, job: str, group: str) -> None:
        sql.script(
            f"DECLARE @v int; EXEC jobs.sp_add_jobstep {literal(job)}, NULL, N's', 'tsql', 'INLINE', N'SELECT 1;', 'c',"
            f" {literal(group)}, 2, 60, 1.5, 3, 30, 'sqldatabase', 'out', '{SUBSCRIPTION}', 'resources',"
            " 'results.database.windows.net', 'results', 'log', 'rows', @v OUTPUT, 7;"
        )
        (row,) = steps(sql, job)
        assert (row["step_name"], row["command_type"], row["command_source"]) == ("s", "TSql", "Inline")
        assert (row["credential_name"], row["initial_retry_interval_seconds"]) == ("c", 2)
        assert (row["maximum_retry_interval_seconds"], row["retry_interval_backoff_multiplier"]) == (60, 1.5)
        assert (row["retry_attempts"], row["step_timeout_seconds"], row["max_parallelism"]) == (3, 30, 7)
        output = {key: row[key] for key in OUTPUT}
        assert {**output, "output_subscription_id": UUID(str(output["output_subscription_id"]))} == OUTPUT

    def test_the_schema_of_an_output_is_dbo(self, sql: Procedures, job: str, group: str) -> None:
        sql.call("sp_add_jobstep", job, command="SELECT 1;", target_group_name=group,
                 **{**OUTPUT, "output_schema_name": None})  # fmt: skip
        assert steps(sql, job)[0]["output_schema_name"] == "dbo"

    def test_empty_output_arguments_are_none(self, sql: Procedures, job: str, group: str) -> None:
        empty = {**dict.fromkeys(OUTPUT, ""), "output_subscription_id": UUID(int=0)}
        sql.call("sp_add_jobstep", job, command="SELECT 1;", target_group_name=group, **empty)
        assert {key: steps(sql, job)[0][key] for key in OUTPUT} == NO_OUTPUT

    @pytest.mark.parametrize(("step_id", "expected"), [(1, "xabc"), (2, "axbc"), (4, "abcx"), (None, "abcx")])
    def test_a_step_is_inserted(
        self, sql: Procedures, abc: str, group: str, step_id: int | None, expected: str
    ) -> None:
        before = steps(sql, abc)
        added = sql.call("sp_add_jobstep", abc, step_id=step_id, step_name="x", command="x", target_group_name=group)
        assert added == {"step_id": step_id or 4, "job_version": 4}
        assert order(sql, abc) == expected
        assert steps(sql, abc, "jobstep_versions", 3) == before

    def test_a_new_first_step_may_have_no_name(self, sql: Procedures, abc: str, group: str) -> None:
        sql.call("sp_add_jobstep", abc, step_id=1, command="x", target_group_name=group)
        assert order(sql, abc) == "JobStepabc"
        assert "already has a step 'JobStep'" in sql.refused(
            "sp_add_jobstep", abc, step_id=1, command="x", target_group_name=group
        )

    def test_a_command_of_a_million_characters(self, sql: Procedures, job: str, group: str) -> None:
        call = "EXEC jobs.sp_add_jobstep {job}, @command = @c, @target_group_name = {group}, @step_name = {name};"
        make = "DECLARE @c nvarchar(max) = REPLICATE(CAST(N'x' AS nvarchar(max)), {length});"
        names = {"job": literal(job), "group": literal(group)}
        sql.script(make.format(length=1048576) + call.format(name="'a'", **names))
        assert len(steps(sql, job)[0]["command"]) == 1048576
        with sql.changes_nothing(), pytest.raises(Exception, match="longer than 1,048,576 characters"):
            sql.script(make.format(length=1048577) + call.format(name="'b'", **names))
        sql.call("sp_delete_job", job)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"job_name": "no such job"}, "There is no job"),
            ({"job_name": None}, "@job_name is required"),
            ({"target_group_name": "no such group"}, "There is no target group"),
            ({"target_group_name": None}, "@target_group_name is required"),
            ({"step_id": 0}, "added at 1 to 4"),
            ({"step_id": 5}, "added at 1 to 4"),
            ({"step_id": -1}, "added at 1 to 4"),
            ({"step_name": None}, "@step_name is required"),
            ({"step_name": ""}, "@step_name is required"),
            ({"step_name": "B"}, "already has a step"),
            ({"command_type": "PowerShell"}, "TSql"),
            ({"command_source": "File"}, "Inline"),
            ({"command": None}, "@command is required"),
            ({"command": ""}, "@command is required"),
            ({"initial_retry_interval_seconds": -1}, "@initial_retry_interval_seconds must"),
            ({"initial_retry_interval_seconds": 121}, "is above @maximum"),
            ({"maximum_retry_interval_seconds": 0}, "is above @maximum"),
            ({"maximum_retry_interval_seconds": -1}, "@maximum_retry_interval_seconds must"),
            ({"maximum_retry_interval_seconds": 2147484}, "@maximum_retry_interval_seconds must"),
            ({"retry_interval_backoff_multiplier": 0.5}, "multiplier must be 1 or more"),
            ({"retry_attempts": -1}, "@retry_attempts must"),
            ({"step_timeout_seconds": 0}, "@step_timeout_seconds must"),
            ({"step_timeout_seconds": 2147484}, "@step_timeout_seconds must"),
            ({"max_parallelism": 0}, "@max_parallelism must"),
            ({"max_parallelism": -1}, "@max_parallelism must"),
            ({**OUTPUT, "output_type": "Table"}, "only type of output"),
            ({**OUTPUT, "output_type": None}, "no @output_type"),
            ({"output_subscription_id": SUBSCRIPTION}, "no @output_type"),
            ({**OUTPUT, "output_server_name": None}, "give them all"),
            ({**OUTPUT, "output_database_name": None}, "give them all"),
            ({**OUTPUT, "output_table_name": None}, "give them all"),
        ],
        ids=str,
    )
    def test_errors(self, sql: Procedures, abc: str, group: str, arguments: dict[str, Any], words: str) -> None:
        valid = {"job_name": abc, "step_name": "new", "command": "SELECT 1;", "target_group_name": group}
        with sql.changes_nothing():
            assert words in sql.refused("sp_add_jobstep", **{**valid, **arguments})


class TestUpdateJobstep:
    @pytest.fixture
    def full(self, sql: Procedures, job: str, group: str) -> str:
        """A job whose one step has every property set."""
        sql.call(
            "sp_add_jobstep", job, step_name="s", command="SELECT 1;", credential_name="c", target_group_name=group,
            initial_retry_interval_seconds=5, maximum_retry_interval_seconds=60, retry_interval_backoff_multiplier=1.5,
            retry_attempts=3, step_timeout_seconds=30, max_parallelism=7, **OUTPUT,
        )  # fmt: skip
        return job

    def test_what_is_left_out_stays_and_a_version_is_made(self, sql: Procedures, full: str) -> None:
        (before,) = steps(sql, full)
        assert sql.call("sp_update_jobstep", full, step_id=1) == {"job_version": 2}
        assert steps(sql, full) == [{**before, "job_version": 2}]
        assert steps(sql, full, "jobstep_versions", 1) == [before]

    @pytest.mark.parametrize(
        ("argument", "value", "stored"),
        [
            ("new_name", "t", "t"),
            ("command_type", "TSQL", "TSql"),
            ("command_source", "inline", "Inline"),
            ("command", "SELECT 2;", "SELECT 2;"),
            ("credential_name", "d", "d"),
            ("credential_name", "", None),
            ("initial_retry_interval_seconds", 0, 0),
            ("maximum_retry_interval_seconds", 99, 99),
            ("retry_interval_backoff_multiplier", 1, 1.0),
            ("retry_attempts", 0, 0),
            ("step_timeout_seconds", 1, 1),
            ("max_parallelism", 1, 1),
            ("max_parallelism", -1, None),
            ("output_credential_name", "", None),
            ("output_server_name", "other", "other"),
            ("output_subscription_id", UUID(int=0), None),
            ("output_resource_group_name", "", None),
            ("output_database_name", "other", "other"),
            ("output_schema_name", "", "dbo"),
            ("output_schema_name", "s", "s"),
            ("output_table_name", "t", "t"),
        ],
    )
    def test_one_property_alone(self, sql: Procedures, full: str, argument: str, value: object, stored: object) -> None:
        (before,) = steps(sql, full)
        column = "step_name" if argument == "new_name" else argument
        sql.call("sp_update_jobstep", full, step_name="S", **{argument: value})
        assert steps(sql, full) == [{**before, column: stored, "job_version": 2}]

    def test_an_empty_output_type_takes_the_output_away(self, sql: Procedures, full: str) -> None:
        sql.call("sp_update_jobstep", full, step_id=1, output_type="")
        (row,) = steps(sql, full)
        assert {key: row[key] for key in OUTPUT} == NO_OUTPUT

    def test_an_output_can_be_given_later(self, sql: Procedures, abc: str) -> None:
        sql.call("sp_update_jobstep", abc, step_id=2, **OUTPUT)
        assert [row["output_table_name"] for row in steps(sql, abc)] == [None, "rows", None]

    def test_another_group(self, sql: Procedures, abc: str) -> None:
        other = new_name("group")
        sql.call("sp_add_target_group", other)
        sql.call("sp_update_jobstep", abc, step_id=3, target_group_name=other)
        assert steps(sql, abc)[2]["target_group_name"] == other

    def test_the_order_of_the_output_arguments(self, sql: Procedures, abc: str) -> None:
        unchanged = ", ".join(["NULL"] * 11)
        sql.script(
            f"DECLARE @v int; EXEC jobs.sp_update_jobstep {literal(abc)}, 1, NULL, NULL, {unchanged}, 'SqlDatabase',"
            f" 'out', 'results.database.windows.net', '{SUBSCRIPTION}', 'resources', 'results', 'log', 'rows',"
            " @v OUTPUT, 4;"
        )
        row = steps(sql, abc)[0]
        found = {key: UUID(str(row[key])) if key == "output_subscription_id" else row[key] for key in OUTPUT}
        assert (found, row["max_parallelism"]) == (OUTPUT, 4)

    @pytest.mark.parametrize(
        ("step", "new_id", "expected"),
        [(1, 3, "bca"), (1, 2, "bac"), (3, 1, "cab"), (2, 1, "bac"), (2, 2, "abc"), (3, 2, "acb")],
    )
    def test_moves(self, sql: Procedures, abc: str, step: int, new_id: int, expected: str) -> None:
        sql.call("sp_update_jobstep", abc, step_id=step, new_id=new_id)
        assert order(sql, abc) == expected
        assert [row["command"][8] for row in steps(sql, abc)] == list(expected)

    def test_the_only_step_needs_no_name(self, sql: Procedures, full: str) -> None:
        sql.call("sp_update_jobstep", full, command="SELECT 3;")
        assert steps(sql, full)[0]["command"] == "SELECT 3;"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"job_name": "no such job"}, "There is no job"),
            ({"step_id": None}, "Say which step"),
            ({"step_name": "a"}, "not both"),
            ({"step_id": 4}, "no step 4"),
            ({"step_id": 0}, "no step 0"),
            ({"step_id": None, "step_name": "z"}, "no step 'z'"),
            ({"new_id": 0}, "moved to 1 to 3"),
            ({"new_id": 4}, "moved to 1 to 3"),
            ({"new_name": "b"}, "choose another @new_name"),
            ({"new_name": "a"}, "choose another @new_name"),
            ({"new_name": ""}, "@new_name is empty"),
            ({"command": ""}, "@command is required"),
            ({"command_type": ""}, "TSql"),
            ({"command_source": "x"}, "Inline"),
            ({"target_group_name": "no such group"}, "There is no target group"),
            ({"target_group_name": ""}, "@target_group_name is required"),
            ({"initial_retry_interval_seconds": 500}, "is above @maximum"),
            ({"retry_interval_backoff_multiplier": 0}, "multiplier must be 1 or more"),
            ({"retry_attempts": -1}, "@retry_attempts must"),
            ({"step_timeout_seconds": 0}, "@step_timeout_seconds must"),
            ({"max_parallelism": 0}, "-1 for no limit"),
            ({"max_parallelism": -2}, "-1 for no limit"),
            ({"output_type": "SqlDatabase"}, "give them all"),
            ({"output_table_name": "t"}, "no @output_type"),
        ],
        ids=str,
    )
    def test_errors(self, sql: Procedures, abc: str, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused("sp_update_jobstep", **{"job_name": abc, "step_id": 1, **arguments})


class TestDeleteJobstep:
    @pytest.mark.parametrize(
        ("step", "expected"), [({"step_id": 1}, "bc"), ({"step_id": 2}, "ac"), ({"step_name": "C"}, "ab")]
    )
    def test_the_gap_is_closed(self, sql: Procedures, abc: str, step: dict[str, Any], expected: str) -> None:
        assert sql.call("sp_delete_jobstep", abc, **step) == {"job_version": 4}
        assert order(sql, abc) == expected

    def test_the_last_step(self, sql: Procedures, abc: str) -> None:
        for _ in "abc":
            version = sql.call("sp_delete_jobstep", abc, step_id=1)["job_version"]
        assert (version, order(sql, abc)) == (6, "")
        assert "has no steps" in sql.refused("sp_start_job", abc)

    def test_a_deleted_step_leaves_its_name(self, sql: Procedures, abc: str, group: str) -> None:
        sql.call("sp_delete_jobstep", abc, step_name="b")
        sql.call("sp_add_jobstep", abc, step_name="b", command="x", target_group_name=group)
        assert order(sql, abc) == "acb"
        versions = sql.query(f"SELECT job_version FROM jobs.job_versions WHERE job_name = {literal(abc)};")
        assert sorted(row["job_version"] for row in versions) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"job_name": f"job {uuid4()}", "step_id": 1}, "There is no job"),
            ({}, "Say which step"),
            ({"step_id": 1, "step_name": "a"}, "not both"),
            ({"step_id": 4}, "no step 4"),
            ({"step_name": "z"}, "no step 'z'"),
        ],
        ids=["job", "none", "both", "id", "name"],
    )
    def test_errors(self, sql: Procedures, abc: str, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused("sp_delete_jobstep", **{"job_name": abc, **arguments})
