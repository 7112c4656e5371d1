from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev import guard

ROOT = Path(__file__).resolve().parents[3]
# A program that starts another one in a session of its own, tells both process ids, and waits
FAMILY = """
import os, signal, subprocess, sys, time
if "--stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
with open(sys.argv[1] + ".partial", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".partial", sys.argv[1])
time.sleep(600)
"""


def command(*options: str) -> list[str]:
    return [sys.executable, "-I", "-S", guard.__file__, *options]


@contextmanager
def guarded(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command(*options), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@contextmanager
def family(
    tmp_path: Path, until: Callable[..., None], *more: str
) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    told = tmp_path / "told"
    with guarded("--grace", "0.3", "--", sys.executable, "-c", FAMILY, str(told), *more) as process:
        until(told.exists)
        yield process, [int(word) for word in told.read_text().split()]


def lines(process: subprocess.Popen[bytes]) -> list[str]:
    """What it says until it ends by itself, its lifeline open."""
    assert process.stdout is not None
    return process.stdout.read().decode().splitlines()


def close_lifeline(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=20)


def test_the_end_of_the_lifeline_ends_the_command_and_what_it_started_in_another_session(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    with family(tmp_path, until) as (process, members):
        assert all(is_running(member) for member in members)
        close_lifeline(process)
        assert not any(is_running(member) for member in members)


def test_a_command_that_ignores_the_polite_request_is_killed(tmp_path: Path, until: Callable[..., None]) -> None:
    with family(tmp_path, until, "--stubborn") as (process, members):
        close_lifeline(process)
        assert not any(is_running(member) for member in members)


def test_orphans_of_a_killed_command_are_still_below_the_guard(tmp_path: Path, until: Callable[..., None]) -> None:
    with family(tmp_path, until) as (process, (parent, child)):
        os.kill(parent, signal.SIGKILL)
        until(lambda: not is_running(parent))
        assert is_running(child)
        assert child in guard.descendants(process.pid)
        close_lifeline(process)
        assert not is_running(child)


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_guard_ends_everything(
    tmp_path: Path, until: Callable[..., None], signal_number: signal.Signals
) -> None:
    with family(tmp_path, until) as (process, members):
        process.send_signal(signal_number)
        process.wait(timeout=20)
        assert not any(is_running(member) for member in members)


def test_it_tells_the_process_id_and_the_exit_code() -> None:
    with guarded("--", sys.executable, "-c", "import sys; sys.exit(3)") as process:
        started, ended = lines(process)
    assert started.startswith("started ")
    assert ended == "ended 3"
    assert process.returncode == 3


# A guard whose command has always ended by the time that Popen returns
LATE_GUARD = """
import subprocess, sys, time
from dev import guard
start = subprocess.Popen
def start_late(*arguments, **options):
    started = start(*arguments, **options)
    time.sleep(0.3)
    return started
subprocess.Popen = start_late
sys.exit(guard.main(sys.argv[1:]))
"""


def test_the_exit_code_of_a_command_that_ends_at_once_is_not_lost() -> None:
    """A Popen object that nobody holds takes it with it, and the guard would wait for ever."""
    late = [sys.executable, "-c", LATE_GUARD, "--", sys.executable, "-c", "raise SystemExit(3)"]
    with subprocess.Popen(late, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            process.wait(timeout=20)
        finally:
            process.kill()
        assert lines(process)[1:] == ["ended 3"]


def test_a_command_ended_by_a_signal_counts_as_in_a_shell() -> None:
    kill_self = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with guarded("--", sys.executable, "-c", kill_self) as process:
        assert lines(process)[1] == "ended -9"
    assert process.returncode == 137


def test_a_command_that_cannot_start_is_said() -> None:
    with guarded("--", "/no/such/program") as process:
        assert lines(process) == ["failed [Errno 2] No such file or directory: '/no/such/program'"]
    assert process.returncode == 1


def test_both_streams_go_to_the_end_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    with guarded("--log", str(log), "--", sys.executable, "-c", code) as process:
        process.wait(timeout=20)
    assert log.read_text() == "before\nout\nerr\n"


def test_a_folder_is_removed_when_lifeline_and_lock_are_gone(tmp_path: Path, until: Callable[..., None]) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "file").touch()
    with guarded("--lock", str(folder), "--", sys.executable, "-c", "import time; time.sleep(600)") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith(b"started")
        with guarded("--remove", str(folder)) as janitor:
            assert janitor.stdin is not None
            janitor.stdin.close()
            with pytest.raises(subprocess.TimeoutExpired):
                janitor.wait(timeout=0.5)
            assert folder.exists()
            close_lifeline(holder)
            janitor.wait(timeout=20)
    assert not folder.exists()


def test_removing_what_is_gone_already_is_fine(tmp_path: Path) -> None:
    with guarded("--remove", str(tmp_path / "gone")) as janitor:
        close_lifeline(janitor)
    assert janitor.returncode == 0
