"""Runs that are stopped from a SQL client, and, beside them, job databases that go away for a minute and for longer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from airflow_provider_elasticjobs.job_database import install
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.airflow.world import (
    FRAIL_JOB_DATABASES,
    JOBS,
    SCENARIO_DATABASES,
    SCENARIOS,
    STOPPED_WITHIN,
    Run,
    World,
    until,
)
from tests.job_database_invariants import broken_invariants

#: The outage alone takes a minute and a half; the tests beside it wait for an Airflow of their own.
pytestmark = pytest.mark.timeout(900)

OUTAGE_SECONDS = 60.0

_log = logging.getLogger(__name__)

_WAITING = Batch(
    """
SELECT COUNT(CASE WHEN lifecycle = 'WaitingForRetry' THEN 1 END) AS retries, COUNT(waiting_cause) AS places
FROM jobs_internal.executions WHERE job_execution_id = @run AND target_type = 'SqlDatabase';
""",
    run="uniqueidentifier",
)


@dataclass
class Outage:
    """Runs whose job database is away for a minute, or until the test ends it."""

    world: World
    runs: dict[str, Run]
    faults: dict[str, list[int]]

    def begin(self, name: str) -> None:
        database = FRAIL_JOB_DATABASES[name]
        self.faults[name] = [
            self.world.sandbox.add_fault(kind, JOBS, database=database, times=0)
            for kind in ("dropped_before", "database_unavailable")
        ]

    def end(self, name: str) -> None:
        for fault in self.faults.pop(name, []):
            self.world.sandbox.control("sp_remove_fault", fault_id=fault)


def outcomes(run: Run, names: list[str]) -> list[str]:
    return [one["outcome"] for name in names for one in run.world.scripts(name)]


@pytest.fixture(scope="module")
def frail(world: World) -> Iterator[dict[str, JobDatabase]]:
    """The job databases that go away, installed."""
    opened = {}
    for name, database in FRAIL_JOB_DATABASES.items():
        opened[name] = JobDatabase(partial(world.sandbox.connect, JOBS, database), server=JOBS, database=database)
        install.upgrade(opened[name])
    yield opened
    for each in opened.values():
        each.close()


@pytest.fixture(scope="module", autouse=True)
def outage(world: World, frail: dict[str, JobDatabase]) -> Iterator[Outage]:
    """Scripts that end while their job database is away; the tests that need none of it go on meanwhile."""
    runs = {
        name: world.start(name, job_database=frail["blinking" if name.startswith("blink") else "gone"])
        for name in ("blink", "blinkinworker", "gone", "goneinworker")
    }
    scripts = [f"{name}{number}" for name in runs for number in range(1, SCENARIO_DATABASES[name] + 1)]
    until(lambda: all(map(world.running, scripts)), 240, "the scripts' start")
    found = Outage(world, runs, {})
    for name in frail:
        found.begin(name)
    for database in scripts:
        world.query("CREATE TABLE dbo.Released (x int)", database)
    timer = threading.Timer(OUTAGE_SECONDS, found.end, ["blinking"])
    timer.start()
    yield found
    timer.cancel()
    for name in frail:
        found.end(name)


@pytest.fixture(scope="module")
def given_up(outage: Outage) -> dict[str, Run]:
    """The runs whose writers have lost patience; the job database is back."""
    runs = {name: outage.runs[name] for name in ("gone", "goneinworker")}
    until(lambda: all(set(run.states("only.run")) == {"failed"} for run in runs.values()), 180, "the tasks' end")
    outage.end("gone")
    return runs


class TestStop:
    @pytest.mark.parametrize(("name", "at_work", "retries"), [("wide", 12, 2), ("wideinworkers", 5, 1)])
    def test_a_sql_client_stops_every_script_in_five_seconds(
        self, world: World, name: str, at_work: int, retries: int
    ) -> None:
        run = world.start(name)

        def busy() -> bool:
            scripts = [one for one in world.sandbox.statements(SCENARIOS, containing=f"'{name}9'") if not one["ended"]]
            (waiting,) = world.job_database.run(_WAITING, run=run.execution)
            return waiting.retries == retries and len(scripts) + waiting.retries + waiting.places == at_work

        until(busy, 120, "all that can run to run, and the rest to wait")
        with world.open("job_database", JOBS) as connection:
            connection.execute(f"EXEC jobs.sp_stop_job '{run.execution}'")
        (stop,) = world.sandbox.statements(JOBS, containing=f"sp_stop_job '{run.execution}'")
        until(lambda: not any(row.lifecycle.is_active for row in run.rows), 30, "the end of all rows")
        scripts = world.sandbox.statements(SCENARIOS, containing=f"'{name}9'")
        stopped = [one for one in scripts if one["outcome"] != "failed"]
        assert len(stopped) == at_work - retries - (2 if name == "wide" else 1)
        assert {one["outcome"] for one in stopped} == {"cancelled"}
        latest = max((one["ended"] - stop["started"]).total_seconds() for one in stopped)
        _log.info("%s: the last of %s scripts ended %.2f s after the request", name, len(stopped), latest)
        assert latest <= STOPPED_WITHIN
        assert len(run.lifecycles()) == 12
        assert set(run.lifecycles().values()) == {"Canceled"}
        assert run.lifecycle == "Canceled"
        # Whoever waits ten minutes for a retry is told, too.
        assert run.state() == "failed"


class TestAMinuteWithoutJobDatabase:
    def test_nothing_is_told_before_it_is_written_and_all_is_written_in_the_end(
        self, world: World, outage: Outage
    ) -> None:
        runs = [outage.runs["blink"], outage.runs["blinkinworker"]]
        names = [["blink1", "blink2", "blink3"], ["blinkinworker1"]]
        until(lambda: all(set(outcomes(*each)) == {"succeeded"} for each in zip(runs, names, strict=True)))
        if "blinking" in outage.faults:
            assert {state for run in runs for state in run.states("only.run")} <= {"deferred", "running"}
        assert [run.state(OUTAGE_SECONDS + 90) for run in runs] == ["success", "success"]
        for run, ran in zip(runs, names, strict=True):
            assert run.lifecycles() == dict.fromkeys(ran, "Succeeded")
            assert run.lifecycle == "Succeeded"
            assert outcomes(run, ran) == ["succeeded"] * len(ran)
        assert broken_invariants(runs[0].job_database) == []


class TestLongerThanPatience:
    def test_the_run_fails_and_says_why(self, given_up: dict[str, Run]) -> None:
        for run in given_up.values():
            assert run.state() == "failed"
            assert "gone_jobs" in run.log("only.run", 0)
            assert "Not written yet, for want of the job database: Succeeded" in run.log("only.run", 0)
            assert broken_invariants(run.job_database) == []

    def test_a_triggerer_writes_what_happened_when_it_is_back(self, given_up: dict[str, Run]) -> None:
        run = given_up["gone"]
        assert run.state() == "failed"
        assert run.lifecycles() == {"gone1": "Succeeded", "gone2": "Succeeded"}
        assert run.lifecycle == "Succeeded"
        assert outcomes(run, ["gone1", "gone2"]) == ["succeeded", "succeeded"]

    def test_what_a_worker_took_along_is_called_unknown(self, given_up: dict[str, Run]) -> None:
        run = given_up["goneinworker"]
        assert run.state() == "failed"
        assert run.lifecycles() == {"goneinworker1": "Failed"}
        assert "unknown" in run.messages()["goneinworker1"]
