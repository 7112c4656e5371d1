from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dev.processes import GuardedProcess, ProcessError, run_guarded

WAIT = "import time; print('ready', flush=True); time.sleep(600)"
ROOT = Path(__file__).resolve().parents[3]


def python(code: str, log: Path, name: str = "thing", **options: Any) -> GuardedProcess:
    return GuardedProcess(name, [sys.executable, "-c", code], environment=dict(os.environ), log=log, **options)


def exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_it_runs_until_it_is_stopped(tmp_path: Path) -> None:
    with python(WAIT, tmp_path / "log") as process:
        pid = process.pid
        assert process.poll() is None
        assert exists(pid)
    assert not exists(pid)
    assert process.poll() == -signal.SIGTERM


def test_the_exit_code_of_a_command_that_ends(tmp_path: Path) -> None:
    with python("import sys; sys.exit(4)", tmp_path / "log") as process:
        assert process.wait(20) == 4
        assert process.poll() == 4
    assert process.poll() == 4


def test_waiting_too_long_names_the_process_and_shows_its_output(tmp_path: Path, until: Callable[..., None]) -> None:
    log = tmp_path / "log"
    with python(WAIT, log, name="scheduler") as process:
        until(lambda: "ready" in log.read_text())
        with pytest.raises(ProcessError, match=r"scheduler did not end within 0.1 s\n--- the end of .*log\nready"):
            process.wait(0.1)


def test_kill_reaches_the_command_itself(tmp_path: Path) -> None:
    with python(WAIT, tmp_path / "log") as process:
        process.kill(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL


def test_kill_with_children(tmp_path: Path, until: Callable[..., None]) -> None:
    log = tmp_path / "log"
    code = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {WAIT!r}], start_new_session=True)
print("child", child.pid, flush=True)
child.wait()
"""
    with python(code, log) as process:
        until(lambda: "ready" in log.read_text())
        child = int(log.read_text().split()[1])
        process.kill(signal.SIGKILL, with_children=True)
        until(lambda: not exists(child))


def test_it_can_be_started_again_and_stop_ends_what_the_first_left_behind(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    log = tmp_path / "log"
    code = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("child", child.pid, flush=True)
time.sleep(600)
"""
    process = python(code, log)
    process.start()
    first = process.pid
    until(lambda: "child" in log.read_text())
    orphan = int(log.read_text().split()[1])
    process.kill()
    process.wait(20)
    process.start()
    assert process.pid != first
    assert process.poll() is None
    assert exists(orphan)
    process.stop()
    assert not exists(orphan)


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    process = GuardedProcess("sandbox", ["/no/such/program"], environment={}, log=tmp_path / "log")
    with pytest.raises(ProcessError, match=r"cannot start sandbox: .*/no/such/program"):
        process.start()
    process.stop()


def test_asking_for_the_process_id_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="thing was never started"):
        _ = python(WAIT, tmp_path / "log").pid


def test_a_log_that_was_never_written_is_said(tmp_path: Path) -> None:
    assert python(WAIT, tmp_path / "log").log_tail() == f"--- {tmp_path / 'log'} was not written"


def test_the_tail_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(map(str, range(100))))
    assert python(WAIT, log).log_tail(2).splitlines()[1:] == ["98", "99"]


def test_it_does_not_outlive_a_killed_test_process(tmp_path: Path, until: Callable[..., None]) -> None:
    owner = f"""
import os, signal, sys
from pathlib import Path
from dev.processes import GuardedProcess
process = GuardedProcess("x", [sys.executable, "-c", {WAIT!r}], environment=dict(os.environ), log=Path(sys.argv[1]))
process.start()
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    log = str(tmp_path / "log")
    died = subprocess.run([sys.executable, "-c", owner, log], cwd=ROOT, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL
    pid = int(died.stdout)
    until(lambda: not exists(pid))


def test_run_guarded_returns_code_and_output(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['X']); sys.exit(5)"
    result = run_guarded("it", [sys.executable, "-c", code], environment={"X": "1"}, folder=tmp_path, timeout=20)
    assert result.returncode == 5
    assert result.stdout == f"{tmp_path} 1\n"


def test_run_guarded_ends_what_takes_too_long() -> None:
    code = "import os; print(os.getpid(), flush=True); import time; time.sleep(600)"
    with pytest.raises(ProcessError, match="it did not end within 1 s") as caught:
        run_guarded("it", [sys.executable, "-c", code], environment={}, timeout=1)
    assert not exists(int(str(caught.value).splitlines()[-1]))
