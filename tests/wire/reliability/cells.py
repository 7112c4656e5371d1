"""Runs the scenarios in hosting processes, and reads afterwards what the server did and what the row says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyodbc

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run, until
from tests.wire.reliability.scenarios import VARIANTS, Scenario

ROOT = Path(__file__).parents[3]
PASSWORD = "Str0ng!Passw0rd"
RETRY = {"attempts": 2, "initial_interval": 0.2, "maximum_interval": 0.2, "availability_timeout": 5}

_TABLES = (
    "CREATE TABLE work (a int NOT NULL); CREATE TABLE numbers (a int NOT NULL); CREATE TABLE pace (a int NOT NULL);"
    " INSERT INTO numbers VALUES (1), (2), (3), (4), (5); INSERT INTO pace VALUES (1);"
)
_ROW = Batch(
    "SELECT lifecycle, outcome, current_attempts, last_message FROM jobs_internal.executions"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase';",
    run="uniqueidentifier",
)
_ATTEMPTS = Batch(
    "SELECT a.attempt, a.outcome FROM jobs_internal.attempts AS a"
    " INNER JOIN jobs_internal.executions AS e ON e.execution_id = a.execution_id AND e.rerun = a.rerun"
    " WHERE e.job_execution_id = @run ORDER BY a.attempt;",
    run="uniqueidentifier",
)


class Host:
    """A worker's or a triggerer's process; see ``host.py``."""

    def __init__(self, mode: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.wire.reliability.host", mode],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(json.JSONDecodeError):
                self.lines.append(json.loads(line))

    def send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def states(self, order_id: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["id"] == order_id]

    def end_of(self, order_id: str, seconds: float = 240) -> str:
        """Wait until an order has ended, and return how Airflow would show it."""
        until(lambda: any(line["state"] != "begun" for line in self.states(order_id)), seconds)
        return str(self.states(order_id)[-1]["state"])

    def kill_what_runs(self, order_id: str) -> None:
        """Kill the process that runs an order: the triggerer itself, or a worker's."""
        with suppress(ProcessLookupError):
            os.kill(self.states(order_id)[0]["pid"], signal.SIGKILL)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()


@dataclass(frozen=True)
class Result:
    """What became of one scenario in one mode with one kind of step."""

    scenario: str
    mode: str
    variant: str
    airflow: str
    lifecycle: str
    outcome: str
    attempts: int
    sent: int
    committed: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Cell:
    """One scenario, one mode, one kind of step, on a database of its own.

    :param job_database: where its row is; one of its own if that goes away.
    :param conn_id: the connection that runs the script; one of its own if its password changes.
    :param before_kill: called before the process is killed: others that it runs may have to be there first.
    """

    scenario: Scenario
    mode: str
    variant: str
    server: LiveServer
    sandbox: SandboxClient
    database: str
    job_database: JobDatabase
    job_database_conn_id: str
    conn_id: str
    login: str | None = None
    before_kill: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.server.execute(_TABLES, self.database)
        if self.login is not None:
            self.server.execute(f"CREATE LOGIN {self.login} WITH PASSWORD = '{PASSWORD}'")
            self.server.execute(
                f"CREATE USER {self.login} FOR LOGIN {self.login}; ALTER ROLE db_owner ADD MEMBER {self.login};",
                self.database,
            )
        self.run = Run(self.server, self.job_database, [self.database], self.scenario.command)
        self.order: dict[str, Any] = {
            "id": str(uuid4()),
            "try_number": 1,
            "arguments": {
                "command": self.scenario.command,
                "target": {
                    "server": self.server.name,
                    "database": self.database,
                    "execution_id": str(self.run.orders[self.database].execution_id),
                },
                "elasticjobs_conn_id": self.conn_id,
                "job_database_conn_id": self.job_database_conn_id,
                "retry": RETRY,
                **VARIANTS[self.variant],
                **self.scenario.arguments,
            },
        }

    def play(self, host: Host, next_host: Host) -> Result:
        """Let the scenario happen.

        :param host: runs the script.
        :param next_host: takes over when that is killed.
        """
        if self.scenario.fault is not None:
            self.sandbox.add_fault(self.scenario.fault, database=self.database, **self._details())
        if self.scenario.act == "drop":
            self.server.execute(f"DROP DATABASE {self.database}")
        holding = self._holding() if self.scenario.act in ("password", "job_database_away") else None
        host.send(self.order)
        airflow = self._acts(holding).get(self.scenario.act or "", lambda *hosts: host.end_of(self.order["id"]))(
            host, next_host
        )
        (row,) = self.job_database.run(_ROW, run=self.run.job_execution_id)
        return Result(
            self.scenario.name,
            self.mode,
            self.variant,
            airflow,
            row.lifecycle,
            row.outcome,
            row.current_attempts,
            len(self.sent()),
            self.committed(),
        )

    def sent(self) -> list[dict[str, Any]]:
        """Return the times that the script reached the server, as the server's own record says."""
        return self.sandbox.statements(database=self.database, containing="the work")

    def committed(self) -> int:
        """Return how often the script's work took effect."""
        if self.scenario.act == "drop":
            return 0
        ((count,),) = self.server.execute("SELECT COUNT(*) FROM work", self.database)
        return int(str(count))

    def attempts(self) -> list[tuple[int, str]]:
        """Return the attempts that the job database knows, with their outcomes."""
        return [tuple(row) for row in self.job_database.run(_ATTEMPTS, run=self.run.job_execution_id)]

    def _details(self) -> dict[str, Any]:
        if self.scenario.fault == "dropped_after" and self.variant == "transaction":
            # The commit of such a step is a batch of its own.
            return {**self.scenario.details, "containing": "COMMIT TRANSACTION"}
        return self.scenario.details

    def _holding(self) -> pyodbc.Connection:
        """Hold the script back, once it runs, until the connection is closed."""
        holder = self.server.connect(self.database)
        holder.execute("EXEC sp_getapplock @Resource = 'go on', @LockMode = 'Exclusive', @LockOwner = 'Session'")
        return holder

    def _acts(self, holding: Any) -> dict[str, Callable[[Host, Host], str]]:
        return {
            "kill": self._kill,
            "password": partial(self._change_password, holding),
            "job_database_away": partial(self._take_away, holding),
        }

    def _runs(self) -> bool:
        return any(one["outcome"] == "running" for one in self.sent())

    def _kill(self, host: Host, next_host: Host) -> str:
        until(self._runs, 240)
        self.before_kill()
        host.kill_what_runs(self.order["id"])
        until(lambda: not self._runs())
        self.server.execute("DELETE FROM pace", self.database)
        again = {**self.order, "id": str(uuid4())}
        if self.mode == "worker":
            again["try_number"] = 2  # a trigger is the same one in the next triggerer, a worker's task has another try
        next_host.send(again)
        return next_host.end_of(again["id"])

    def _change_password(self, holding: pyodbc.Connection, host: Host, _: Host) -> str:
        until(self._runs, 240)
        self.server.execute(f"ALTER LOGIN {self.login} WITH PASSWORD = 'An0ther!Passw0rd'")
        holding.close()
        return host.end_of(self.order["id"])

    def _take_away(self, holding: pyodbc.Connection, host: Host, _: Host) -> str:
        until(self._runs, 240)
        faults = [
            self.sandbox.add_fault(kind, database=self.job_database.database, times=0)
            for kind in ("dropped_before", "database_unavailable")
        ]
        holding.close()
        until(lambda: not self._runs())
        for fault in faults:
            self.sandbox.control("sp_remove_fault", fault_id=fault)
        return host.end_of(self.order["id"])
