from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dev import guard
from dev.airflow_client import AirflowClient, every

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"Job1 +step(\d) +tenants/(database\d+) +Succeeded +1 ")


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(**environment: str) -> subprocess.Popen[str]:
        variables = {**os.environ, "DEMO_FOLDER": str(tmp_path / "demo"), **environment}
        with (tmp_path / "output").open("w") as output:
            command = [sys.executable, "-m", "dev.demo"]
            started.append(subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(tmp_path: Path, text: str, process: subprocess.Popen[str], timeout: float) -> str:
    """The output, once a text is in it."""
    for _ in every(0.2, timeout):
        output = (tmp_path / "output").read_text()
        if text in output:
            return output
        if process.poll() is not None:
            break
    pytest.fail(f"{text!r} did not come\n{(tmp_path / 'output').read_text()}")


def everything_ends(processes: set[int], folder: Path) -> bool:
    def is_gone() -> bool:
        return not folder.exists() and not any(Path(f"/proc/{each}").exists() for each in processes)

    return any(is_gone() for _ in every(0.2, 60))


def login(output: str) -> Mapping[str, str]:
    pattern = r"Airflow: +(?P<url>http://\S+)/dags/\S+\n +user: +(?P<user>\S+)\n +password: (?P<word>\S+)"
    found = re.search(pattern, output)
    assert found
    return found.groupdict()


def test_the_whole_demo_and_its_end_by_ctrl_c(tmp_path: Path, start_demo: Callable[..., subprocess.Popen[str]]) -> None:
    process = start_demo(KEEP="1")
    output = wait_for(tmp_path, "Ctrl-C ends everything", process, 240)
    below = guard.descendants(process.pid)
    told = login(output)
    client = AirflowClient(told["url"], told["user"], told["word"])
    runs = client.api("GET", "dags/example_elastic_job/dagRuns")["dag_runs"]
    assert [run["state"] for run in runs] == ["success"]
    assert client.api("GET", "pools/JA100")["include_deferred"] is True
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    rows = ROW.findall(output)
    assert sorted(rows) == sorted(
        (step, f"database{n}") for step in "12" for n in range(1, 13) if (step, n) != ("2", 2)
    )
    assert "Step1Table is in all 12 databases, Step2Table in all but the excluded database2" in output
    assert told["word"] not in output.replace(f"password: {told['word']}", "")
    assert len(below) > 8
    assert everything_ends(below, tmp_path / "demo")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_a_demo_that_is_ended_leaves_nothing_behind(
    tmp_path: Path, start_demo: Callable[..., subprocess.Popen[str]], signal_number: signal.Signals
) -> None:
    process = start_demo()
    wait_for(tmp_path, "starting Airflow", process, 60)
    folder = tmp_path / "demo"
    assert any((folder / "airflow" / "logs" / "triggerer.log").exists() for _ in every(0.1, 30))
    below = guard.descendants(process.pid)
    assert len(below) > 8
    process.send_signal(signal_number)
    process.wait(60)
    assert everything_ends(below, folder)
    said = "ended by SIGTERM; nothing is left behind" in (tmp_path / "output").read_text()
    assert (process.returncode, said) in {(130, True), (-signal.SIGKILL, False)}
