"""Trials over the real driver: whatever a script does, the database is as it was, and the row says what was found."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.execution.session import acquire_step_lock, step_lock_name
from airflow_provider_elasticjobs.job_database.planning import plan_targets
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.trial import Trial
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run

ONCE = RetryPolicy(attempts=0)


def tables(server: LiveServer, database: str) -> list[str]:
    rows = server.execute("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME", database)
    return [row[0] for row in rows]


@pytest.fixture
def tried(new_run: Callable[..., Run]) -> Callable[[Trial, str], Run]:
    """Return a function that tries a script on a database with a table ``t`` of one row."""

    def run(trial: Trial, command: str) -> Run:
        begun = new_run(command)
        begun.server.execute("CREATE TABLE t (a int NOT NULL); INSERT t VALUES (1)", begun.databases[0])
        begun.execution(trial=trial, retry=ONCE).run()
        return begun

    return run


def rows_of_t(run: Run) -> int:
    return int(run.server.execute("SELECT COUNT(*) FROM t", run.databases[0])[0][0])


@pytest.mark.parametrize("trial", list(Trial))
def test_a_trial_that_finds_nothing_ends_skipped_and_leaves_no_trace(
    tried: Callable[[Trial, str], Run], trial: Trial
) -> None:
    run = tried(trial, "CREATE TABLE made (a int)\nGO\nINSERT t VALUES (2), (3)\nGO\nSELECT a FROM t")
    assert (tables(run.server, run.databases[0]), rows_of_t(run)) == (["t"], 1)
    assert run.lifecycles() == ["Skipped", "Skipped", "Skipped"]
    target = f"target (server '{run.server.name}', database '{run.databases[0]}')"
    assert (
        run.target().last_message
        == {
            Trial.PLAN: f"Step 1 was planned, and nothing was sent to {target}.",
            Trial.PARSE: f"Step 1 was parsed, and not run, by {target}: 3 batch(es) without an error.",
            Trial.ROLLBACK: f"Step 1 was tried, and rolled back, on {target}: 3 batch(es) without an error, "
            "2 row(s) affected, 1 result set(s).",
        }[trial]
    )


def test_a_syntax_error_is_found_by_parsing_and_the_batches_before_it_have_not_run(
    tried: Callable[[Trial, str], Run],
) -> None:
    run = tried(Trial.PARSE, "DELETE t\nGO\nSELECT FROM WHERE")
    assert run.lifecycles() == ["Failed", "Failed", "Failed"]
    assert "batch 2 of 2" in run.target().last_message
    assert rows_of_t(run) == 1


def test_an_error_at_run_time_is_found_by_rolling_back(tried: Callable[[Trial, str], Run]) -> None:
    run = tried(Trial.ROLLBACK, "DELETE t\nGO\nSELECT 1/0")
    assert run.lifecycles() == ["Failed", "Failed", "Failed"]
    assert "zero" in run.target().last_message
    assert rows_of_t(run) == 1


@pytest.mark.parametrize(
    "command",
    [
        "BEGIN TRANSACTION; INSERT t VALUES (2); COMMIT",
        "INSERT t VALUES (2); COMMIT; COMMIT",
        "IF @@TRANCOUNT = 0 BEGIN TRANSACTION; INSERT t VALUES (2); IF @@TRANCOUNT > 0 COMMIT",
    ],
)
def test_a_scripts_own_commits_keep_nothing(tried: Callable[[Trial, str], Run], command: str) -> None:
    run = tried(Trial.ROLLBACK, command)
    assert (run.target().lifecycle, rows_of_t(run)) == ("Skipped", 1)


def test_what_follows_a_scripts_own_rollback_is_rolled_back_too_and_the_trial_has_failed(
    tried: Callable[[Trial, str], Run],
) -> None:
    run = tried(Trial.ROLLBACK, "DELETE t; ROLLBACK; INSERT t VALUES (2)\nGO\nINSERT t VALUES (3)")
    assert (run.target().lifecycle, rows_of_t(run)) == ("Failed", 1)
    assert "ended the trial's transaction by itself" in run.target().last_message


@pytest.mark.parametrize(
    ("trial", "command", "reason"),
    [
        (Trial.PARSE, "SET PARSEONLY OFF; DELETE t", "sets PARSEONLY itself"),
        (Trial.ROLLBACK, "SET IMPLICIT_TRANSACTIONS OFF; DELETE t", "sets IMPLICIT_TRANSACTIONS itself"),
        (Trial.ROLLBACK, "DELETE t; WHILE (@@TRANCOUNT > 0) COMMIT", "until no transaction is left"),
    ],
)
def test_a_script_that_would_get_around_its_trial_is_refused(
    tried: Callable[[Trial, str], Run], trial: Trial, command: str, reason: str
) -> None:
    run = tried(trial, command)
    assert (run.target().lifecycle, rows_of_t(run)) == ("Failed", 1)
    assert reason in run.target().last_message


def test_parsing_does_not_ask_whether_the_step_runs_elsewhere(new_run: Callable[..., Run], server: LiveServer) -> None:
    run = new_run("SELECT 1")
    (row,) = run.rows("job_id, step_id, target_type, target_database_name", "step_id IS NULL")
    holder = server.connect(run.databases[0])
    try:
        name = step_lock_name(UUID(str(row.job_id)), "step1", run.databases[0])
        assert acquire_step_lock(holder, name, run.orders[run.databases[0]].target)
        assert run.execution(trial=Trial.PARSE).run().message.endswith("1 batch(es) without an error.")
    finally:
        holder.close()


def test_words_in_strings_and_comments_are_no_reason_to_refuse(tried: Callable[[Trial, str], Run]) -> None:
    run = tried(Trial.PARSE, "PRINT 'SET PARSEONLY OFF' -- PARSEONLY")
    assert run.target().lifecycle == "Skipped"


def test_a_plan_ends_the_rows_of_all_targets_and_the_run(new_run: Callable[..., Run]) -> None:
    run = new_run("SELECT 1", databases=3)
    plan_targets(run.job_database, UUID(str(run.job_execution_id)), 1)
    assert run.lifecycles() == ["Skipped"] * 5
    assert all(
        "was planned, and nothing was sent" in row.last_message for row in run.rows(where="target_type = 'SqlDatabase'")
    )
    assert run.execution().run().lifecycle == "Skipped"
