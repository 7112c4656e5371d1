"""One script on one database over the real driver, and what its row says at the end."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.exceptions import ClaimLostError, ExecutionReleasedError, JobDatabaseError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.session import step_lock_name
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_LOST_ATTEMPT
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, Started, until

NewRun = Callable[..., Run]
SLOW = "RAISERROR('begun', 0, 1) WITH NOWAIT; WAITFOR DELAY '00:02:00'; PRINT 'not reached';"


def waiting_targets(run: Run) -> list[tuple[str, str]]:
    rows = run.job_database.run(_WAITING, run=run.job_execution_id)
    return [(row.waiting_for, row.waiting_cause) for row in rows]


_WAITING = Batch(
    "SELECT waiting_for, waiting_cause FROM jobs_ext.waiting_targets WHERE job_execution_id = @run;",
    run="uniqueidentifier",
)


def _running(server: LiveServer, run: Run) -> Callable[[], object]:
    """Whether the run's row says that its script runs, and the server that a session of it is there."""
    return lambda: run.target().lifecycle == "InProgress" and any("begun" in line for line in run.log)


def test_success_leaves_all_three_levels_succeeded(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("CREATE TABLE t (a int);\nGO\nINSERT INTO t VALUES (1), (2);\nPRINT 'two rows';\nSELECT a FROM t;")
    result = run.execution().run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)
    assert run.lifecycles() == ["Succeeded", "Succeeded", "Succeeded"]
    expected = f"Step 1 succeeded execution on target (server '{server.name}', database '{run.databases[0]}')."
    assert result.message == run.target().last_message == expected
    assert server.execute("SELECT COUNT(*) FROM t", run.databases[0]) == [(2,)]
    assert run.log.index("2 row(s) affected") < run.log.index("two rows")
    assert "Result set of 1 column(s) and 2 row(s)" in run.log


def test_an_error_in_a_result_nobody_reads_fails_after_the_documented_attempts(new_run: NewRun) -> None:
    run = new_run("SELECT 1/0;")
    result = run.execution().run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
    assert run.lifecycles() == ["Failed", "Failed", "Failed"]
    row = run.target()
    assert "8134" in row.last_message or "zero" in row.last_message
    assert (row.current_attempts, row.next_attempt_start_time, row.is_active) == (3, None, False)


