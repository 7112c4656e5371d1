from __future__ import annotations

import pytest

from benchmarks.goals import goals
from tests.unit.benchmarks.cells import cell, matrix, small


def verdicts(*args: object) -> dict[str, bool]:
    return {goal.text: goal.is_met for goal in goals(*args)}  # type: ignore[arg-type]


def test_nothing_measured_nothing_said() -> None:
    assert goals(None, None) == []


@pytest.mark.parametrize(("seconds", "is_met"), [(16.0, True), (17.0, False)])
def test_chunks_against_bare(seconds: float, is_met: bool) -> None:
    raw = matrix(cell("bare", 10.0, size=1_000), cell("chunks", seconds, size=1_000), cell("chunks", 900.0, size=10))
    assert verdicts(raw, None) == {"(e) at least 0.6 of (a)'s rate once running, no-op, 1,000 databases": is_met}


@pytest.mark.parametrize(("seconds", "is_met"), [(9.9, True), (10.1, False)])
def test_deferred_against_what_one_would_write(seconds: float, is_met: bool) -> None:
    raw = matrix(cell("expand", 10.0), cell("deferrable", seconds))
    assert verdicts(raw, None) == {
        "(c) ahead of (b) in wall time, no-op, 100 databases": is_met,
        "(c) ahead of (b) in rate once running, no-op, 100 databases": is_met,
    }


def test_deferred_tells_what_airflow_takes_for_tasks_that_only_defer() -> None:
    raw = matrix(cell("expand", 10.0), cell("deferrable", 20.0), cell("defer", 19.0))
    wall, rate = goals(raw, None)
    assert wall.found == "(c)/(b) 2.00 (n 1); tasks that only defer 1.90 (n 1)"
    assert "only defer" not in rate.found


def test_deferred_with_the_slots_of_a_tier_is_judged_apart() -> None:
    raw = matrix(cell("expand", 10.0), cell("deferrable", 11.0), cell("tier", 9.0))
    assert list(verdicts(raw, None).values()) == [False, False, True, True]


@pytest.mark.parametrize(("seconds", "is_met"), [(145.0, True), (160.0, False)])
def test_flat_cost(seconds: float, is_met: bool) -> None:
    raw = matrix(cell("chunks", 10.0), cell("chunks", seconds, size=1_000))
    (goal,) = goals(raw, None)
    assert goal.is_met is is_met
    assert "at 100, 1,000 databases" in goal.text


def test_flat_cost_tells_what_airflow_takes_for_tasks_that_only_defer() -> None:
    raw = matrix(
        *(cell("tier", 10.0), cell("tier", 200.0, size=1_000)),
        *(cell("defer_wide", 8.0), cell("defer_wide", 120.0, size=1_000)),
    )
    (goal,) = goals(raw, None)
    assert goal.found == "factor 2.00; tasks that only defer 1.50"


def test_small_ones_by_their_means() -> None:
    cells = [
        {"name": "import", "seconds": 0.1},
        {"name": "import", "seconds": 0.29},
        {"name": "parse", "seconds": 0.06},
    ]
    found = verdicts(None, small(*cells))
    assert list(found.values()) == [True, False]


@pytest.mark.parametrize(("loop", "last", "found"), [(9.9, 330.0, [True, True]), (10.1, 331.0, [False, False])])
def test_one_large_run_by_the_worst(loop: float, last: float, found: list[bool]) -> None:
    run = {
        "name": "one_run",
        "longest_scheduler_loop_seconds": 5.0,
        "scheduler_mib_second_quarter": 500.0,
        "scheduler_mib_last_quarter": 500.0,
        "triggerer_mib_second_quarter": 300.0,
        "triggerer_mib_last_quarter": 300.0,
    }
    worse = {**run, "longest_scheduler_loop_seconds": loop, "triggerer_mib_last_quarter": last}
    assert list(verdicts(None, small(run, worse)).values()) == found


def test_many_at_once_by_the_worst() -> None:
    held = {
        "name": "at_once",
        "mib_above_idle": 272.0,
        "latest_loop_seconds_while_starting": 1.5,
        "latest_loop_seconds_while_they_run": 0.1,
        "seconds_until_all_are_stopped": 9.0,
    }
    later = {**held, "latest_loop_seconds_while_starting": 0.2, "seconds_until_all_are_stopped": 11.0}
    assert list(verdicts(None, small(held, later)).values()) == [True, False, False]
