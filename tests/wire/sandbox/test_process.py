from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.process import SandboxProcess, SandboxStartError
from airflow_provider_elasticjobs.sandbox.settings import DatabaseSettings, SandboxSettings, ServerSettings
from tests.wire.sandbox.test_attention import until

pytestmark = pytest.mark.sandbox_only

ONE = SandboxSettings((ServerSettings("one.example", logins={"sa": "p"}, databases=(DatabaseSettings("db1"),)),))
COMMAND = [sys.executable, "-m", "airflow_provider_elasticjobs.sandbox"]
STARTER = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")


def start(folder: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, object]]:
    """Start the module as a shell does; give the process and the line it prints when it is ready."""
    config = folder / "sandbox.json"
    config.write_text(json.dumps(ONE.to_json()), encoding="utf-8")
    process = subprocess.Popen(
        [*COMMAND, "--config", str(config), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_a_sandbox_of_several_servers() -> None:
    settings = SandboxSettings((*ONE.servers, ServerSettings("two.example", logins={"admin": "x;y}z"})))
    with SandboxProcess(settings) as client:
        assert client.server_names == ["one.example", "two.example"]
        assert client.port("ONE.example") != client.port("two.example")
        for server, database in (("one.example", "db1"), ("two.example", "master")):
            connection = client.connect(server, database)
            assert connection.execute("SELECT DB_NAME()").fetchval() == database
            connection.close()
            assert client.counters(server)["logins"] == 1
        folder = Path(client.folder)
        assert (folder / "ca.pem").samefile(client.certificate)
    assert not folder.exists()


def test_an_unknown_server_is_named() -> None:
    with pytest.raises(KeyError, match=r"three\.example"):
        SandboxClient(ONE, {"address": "", "servers": {}, "certificate": "", "folder": ""}).server("three.example")


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_nothing_is_left(tmp_path: Path, ends: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    process, described = start(tmp_path, "--ready-file", str(ready))
    assert json.loads(ready.read_text(encoding="utf-8")) == described
    client = SandboxClient(ONE, described)
    connection = client.connect(None, "db1")
    process.send_signal(ends)
    assert finish(process) == (0, "")
    assert not Path(str(described["folder"])).exists()
    with suppress(Exception):
        connection.close()


def test_a_folder_that_was_given_stays(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    process, described = start(tmp_path, "--folder", str(folder))
    assert described["folder"] == str(folder)
    process.terminate()
    assert finish(process) == (0, "")
    assert (folder / "ca.pem").exists()


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = SandboxSettings((ServerSettings("one.example", port),))
        with pytest.raises(SandboxStartError) as caught:
            SandboxProcess(settings).start()
    expected = (
        f"The sandbox does not start: one.example cannot listen on 127.0.0.1, port {port}: Address already in use"
    )
    assert expected in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_settings_that_are_wrong_are_one_clear_message(tmp_path: Path) -> None:
    config = tmp_path / "wrong.json"
    config.write_text('{"servers": [{"name": "a", "colour": "red"}]}', encoding="utf-8")
    done = subprocess.run([*COMMAND, "--config", str(config)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "The sandbox does not start: a server: unknown field colour\n")


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    config = tmp_path / "sandbox.json"
    config.write_text(json.dumps(ONE.to_json()), encoding="utf-8")
    ready = tmp_path / "ready.json"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            STARTER,
            *COMMAND, "--config", str(config), "--ready-file", str(ready), "--end-with-parent",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    until(ready.exists)
    folder = Path(json.loads(ready.read_text(encoding="utf-8"))["folder"])
    assert is_running(child)
    parent.kill()
    parent.communicate()
    until(lambda: not is_running(child))
    until(lambda: not folder.exists())


def test_stopping_twice_is_harmless() -> None:
    process = SandboxProcess(ONE)
    client = process.start()
    assert process.pid is not None
    process.stop()
    process.stop()
    assert process.pid is None
    assert not Path(client.folder).exists()


def test_a_process_that_says_much_goes_on() -> None:
    settings = SandboxSettings((ServerSettings("one.example", logins={"sa": "p"}),))
    process = SandboxProcess(settings, environment={**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONVERBOSE": "1"})
    with process as client:
        # More than a pipe holds: had nobody emptied it, the sandbox would stand still.
        assert len(process.log()) > 100_000
        connection = client.connect()
        assert connection.execute("SELECT DB_NAME()").fetchval() == "master"
        connection.close()
