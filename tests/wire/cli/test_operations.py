"""The commands over a real job database; what they print is read as a program would read it."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.cli import airflow_connection, executions, job_database, jobs, reconcile, targets
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.targets.resolve import Resolution
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import Run

Printed = Callable[..., Any]


@pytest.fixture
def printed(installed: JobDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """Return a function that gives a command its arguments, and returns what it printed as JSON."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    monkeypatch.setattr(airflow_connection, "connection_settings", lambda conn_id: conn_id)
    monkeypatch.setattr(job_database, "open_job_database", lambda _: installed)

    def run(command: Callable[[Namespace], None], **arguments: Any) -> Any:
        usual = {"conn_id": "rows", "elasticjobs_conn_id": "targets", "output": "json", "verbose": False}
        command(Namespace(**usual, **arguments))
        return json.loads(capsys.readouterr().out)

    return run


def test_a_run_from_its_beginning_to_a_stop(installed: JobDatabase, printed: Printed) -> None:
    run = Run(installed)
    done, waiting = run.begin(2)
    run.run_target(done)
    name, key = run.job.name, {"job_execution_id": run.id}
    (listed,) = printed(executions.list_executions, job=name, active=True, limit=5)
    assert (listed["job_execution_id"], listed["lifecycle"]) == (str(run.id), "WaitingForChildJobExecutions")
    stopped = printed(executions.stop, **key)
    assert (stopped["requested"], stopped["lifecycle"]) == (True, "Canceled")
    shown = printed(executions.show_execution, **key, messages=True)
    assert [one["lifecycle"] for one in shown] == ["Canceled", "Canceled", "Succeeded", "Canceled"]
    assert [len(one.get("attempts", [])) for one in shown] == [0, 0, 1, 0]
    (attempt,) = shown[2]["attempts"]
    assert (attempt["outcome"], attempt["task_id"], attempt["messages"]) == ("succeeded", "run", [])
    assert printed(executions.stop, **key)["requested"] is False
    assert printed(executions.list_executions, job=name, active=True, limit=5) == []
    assert waiting.target.database_name in {one["target_database_name"] for one in shown}
    assert broken_invariants(installed) == []


def test_watching_a_run_that_has_ended_gives_its_verdict(installed: JobDatabase, printed: Printed) -> None:
    run = Run(installed)
    good, bad = run.begin(2)
    run.run_target(good)
    run.run_target(bad, Lifecycle.FAILED)
    with pytest.raises(SystemExit) as ended:
        printed(executions.watch, job_execution_id=run.id, interval=0.1)
    assert ended.value.code == 1


def test_a_job_and_its_group(installed: JobDatabase, printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(installed)
    assert run.job.name in [one["job_name"] for one in printed(jobs.list_jobs)]
    shown = printed(jobs.show_job, job_name=run.job.name)
    assert (shown["steps"][0]["command"], shown["last_lifecycle"]) == ("SELECT 1;", None)
    asked: list[Any] = []

    def resolver(conn_id: str, *_: object, **__: object) -> Callable[[Any], Resolution]:
        asked.append(conn_id)
        return lambda group: asked.append(group) or Resolution()  # type: ignore[func-returns-value]

    monkeypatch.setattr(targets, "resolver", resolver)
    assert printed(targets.resolve_targets, name=shown["steps"][0]["target_group_name"], dag=False) == []
    assert asked == ["targets", run.job.steps[0].target_group]


def test_reconciling_a_run_of_which_nothing_is_left(installed: JobDatabase, printed: Printed) -> None:
    run = Run(installed)
    run.run_target(run.begin(1)[0])
    options = {"job_execution_id": run.id, "expiry": 10.0, "settle_unanswered": False}
    assert printed(reconcile.reconcile_executions, **options) == []


def test_a_database_without_the_schema_is_told(
    printed: Printed, server: LiveServer, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = server.job_database(new_database())
    monkeypatch.setattr(job_database, "open_job_database", lambda _: empty)
    with pytest.raises(SystemExit, match="is not installed as a job database: run 'airflow elasticjobs db upgrade'"):
        printed(executions.show_execution, job_execution_id=uuid4())


def test_a_job_database_is_installed_looked_at_and_taken_back(
    server: LiveServer,
    new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = new_database()
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    monkeypatch.setattr(airflow_connection, "connection_settings", lambda conn_id: conn_id)
    monkeypatch.setattr(job_database, "open_job_database", lambda _: server.job_database(name))
    arguments = Namespace(conn_id="rows", verbose=False, output="json", to_version=0, yes=False)

    def checked() -> Any:
        with pytest.raises(SystemExit) as ended:
            job_database.check(arguments)
        told = json.loads(capsys.readouterr().out)
        assert ended.value.code == (0 if told["is_ready"] else 1)
        return told

    before = checked()
    assert (before["version"], len(before["pending"])) == (0, before["known_version"])
    job_database.upgrade(arguments)
    assert f"has version {before['known_version']} of the schema: applied 001_tables" in capsys.readouterr().out
    assert checked()["is_ready"] is True
    database = server.job_database(name)
    run = Run(database)
    run.run_target(run.begin(1)[0])
    database.close()
    with pytest.raises(SystemExit, match=r"would lose .*3 row\(s\) of jobs_internal\.executions.*--yes"):
        job_database.downgrade(arguments)
    arguments.yes = True
    job_database.downgrade(arguments)
    assert "holds nothing of the job database any more" in capsys.readouterr().out
    assert checked()["version"] == 0
