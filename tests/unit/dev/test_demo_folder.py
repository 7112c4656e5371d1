from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.demo_folder import DemoFolder, FolderInUseError

ROOT = Path(__file__).resolve().parents[3]
OWNER = """
import os, signal, sys
from pathlib import Path
from dev.demo_folder import DemoFolder
with DemoFolder(Path(sys.argv[1])) as folder:
    (folder / "file").touch()
    (folder / "inside").mkdir()
    print("taken", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def other_demo(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "demo")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=20)
    assert process.returncode == -signal.SIGKILL


def test_the_folder_is_there_while_it_is_used_and_gone_after(tmp_path: Path) -> None:
    with DemoFolder(tmp_path / "demo") as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "file").touch()
    assert not folder.exists()


def test_it_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), DemoFolder(tmp_path / "demo"):
        raise ZeroDivisionError
    assert not (tmp_path / "demo").exists()


def test_it_goes_when_its_demo_is_killed(
    tmp_path: Path, other_demo: subprocess.Popen[str], until: Callable[..., None]
) -> None:
    assert (tmp_path / "demo" / "file").exists()
    end(other_demo)
    until(lambda: not (tmp_path / "demo").exists())


def test_a_second_demo_at_the_same_time_is_refused(tmp_path: Path, other_demo: subprocess.Popen[str]) -> None:
    told: list[str] = []
    with (
        pytest.raises(FolderInUseError, match="another demo is running in"),
        DemoFolder(tmp_path / "demo", told.append, patience=0.5),
    ):
        pass
    assert told == ["waiting for an earlier demo that still works in demo"]
    assert (tmp_path / "demo" / "file").exists()
    end(other_demo)


def test_the_next_demo_waits_until_a_killed_one_is_cleaned_up(
    tmp_path: Path, other_demo: subprocess.Popen[str]
) -> None:
    end(other_demo)
    with DemoFolder(tmp_path / "demo") as folder:
        assert list(folder.iterdir()) == []


def test_what_a_demo_left_behind_whose_janitor_died_too_is_removed_at_the_start(tmp_path: Path) -> None:
    leftover = tmp_path / "demo" / "airflow"
    leftover.mkdir(parents=True)
    (leftover / "airflow.db").touch()
    (tmp_path / "demo" / "ready.json").touch()
    with DemoFolder(tmp_path / "demo") as folder:
        assert list(folder.iterdir()) == []


def test_it_stays_while_another_process_of_the_demo_runs(tmp_path: Path) -> None:
    demo = DemoFolder(tmp_path / "demo")
    with demo as folder:
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_SH)
        janitor = demo._janitor
        assert janitor is not None
        assert janitor.stdin is not None
        janitor.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            janitor.wait(0.5)
        assert folder.exists()
        os.close(lock)
    assert not folder.exists()
