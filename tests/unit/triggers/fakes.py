"""A script's execution that does what a test tells it, in place of one that needs a server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_elasticjobs.exceptions import ExecutionReleasedError
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.target import TargetResult
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.triggers.script_threads import ScriptThreads

ORDER: dict[str, Any] = {
    "execution_id": "2f6d7b51-0a5e-4d7e-8b53-1f4c1f5f2a10",
    "target": {"server": "s", "database": "d"},
    "command": "SELECT 1",
    "retry": {"attempts": 3},
    "step_timeout": 60,
    "idempotent": True,
}
AIRFLOW: dict[str, Any] = {
    "dag_id": "a",
    "run_id": "r",
    "task_id": "t",
    "map_index": 2,
    "try_number": 1,
    "clear_number": 0,
}
ARGUMENTS: dict[str, Any] = {
    "order": ORDER,
    "airflow": AIRFLOW,
    "elasticjobs_conn_id": "scripts",
    "job_database_conn_id": "rows",
}


@dataclass
class FakeSettings:
    """What an Airflow connection says, as far as its name tells."""

    conn_id: str

    @property
    def errors(self) -> str:
        return f"errors of {self.conn_id}"

    def __str__(self) -> str:
        return f"settings of {self.conn_id}"


@dataclass
class FakeConnector:
    """Tells where it would have connected to, and as whom."""

    settings: FakeSettings

    def __call__(self, server: str, database: str, application_name: str | None) -> str:
        return f"{server}/{database} by {self.settings}, as {application_name}"


class FakeExecution:
    """Ends when it is told to: by the test, by a cancel or by a release."""

    def __init__(
        self,
        order: TargetOrder,
        airflow: AirflowRef,
        *,
        agent: object,
        connect: object,
        log: Callable[[int, str], None],
        open_master: Callable[[str, str, str], object],
        errors: str,
        output: object,
        stubborn: bool = False,
    ) -> None:
        self.order = order
        self.airflow = airflow
        self.agent = agent
        self.connect = connect
        self.log = log
        self.open_master = open_master
        self.errors = errors
        self.output = output
        self.started = threading.Event()
        self.calls: list[str] = []
        self._stubborn = stubborn
        self._ended = threading.Event()
        self._ending: Lifecycle | BaseException = Lifecycle.SUCCEEDED

    def run(self) -> TargetResult:
        self.started.set()
        self.log(20, "a line of the script")
        assert self._ended.wait(20)
        if isinstance(self._ending, BaseException):
            raise self._ending
        return TargetResult(self._ending, f"it is {self._ending}", 1)

    def end(self, ending: Lifecycle | BaseException) -> None:
        if not self._ended.is_set():
            self._ending = ending
            self._ended.set()

    def cancel(self) -> None:
        self.calls.append("cancel")
        if not self._stubborn:
            self.end(Lifecycle.CANCELED)

    def release(self) -> None:
        self.calls.append("release")
        if not self._stubborn:
            self.end(ExecutionReleasedError("left for another process"))


class FakeProcess:
    """A process with an agent that is only a name, and as many threads as a test needs."""

    def __init__(self, threads: int = 4) -> None:
        self.threads = ScriptThreads(threads)
        self.agents_asked: list[str] = []

    def agent(self, conn_id: str) -> str:
        self.agents_asked.append(conn_id)
        return f"agent of {conn_id}"

    def settings(self, conn_id: str) -> FakeSettings:
        return FakeSettings(conn_id)


class Stage:
    """Collects the executions that are made, and has answers for those to come."""

    def __init__(self, process: FakeProcess) -> None:
        self.process = process
        self.made: list[FakeExecution] = []
        self.appeared = threading.Event()
        self.ending: Lifecycle | BaseException | None = None
        self.stubborn = False
        self.task_state = "failed"

    def make(self, *arguments: Any, **named: Any) -> FakeExecution:
        execution = FakeExecution(*arguments, **named, stubborn=self.stubborn)
        if self.ending is not None:
            execution.end(self.ending)
        self.made.append(execution)
        self.appeared.set()
        return execution

    @property
    def execution(self) -> FakeExecution:
        assert self.appeared.wait(20)
        return self.made[-1]
