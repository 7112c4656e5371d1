"""A step whose tasks take several databases each, on a real scheduler, triggerer and pool."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.airflow.world import SCENARIOS, Run, World, until
from tests.job_database_invariants import broken_invariants

#: In the order of the step, which is that of their names.
DATABASES = sorted(f"chunks{number}" for number in range(1, 61))
TASK = "only.run"


@pytest.fixture(scope="module")
def runs(world: World) -> dict[str, Run]:
    """All runs, begun at once."""
    return {name: world.start(name) for name in ("chunks", "chunkslots", "chunkslotsinworker", "smallpool")}


def visits(world: World) -> Counter[str]:
    return Counter({name: world.query("SELECT COUNT(*) FROM dbo.Visits", name)[0][0] for name in DATABASES})


def test_clearing_chunks_runs_only_what_failed_or_was_stopped(world: World, runs: dict[str, Run]) -> None:
    run = runs["chunks"]
    first, last = DATABASES[0], DATABASES[-1]
    until(lambda: world.running(last) and list(run.lifecycles().values()).count("Succeeded") == 58, 120, "all but two")
    until(lambda: Counter(run.states(TASK)) == {"failed": 1, "success": 1, "deferred": 1}, what="the chunks' ends")
    assert run.states(TASK) == ["failed", "success", "deferred"]
    assert run.labels(TASK) == ["targets 1-20 of 60", "targets 21-40 of 60", "targets 41-60 of 60"]
    log = run.log(TASK, 0)
    assert f"1 of 20 databases did not end well: {SCENARIOS}/{first} Failed." in log
    assert f"{SCENARIOS}/{first}: " in log
    assert "not yet repaired" in log

    world.airflow.set_task_state(run.dag_id, run.run_id, f"chunks.{TASK}", "failed", 2)
    until(lambda: not world.running(last), 20, "the end of the statement")
    assert run.state() == "failed"
    assert run.lifecycle == "Failed"
    endings = {first: "Failed", last: "Canceled"}
    assert run.lifecycles() == {name: endings.get(name, "Succeeded") for name in DATABASES}

    world.query("CREATE TABLE dbo.Repaired (x int)", first)
    world.airflow.clear(run.dag_id, run.run_id, [(f"chunks.{TASK}", 0), (f"chunks.{TASK}", 2)])
    assert run.state() == "success"
    assert set(run.lifecycles().values()) == {"Succeeded"}
    assert run.lifecycle == "Succeeded"
    assert visits(world) == Counter(dict.fromkeys(DATABASES, 1)) + Counter([first, last])
    assert broken_invariants(world.job_database) == []


@pytest.mark.parametrize(("name", "mark"), [("chunkslots", "chunk slots"), ("chunkslotsinworker", "slots in worker")])
def test_a_chunk_takes_a_slot_of_the_pool_for_each_script_at_a_time(
    world: World, runs: dict[str, Run], name: str, mark: str
) -> None:
    run = runs[name]
    assert run.state() == "success"
    assert run.labels(TASK) == ["targets 1-3 of 6", "targets 4-6 of 6"]
    assert set(run.lifecycles().values()) == {"Succeeded"}
    # A second chunk would find one slot of the three, and needs two.
    assert world.sandbox.peak_running(SCENARIOS, containing=mark) == 2


def test_a_pool_that_is_too_small_is_said_before_anything_runs(runs: dict[str, Run]) -> None:
    run = runs["smallpool"]
    assert run.state() == "failed"
    note = run.tasks["only.resolve"][0]["note"]
    assert note.startswith("The pool 'three' has 3 slot(s), and each task of 'smallpool.only.run' takes 4.")
    assert run.rows == []
