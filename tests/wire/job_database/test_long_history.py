"""A history as the benchmark makes it: by the rules, and with an answer to each of the monitoring queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import latest_runs
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.job_database.purge import Purged, purge_history
from airflow_provider_elasticjobs.job_database.records import Agent
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from benchmarks.history_data import AGENT, fill, job_name
from benchmarks.history_writers import Writers
from benchmarks.monitoring_queries import Parameters, monitoring_queries, readers
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer

RUNS, TARGETS = 21, 10
#: Of a run with its two steps.
ROWS_OF_RUN = 1 + 2 * (1 + TARGETS)


@pytest.fixture(scope="module")
def history(server: LiveServer, new_database: Callable[[], str]) -> Iterator[JobDatabase]:
    """Two jobs of twenty-one runs; the newest run of the first is active."""
    db = server.job_database(new_database(), pool_size=5)
    upgrade(db)
    with closing(server.connect(db.database)) as connection:
        fill(connection, 2, runs=RUNS, targets=TARGETS)
    yield db
    db.close()


@pytest.fixture
def of(history: JobDatabase) -> Parameters:
    active, ended = latest_runs(history, job_name=job_name(0), count=2)
    return Parameters(job_name(0), ended.job_execution_id, active.job_execution_id, "tenants0.database.windows.net")


def test_it_breaks_no_rule_and_has_every_end(history: JobDatabase) -> None:
    assert broken_invariants(history) == []
    ends = history.run(Batch("SELECT DISTINCT lifecycle FROM jobs.job_executions;"))
    assert {row.lifecycle for row in ends} == set(Lifecycle) - {Lifecycle.WAITING_FOR_RETRY}


def test_every_monitoring_query_finds_something(history: JobDatabase, of: Parameters) -> None:
    found = {name: history.run(Batch(sql)) for name, sql in monitoring_queries(of).items()}
    assert [name for name, rows in found.items() if not rows] == []
    assert len(found["4 runs of all jobs, newest first"]) == 2 * RUNS
    assert len(found["5 everything of a job, newest first"]) == RUNS * ROWS_OF_RUN
    assert found["16 guards around the add procedures"][0].missing == 0
    assert {name.split()[0] for name in found} == {str(number) for number in range(1, 17)}


def test_looking_changes_nothing(history: JobDatabase, of: Parameters) -> None:
    before = history.run(_STATE)
    for ask in readers(history, of, Agent(UUID(AGENT), "host", 1)).values():
        ask()
    assert [tuple(row) for row in history.run(_STATE)] == [tuple(row) for row in before]


_STATE = Batch(
    "SELECT lifecycle, COUNT(*) AS executions FROM jobs.job_executions GROUP BY lifecycle ORDER BY lifecycle;"
)


def test_writers_end_their_targets_while_old_runs_go(history: JobDatabase) -> None:
    writers = Writers(history, 2)
    assert writers.run(6) > 0
    assert {call: len(times) for call, times in writers.timings.items() if len(times) > 1} == {
        "claim": 6, "begin": 6, "finish": 6,
    }  # fmt: skip
    oldest = datetime.now(timezone.utc) - timedelta(days=12)
    purged = purge_history(history, oldest=oldest)
    assert purged.runs > 0
    assert purged == Purged(purged.runs, purged.runs * ROWS_OF_RUN)
    assert broken_invariants(history) == []
