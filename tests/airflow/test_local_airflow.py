from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dev import guard
from dev.airflow_client import every
from dev.local_airflow import COMPONENTS, LocalAirflow
from dev.processes import ProcessError

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
DAG = """
from airflow.sdk import DAG, task

with DAG("mapped", schedule=None):

    @task
    def numbers():
        return [1, 2]

    @task(map_index_template="{{ number_name }}")
    def show(number):
        import os, subprocess, sys, time
        from airflow.sdk import get_current_context

        get_current_context()["number_name"] = f"number {number}"
        print("hello", number, os.environ["GREETING"])
        if "WAIT" in os.environ:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            with open(os.environ["WAIT"], "a") as file:
                file.write(f"{os.getpid()} {child.pid}\\n")
            time.sleep(600)

    show.expand(number=numbers())
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "mapped.py").write_text(DAG)
    return folder


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, dags: Path, taken_port: int) -> Iterator[LocalAirflow]:
    """An Airflow whose first port is taken by the time it wants it."""
    folder = tmp_path_factory.mktemp("airflow")
    started = LocalAirflow(folder, dags, environment={"GREETING": "good morning"}, database_cache=CACHE)
    started._set_up(replace(started.settings, port=taken_port))
    with started:
        yield started


def test_a_port_that_was_taken_meanwhile_is_replaced(airflow: LocalAirflow, taken_port: int) -> None:
    assert airflow.settings.port != taken_port
    assert airflow.url.endswith(f":{airflow.settings.port}")
    assert "address already in use" in (airflow.folder / "logs" / "api-server.log").read_text()


def is_running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_it_runs_a_mapped_task_and_shows_its_log(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("mapped", "first")
    assert airflow.wait_for_run("mapped", run_id) == "success"
    instances = {(each["task_id"], each["map_index"]): each for each in airflow.task_instances("mapped", run_id)}
    assert {key: each["state"] for key, each in instances.items()} == dict.fromkeys(
        [("numbers", -1), ("show", 0), ("show", 1)], "success"
    )
    assert instances["show", 1]["rendered_map_index"] == "number 2"
    assert "hello 2 good morning" in airflow.task_log("mapped", run_id, "show", 1)


def test_the_api_server_still_writes_to_its_database_on_its_event_loop(airflow: LocalAirflow) -> None:
    """Were it not so, it could wait for other writers as long as they do: see ``dev/airflow_settings.py``."""
    longest = 0.0
    with ThreadPoolExecutor(1) as threads:
        with closing(sqlite3.connect(airflow.settings.database, timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            added = threads.submit(airflow.set_pool, "added", 1)
            while longest < 2 and not added.done():
                began = time.monotonic()
                airflow.api("GET", "version")
                longest = time.monotonic() - began
            other.execute("ROLLBACK")
        added.result(60)
    assert longest >= 2
    assert airflow.api("GET", "pools/added")["slots"] == 1


def test_a_cleared_task_runs_again(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("mapped", "cleared")
    airflow.wait_for_run("mapped", run_id)
    airflow.clear("mapped", run_id, [("show", 0)], only_failed=False)
    assert airflow.wait_for_run("mapped", run_id) == "success"
    tries = {each["map_index"]: each["try_number"] for each in airflow.task_instances("mapped", run_id)}
    assert tries == {-1: 1, 0: 2, 1: 1}


def test_marking_a_task_and_a_run(airflow: LocalAirflow) -> None:
    run_id = airflow.trigger("mapped", "marked")
    airflow.wait_for_run("mapped", run_id)
    airflow.set_task_state("mapped", run_id, "show", "failed", 1)
    airflow.set_run_state("mapped", run_id, "failed")
    states = {each["map_index"]: each["state"] for each in airflow.task_instances("mapped", run_id)}
    assert states[1] == "failed"
    assert airflow.run_state("mapped", run_id) == "failed"


def test_the_command_line_sees_what_the_api_wrote(airflow: LocalAirflow) -> None:
    airflow.set_pool("JA100", 100)
    airflow.set_pool("JA100", 3)
    airflow.add_connection("there", "mssql://user:pass@host/db")
    assert "JA100        | 3 " in airflow.cli("pools", "list").stdout
    assert airflow.cli("connections", "get", "there").returncode == 0
    assert airflow.cli("connections", "get", "nowhere").returncode != 0


def test_it_listens_on_this_machine_only(airflow: LocalAirflow) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f"{airflow.settings.port:04X}"
    assert f"0100007F:{port}" in listening
    assert f"00000000:{port}" not in listening


@pytest.mark.parametrize("name", ["triggerer", "scheduler"])
def test_a_killed_component_is_started_again(airflow: LocalAirflow, name: str) -> None:
    component = airflow.component(name)
    first = component.pid
    component.kill(signal.SIGKILL)
    assert component.wait(20) == -signal.SIGKILL
    airflow.start_component(name)
    assert component.pid != first
    assert airflow.wait_for_run("mapped", airflow.trigger("mapped", f"after-{name}")) == "success"


def test_nothing_outlives_a_killed_owner_not_even_a_task_and_its_children(dags: Path, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    owner = f"""
import os, signal
from pathlib import Path
from dev.airflow_client import every
from dev.local_airflow import LocalAirflow
waiting = Path({str(waiting)!r})
airflow = LocalAirflow(
    Path({str(tmp_path / "home")!r}), Path({str(dags)!r}),
    environment={{"GREETING": "", "WAIT": str(waiting)}}, database_cache=Path({str(CACHE)!r}),
)
airflow.start()
airflow.trigger("mapped")
any(waiting.exists() and waiting.read_text().count("\\n") == 2 for _ in every(0.2, 90))
print(*(airflow.component(name).pid for name in {sorted(COMPONENTS)!r}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    died = subprocess.run([sys.executable, "-c", owner], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode == -signal.SIGKILL
    processes = [int(word) for word in died.stdout.split() + waiting.read_text().split()]
    assert len(processes) == 4 + 4
    assert any(not any(map(is_running, processes)) for _ in every(0.2, 60))


def test_a_stop_ends_running_tasks_too(dags: Path, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    environment = {"GREETING": "", "WAIT": str(waiting)}
    with LocalAirflow(tmp_path / "home", dags, environment=environment, database_cache=CACHE) as airflow:
        airflow.trigger("mapped")
        assert any(waiting.exists() and waiting.read_text().count("\n") == 2 for _ in every(0.2, 90))
        guards = [started.pid for name in COMPONENTS for started in airflow.component(name)._guards]
        below = set().union(*(guard.descendants(pid) for pid in guards))
    processes = [int(word) for word in waiting.read_text().split()]
    assert set(processes) <= below
    assert not any(map(is_running, [*processes, *below, *guards]))


def test_a_component_that_ends_early_is_named_with_its_last_words(dags: Path, tmp_path: Path) -> None:
    environment = {"AIRFLOW__CORE__EXECUTOR": "no.such.Executor"}
    airflow = LocalAirflow(tmp_path / "home", dags, environment=environment, database_cache=CACHE)
    with pytest.raises(ProcessError, match=r"Airflow's \S+ ended with exit code(.|\n)*no\.such"):
        airflow.start()
    assert all(not airflow.component(name)._guards for name in COMPONENTS)


def test_a_start_that_takes_too_long_names_what_is_not_healthy(dags: Path, tmp_path: Path) -> None:
    airflow = LocalAirflow(tmp_path / "home", dags, database_cache=CACHE, start_timeout=0.5)
    airflow.settings.folder.mkdir(parents=True)
    sqlite3.connect(airflow.settings.database).close()
    with pytest.raises(ProcessError, match=r"not healthy within 0.5 s: api-server, scheduler"):
        airflow.start()


def test_the_callers_home_is_not_touched(airflow: LocalAirflow) -> None:
    assert os.environ.get("AIRFLOW_HOME") != str(airflow.folder)
    assert (airflow.folder / "airflow.db").exists()
    assert (airflow.folder / "logs" / "scheduler.log").exists()
