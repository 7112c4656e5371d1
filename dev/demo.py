"""The main job from end to end on this machine: ``make demo``, ``make demo KEEP=1``, ``make demo DEMO_PORT=8080``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from dev.airflow_client import RUN_ENDED, AirflowApiError, every
from dev.demo_fleet import EXCLUDED, TENANTS, Fleet
from dev.demo_folder import DemoFolder, FolderInUseError
from dev.demo_report import HEADINGS, Reader, progress_line, table
from dev.local_airflow import LocalAirflow
from dev.processes import GuardedProcess, ProcessError
from dev.terminal import Terminal

if TYPE_CHECKING:
    from typing_extensions import Self


ROOT = Path(__file__).resolve().parents[1]
DAG_ID = "example_elastic_job"
TIER = "JA100"
RUN_SECONDS = 150


class DemoError(Exception):
    """The demo cannot go on, or its result is wrong; the text is for whoever started it."""


class DemoEndedError(Exception):
    """Somebody wants the demo to end."""


FAILURES = (DemoError, FolderInUseError, ProcessError, AirflowApiError, ElasticJobsError)


class Demo:
    """Sandbox and Airflow, started one after the other and ended together; a context manager.

    :param folder: for all its files; empty
    :param terminal: told what is being done
    :param port: of Airflow's UI; a free one by default
    """

    def __init__(self, folder: Path, terminal: Terminal, *, port: int | None = None) -> None:
        self._folder = folder
        self._terminal = terminal
        self._port = port
        self._running = ExitStack()
        self._connections: dict[str, dict[str, Any]] = {}
        self.airflow: LocalAirflow

    def __enter__(self) -> Self:
        """Start sandbox and Airflow and prepare both for the job."""
        with self._running:
            self._start_sandbox()
            self._start_airflow()
            self._prepare()
            self._running = self._running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._terminal.say("ending Airflow and the sandbox")
        self._running.close()

    def run_job(self) -> str:
        """Run the example and show how far it is; returns the id of the DAG run.

        :raises DemoError: it failed or took too long
        """
        self._terminal.say(f"running example_dags/example_elastic_job.py on {len(TENANTS)} databases")
        run_id = self.airflow.trigger(DAG_ID)
        state = self._watch(run_id)
        if state not in RUN_ENDED:
            raise DemoError(f"the job still ran after {RUN_SECONDS} s")
        if state != "success":
            raise DemoError(f"the job ended as {state}: {self._failed_tasks(run_id)}")
        return run_id

    def report(self) -> None:
        """Show the job database's rows and compare the databases with what the job says of them.

        :raises DemoError: a table is missing or in the wrong database
        """
        reader = self._reader()
        width = shutil.get_terminal_size((160, 24)).columns if self._terminal.is_interactive else 200
        self._terminal.write("\njobs.job_executions\n" + table(HEADINGS, reader.executions(), width) + "\n\n")
        wrong = reader.wrong_tables()
        if wrong:
            raise DemoError("; ".join(wrong))
        self._terminal.say(
            f"Step1Table is in all {len(TENANTS)} databases, Step2Table in all but the excluded {EXCLUDED}"
        )

    def keep(self) -> None:
        """Tell how to log in and wait until somebody wants the end."""
        self._terminal.write(
            f"\n    Airflow:  {self.airflow.url}/dags/{DAG_ID}\n    user:     {self.airflow.username}\n"
            f"    password: {self.airflow.password}\n\nCtrl-C ends everything.\n"
        )
        try:
            while True:
                signal.pause()
        except DemoEndedError as end:
            self._terminal.say(f"ended by {end}")

    def _start_sandbox(self) -> None:
        self._terminal.say(f"starting the sandbox: a stand-in for SQL Server with {len(TENANTS)} tenant databases")
        fleet, ready = Fleet(), self._folder / "ready.json"
        settings = self._folder / "sandbox.json"
        fleet.write_settings(settings)
        databases = self._folder / "sandbox"
        databases.mkdir()
        module = "airflow_provider_elasticjobs.sandbox"
        options = ["--config", str(settings), "--ready-file", str(ready), "--folder", str(databases)]
        sandbox = GuardedProcess(
            "sandbox",
            [sys.executable, "-m", module, *options],
            environment=dict(os.environ),
            log=self._folder / "sandbox.log",
            folder=ROOT,
            lock=self._folder,
        )
        self._running.enter_context(sandbox)
        for _ in every(0.05, 60):
            if sandbox.poll() is not None:
                raise ProcessError(f"the sandbox ended\n{sandbox.log_tail()}")
            if ready.exists():
                break
        else:
            raise ProcessError(f"the sandbox was not ready within 60 s\n{sandbox.log_tail()}")
        described = json.loads(ready.read_text())
        # OpenSSL reads this when the driver first connects: the sandbox's certificate is verified
        os.environ["SSL_CERT_FILE"] = described["certificate"]
        self._connections = fleet.connections(described["address"], described["servers"])

    def _start_airflow(self) -> None:
        self.airflow = LocalAirflow(
            self._folder / "airflow",
            ROOT / "example_dags",
            environment={"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]},
            port=self._port,
            database_cache=ROOT / ".cache",
            lock=self._folder,
            progress=self._terminal.say,
        )
        self._running.enter_context(self.airflow)

    def _prepare(self) -> None:
        self._terminal.say("adding the connections, installing the job database, creating the pool")
        for conn_id, fields in self._connections.items():
            self.airflow.add_connection(conn_id, fields)
        for arguments in (("elasticjobs", "db", "upgrade"), ("elasticjobs", "tier", TIER)):
            result = self.airflow.cli(*arguments)
            if result.returncode != 0:
                raise DemoError(f"airflow {' '.join(arguments)} failed\n{result.stdout[-3000:]}")

    def _reader(self) -> Reader:
        return Reader(self._connections)

    def _watch(self, run_id: str) -> str:
        reader = self._reader()
        state = "queued"
        for _ in every(1, RUN_SECONDS):
            state = self.airflow.run_state(DAG_ID, run_id)
            self._terminal.progress(progress_line(reader.counts()))
            if state in RUN_ENDED:
                break
        self._terminal.end_progress()
        return state

    def _failed_tasks(self, run_id: str) -> str:
        instances = self.airflow.task_instances(DAG_ID, run_id)
        failed = [instance for instance in instances if instance["state"] == "failed"]
        names = [f"{instance['task_id']} {instance['rendered_map_index'] or ''}".strip() for instance in failed]
        if not failed:
            return "no task failed"
        first = failed[0]
        log = self.airflow.task_log(DAG_ID, run_id, first["task_id"], first["map_index"], max(first["try_number"], 1))
        return f"{', '.join(names)}\n--- log of {names[0]}\n{log[-3000:]}"


def chosen_port(text: str) -> int | None:
    """Return the port that was asked for, or None.

    :param text: of the environment variable ``DEMO_PORT``
    :raises DemoError: it is no port, or somebody listens on it
    """
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise DemoError(f"DEMO_PORT={text} is not a port: a number from 1 to 65535 is")
    with socket.socket() as probe:
        # As the API server does: the port of a demo that has just ended is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            reason = error.strerror.lower() if error.strerror else error
            raise DemoError(f"port {text} cannot be used ({reason}); choose another with DEMO_PORT=") from None
    return int(text)


def end_at_signal(number: int, _: FrameType | None) -> None:
    """Turn a signal into an exception, once: what cleans up is not interrupted.

    :param number: the signal
    """
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise DemoEndedError(signal.Signals(number).name)


def run(terminal: Terminal, folder: Path, *, keep: bool, port_text: str) -> None:
    """Run the demo from start to end.

    :param terminal: told what is being done
    :param folder: for all its files, which go with it
    :param keep: leave Airflow's UI up until a signal comes
    :param port_text: which port for it, empty for any
    :raises DemoEndedError: a signal came
    :raises DemoError: and other errors: it failed
    """
    port = chosen_port(port_text)
    with DemoFolder(folder, terminal.say) as emptied, Demo(emptied, terminal, port=port) as demo:
        demo.run_job()
        demo.report()
        if keep:
            demo.keep()


def main() -> int:
    """Run from the command line; returns the exit code."""
    terminal = Terminal(sys.stdout)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_at_signal)
    asked = {name: os.environ.get(name, "") for name in ("KEEP", "DEMO_PORT", "DEMO_FOLDER")}
    keep = asked["KEEP"] not in ("", "0")
    try:
        run(terminal, Path(asked["DEMO_FOLDER"] or ROOT / ".demo"), keep=keep, port_text=asked["DEMO_PORT"])
    except DemoEndedError as end:
        terminal.say(f"ended by {end}; nothing is left behind")
        return 130
    except FAILURES as error:
        terminal.end_progress()
        sys.stderr.write(f"demo: {error}\n")
        return 1
    terminal.say("done" if keep else "done; the UI stays up with: make demo KEEP=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
