"""What a killed worker, a restarted triggerer and a killed one leave behind; they disturb whatever else runs."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from tests.airflow.world import SCENARIOS, Run, World, until
from tests.job_database_invariants import broken_invariants

_AGENT_OF = Batch(
    """
SELECT a.process_id FROM jobs_internal.agents AS a
INNER JOIN jobs_internal.executions AS e ON e.agent_id = a.agent_id
WHERE e.job_execution_id = @run AND e.target_database_name = @database;
""",
    run="uniqueidentifier",
    database="nvarchar(128)",
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
    assert broken_invariants(world.job_database) == []


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
    assert broken_invariants(world.job_database) == []


def test_a_killed_worker_leaves_nothing_undecided(world: World, killed: Run) -> None:
    assert killed.state() == "failed"
    assert killed.lifecycles() == {"killed1": "Failed", "killed2": "Canceled"}
    assert "unknown" in killed.messages()["killed1"]
    assert killed.lifecycle == "Failed"
    assert broken_invariants(world.job_database) == []
