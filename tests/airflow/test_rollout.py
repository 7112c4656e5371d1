"""Rollouts on a real scheduler: waves of tasks, a budget of failures, starts that are spread."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from tests.airflow.world import TENANTS, Run, World, until
from tests.job_database_invariants import broken_invariants

STARTED = {
    "example_rollout": "Rollout",
    "spread": "spread",
    "canary": "canary",
    "allowed": "allowed",
    "alone": "resolve",
}
LARGE = "database7"
BEGAN = Batch(
    "SELECT begin_time FROM jobs_internal.rollout_waves WHERE job_execution_id = @run AND wave = 3;",
    run="uniqueidentifier",
)


@pytest.fixture(scope="module")
def runs(world: World) -> Mapping[str, Run]:
    """All runs, begun at once; one of the tenants is larger than the others."""
    world.query("CREATE TABLE dbo.Large (filler nvarchar(4000))", LARGE, TENANTS)
    for _ in range(5):
        values = ", ".join(["(REPLICATE(N'x', 4000))"] * 100)
        world.query(f"INSERT INTO dbo.Large VALUES {values}", LARGE, TENANTS)
    return {dag_id: world.start(dag_id, group_id) for dag_id, group_id in STARTED.items()}


def test_the_example_reaches_canary_few_and_rest_the_largest_first_over_a_minute(
    world: World, runs: Mapping[str, Run]
) -> None:
    run = runs["example_rollout"]
    assert run.state(300) == "success"
    assert run.lifecycle == "Succeeded"
    assert [len(run.labels(f"add_index.{task}")) for task in ("wave_1", "wave_2", "run")] == [1, 2, 9]
    assert run.labels("add_index.wave_1") == [f"{TENANTS}/database1"]
    assert run.labels("add_index.run")[0] == f"{TENANTS}/{LARGE}"
    rows: dict[str, Any] = {row.target_database_name: row for row in run.rows if row.target_database_name}
    waves = [
        [rows[label.rpartition("/")[2]] for label in run.labels(f"add_index.{task}")]
        for task in ("wave_1", "wave_2", "run")
    ]
    for earlier, later in pairwise(waves):
        assert max(row.end_time for row in earlier) <= min(row.start_time for row in later)
    began = world.job_database.run(BEGAN, run=run.execution)[0].begin_time
    late = [(row.start_time - began).total_seconds() for row in waves[2]]
    assert [seconds >= 60 * place // 9 for place, seconds in enumerate(late)] == [True] * 9


def test_a_target_whose_time_is_far_holds_no_slot_and_says_what_it_waits_for(
    world: World, runs: Mapping[str, Run]
) -> None:
    run = runs["spread"]
    until(lambda: run.lifecycles().get("spread1") == "Succeeded", 150, "the first target's end")
    until(lambda: run.states("only.run")[1:] == ["up_for_reschedule"], 90, "the second target's return of its slot")
    assert "Waiting until " in run.messages()["spread2"]
    assert "the slot is given back" in run.log("only.run", 1)
    world.airflow.set_run_state(run.dag_id, run.run_id, "failed")
    assert run.state() == "failed"
    assert run.lifecycles() == {"spread1": "Succeeded", "spread2": "Canceled"}


def test_a_canary_that_fails_skips_the_rest_and_its_repair_brings_them_back(
    world: World, runs: Mapping[str, Run]
) -> None:
    run = runs["canary"]
    assert run.state() == "failed"
    assert run.lifecycles() == {"canary1": "Failed", "canary2": "Skipped", "canary3": "Skipped", "canary4": "Skipped"}
    assert run.lifecycle == "Failed"
    reason = "the rollout was stopped, 1 of 4 databases failed and at most 0 may."
    assert all(run.messages()[f"canary{number}"].endswith(reason) for number in (2, 3, 4))
    assert run.states("only.wave_1") == ["failed"]
    assert [run.states(f"only.{task}") for task in ("wave_2", "run")] == [["skipped"], ["skipped"]]
    assert "1 of 4 databases failed and at most 0 may" in run.log("only.begin_wave_2")
    execution = run.execution

    world.query("CREATE TABLE dbo.Repaired (x int)", "canary1")
    world.airflow.clear(run.dag_id, run.run_id, [("canary.only.wave_1", 0)], only_failed=False)
    assert run.state() == "success"
    assert set(run.lifecycles().values()) == {"Succeeded"}
    assert [len(run.labels(f"only.{task}")) for task in ("wave_1", "wave_2", "run")] == [1, 1, 2]
    assert (run.lifecycle, run.execution) == ("Succeeded", execution)


def test_a_failure_that_is_allowed_lets_the_next_wave_begin_and_the_job_fail(runs: Mapping[str, Run]) -> None:
    run = runs["allowed"]
    assert run.state() == "failed"
    assert run.lifecycles() == {"allowed1": "Failed", "allowed2": "Succeeded", "allowed3": "Succeeded"}
    assert run.states("only.run") == ["success"]
    assert run.states("finish") == ["upstream_failed"]
    assert run.lifecycle == "Failed"


def test_the_operator_alone_keeps_to_its_budget(runs: Mapping[str, Run]) -> None:
    run = runs["alone"]
    assert run.state() == "failed"
    assert run.lifecycles() == {"alone1": "Failed", "alone2": "Skipped", "alone3": "Skipped"}


def test_no_rule_of_the_job_database_is_broken(world: World, runs: Mapping[str, Run]) -> None:
    for run in runs.values():
        run.state(300)
    assert broken_invariants(world.job_database) == []
