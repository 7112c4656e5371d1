from __future__ import annotations

import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings
from dev import demo
from dev.demo import DemoEndedError, DemoError, chosen_port, end_at_signal
from dev.demo_fleet import ELASTIC_POOL, JOB_DATABASE, JOBS_SERVER, POOLED, TENANTS, TENANTS_SERVER, Fleet
from dev.processes import ProcessError
from dev.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def signals() -> Iterator[None]:
    """Put back what the demo sets for the whole process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_any_port_will_do_by_default() -> None:
    assert chosen_port("") is None


def test_a_free_port_is_taken() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert chosen_port(str(port)) == port


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(DemoError, match=rf"port {port} cannot be used \(address already in use\); .*DEMO_PORT="):
            chosen_port(str(port))


@pytest.mark.parametrize("text", ["x", "0", "65536", "-1", "80.5"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(DemoError, match="is not a port"):
        chosen_port(text)


@pytest.mark.usefixtures("signals")
def test_the_first_signal_ends_it_and_the_next_do_not_disturb_the_cleaning() -> None:
    signal.signal(signal.SIGTERM, end_at_signal)
    with pytest.raises(DemoEndedError, match="SIGTERM"):
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("signals")
def test_ctrl_c_while_the_job_runs_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "run", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    assert demo.main() == 130


@pytest.mark.usefixtures("signals")
def test_a_failure_is_one_message(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ProcessError("the sandbox ended")

    monkeypatch.setattr(demo, "run", failing)
    assert demo.main() == 1
    assert capsys.readouterr().err == "demo: the sandbox ended\n"


def test_the_sandbox_understands_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    Fleet().write_settings(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tenants, jobs, _ = SandboxSettings.read(file).servers
    assert (tenants.name, jobs.name) == (TENANTS_SERVER, JOBS_SERVER)
    assert {database.name for database in tenants.databases if database.elastic_pool == ELASTIC_POOL} == POOLED
    assert tuple(database.name for database in tenants.databases) == TENANTS
    assert [database.name for database in jobs.databases] == [JOB_DATABASE]


def test_two_demos_have_different_passwords(tmp_path: Path) -> None:
    texts = set()
    for number in range(2):
        Fleet().write_settings(tmp_path / str(number))
        settings = json.loads((tmp_path / str(number)).read_text())
        texts.add(str(settings["servers"][0]["logins"]))
    assert len(texts) == 2


def test_a_sandbox_that_ends_is_shown_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fleet, "write_settings", lambda self, file: file.write_text("nonsense"))
    with (
        pytest.raises(ProcessError, match=r"the sandbox ended\n(.|\n)*does not start"),
        demo.Demo(tmp_path, Terminal(io.StringIO())),
    ):
        pass


def test_a_port_in_use_from_the_command_line() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        environment = {**os.environ, "DEMO_PORT": str(server.getsockname()[1])}
        command = [sys.executable, "-m", "dev.demo"]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("demo: port ")
    assert result.stdout == ""
