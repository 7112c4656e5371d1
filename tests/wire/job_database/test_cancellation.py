from __future__ import annotations

from airflow_provider_elasticjobs.job_database.agents import heartbeat
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution, is_cancelled
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import wait_for_retry
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, step_message, target_message
from tests.wire.job_database.runs import SERVER, Run, new_agent


def test_what_waits_ends_at_once_and_what_runs_is_told(db: JobDatabase) -> None:
    run, agent = Run(db), new_agent()
    created, waiting, running = run.begin(3)
    wait_for_retry(db, run.claim_and_begin(waiting), "no", delay_seconds=60)
    claim = run.claim_and_begin(running, agent=agent)
    assert heartbeat(db, agent) == []
    assert cancel_execution(db, run.id, requested_by="dba") is Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS
    assert [run.row(1, f"db{number}").lifecycle for number in (1, 2, 3)] == ["Canceled", "Canceled", "InProgress"]
    assert run.row(1, "db1").last_message == target_message(Lifecycle.CANCELED, 1, SERVER, "db1")
    assert heartbeat(db, agent) == [run.id]
    assert run.finish(claim, Lifecycle.CANCELED).job_lifecycle is Lifecycle.CANCELED
    assert run.row(1).last_message == step_message(Lifecycle.CANCELED, 1)
    assert run.row().last_message == job_message(Lifecycle.CANCELED)
    assert created != waiting


def test_a_run_where_nothing_runs_is_settled_at_once(db: JobDatabase) -> None:
    run = Run(db)
    run.begin(2)
    assert cancel_execution(db, run.id) is Lifecycle.CANCELED
    assert run.lifecycles() == ("Canceled", "Canceled")


def test_a_run_that_was_stopped_is_canceled_even_if_its_last_script_succeeded(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    cancel_execution(db, run.id)
    settled = run.finish(claim)
    assert (settled.written, settled.job_lifecycle) == (True, Lifecycle.CANCELED)
    assert run.row(1, "db1").lifecycle == "Succeeded"


def test_who_waits_is_told_for_a_minute_although_its_row_has_ended(db: JobDatabase) -> None:
    run, agent, other = Run(db), new_agent(), new_agent()
    wait_for_retry(db, run.claim_and_begin(run.begin(1)[0], agent=agent), "no", delay_seconds=600)
    assert cancel_execution(db, run.id) is Lifecycle.CANCELED
    assert heartbeat(db, agent) == [run.id]
    assert heartbeat(db, other) == []
    db.run(_AGE_REQUEST, run=run.id)
    assert heartbeat(db, agent) == []


def test_asking_twice_keeps_the_first_request(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0])
    cancel_execution(db, run.id, requested_by="first")
    cancel_execution(db, run.id, requested_by="second")
    requests = db.run(_REQUESTS, run=run.id)
    assert [request.requested_by for request in requests] == ["first"]
    run.finish(claim, Lifecycle.CANCELED)


def test_a_run_that_has_ended_is_left_as_it_is(db: JobDatabase) -> None:
    run = Run(db)
    run.run_target(run.begin(1)[0])
    before = run.row()
    assert cancel_execution(db, run.id) is Lifecycle.SUCCEEDED
    assert not is_cancelled(db, run.id)
    assert run.row() == before


def test_a_step_that_waits_for_its_retry_ends(db: JobDatabase) -> None:
    from airflow_provider_elasticjobs.job_database.steps import retry_step  # noqa: PLC0415

    run = Run(db)
    retry_step(db, run.start(), "no", delay_seconds=60)
    assert cancel_execution(db, run.id) is Lifecycle.CANCELED
    assert run.row(1).last_message == step_message(Lifecycle.CANCELED, 1)


_AGE_REQUEST = Batch(
    "UPDATE jobs_internal.job_cancellations SET request_time = DATEADD(minute, -2, request_time)"
    " WHERE job_execution_id = @run;",
    run="uniqueidentifier",
)
_REQUESTS = Batch(
    "SELECT requested_by FROM jobs_internal.job_cancellations WHERE job_execution_id = @run;", run="uniqueidentifier"
)
