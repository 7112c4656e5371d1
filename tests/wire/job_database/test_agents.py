from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.job_database.agents import heartbeat, retire, settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.executions import wait_for_retry
from airflow_provider_elasticjobs.job_database.records import Agent, AlreadyFinished
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from tests.wire.job_database.runs import Run, internal, new_agent

_AGE = Batch(
    """
UPDATE jobs_internal.executions SET claim_time = DATEADD(hour, -1, claim_time) WHERE job_execution_id = @run;
UPDATE jobs_internal.agents SET heartbeat_time = DATEADD(hour, -1, heartbeat_time) WHERE agent_id = @agent;
""",
    run="uniqueidentifier",
    agent="uniqueidentifier",
)


def is_known(db: JobDatabase, agent: Agent) -> bool:
    rows = db.run(_AGENTS, id=agent.agent_id)
    assert len(rows) <= 1
    return bool(rows)


_AGENTS = Batch("SELECT agent_id FROM jobs_internal.agents WHERE agent_id = @id;", id="uniqueidentifier")


def test_a_heartbeat_keeps_one_row_for_a_process(db: JobDatabase) -> None:
    agent = new_agent()
    heartbeat(db, agent)
    heartbeat(db, agent)
    assert is_known(db, agent)
    retire(db, agent)
    assert not is_known(db, agent)


def test_a_process_that_leaves_rows_to_another_is_not_forgotten(db: JobDatabase) -> None:
    run, agent = Run(db), new_agent()
    heartbeat(db, agent)
    claim = run.claim_and_begin(run.begin(1)[0], agent=agent)
    retire(db, agent)
    assert is_known(db, agent)
    run.finish(claim)
    retire(db, agent)
    assert not is_known(db, agent)


def test_a_silent_process_is_forgotten_once_it_has_nothing_left(db: JobDatabase) -> None:
    run, silent, alive = Run(db), new_agent(), new_agent()
    for agent in (silent, alive):
        heartbeat(db, agent)
    run.claim_and_begin(run.begin(1)[0], agent=silent)
    db.run(_AGE, run=run.id, agent=silent.agent_id)
    assert settle_leftovers(db, run.id, ended_claims=[]) == []
    assert is_known(db, silent), "its script may still run"
    assert len(settle_leftovers(db, run.id)) == 1
    assert (is_known(db, silent), is_known(db, alive)) == (False, True)


def test_rows_of_a_lost_process_fail_with_an_unknown_outcome(db: JobDatabase) -> None:
    run, agent = Run(db), new_agent()
    heartbeat(db, agent)
    lost, waiting, _ = run.begin(3)
    claim = run.claim_and_begin(lost, agent=agent)
    wait_for_retry(db, run.claim_and_begin(waiting, agent=agent), "Divide by zero", delay_seconds=1)
    assert settle_leftovers(db, run.id) == []
    db.run(_AGE, run=run.id, agent=agent.agent_id)
    found = settle_leftovers(db, run.id)
    assert [(each.database_name, each.lifecycle) for each in found] == [
        ("db1", Lifecycle.FAILED),
        ("db2", Lifecycle.FAILED),
    ]
    assert internal(db, lost.execution_id).outcome == "unknown"
    assert "unknown" in run.row(1, "db1").last_message
    assert (internal(db, waiting.execution_id).outcome, run.row(1, "db2").last_message) == ("failed", "Divide by zero")
    assert run.row(1, "db3").lifecycle == "Created"
    assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
    assert not run.finish(claim).written


def test_rows_that_nobody_will_begin_are_ended_when_asked(db: JobDatabase) -> None:
    run = Run(db)
    target, _ = run.begin(2)
    found = settle_leftovers(db, run.id, include_created=True)
    assert len(found) == 2
    assert run.lifecycles() == ("Failed", "Failed")
    assert "never begun" in run.row(1, "db1").last_message
    assert isinstance(run.try_claim(target), AlreadyFinished)


def test_a_living_process_keeps_its_rows(db: JobDatabase) -> None:
    run, agent = Run(db), new_agent()
    claim = run.claim_and_begin(run.begin(1)[0], agent=agent)
    db.run(_AGE, run=run.id, agent=agent.agent_id)
    heartbeat(db, agent)
    assert settle_leftovers(db, run.id, include_created=True) == []
    assert run.finish(claim).written


def test_a_young_claim_is_kept_before_the_first_heartbeat(db: JobDatabase) -> None:
    run = Run(db)
    claim = run.claim_and_begin(run.begin(1)[0], agent=new_agent())
    assert settle_leftovers(db, run.id) == []
    assert run.finish(claim).written


def test_leftovers_of_a_stopped_run_are_canceled(db: JobDatabase) -> None:
    run, agent = Run(db), new_agent()
    run.claim_and_begin(run.begin(1)[0], agent=agent)
    cancel_execution(db, run.id)
    db.run(_AGE, run=run.id, agent=agent.agent_id)
    (found,) = settle_leftovers(db, run.id)
    assert found.lifecycle is Lifecycle.CANCELED
    assert run.lifecycles() == ("Canceled", "Canceled")


@pytest.mark.parametrize("has_agent", [True, False])
def test_a_lost_resolver_ends_its_step(db: JobDatabase, has_agent: bool) -> None:
    run, agent = Run(db), new_agent()
    run.start(agent=agent if has_agent else None)
    db.run(_AGE, run=run.id, agent=agent.agent_id)
    if not has_agent:
        assert settle_leftovers(db, run.id) == []
    found = settle_leftovers(db, run.id, include_created=not has_agent)
    assert [each.database_name for each in found] == [None]
    assert run.lifecycles() == ("Failed", "Failed")


def test_a_resolver_that_never_came_back_does_not_keep_a_stopped_run_alive(db: JobDatabase) -> None:
    run = Run(db)
    run.start()
    cancel_execution(db, run.id)
    assert settle_leftovers(db, run.id) == []
    db.run(_AGE, run=run.id, agent=new_agent().agent_id)
    assert len(settle_leftovers(db, run.id)) == 1
    assert run.lifecycles() == ("Canceled", "Canceled")


def test_parents_are_settled_for_a_process_that_died_before_it_could(db: JobDatabase) -> None:
    run = Run(db)
    targets = run.begin(2)
    for target in targets:
        run.claim_and_begin(target)
    db.run(_END_QUIETLY, run=run.id)
    assert run.lifecycles() == ("WaitingForChildJobExecutions", "WaitingForChildJobExecutions")
    assert run.id not in {each.job_execution_id for each in settle_leftovers(db)}
    assert run.lifecycles() == ("Succeeded", "Succeeded")


_END_QUIETLY = Batch(
    """
UPDATE jobs_internal.executions SET lifecycle = 'Succeeded', is_active = 0, end_time = @now, outcome = 'succeeded',
    last_message = N'Succeeded.'
WHERE job_execution_id = @run AND target_type = 'SqlDatabase';
UPDATE jobs_internal.attempts SET end_time = @now, outcome = 'succeeded', message = N'Succeeded.'
WHERE execution_id IN (SELECT execution_id FROM jobs_internal.executions WHERE job_execution_id = @run);
""",
    run="uniqueidentifier",
)
