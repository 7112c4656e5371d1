"""What a killed worker, a restarted triggerer and a killed one leave behind; they disturb whatever else runs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_elasticjobs.execution.session import acquire_step_lock, step_lock_name
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.targets import Target
from tests.airflow.world import SCENARIOS, Run, World, until

_AGENT_OF = Batch(
    """
SELECT a.process_id FROM jobs_internal.agents AS a
INNER JOIN jobs_internal.executions AS e ON e.agent_id = a.agent_id
WHERE e.job_execution_id = @run AND e.target_database_name = @database;
""",
    run="uniqueidentifier",
    database="nvarchar(128)",
)


_HEARD_OF = Batch(
    """
UPDATE jobs_internal.agents SET heartbeat_time = DATEADD(hour, @hours, @now)
WHERE agent_id IN (SELECT agent_id FROM jobs_internal.executions WHERE job_execution_id = @run);
UPDATE jobs_internal.executions SET claim_time = DATEADD(hour, @hours, @now)
WHERE job_execution_id = @run AND claim_time IS NOT NULL;
""",
    run="uniqueidentifier",
    hours="int",
)
_JOB_ID = Batch(
    "SELECT job_id FROM jobs.job_executions WHERE job_execution_id = @run AND step_id IS NULL;", run="uniqueidentifier"
)


@pytest.fixture(scope="module")
def killed(world: World) -> Run:
    """A run of two scripts in workers, of which one was killed and one was marked; settling it takes a while."""
    run = world.start("killed")
    until(lambda: world.running("killed1") and world.running("killed2"), 90, "the scripts' start")
    victims: list[Any] = []

    def alive() -> bool:
        victims[:] = world.job_database.run(_AGENT_OF, run=run.execution, database="killed1")
        return bool(victims)

    until(alive, what="the worker's first heartbeat")
    os.kill(victims[0].process_id, signal.SIGKILL)
    index = run.index_of("killed2", "only.run")
    world.airflow.set_task_state(run.dag_id, run.run_id, "killed.only.run", "failed", index)
    return run


@pytest.mark.usefixtures("killed")
def test_a_restarted_triggerer_takes_its_scripts_up_again_and_none_twice_at_once(world: World) -> None:
    run = world.start("restarted")
    until(lambda: world.running("restarted1") and world.running("restarted2"), 90, "the scripts' start")
    world.airflow.restart("triggerer")
    assert run.state() == "success"
    assert run.lifecycles() == {"restarted1": "Succeeded", "restarted2": "Succeeded"}
    for database in ("restarted1", "restarted2"):
        scripts = world.scripts(database)
        assert [one["outcome"] for one in sorted(scripts, key=lambda one: one["started"])] == ["cancelled", "succeeded"]
        assert world.sandbox.peak_running(SCENARIOS, database=database, containing="WAITFOR") == 1


def test_a_killed_triggerer_leaves_its_script_to_the_next_one(world: World) -> None:
    run = world.start("crashed")
    until(lambda: world.running("crashed1"), 90, "the script's start")
    triggerer = world.airflow.component("triggerer")
    triggerer.kill(signal.SIGKILL, with_children=True)
    triggerer.stop()
    world.airflow.start_component("triggerer")
    assert run.state() == "success"
    assert run.lifecycles() == {"crashed1": "Succeeded"}
    assert "lost" in run.log("only.run", 0)


@pytest.mark.timeout(500)
def test_after_a_restart_of_the_scheduler_the_rows_say_what_the_server_did(world: World) -> None:
    """What the triggerer runs goes on; a worker may end with its scheduler, or outlive it."""
    deferred, in_worker = world.start("rescheduled"), world.start("rescheduledinworker")
    until(lambda: world.running("rescheduled1") and world.running("rescheduledinworker1"), 120, "the scripts' start")
    world.airflow.restart("scheduler")
    for database in ("rescheduled1", "rescheduledinworker1"):
        world.query("CREATE TABLE dbo.Released (x int)", database)
    assert deferred.state() == "success"
    assert deferred.lifecycles() == {"rescheduled1": "Succeeded"}
    assert [one["outcome"] for one in world.scripts("rescheduled1")] == ["succeeded"]
    in_worker.state(240)
    outcomes = [one["outcome"] for one in world.scripts("rescheduledinworker1")]
    expected = "Succeeded" if "succeeded" in outcomes else "Failed"
    assert outcomes.count("succeeded") <= 1
    assert in_worker.lifecycles() == {"rescheduledinworker1": expected}
    assert expected == "Succeeded" or "unknown" in in_worker.messages()["rescheduledinworker1"]


def age(run: Run, hours: int = -1) -> None:
    """Let a run's processes have been silent for an hour."""
    run.job_database.run(_HEARD_OF, run=run.execution, hours=hours)


