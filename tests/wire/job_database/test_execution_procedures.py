from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import is_cancelled
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import wait_for_retry
from airflow_provider_elasticjobs.job_database.steps import retry_step
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, step_message, target_message
from tests.wire.job_database.procedures import Procedures, literal
from tests.wire.job_database.runs import SERVER, Run, new_job
from tests.wire.job_database.test_job_procedures import new_name, started


def executions(sql: Procedures, job: str) -> list[dict[str, Any]]:
    return sql.query(
        f"SELECT * FROM jobs.job_executions WHERE job_name = {literal(job)} ORDER BY create_time, step_id;"
    )


def same(one: object, other: object) -> bool:
    return UUID(str(one)) == UUID(str(other))


class TestStartJob:
    def test_a_run_is_recorded(self, sql: Procedures, db: JobDatabase) -> None:
        job, run = started(sql)
        (row,) = executions(sql, job)
        assert same(row["job_execution_id"], run)
        assert (row["lifecycle"], row["is_active"], row["job_version"]) == ("Created", True, 1)
        assert (row["start_time"], row["end_time"], row["step_id"], row["current_attempts"]) == (None, None, None, 0)
        assert row["last_message"] == job_message(Lifecycle.CREATED)
        assert row["create_time"] is not None

    def test_it_keeps_its_version(self, sql: Procedures, db: JobDatabase) -> None:
        job, _ = started(sql)
        sql.call("sp_update_jobstep", job, command="SELECT 2;")
        sql.call("sp_start_job", job)
        assert [row["job_version"] for row in executions(sql, job)] == [1, 2]

    def test_an_id_can_be_given_once(self, sql: Procedures, db: JobDatabase) -> None:
        job, _ = started(sql)
        given = uuid4()
        assert same(sql.call("sp_start_job", job, job_execution_id=given)["job_execution_id"], given)
        assert f"already a job execution {str(given).upper()}" in sql.refused(
            "sp_start_job", job, job_execution_id=given
        ).replace(str(given), str(given).upper())
        assert len(executions(sql, job)) == 2

    def test_a_disabled_job_outside_its_window_starts(self, sql: Procedures, db: JobDatabase) -> None:
        job, _ = started(sql)
        sql.call("sp_update_job", job, enabled=0, schedule_start_time="2000-01-01", schedule_end_time="2001-01-01")
        sql.call("sp_start_job", job)
        assert len(executions(sql, job)) == 2

    @pytest.mark.parametrize("name", [None, "", "no such job"])
    def test_a_job_must_be_named(self, sql: Procedures, name: str | None) -> None:
        words = "There is no job" if name else "@job_name is required"
        assert words in sql.refused("sp_start_job", name)

    def test_a_job_without_steps_cannot_start(self, sql: Procedures) -> None:
        job = new_name()
        sql.call("sp_add_job", job)
        assert "has no steps" in sql.refused("sp_start_job", job)

    def test_a_version_is_no_id(self, sql: Procedures, db: JobDatabase) -> None:
        job, _ = started(sql)
        with pytest.raises(pyodbc.Error):
            sql.script(f"EXEC jobs.sp_start_job {literal(job)}, 1;")
        assert len(executions(sql, job)) == 1


class TestStopJob:
    def test_a_run_that_nobody_took_ends(self, sql: Procedures, db: JobDatabase) -> None:
        job, run = started(sql)
        sql.call("sp_stop_job", run)
        (row,) = executions(sql, job)
        assert (row["lifecycle"], row["last_message"]) == ("Canceled", job_message(Lifecycle.CANCELED))
        sql.call("sp_stop_job", job_execution_id=run)
        assert executions(sql, job) == [row]

    def test_what_waits_ends_and_what_runs_is_told(self, sql: Procedures, db: JobDatabase) -> None:
        run = Run(db)
        _, waiting, running = run.begin(3)
        wait_for_retry(db, run.claim_and_begin(waiting), "no", delay_seconds=60)
        claim = run.claim_and_begin(running)
        sql.call("sp_stop_job", run.id)
        assert [run.row(1, f"db{number}").lifecycle for number in (1, 2, 3)] == ["Canceled", "Canceled", "InProgress"]
        assert run.row(1, "db1").last_message == target_message(Lifecycle.CANCELED, 1, SERVER, "db1")
        assert is_cancelled(db, run.id)
        assert run.finish(claim, Lifecycle.CANCELED).job_lifecycle is Lifecycle.CANCELED

    def test_a_run_where_nothing_runs_is_settled(self, sql: Procedures, db: JobDatabase) -> None:
        run = Run(db)
        run.begin(2)
        sql.call("sp_stop_job", run.id)
        assert run.lifecycles() == ("Canceled", "Canceled")
        assert run.row(1).last_message == step_message(Lifecycle.CANCELED, 1)

    def test_a_step_that_waits_for_its_retry_ends(self, sql: Procedures, db: JobDatabase) -> None:
        run = Run(db)
        retry_step(db, run.start(), "no", delay_seconds=60)
        sql.call("sp_stop_job", run.id)
        assert run.row(1).last_message == step_message(Lifecycle.CANCELED, 1)
        assert run.row().lifecycle == "Canceled"

    def test_a_run_that_has_ended_stays_as_it_is(self, sql: Procedures, db: JobDatabase) -> None:
        run = Run(db)
        run.run_target(run.begin(1)[0])
        before = run.row()
        sql.call("sp_stop_job", run.id)
        assert run.row() == before
        assert not is_cancelled(db, run.id)

    def test_the_request_says_who_asked(self, sql: Procedures, db: JobDatabase) -> None:
        _, run = started(sql)
        sql.call("sp_stop_job", run)
        rows = sql.query(
            "SELECT requested_by, SUSER_SNAME() AS me FROM jobs_internal.job_cancellations"
            f" WHERE job_execution_id = '{run}';"
        )
        assert rows[0]["requested_by"] == rows[0]["me"]

    @pytest.mark.parametrize(("run", "words"), [(None, "is required"), (UUID(int=5), "There is no job execution")])
    def test_errors(self, sql: Procedures, run: UUID | None, words: str) -> None:
        assert words in sql.refused("sp_stop_job", run)


