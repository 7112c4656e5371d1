"""The folder of the demo, which goes when the demo does, however the demo ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from dev import guard


class FolderInUseError(Exception):
    """Another demo works in the folder."""


class DemoFolder:
    """An empty folder for one demo at a time; a context manager that gives its path.

    A janitor in a process of its own removes it when this process has ended and everything that holds a lock on it.
    What a demo left behind whose janitor was killed, too, is removed at the start.

    :param path: the folder
    :param progress: told in words when there is something to wait for
    :param patience: seconds to wait for the end of a demo that is being cleaned up
    """

    def __init__(self, path: Path, progress: Callable[[str], None] = lambda _: None, *, patience: float = 25) -> None:
        self._path = path
        self._progress = progress
        self._patience = patience
        self._lock = -1
        self._janitor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Path:
        """Take it, empty it, and set the janitor waiting.

        :raises FolderInUseError: another demo is still there after the patience
        """
        self._lock = self._take()
        for entry in self._path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._janitor = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, "--remove", str(self._path)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self._path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the janitor remove it."""
        os.close(self._lock)
        if self._janitor is not None and self._janitor.stdin is not None:
            self._janitor.stdin.close()
            self._janitor.wait()

    def _take(self) -> int:
        deadline = time.monotonic() + self._patience
        told = False
        while True:
            self._path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            if self._is_taken(lock):
                return lock
            os.close(lock)
            if not told:
                self._progress(f"waiting for an earlier demo that still works in {self._path.name}")
                told = True
            if time.monotonic() > deadline:
                raise FolderInUseError(f"another demo is running in {self._path}: end it first")
            time.sleep(0.2)

    def _is_taken(self, lock: int) -> bool:
        """Try to lock; the folder may have been removed between opening and locking."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(lock).st_ino == self._path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            return False
