"""Processes that never outlive the one that started them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dev import guard

if TYPE_CHECKING:
    from typing_extensions import Self


class ProcessError(Exception):
    """A process that is needed did not start, ended early or took too long."""


class GuardedProcess:
    """One command under a guard that ends it, and all it started, at the latest when this process ends.

    :param name: how messages call it
    :param command: program and arguments
    :param environment: the whole environment of the command
    :param log: file that takes its output, appended
    :param folder: working directory
    :param grace: seconds between the polite request to end and SIGKILL
    :param lock: folder on which the guard holds a shared lock while anything of it runs
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        folder: Path | None = None,
        grace: float = 5.0,
        lock: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._grace = grace
        self._lock = lock
        self._guards: list[subprocess.Popen[bytes]] = []
        self._pid: int | None = None
        self._exit_code: int | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the command itself, not of its guard.

        :raises ProcessError: it was never started
        """
        if self._pid is None:
            raise ProcessError(f"{self.name} was never started")
        return self._pid

    def start(self) -> None:
        """Start the command; one that is started again after its end leaves what the first left behind alone.

        :raises ProcessError: the command cannot be executed
        """
        lock = [] if self._lock is None else ["--lock", str(self._lock)]
        options = ["--log", str(self.log), "--grace", str(self._grace), *lock, "--"]
        started = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, *options, *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            cwd=self._folder,
            start_new_session=True,
            bufsize=0,  # a line read ahead would not wake up select()
        )
        self._guards.append(started)
        assert started.stdout is not None
        word, _, rest = started.stdout.readline().decode().strip().partition(" ")
        if word != "started":
            self.stop()
            raise ProcessError(f"cannot start {self.name}: {rest}")
        self._pid, self._exit_code = int(rest), None

    def poll(self) -> int | None:
        """Return the exit code of the command (negative: the signal that ended it), or None while it runs."""
        if self._exit_code is None and self._guards:
            stream = self._guards[-1].stdout
            assert stream is not None
            if select.select([stream], [], [], 0)[0]:
                self._exit_code = _exit_code(stream.readline())
        return self._exit_code

    def wait(self, timeout: float) -> int:
        """Wait for the end of the command and return its exit code.

        :param timeout: seconds
        :raises ProcessError: it runs longer than that
        """
        stream = self._guards[-1].stdout
        assert stream is not None
        if self._exit_code is None and not select.select([stream], [], [], timeout)[0]:
            raise ProcessError(f"{self.name} did not end within {timeout:g} s\n{self.log_tail()}")
        code = self.poll()
        assert code is not None
        return code

    def kill(self, signal_number: int = signal.SIGKILL, *, with_children: bool = False) -> None:
        """Send a signal to the command; its children live on, as they would on a real machine.

        :param signal_number: SIGKILL by default
        :param with_children: send it to everything that the command started, too
        """
        below = sorted(guard.descendants(self.pid)) if with_children else []
        for process in (self.pid, *below):
            guard.send(process, signal_number)

    def stop(self) -> None:
        """End the command and everything it started; returns when nothing of it runs."""
        for started in self._guards:
            with contextlib.suppress(OSError):
                assert started.stdin is not None
                started.stdin.close()
        for started in self._guards:
            started.wait()
            assert started.stdout is not None
            started.stdout.close()
        self._guards.clear()
        self._exit_code = self._exit_code if self._exit_code is not None else -signal.SIGTERM

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of its output.

        :param lines: how many lines
        """
        with contextlib.suppress(FileNotFoundError):
            text = self.log.read_text(errors="replace").splitlines()
            return "\n".join([f"--- the end of {self.log}", *text[-lines:]])
        return f"--- {self.log} was not written"


def _exit_code(line: bytes) -> int:
    word, _, code = line.decode().partition(" ")
    return int(code) if word == "ended" else -signal.SIGKILL


def run_guarded(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path | None = None, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return exit code and output (both streams together).

    :param name: how messages call it
    :param command: program and arguments
    :param environment: the whole environment of the command
    :param folder: working directory
    :param timeout: seconds, after which it is ended
    :raises ProcessError: it cannot start or takes longer
    """
    handle, log = tempfile.mkstemp(prefix=f"{name}-", suffix=".log")
    os.close(handle)
    try:
        with GuardedProcess(name, command, environment=environment, log=Path(log), folder=folder) as process:
            code = process.wait(timeout)
        return subprocess.CompletedProcess(list(command), code, Path(log).read_text(errors="replace"), "")
    finally:
        Path(log).unlink()