class TestPurge:
    @pytest.fixture
    def history(self, db: JobDatabase) -> list[Run]:
        """Three runs of one job that ended on 1, 2 and 3 January 2026, and a fourth that is active."""
        job = new_job("SELECT 1;")
        runs = [Run(db, job) for _ in range(4)]
        for day, run in enumerate(runs, 1):
            target = run.begin(2)
            if day < 4:
                run.run_target(target[0])
                run.run_target(target[1])
                _move(db, run.id, datetime(2026, 1, day))  # noqa: DTZ001 UTC, as the columns are
        return runs

    def _left(self, sql: Procedures, runs: list[Run]) -> list[int]:
        ids = {UUID(str(row["job_execution_id"])) for row in executions(sql, runs[0].job.name)}
        return [number for number, run in enumerate(runs, 1) if run.id in ids]

    def test_all_that_has_ended_goes(self, sql: Procedures, history: list[Run]) -> None:
        sql.call("sp_purge_jobhistory", history[0].job.name)
        assert self._left(sql, history) == [4]
        assert _count(sql, history[0].id) == 0
        assert len(executions(sql, history[0].job.name)) == 4

    def test_by_id(self, sql: Procedures, history: list[Run]) -> None:
        sql.call("sp_purge_jobhistory", job_id=history[0].registered.job_id)
        assert self._left(sql, history) == [4]

    def test_only_what_ended_before_a_date(self, sql: Procedures, history: list[Run]) -> None:
        sql.call("sp_purge_jobhistory", history[0].job.name, None, "2026-01-02")
        assert self._left(sql, history) == [2, 3, 4]
        sql.call("sp_purge_jobhistory", history[0].job.name, oldest_date="2026-01-02 00:00:01")
        assert self._left(sql, history) == [3, 4]

    def test_the_latest_run_of_a_live_job_stays(self, sql: Procedures, history: list[Run], db: JobDatabase) -> None:
        sql.call("sp_stop_job", history[3].id)
        sql.call("sp_purge_jobhistory", history[0].job.name)
        assert self._left(sql, history) == [4]
        assert not db.run(_REQUEST, run=history[0].id)
        assert db.run(_REQUEST, run=history[3].id)

    def test_all_runs_of_a_deleted_job_go(self, sql: Procedures, history: list[Run]) -> None:
        sql.call("sp_delete_job", history[0].job.name, 1)
        sql.call("sp_purge_jobhistory", history[0].job.name)
        assert [_count(sql, run.id) for run in history] == [4, 4, 4, 4]
        sql.call("sp_purge_jobhistory", job_id=history[0].registered.job_id)
        assert [_count(sql, run.id) for run in history] == [0, 0, 0, 0]

    def test_another_jobs_history_stays(self, sql: Procedures, history: list[Run], db: JobDatabase) -> None:
        other = Run(db)
        other.run_target(other.begin(1)[0])
        Run(db, other.job).begin(1)
        sql.call("sp_purge_jobhistory", history[0].job.name)
        assert other.row().lifecycle == "Succeeded"

    @pytest.mark.parametrize("argument", [{"job_name": "no such job"}, {"job_id": UUID(int=9)}], ids=str)
    def test_nothing_to_do(self, sql: Procedures, argument: dict[str, Any]) -> None:
        sql.call("sp_purge_jobhistory", **argument)

    @pytest.mark.parametrize("arguments", [{}, {"job_name": "x", "job_id": UUID(int=9)}], ids=["none", "both"])
    def test_errors(self, sql: Procedures, arguments: dict[str, Any]) -> None:
        assert "either @job_name or @job_id" in sql.refused("sp_purge_jobhistory", **arguments)


_MOVE = Batch(
    """
UPDATE jobs_internal.executions SET create_time = @day, start_time = @day, end_time = @day
WHERE job_execution_id = @run;
""",
    run="uniqueidentifier",
    day="datetime2(7)",
)
_REQUEST = Batch(
    "SELECT requested_by FROM jobs_internal.job_cancellations WHERE job_execution_id = @run;", run="uniqueidentifier"
)


def _move(db: JobDatabase, run: UUID, day: datetime) -> None:
    db.run(_MOVE, run=run, day=day)


def _count(sql: Procedures, run: UUID) -> int:
    (row,) = sql.query(f"SELECT COUNT(*) AS found FROM jobs_internal.executions WHERE job_execution_id = '{run}';")
    return int(row["found"])
