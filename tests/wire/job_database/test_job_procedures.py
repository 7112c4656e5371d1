from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.wire.job_database.procedures import Procedures, literal


def new_name(kind: str = "job") -> str:
    return f"{kind} {uuid4().hex[:10]}"


def job(sql: Procedures, name: str) -> dict[str, Any]:
    (row,) = sql.query(f"SELECT * FROM jobs.jobs WHERE job_name = {literal(name)};")
    return row


@pytest.fixture
def name(sql: Procedures) -> str:
    """A job with all of its properties set, and no steps."""
    name = new_name()
    sql.call("sp_add_job", name, "what it does", 1, "Hours", 2, "2030-01-01", "2031-01-01")
    return name


class TestAddJob:
    def test_only_a_name(self, sql: Procedures) -> None:
        name = new_name()
        added = sql.call("sp_add_job", job_name=name)
        row = job(sql, name)
        assert str(UUID(str(row["job_id"]))) == str(UUID(str(added["job_id"])))
        assert (row["job_version"], row["description"], row["enabled"]) == (0, "", False)
        assert (row["schedule_interval_type"], row["schedule_interval_count"]) == ("Once", 1)
        assert str(row["schedule_start_time"]) == "0001-01-01 00:00:00"
        assert str(row["schedule_end_time"]) == "9999-12-31 11:59:59"
        assert sql.query(f"SELECT * FROM jobs.job_versions WHERE job_name = {literal(name)};") == []

    def test_everything_by_position(self, sql: Procedures, name: str) -> None:
        row = job(sql, name)
        assert (row["description"], row["enabled"], row["schedule_interval_type"]) == ("what it does", True, "Hours")
        assert (row["schedule_interval_count"], str(row["schedule_start_time"])) == (2, "2030-01-01 00:00:00")
        assert str(row["schedule_end_time"]) == "2031-01-01 00:00:00"

    def test_null_is_the_default(self, sql: Procedures) -> None:
        name, other = new_name(), new_name()
        sql.call("sp_add_job", name, None, None, None, None, None, None)
        sql.call("sp_add_job", other)
        differing = {"job_id", "job_name"}
        one, two = job(sql, name), job(sql, other)
        assert {key: one[key] for key in one if key not in differing} == {
            key: two[key] for key in two if key not in differing
        }

    @pytest.mark.parametrize("given", ["minutes", "DAYS", "weeks", "mOnths", "once"])
    def test_interval_types_in_any_letter_case(self, sql: Procedures, given: str) -> None:
        name = new_name()
        sql.call("sp_add_job", name, schedule_interval_type=given)
        assert job(sql, name)["schedule_interval_type"] == given.capitalize()

    def test_an_id_passed_in_is_not_used(self, sql: Procedures) -> None:
        given = uuid4()
        added = sql.call("sp_add_job", new_name(), job_id=given)
        assert UUID(str(added["job_id"])) != given

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"job_name": None}, "needs a name"),
            ({"job_name": ""}, "needs a name"),
            ({"job_name": "50 % more"}, "percent"),
            ({"schedule_interval_type": "Seconds"}, "use Once, Minutes"),
            ({"schedule_interval_type": ""}, "use Once, Minutes"),
            ({"schedule_interval_count": 0}, "must be 1 or more"),
            ({"schedule_interval_count": -3}, "must be 1 or more"),
            ({"schedule_start_time": "2031-01-01", "schedule_end_time": "2030-01-01"}, "is after"),
        ],
    )
    def test_errors(self, sql: Procedures, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused("sp_add_job", **{"job_name": new_name(), **arguments})

    def test_a_name_is_taken_in_any_letter_case(self, sql: Procedures, name: str) -> None:
        assert "already a job" in sql.refused("sp_add_job", name.upper())


class TestUpdateJob:
    def test_what_is_left_out_stays(self, sql: Procedures, name: str) -> None:
        before = job(sql, name)
        sql.call("sp_update_job", name)
        assert job(sql, name) == before

    @pytest.mark.parametrize(
        ("argument", "value", "stored"),
        [
            ("description", "new", "new"),
            ("description", "", ""),
            ("enabled", 0, False),
            ("schedule_interval_type", "months", "Months"),
            ("schedule_interval_count", 7, 7),
        ],
    )
    def test_one_property_alone(self, sql: Procedures, name: str, argument: str, value: object, stored: object) -> None:
        before = job(sql, name)
        sql.call("sp_update_job", job_name=name, **{argument: value})
        assert job(sql, name) == {**before, argument: stored}

    @pytest.mark.parametrize("argument", ["schedule_start_time", "schedule_end_time"])
    def test_the_window(self, sql: Procedures, name: str, argument: str) -> None:
        sql.call("sp_update_job", job_name=name, **{argument: "2030-06-01 12:30:00"})
        assert str(job(sql, name)[argument]) == "2030-06-01 12:30:00"

    def test_a_new_name_keeps_the_id(self, sql: Procedures, name: str) -> None:
        before, new = job(sql, name), new_name()
        sql.call("sp_update_job", name, new)
        assert job(sql, new) == {**before, "job_name": new}
        assert "no job" in sql.refused("sp_update_job", name)
        sql.call("sp_add_job", name)

    def test_its_own_name_in_another_letter_case(self, sql: Procedures, name: str) -> None:
        sql.call("sp_update_job", name, name.upper())
        assert job(sql, name)["job_name"] == name.upper()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"job_name": None}, "@job_name is required"),
            ({"job_name": "no such job"}, "There is no job 'no such job'"),
            ({"new_name": ""}, "needs a name"),
            ({"new_name": "a%b"}, "percent"),
            ({"schedule_interval_type": "Year"}, "use Once, Minutes"),
            ({"schedule_interval_count": 0}, "must be 1 or more"),
            ({"schedule_start_time": "2031-06-01"}, "is after"),
            ({"schedule_end_time": "2029-06-01"}, "is after"),
        ],
    )
    def test_errors(self, sql: Procedures, name: str, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused("sp_update_job", **{"job_name": name, **arguments})

    def test_a_name_of_another_job(self, sql: Procedures, name: str) -> None:
        other = new_name()
        sql.call("sp_add_job", other)
        with sql.changes_nothing():
            assert "already a job" in sql.refused("sp_update_job", name, other)


class TestDeleteJob:
    def test_it_is_gone_and_its_name_is_free(self, sql: Procedures, name: str) -> None:
        before = job(sql, name)
        sql.call("sp_delete_job", name)
        assert sql.query(f"SELECT * FROM jobs.jobs WHERE job_name = {literal(name)};") == []
        sql.call("sp_add_job", name)
        sql.call("sp_delete_job", name)
        sql.call("sp_add_job", name)
        assert job(sql, name)["job_id"] != before["job_id"]

    @pytest.mark.parametrize("name", [None, "", "no such job"])
    @pytest.mark.parametrize("force", [0, 1])
    def test_a_job_must_be_named(self, sql: Procedures, name: str | None, force: int) -> None:
        words = "no job" if name else "@job_name is required"
        assert words in sql.refused("sp_delete_job", name, force)

    def test_an_active_execution_is_in_the_way(self, sql: Procedures, db: JobDatabase) -> None:
        name, run = started(sql)
        with sql.changes_nothing():
            assert "1 active execution" in sql.refused("sp_delete_job", name)
        sql.call("sp_stop_job", run)
        sql.call("sp_delete_job", name)

    def test_force_cancels_each_execution_and_says_so(self, sql: Procedures, db: JobDatabase) -> None:
        name, run = started(sql)
        other = sql.call("sp_start_job", name)["job_execution_id"]
        cursor = sql.connection.execute(f"EXEC jobs.sp_delete_job {literal(name)}, @force = 1;")
        messages = list(cursor.messages)
        while cursor.nextset():
            messages += cursor.messages
        printed = " ".join(text for _, text in messages).lower()
        assert str(run).lower() in printed
        assert str(other).lower() in printed
        assert sql.query(f"SELECT * FROM jobs.job_executions WHERE job_name = {literal(name)};") == []
        rows = sql.query(
            "SELECT lifecycle, last_message FROM jobs_internal.executions"
            f" WHERE job_execution_id IN ('{run}', '{other}');"
        )
        assert rows == [{"lifecycle": "Canceled", "last_message": "Job execution canceled."}] * 2


def started(sql: Procedures) -> tuple[str, Any]:
    """Return the name of a job with one step, and the id of a run of it."""
    name = new_name()
    group = f"group of {name}"
    sql.call("sp_add_target_group", group)
    sql.call("sp_add_job", name)
    sql.call("sp_add_jobstep", name, command="SELECT 1;", target_group_name=group)
    return name, sql.call("sp_start_job", name)["job_execution_id"]
