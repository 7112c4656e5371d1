"""One run of one step on fresh databases, driven as the operators drive it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.execution.chunk import ChunkExecution, ChunkResult, TargetAccess
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.step import begin_step
from airflow_provider_elasticjobs.execution.target import TargetExecution, TargetResult
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.targets import SqlDatabase, Target, TargetGroup
from airflow_provider_elasticjobs.targets.resolve import Resolution
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer

QUICK = RetryPolicy(attempts=2, initial_interval=0.05, maximum_interval=0.1)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something holds.

    :raises AssertionError: if it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)


@dataclass
class Run:
    """A run of a job with one step on some databases of one server.

    :param pools: the elastic pool of each database that is in one.
    :param parameters: those of each target.
    :param step: what the step's definition says beside its script.
    :param in_chunks: whether each database is a chunk of one, and not a single target.
    """

    server: LiveServer
    job_database: JobDatabase
    databases: list[str]
    command: str
    job_name: str = field(default_factory=lambda: f"job {uuid4()}")
    job_execution_id: UUID = field(default_factory=uuid4)
    pools: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    step: dict[str, Any] = field(default_factory=dict)
    in_chunks: bool = False
    log: list[str] = field(default_factory=list)
    agent: JobAgent = field(init=False)
    orders: dict[str, TargetOrder] = field(init=False)

    def __post_init__(self) -> None:
        self.agent = JobAgent(self.job_database)
        targets = [
            Target(self.server.name, database, self.pools.get(database), parameters=self.parameters)
            for database in self.databases
        ]
        group = TargetGroup("group " + self.job_name, [SqlDatabase(t.server_name, t.database_name) for t in targets])
        registered = begin_step(
            self.job_database,
            Job(self.job_name, [JobStep("step1", group, self.command, **self.step)]),
            1,
            job_execution_id=self.job_execution_id,
            airflow=AirflowRef("dag", "run", "resolve"),
            resolve=lambda _: Resolution(targets),
            log=self.say,
        )
        self.orders = {
            each.target.database_name: TargetOrder(each.execution_id, each.target, self.command, retry=QUICK)
            for each in registered
        }

    def say(self, level: int, text: str) -> None:
        """Keep a line of the log."""
        self.log.extend(text.split("\n"))

    def execution(
        self,
        database: str | None = None,
        *,
        agent: JobAgent | None = None,
        connect: Connector | None = None,
        open_master: Connector | None = None,
        errors: ErrorTable = DEFAULT_ERRORS,
        **changes: Any,
    ) -> TargetExecution | ChunkOfOne:
        """Return the execution of one database, as one process would make it; ``changes`` are those of its order."""
        order = replace(self.orders[database or self.databases[0]], **changes)
        if self.in_chunks:
            access = TargetAccess(connect or connector(self.server.settings), errors, open_master)
            return ChunkOfOne(self, order, agent or self.agent, access)
        return TargetExecution(
            order,
            AirflowRef("dag", "run", "run", self.databases.index(order.target.database_name)),
            agent=agent or self.agent,
            connect=connect or connector(self.server.settings),
            log=self.say,
            open_master=open_master,
            errors=errors,
        )

    def chunk(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        at_once: int = 2,
        try_number: int = 1,
        clear_number: int = 0,
        agent: JobAgent | None = None,
        access_by: Callable[[str | None], TargetAccess] | None = None,
        **changes: Any,
    ) -> ChunkExecution:
        """Return the execution of a chunk, of all databases by default, as one process would make it."""
        chunk = TargetChunk(self.job_execution_id, 1, first, last or len(self.orders), len(self.orders))
        return ChunkExecution(
            ChunkOrder(chunk, replace(self.orders[self.databases[0]], **changes), at_once),
            AirflowRef("dag", "run", "run", first, try_number, clear_number),
            agent=agent or self.agent,
            access_by=access_by or (lambda _: TargetAccess(connector(self.server.settings))),
            log=self.say,
        )

    def rows(self, columns: str = "*", where: str = "1 = 1") -> list[Any]:
        """Return rows of this run from the public view."""
        connection = self.server.connect(self.job_database.database)
        try:
            return connection.execute(
                f"SELECT {columns} FROM jobs.job_executions WHERE job_execution_id = ? AND {where} "
                "ORDER BY step_id, target_type DESC, target_database_name",
                str(self.job_execution_id),
            ).fetchall()
        finally:
            connection.close()

    def lifecycles(self) -> list[str]:
        """Return the lifecycles of the job, the step and its targets."""
        return [row.lifecycle for row in self.rows("lifecycle, step_id, target_type, target_database_name")]

    def target(self, database: str | None = None) -> Any:
        """Return the row of one database."""
        (row,) = self.rows(where=f"target_database_name = '{database or self.databases[0]}'")
        return row


class ChunkOfOne:
    """A chunk with one database, that answers like the execution of this database."""

    def __init__(self, run: Run, order: TargetOrder, agent: JobAgent, access: TargetAccess) -> None:
        self._label = order.target.label
        self._run = run
        place = 1 + list(run.orders).index(order.target.database_name)
        chunk = TargetChunk(run.job_execution_id, 1, place, place, len(run.orders))
        self._execution = ChunkExecution(
            ChunkOrder(chunk, order),
            AirflowRef("dag", "run", "run", place - 1),
            agent=agent,
            access_by=lambda _: access,
            log=self._say,
        )
        self.cancel = self._execution.cancel
        self.release = self._execution.release

    def run(self) -> TargetResult:
        """Run the chunk, and return how its only database ended; raises what kept it from its end."""
        result = self._execution.run()
        ((label, end),) = result.ends.items()
        assert label == self._label
        if isinstance(end, BaseException):
            assert result.lifecycle is Lifecycle.FAILED
            raise end
        assert result.lifecycle is end.lifecycle
        return end

    def _say(self, level: int, text: str) -> None:
        for line in text.split("\n"):
            self._run.say(level, line.removeprefix(f"{self._label}: "))


@pytest.fixture(params=["single", "chunk"])
def in_chunks(request: pytest.FixtureRequest) -> bool:
    """Whether databases are worked on in chunks: whatever a script meets, the rows come out the same."""
    return bool(request.param == "chunk")


@pytest.fixture
def new_run(
    server: LiveServer, installed: JobDatabase, new_database: Callable[[], str], in_chunks: bool
) -> Iterator[Callable[..., Run]]:
    """Return a function that begins a run of a command on fresh databases; no rule of the rows is broken after it."""

    def begin(command: str, *, databases: int | list[str] = 1, **fields: Any) -> Run:
        names = [new_database() for _ in range(databases)] if isinstance(databases, int) else databases
        return Run(server, installed, names, command, in_chunks=in_chunks, **fields)

    yield begin
    assert broken_invariants(installed) == []


class Started:
    """An execution that runs in a thread."""

    def __init__(self, execution: TargetExecution | ChunkOfOne | ChunkExecution) -> None:
        self.execution = execution
        self.ended: TargetResult | ChunkResult | BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ended = self.execution.run()
        except BaseException as error:  # noqa: BLE001 handed to the test
            self.ended = error

    def result(self, timeout: float = 60) -> Any:
        """Return how it ended; raises what it raised."""
        self._thread.join(timeout)
        assert self.ended is not None, f"still running after {timeout} s"
        if isinstance(self.ended, BaseException):
            raise self.ended
        return self.ended
