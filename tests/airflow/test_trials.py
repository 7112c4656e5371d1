"""A job tried in Airflow, by a parameter of the run: nothing stays, and the rows say what was found."""

from __future__ import annotations

import json

import pytest

from tests.airflow.world import TENANTS, World
from tests.job_database_invariants import broken_invariants

POOL = ["database11", "database12"]


def has_table(world: World, database: str) -> bool:
    return bool(world.query("SELECT name FROM sys.tables WHERE name = 'Holidays'", database, TENANTS))


@pytest.fixture(scope="module")
def tried(world: World) -> dict[str, dict[str, str]]:
    """Messages of the targets of three trials, which went on at the same time, and left nothing."""
    runs = {
        trial: world.start("example_trial", "TriedJob", conf={"trial": trial})
        for trial in ("plan", "parse", "rollback")
    }
    assert {trial: run.state() for trial, run in runs.items()} == {
        "plan": "success",
        "parse": "success",
        # The second step's script needs what the first one's, rolled back, would have made.
        "rollback": "failed",
    }
    assert [has_table(world, database) for database in POOL] == [False, False]
    assert broken_invariants(world.job_database) == []
    assert runs["plan"].lifecycles(1) == runs["plan"].lifecycles(2) == dict.fromkeys(POOL, "Skipped")
    assert runs["parse"].lifecycles(1) == runs["parse"].lifecycles(2) == dict.fromkeys(POOL, "Skipped")
    assert runs["rollback"].lifecycles(1) == dict.fromkeys(POOL, "Skipped")
    assert runs["rollback"].lifecycles(2) == dict.fromkeys(POOL, "Failed")
    assert f"Planned: {TENANTS}/{POOL[0]} (elastic pool pool1)" in runs["plan"].log("prepare.resolve")
    return {
        trial: {row.target_database_name or "": row.last_message or "" for row in run.rows if row.step_id == 1}
        for trial, run in runs.items()
    }


@pytest.mark.parametrize(
    ("trial", "sentence"),
    [
        ("plan", "was planned, and nothing was sent to target"),
        ("parse", "was parsed, and not run, by target"),
        ("rollback", "was tried, and rolled back, on target"),
    ],
)
def test_a_trial_says_what_it_did(tried: dict[str, dict[str, str]], trial: str, sentence: str) -> None:
    assert all(sentence in tried[trial][database] for database in POOL)


def test_a_script_is_run_twice_and_rolled_back_by_a_command(world: World, tried: dict[str, dict[str, str]]) -> None:
    target = f"{TENANTS}/{POOL[0]}"
    asked = ("elasticjobs", "check-idempotent", "example_trial", "TriedJob.prepare.run", "--target", target)
    answer = world.airflow.cli(*asked, "--output", "json")
    assert answer.returncode == 0, answer.stdout
    report = json.loads(answer.stdout[answer.stdout.index("{") :])
    assert report["is_idempotent"] is True
    assert "table dbo.Holidays is new, with 1 row(s)" in report["first_changed"]
    assert not has_table(world, POOL[0])
    wrong = world.airflow.cli(*asked[:3], "TriedJob.prepare", *asked[4:])
    assert wrong.returncode == 1
    assert "is not a task of 'example_trial' that runs a script: TriedJob.prepare.run" in wrong.stdout
