"""The job database goes away while scripts run: they go on, and nothing is told that the rows do not say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseAwayError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, Started

NewRun = Callable[..., Run]

AWAITED = (
    "RAISERROR('begun', 0, 1) WITH NOWAIT;"
    " WHILE OBJECT_ID('dbo.released') IS NULL WAITFOR DELAY '00:00:00.05'; CREATE TABLE worked (a int);"
)


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


class Outage:
    """Makes one database refuse logins and drop whoever is there, until it ends."""

    def __init__(self, sandbox: SandboxClient, database: str) -> None:
        self._sandbox = sandbox
        self._database = database

    def begin(self, containing: str | None = None) -> None:
        """Begin: for all, or only for batches with a text."""
        self._sandbox.add_fault("dropped_before", database=self._database, times=0, containing=containing)
        if containing is None:
            self._sandbox.add_fault("database_unavailable", database=self._database, times=0)

    def refused(self) -> int:
        """Return how many logins the server has refused."""
        return self._sandbox.counters()["refused_logins"]

    def dropped(self, containing: str) -> int:
        """Return how many batches with a text were lost."""
        log = self._sandbox.statements(database=self._database, containing=containing)
        return sum(one["outcome"] == "dropped" for one in log)

    def end(self) -> None:
        """End it."""
        self._sandbox.clear_faults()


@pytest.fixture
def outage(sandbox: SandboxClient, installed: JobDatabase) -> Iterator[Outage]:
    yield Outage(sandbox, installed.database)
    sandbox.clear_faults()


def _begun(run: Run) -> Callable[[], bool]:
    return lambda: sum("begun" in line for line in run.log) == len(run.databases)


def _release(run: Run, server: LiveServer) -> None:
    for database in run.databases:
        server.execute("CREATE TABLE released (a int)", database)


def _worked(run: Run, server: LiveServer) -> bool:
    query = "SELECT COUNT(*) FROM sys.tables WHERE name = 'worked'"
    return all(server.execute(query, database) == [(1,)] for database in run.databases)


def _impatient(server: LiveServer, run: Run) -> JobAgent:
    return JobAgent(server.job_database(run.job_database.database, patience=0.3))


def test_scripts_go_on_and_their_rows_are_written_when_it_is_back(
    new_run: NewRun, server: LiveServer, outage: Outage
) -> None:
    run = new_run(AWAITED, databases=3)
    started = [Started(run.execution(database)) for database in run.databases]
    _until(_begun(run))
    outage.begin()
    _release(run, server)
    _until(lambda: _worked(run, server))
    refused = outage.refused()
    _until(lambda: outage.refused() > refused + 6)
    assert [each.ended for each in started] == [None] * 3
    outage.end()
    assert [each.result().lifecycle for each in started] == [Lifecycle.SUCCEEDED] * 3
    assert run.lifecycles() == ["Succeeded"] * 5


def test_who_loses_patience_says_so_and_the_row_tells_the_truth_later(
    new_run: NewRun, server: LiveServer, outage: Outage
) -> None:
    run = new_run(AWAITED)
    started = Started(run.execution(agent=_impatient(server, run)))
    _until(_begun(run))
    outage.begin()
    _release(run, server)
    with pytest.raises(JobDatabaseAwayError, match=run.job_database.database):
        started.result()
    assert _worked(run, server)
    assert "Not written yet, for want of the job database: Succeeded" in run.log
    outage.end()
    _until(lambda: run.lifecycles() == ["Succeeded"] * 3)


def test_a_script_that_could_not_begin_has_not_run_and_its_row_says_so(
    new_run: NewRun, server: LiveServer, outage: Outage
) -> None:
    run = new_run("CREATE TABLE worked (a int);")
    outage.begin(containing="INSERT INTO jobs_internal.attempts")
    execution = run.execution(agent=_impatient(server, run))
    with pytest.raises(JobDatabaseAwayError):
        execution.run()
    outage.end()
    _until(lambda: run.lifecycles() == ["Failed"] * 3)
    assert not _worked(run, server)
    assert run.job_database.database in run.target().last_message


def test_a_stop_that_was_asked_for_before_is_heard_after(new_run: NewRun, server: LiveServer, outage: Outage) -> None:
    run = new_run(AWAITED)
    started = Started(run.execution())
    _until(_begun(run))
    outage.begin(containing="heartbeat_time")
    server.execute(f"EXEC jobs.sp_stop_job '{run.job_execution_id}'", run.job_database.database)
    missed = outage.dropped("heartbeat_time")
    _until(lambda: outage.dropped("heartbeat_time") > missed)
    assert started.ended is None
    outage.end()
    assert started.result().lifecycle is Lifecycle.CANCELED
    assert run.lifecycles() == ["Canceled"] * 3
    assert not _worked(run, server)
