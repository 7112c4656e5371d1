"""A sandbox in a process of its own.

Use it wherever the client is pyodbc: some of pyodbc's calls keep Python's interpreter lock while they wait for the
server, so that a sandbox in the same process could never answer them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOOK_SECONDS = 0.02


class SandboxStartError(Exception):
    """The sandbox's process ended before it was ready; the text is what it said."""


class SandboxProcess:
    """Starts and stops a sandbox's process; also a context manager that gives the client.

    The process ends with the one that started it, however that ends.

    :param settings: its logical servers
    :param environment: environment variables of the process, default this one's
    """

    def __init__(self, settings: SandboxSettings, *, environment: dict[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._said = ""
        self._folder: str | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None when it does not run."""
        return None if self._process is None else self._process.pid

    def log(self) -> str:
        """What the process has written to its standard error, also after it has ended."""
        if self._log is None:
            return self._said
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")

    def start(self) -> SandboxClient:
        """Start it and wait until every server listens.

        :returns: a client for it
        :raises SandboxStartError: when it does not come up
        """
        with tempfile.TemporaryDirectory(prefix="elasticjobs-sandbox-start-") as folder:
            config, ready = Path(folder, "sandbox.json"), Path(folder, "ready.json")
            config.touch(mode=0o600)
            config.write_text(json.dumps(self._settings.to_json()), encoding="utf-8")
            self._process = self._spawn(config, ready)
            described = self._await_ready(self._process, ready)
        self._folder = str(described["folder"])
        return SandboxClient(self._settings, described)

    def _spawn(self, config: Path, ready: Path) -> subprocess.Popen[bytes]:
        # A file, not a pipe: nobody would empty a pipe, and a full one stops the sandbox.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        command = [sys.executable, "-m", __package__ or "", "--config", str(config), "--ready-file", str(ready)]
        return subprocess.Popen(  # noqa: S603 - the command is this package's own
            [*command, "--end-with-parent"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=self._environment,
        )

    def _await_ready(self, process: subprocess.Popen[bytes], ready: Path) -> dict[str, object]:
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if process.poll() is not None:
                self._forget()
                raise SandboxStartError(self.log().strip() or f"it ended with code {process.returncode}")
            if time.monotonic() > deadline:
                self.stop()
                raise SandboxStartError(f"it was not ready after {START_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
        described: dict[str, object] = json.loads(ready.read_text(encoding="utf-8"))
        return described

    def stop(self) -> None:
        """End it and remove what it kept. May be called twice."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._forget()

    def _forget(self) -> None:
        if self._log is not None:
            self._said = self.log()
            self._log.close()
            self._log = None
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> SandboxClient:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
