"""Procedures among others: in a caller's transaction, in its TRY, and at the same moment as another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.errors import error_numbers
from tests.wire.conftest import LiveServer
from tests.wire.job_database.procedures import Procedures, literal
from tests.wire.job_database.runs import new_job
from tests.wire.job_database.test_job_procedures import new_name
from tests.wire.job_database.test_jobstep_procedures import steps


@pytest.fixture
def clients(server: LiveServer, installed: JobDatabase) -> Iterator[list[Procedures]]:
    """Four connections to the job database."""
    connections = [server.connect(installed.database) for _ in range(4)]
    yield [Procedures(connection) for connection in connections]
    for connection in connections:
        connection.close()


def jobs(sql: Procedures, name: str) -> int:
    return len(sql.query(f"SELECT * FROM jobs.jobs WHERE job_name = {literal(name)};"))


def test_a_callers_transaction_is_one_with_its_calls(sql: Procedures) -> None:
    kept, undone = new_name(), new_name()
    sql.script(f"BEGIN TRANSACTION; EXEC jobs.sp_add_job {literal(kept)}; COMMIT TRANSACTION;")
    sql.script(f"BEGIN TRANSACTION; EXEC jobs.sp_add_job {literal(undone)}; ROLLBACK TRANSACTION;")
    assert (jobs(sql, kept), jobs(sql, undone)) == (1, 0)


def test_an_error_undoes_the_callers_transaction(sql: Procedures) -> None:
    name = new_name()
    (rows,) = sql.script(
        f"BEGIN TRY BEGIN TRANSACTION; EXEC jobs.sp_add_job {literal(name)}; EXEC jobs.sp_add_job {literal(name)};"
        " COMMIT TRANSACTION; END TRY BEGIN CATCH SELECT ERROR_NUMBER(), @@TRANCOUNT; END CATCH;"
    )
    assert tuple(rows[0]) == (50000, 0)
    assert jobs(sql, name) == 0


def test_the_session_keeps_its_settings(sql: Procedures) -> None:
    sql.script(f"SET XACT_ABORT OFF; EXEC jobs.sp_add_job {literal(new_name())};")
    (rows,) = sql.script("SELECT @@TRANCOUNT, @@OPTIONS & 16384;")
    assert tuple(rows[0]) == (0, 0)


def test_one_name_added_by_four_at_once_is_added_once(clients: list[Procedures]) -> None:
    name = new_name()

    def add(client: Procedures) -> int:
        return client.caught_or_called("sp_add_job", name)

    with ThreadPoolExecutor(4) as threads:
        outcomes = sorted(threads.map(add, clients))
    assert outcomes == [0, 50000, 50000, 50000]
    assert jobs(clients[0], name) == 1


def test_steps_added_at_once_follow_each_other(clients: list[Procedures]) -> None:
    name, group = new_name(), new_name("group")
    clients[0].call("sp_add_target_group", group)
    clients[0].call("sp_add_job", name)

    def add(number: int) -> int:
        added = clients[number].call("sp_add_jobstep", name, step_id=1, step_name=f"s{number}", command="x",
                                     target_group_name=group)  # fmt: skip
        return int(added["job_version"])

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(add, range(4))) == [1, 2, 3, 4]
    assert [row["step_id"] for row in steps(clients[0], name)] == [1, 2, 3, 4]


def test_a_dag_and_a_client_that_change_one_job_make_two_versions(sql: Procedures, db: JobDatabase) -> None:
    job = new_job("SELECT 1;")
    register_job(db, job)
    changed = new_job("SELECT 2;", name=job.name)
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(register_job, db, changed)
        two = threads.submit(sql.call, "sp_add_jobstep", job.name, step_name="more", command="x",
                             target_group_name=f"group of {job.name}")  # fmt: skip
    assert {one.result().job_version, two.result()["job_version"]} == {2, 3}


def test_a_group_is_not_deleted_under_a_step_that_is_being_added(clients: list[Procedures]) -> None:
    name, group = new_name(), new_name("group")
    adder, deleter = clients[:2]
    adder.call("sp_add_target_group", group)
    adder.call("sp_add_job", name)
    adder.script(
        "BEGIN TRANSACTION;"
        f" EXEC jobs.sp_add_jobstep {literal(name)}, @command = 'x', @target_group_name = {literal(group)};"
    )
    with ThreadPoolExecutor(1) as threads, closing(adder.connection.cursor()):
        waiting = threads.submit(deleter.caught, "sp_delete_target_group", group)
        adder.script("COMMIT TRANSACTION;")
        assert "is used by the job" in waiting.result().message


def test_the_number_of_an_error_is_readable(sql: Procedures) -> None:
    with pytest.raises(Exception, match="no job") as raised:
        sql.call("sp_start_job", new_name())
    assert error_numbers(raised.value) == (50000,)