@pytest.fixture(scope="class")
def abandoned(world: World) -> Iterator[dict[str, Run]]:
    """Runs whose triggerer was killed, and that count as lost when a test says so; later there is a triggerer again."""
    runs = {name: world.start(name) for name in ("lostone", "losttwo", "lostthree")}
    scripts = ("lostone1", "losttwo1", "losttwo2", "lostthree1")
    until(lambda: all(world.running(database) for database in scripts), 90, "the scripts' start")
    triggerer = world.airflow.component("triggerer")
    triggerer.kill(signal.SIGKILL, with_children=True)
    triggerer.stop()
    until(lambda: not any(world.running(database) for database in scripts), what="the end of the sessions")
    for run in runs.values():
        age(run, hours=1)
    yield runs
    if triggerer.poll() is not None:
        world.airflow.start_component("triggerer")


class TestKilledTriggererNeverRestarted:
    def test_the_next_run_of_the_dag_settles_what_is_left(self, world: World, abandoned: dict[str, Run]) -> None:
        run = abandoned["lostone"]
        age(run)
        following = world.start("lostone")
        until(lambda: following.states("only.resolve") == ["success"], 120, "the next run's first task")
        assert run.lifecycle == "Failed"
        assert "unknown" in run.messages()["lostone1"]
        assert f"{SCENARIOS}/lostone1 was left behind: Failed" in following.log("only.resolve")
        assert run.lifecycles() == {"lostone1": "Failed"}

    def test_the_command_settles_what_has_ended_and_keeps_what_still_runs(
        self, world: World, abandoned: dict[str, Run]
    ) -> None:
        run = abandoned["losttwo"]
        age(run)
        # As a session does that the server has not yet missed its client of.
        with world.open("losttwo1", SCENARIOS) as session:
            (job,) = world.job_database.run(_JOB_ID, run=run.execution)
            name = step_lock_name(job.job_id, "only", "losttwo1")
            assert acquire_step_lock(session, name, Target(SCENARIOS, "losttwo1"))
            said = world.airflow.cli("elasticjobs", "reconcile", str(run.execution), "--output", "json").stdout
            results = {one["database_name"]: one["result"] for one in json.loads(said[said.index("[\n") :])}
            assert results == {"losttwo1": "still runs on the server", "losttwo2": "ended: Failed"}
            assert run.lifecycles() == {"losttwo1": "InProgress", "losttwo2": "Failed"}
            assert run.lifecycle == "WaitingForChildJobExecutions"

    def test_the_maintenance_dag_settles_what_is_left(self, world: World, abandoned: dict[str, Run]) -> None:
        run = abandoned["lostthree"]
        age(run)
        maintenance = world.start("example_maintenance")
        assert maintenance.state() == "success"
        assert run.lifecycles() == {"lostthree1": "Failed"}
        assert run.lifecycle == "Failed"
        # Its schedule begins a run too as soon as it is unpaused, and that one may come first.
        dag_id = maintenance.dag_id
        ids = [one["dag_run_id"] for one in world.airflow.api("GET", f"dags/{dag_id}/dagRuns")["dag_runs"]]
        assert {world.airflow.wait_for_run(dag_id, each) for each in ids} == {"success"}
        logs = "".join(world.airflow.task_log(dag_id, each, "reconcile") for each in ids)
        assert f"{SCENARIOS}/lostthree1 was left behind: Failed" in logs

    def test_a_triggerer_that_comes_late_reports_what_was_settled(
        self, world: World, abandoned: dict[str, Run]
    ) -> None:
        run = abandoned["lostthree"]
        age(run)
        assert world.airflow.cli("elasticjobs", "reconcile", str(run.execution)).returncode == 0
        world.airflow.start_component("triggerer")
        assert run.state() == "failed"
        assert run.lifecycles() == {"lostthree1": "Failed"}
        assert len(world.scripts("lostthree1")) == 1


def test_a_killed_scheduler_with_its_workers_leaves_nothing_undecided(world: World) -> None:
    run = world.start("schedulerless")
    until(lambda: world.running("schedulerless1"), 90, "the script's start")
    scheduler = world.airflow.component("scheduler")
    scheduler.kill(signal.SIGKILL, with_children=True)
    scheduler.stop()
    until(lambda: not world.running("schedulerless1"), what="the end of the session")
    assert run.lifecycles() == {"schedulerless1": "InProgress"}
    world.airflow.start_component("scheduler")
    ended = run.state()
    assert run.lifecycle == {"success": "Succeeded", "failed": "Failed"}[ended]
    assert run.lifecycles() == {"schedulerless1": run.lifecycle}


def test_a_killed_worker_leaves_nothing_undecided(world: World, killed: Run) -> None:
    assert killed.state() == "failed"
    assert killed.lifecycles() == {"killed1": "Failed", "killed2": "Canceled"}
    assert "unknown" in killed.messages()["killed1"]
    assert killed.lifecycle == "Failed"