def test_an_attempt_that_failed_is_made_again_in_the_same_row(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(
        "IF NOT EXISTS (SELECT * FROM tries) BEGIN INSERT INTO tries VALUES (1); THROW 50001, 'come again', 1; END;"
    )
    server.execute("CREATE TABLE tries (a int)", run.databases[0])
    result = run.execution().run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
    assert any("come again" in line for line in run.log)
    assert len(run.rows(where="target_type = 'SqlDatabase'")) == 1


def test_while_waiting_the_row_holds_the_error_and_when_the_next_attempt_is_due(new_run: NewRun) -> None:
    run = new_run("THROW 50001, 'come again', 1;")
    policy = run.orders[run.databases[0]].retry.__class__(attempts=1, initial_interval=60)
    started = Started(run.execution(retry=policy))
    until(lambda: run.target().lifecycle == "WaitingForRetry")
    row = run.target()
    assert "come again" in row.last_message
    assert (row.next_attempt_start_time - row.current_attempt_start_time).total_seconds() >= 60
    started.execution.cancel()
    assert started.result().lifecycle is Lifecycle.CANCELED
    assert run.lifecycles() == ["Canceled", "Canceled", "Canceled"]


def test_variables_become_literals(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(
        "CREATE TABLE v (run uniqueidentifier, job nvarchar(128), step int, name nvarchar(128));\n"
        "INSERT INTO v VALUES ($(job_execution_id), $(job_name), $(step_id), N'[$(step_name)]');",
        job_name=f"it's {UUID(int=7)}",
    )
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    ((execution, job, step, name),) = server.execute("SELECT * FROM v", run.databases[0])
    assert (UUID(str(execution)), job, step, name) == (run.job_execution_id, run.job_name, 1, "[step1]")


def test_a_variable_that_nobody_knows_is_left_alone_and_named(new_run: NewRun) -> None:
    run = new_run("PRINT '$(tenant_id)';")
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    warned = run.log.index("No variable or parameter is called tenant_id: left as written")
    assert warned < run.log.index("$(tenant_id)")


def test_a_transaction_left_open_is_no_success(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("BEGIN TRANSACTION; CREATE TABLE t (a int);")
    result = run.execution().run()
    assert result.lifecycle is Lifecycle.FAILED
    assert "1 open transaction" in result.message
    assert server.execute("SELECT COUNT(*) FROM sys.tables WHERE name = 't'", run.databases[0]) == [(0,)]


def test_a_step_still_running_on_the_target_is_skipped(
    new_run: NewRun, server: LiveServer, request: pytest.FixtureRequest
) -> None:
    first = new_run("SELECT 1;")
    first.execution().run()
    job_id = UUID(str(first.target().job_id))
    holder = server.connect(first.databases[0])
    holder.execute(
        f"EXEC sp_getapplock @Resource = N'{step_lock_name(job_id, 'step1', first.databases[0])}', "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0"
    )
    second = new_run("SELECT 1;", databases=first.databases, job_name=first.job_name)
    result = second.execution().run()
    assert result.lifecycle is Lifecycle.SKIPPED
    assert "still running" in result.message
    assert second.lifecycles() == ["Skipped", "Skipped", "Skipped"]
    holder.close()
    third = new_run("SELECT 1;", databases=first.databases, job_name=first.job_name)
    assert third.execution().run().lifecycle is Lifecycle.SUCCEEDED


def test_some_skipped_makes_the_run_succeed_with_skipped(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("SELECT 1;", databases=2)
    job_id = UUID(str(run.target().job_id))
    holder = server.connect(run.databases[1])
    holder.execute(
        f"EXEC sp_getapplock @Resource = N'{step_lock_name(job_id, 'step1', run.databases[1])}', "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0"
    )
    endings = [run.execution(database).run().lifecycle for database in run.databases]
    holder.close()
    assert endings == [Lifecycle.SUCCEEDED, Lifecycle.SKIPPED]
    assert run.lifecycles()[:2] == ["SucceededWithSkipped", "SucceededWithSkipped"]


def test_the_step_waits_for_its_last_target(new_run: NewRun) -> None:
    run = new_run("SELECT 1;", databases=2)
    run.execution(run.databases[0]).run()
    assert run.lifecycles()[:2] == ["WaitingForChildJobExecutions"] * 2
    run.execution(run.databases[1]).run()
    assert run.lifecycles() == ["Succeeded"] * 4


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_cancel_ends_the_statement_on_the_server(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(SLOW)
    started = Started(run.execution())
    until(_running(server, run))
    started.execution.cancel()
    result = started.result(20)
    assert result.lifecycle is Lifecycle.CANCELED
    assert run.lifecycles() == ["Canceled"] * 3
    assert "not reached" not in run.log


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_request_to_stop_the_run_reaches_the_server(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(SLOW, databases=2)
    started = Started(run.execution(run.databases[0]))
    until(_running(server, run))
    cancel_execution(run.job_database, run.job_execution_id, requested_by="somebody")
    assert started.result(20).lifecycle is Lifecycle.CANCELED
    assert run.execution(run.databases[1]).run().lifecycle is Lifecycle.CANCELED
    assert run.lifecycles() == ["Canceled"] * 4


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_time_out_ends_the_statement_and_is_final(new_run: NewRun) -> None:
    run = new_run(SLOW)
    result = run.execution(step_timeout=1).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.TIMED_OUT, 1)
    assert "timed out" in result.message
    assert run.lifecycles() == ["TimedOut"] * 3


def test_a_cancel_before_the_run_begins_holds(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("CREATE TABLE t (a int);")
    execution = run.execution()
    execution.cancel()
    assert execution.run().lifecycle is Lifecycle.CANCELED
    assert server.execute("SELECT COUNT(*) FROM sys.tables WHERE name = 't'", run.databases[0]) == [(0,)]


def test_a_finished_row_is_reported_and_not_run_again(new_run: NewRun) -> None:
    run = new_run("CREATE TABLE t (a int);")
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED
    # Run again, the script would fail: the table is there.
    assert run.execution().run().lifecycle is Lifecycle.SUCCEEDED


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_released_work_is_taken_over_by_the_next_process(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("IF EXISTS (SELECT * FROM pace) BEGIN " + SLOW + " END;")
    server.execute("CREATE TABLE pace (a int); INSERT INTO pace VALUES (1);", run.databases[0])
    started = Started(run.execution())
    until(_running(server, run))
    started.execution.release()
    with pytest.raises(ExecutionReleasedError):
        started.result(20)
    assert run.target().lifecycle == "InProgress"
    server.execute("DELETE FROM pace", run.databases[0])
    result = run.execution(agent=JobAgent(run.job_database)).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
    assert any("whether its script committed is unknown" in line for line in run.log)


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_lost_attempt_that_still_runs_is_waited_for_and_its_writes_are_refused(
    new_run: NewRun, server: LiveServer
) -> None:
    run = new_run("IF EXISTS (SELECT * FROM pace) BEGIN " + SLOW + " END;")
    server.execute("CREATE TABLE pace (a int); INSERT INTO pace VALUES (1);", run.databases[0])
    lost = Started(run.execution())
    until(_running(server, run))
    server.execute("DELETE FROM pace", run.databases[0])
    second = Started(run.execution(agent=JobAgent(run.job_database)))
    until(lambda: WAITING_FOR_LOST_ATTEMPT in run.log)
    until(lambda: waiting_targets(run) == [("turn", WAITING_FOR_LOST_ATTEMPT)])
    lost.execution.cancel()
    with pytest.raises(ClaimLostError):
        lost.result(20)
    result = second.result(20)
    assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
    assert run.lifecycles() == ["Succeeded"] * 3


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_a_lost_attempt_is_not_repeated_when_the_script_is_not_idempotent(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(SLOW)
    lost = Started(run.execution())
    until(_running(server, run))
    lost.execution.release()
    with pytest.raises(ExecutionReleasedError):
        lost.result(20)
    result = run.execution(agent=JobAgent(run.job_database), idempotent=False).run()
    assert result.lifecycle is Lifecycle.FAILED
    assert "not idempotent" in result.message


@pytest.mark.sandbox_only
def test_a_lost_attempt_is_reckoned_with_until_the_target_can_be_reached(
    new_run: NewRun, server: LiveServer, sandbox: SandboxClient
) -> None:
    run = new_run(SLOW)
    lost = Started(run.execution())
    until(_running(server, run))
    lost.execution.release()
    with pytest.raises(ExecutionReleasedError):
        lost.result(20)
    sandbox.add_fault("login_dropped", database=run.databases[0])
    result = run.execution(agent=JobAgent(run.job_database), idempotent=False).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)
    assert "not idempotent" in result.message
    assert run.log.count("begun") <= 1


@pytest.mark.parametrize("in_chunks", ["single"], indirect=True)
def test_a_row_that_does_not_exist_is_said(new_run: NewRun) -> None:
    run = new_run("SELECT 1;")
    with pytest.raises(JobDatabaseError, match="no target execution"):
        run.execution(execution_id=UUID(int=1)).run()


@pytest.mark.sandbox_only
class TestFaults:
    """What the sandbox does wrong on demand, and what the row says then."""

    @pytest.mark.parametrize("kind", ["deadlock", "throttled", "dropped_before", "dropped_after"])
    def test_a_passing_fault_is_retried(self, new_run: NewRun, sandbox: SandboxClient, kind: str) -> None:
        run = new_run("/* unlucky */ SELECT 1;")
        sandbox.add_fault(kind, containing="unlucky", database=run.databases[0])
        result = run.execution().run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 2)
