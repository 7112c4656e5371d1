"""Runs a sandbox until it is told to end: ``python -m airflow_provider_elasticjobs.sandbox --config sandbox.json``.

Once every server listens, one line of JSON says how to connect (see :meth:`.server.Sandbox.describe`), on standard
output and, with ``--ready-file``, in that file. SIGTERM and SIGINT end it; its temporary folder is removed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from airflow_provider_elasticjobs.sandbox.server import PortInUseError, Sandbox
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, SettingsError

LOOK_FOR_PARENT_SECONDS = 1.0
WRONG_USE = 2


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_elasticjobs.sandbox", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the sandbox's settings, JSON")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written when every server listens")
    parser.add_argument("--folder", type=Path, help="where databases are kept; without it a temporary folder")
    parser.add_argument("--end-with-parent", action="store_true", help="end when the process that started it has ended")
    parser.add_argument("--verbose", action="store_true", help="log every connection")
    return parser.parse_args(given)


def _tell(sandbox: Sandbox, ready_file: Path | None) -> None:
    told = json.dumps(sandbox.describe())
    if ready_file is not None:
        # Renamed into place: whoever waits for the file never reads half of it.
        unfinished = ready_file.with_name(ready_file.name + ".tmp")
        unfinished.write_text(told, encoding="utf-8")
        unfinished.replace(ready_file)
    sys.stdout.write(told + "\n")
    sys.stdout.flush()


def _wait(ended: threading.Event, parent: int | None) -> None:
    while not ended.wait(LOOK_FOR_PARENT_SECONDS):
        if parent is not None and os.getppid() != parent:
            return


def main(given: Sequence[str] | None = None) -> int:
    """Run a sandbox until a signal, or the end of its parent, stops it.

    :param given: command line arguments, default those of the process
    :returns: exit code: 0, or 2 for wrong settings and a port in use
    """
    arguments = _arguments(given)
    parent = os.getppid() if arguments.end_with_parent else None
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.WARNING)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        sandbox = Sandbox(SandboxSettings.read(arguments.config), folder=arguments.folder).start()
    except (SettingsError, PortInUseError) as problem:
        sys.stderr.write(f"The sandbox does not start: {problem}\n")
        return WRONG_USE
    try:
        _tell(sandbox, arguments.ready_file)
        _wait(ended, parent)
    finally:
        sandbox.stop()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit, which would wait for worker threads that a statement still holds.
    os._exit(status)
