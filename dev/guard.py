"""Run one command and end it, with everything it started, once the process that asked for it is gone.

A component of Airflow starts processes of its own, some in process groups of their own, so that neither a signal to
the component nor one to its group reaches them all. This guard adopts every orphan below it
(``PR_SET_CHILD_SUBREAPER``) and ends what is left. Its standard input is a lifeline: the asking process holds the other
end of the pipe, and however that process ends, also by SIGKILL, the pipe closes.

It uses the standard library only: ``python -I -S guard.py --log FILE --grace 5 -- COMMAND...``. It writes
``started PID`` (or ``failed REASON``) and, when the command ends, ``ended CODE`` to its standard output. With
``--remove FOLDER`` and no command it waits for the lifeline, and for every other holder of a lock on that folder, and
then removes the folder.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def set_process_control(option: int, value: int) -> None:
    """Call Linux' ``prctl``; does nothing on a system without it.

    :param option: one of the ``PR_...`` numbers
    :param value: its argument
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def parents() -> dict[int, int]:
    """Return the parent of each process of the machine, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                found[int(entry.name)] = int(fields[1])
    return found


def descendants(ancestor: int) -> set[int]:
    """Return the ids of all processes below one, whatever group or session they are in.

    :param ancestor: process id
    """
    by_process = parents()
    found: set[int] = set()
    newest = {ancestor}
    while newest:
        newest = {process for process, parent in by_process.items() if parent in newest} - found
        found |= newest
    return found


def reap() -> Iterator[tuple[int, int]]:
    """Yield id and exit code of every child that has ended, adopted ones too."""
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
        yield process, os.waitstatus_to_exitcode(status)


def send(process: int, signal_number: int) -> None:
    """Send a signal to a process that may have ended already.

    :param process: process id
    :param signal_number: the signal
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal_number)


class Guard:
    """The life of one command.

    :param command: program and arguments
    :param log: file that takes the command's output, appended
    :param grace: seconds between the polite request to end and SIGKILL
    """

    def __init__(self, command: list[str], *, log: Path, grace: float) -> None:
        self._command = command
        self._log = log
        self._grace = grace
        self._started: subprocess.Popen[bytes] | None = None
        self._main: int | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Run the command until it ends or the lifeline does; return its exit code."""
        wake = self._wake_up_on_signals()
        with self._log.open("ab") as output:
            # Kept: one that is thrown away takes the exit code of a command that has ended by then with it
            self._started = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: set_process_control(PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509
            )
        self._main = self._started.pid
        say(f"started {self._main}")
        while self._has_children():
            ready, _, _ = select.select([0, wake], [], [])
            if 0 in ready or self._asked_to_end(wake):
                self._end()
        return self._exit_code

    def _wake_up_on_signals(self) -> int:
        reader, writer = os.pipe()
        for descriptor in (reader, writer):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGCHLD, *ENDING_SIGNALS):
            signal.signal(number, lambda *_: None)
        return reader

    def _asked_to_end(self, wake: int) -> bool:
        return any(number in ENDING_SIGNALS for number in os.read(wake, 4096))

    def _has_children(self) -> bool:
        """Take in what has ended; true while anything below the guard runs."""
        for process, exit_code in reap():
            if process == self._main:
                self._main, self._exit_code = None, exit_code
                say(f"ended {exit_code}")
        return self._main is not None or bool(descendants(os.getpid()))

    def _end(self) -> None:
        """End everything: the command politely at first, so that it can close its own children."""
        if self._main is not None:
            send(self._main, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while self._has_children() and self._main is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        while self._has_children():
            for process in descendants(os.getpid()):
                send(process, signal.SIGKILL)
            time.sleep(0.02)


def say(line: str) -> None:
    """Tell the asking process, if it is still there.

    :param line: one line of the protocol
    """
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def remove_in_the_end(folder: Path) -> None:
    """Wait for the lifeline, then for every holder of the folder's lock, then remove the folder.

    :param folder: what to remove; it may be gone by then
    """
    while os.read(0, 4096):
        pass
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    fcntl.flock(lock, fcntl.LOCK_EX)
    shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code.

    :param arguments: those of the command line by default
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, default=Path(os.devnull))
    parser.add_argument("--grace", type=float, default=5.0)
    parser.add_argument("--lock", type=Path, help="folder on which to hold a shared lock while anything runs")
    parser.add_argument("--remove", type=Path, help="folder to remove after the lifeline ended")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args(arguments)
    if options.remove is not None:
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        remove_in_the_end(options.remove)
        return 0
    set_process_control(PR_SET_CHILD_SUBREAPER, 1)
    if options.lock is not None:
        fcntl.flock(os.open(options.lock, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)
    try:
        code = Guard(options.command, log=options.log, grace=options.grace).run()
    except OSError as error:
        say(f"failed {error}")
        return 1
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
