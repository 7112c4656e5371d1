from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.triggers import process
from airflow_provider_elasticjobs.triggers.process import ScriptProcess, open_job_database, this_process

SETTINGS = ConnectionSettings(SqlLogin("user", "secret"), "jobs.example", "job_database")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, ConnectionSettings]:
    connections = {"rows": SETTINGS, "other": replace(SETTINGS, database="other")}
    monkeypatch.setattr(process, "connection_settings", connections.__getitem__)
    return connections


def test_a_process_has_one_agent_for_each_job_database(known: dict[str, ConnectionSettings]) -> None:
    mine = ScriptProcess()
    assert mine.agent("rows") is mine.agent("rows")
    assert mine.agent("other") is not mine.agent("rows")


def test_a_connection_that_was_changed_gets_another_agent(
    known: dict[str, ConnectionSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SETTINGS_SECONDS", -1.0)
    mine = ScriptProcess()
    before = mine.agent("rows")
    known["rows"] = replace(SETTINGS, server="moved.example")
    assert mine.agent("rows") is not before
    assert mine.agent("rows").job_database.server == "moved.example"


def test_scripts_that_begin_together_ask_airflow_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(conn_id: str) -> ConnectionSettings:
        asked.append(conn_id)
        time.sleep(0.01)
        return SETTINGS

    monkeypatch.setattr(process, "connection_settings", ask)
    mine = ScriptProcess()
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(mine.settings, ["rows"] * 20 + ["other"] * 20))
    assert sorted(asked) == ["other", "rows"]
    assert found == [SETTINGS] * 40


def test_what_airflow_could_not_say_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([AirflowNotFoundException("there is none"), SETTINGS])

    def ask(conn_id: str) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(process, "connection_settings", ask)
    mine = ScriptProcess()
    with pytest.raises(AirflowNotFoundException):
        mine.settings("rows")
    assert mine.settings("rows") is SETTINGS


def test_the_number_of_threads_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELASTICJOBS__TRIGGER_THREADS", "7")
    threads, all_at_work, go = ScriptProcess().threads, threading.Barrier(8), threading.Event()

    def work() -> None:
        all_at_work.wait(20)
        go.wait(20)

    futures = [threads.submit(work) for _ in range(7)]
    waiting = threads.submit(go.is_set)
    all_at_work.wait(20)
    assert not waiting.running()
    go.set()
    assert [future.result(20) for future in futures] == [None] * 7
    assert waiting.result(20) is True
    threads.shutdown()


def test_a_process_and_its_child_share_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = this_process()
    assert this_process() is mine
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert this_process() is not mine


def test_a_job_database_is_not_connected_to_before_it_is_used() -> None:
    database = open_job_database(SETTINGS)
    assert (database.server, database.database) == ("jobs.example", "job_database")
