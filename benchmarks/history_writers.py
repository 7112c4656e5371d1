"""What writing one target costs: claim, begin, finish, on a job database of any size."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from uuid import uuid4

from airflow_provider_elasticjobs.job_database.chunks import begin_chunk
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target
from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef, AlreadyFinished, RegisteredTarget
from airflow_provider_elasticjobs.job_database.registering import register_targets
from airflow_provider_elasticjobs.job_database.steps import start_step
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.targets import SqlServer, Target, TargetGroup

__all__ = ["Timings", "Writers"]

_SERVER = "tenants0.database.windows.net"

#: Seconds of each call, by what was called.
Timings = dict[str, list[float]]


class Writers:
    """Threads that work on the targets of runs of their own, one job.

    :param db: the job database.
    :param threads: how many write at a time.
    :param max_parallelism: databases of a pool at a time: with it each attempt asks for a place; by default none does.
    """

    def __init__(self, db: JobDatabase, threads: int, max_parallelism: int | None = None) -> None:
        self._db = db
        self._threads = threads
        self._pool = "pool1" if max_parallelism else None
        name = f"writers {uuid4().hex[:8]}"
        group = TargetGroup(f"group of {name}", [SqlServer(_SERVER)])
        self._job = Job(name, [JobStep("step1", group, "EXEC dbo.maintain;", max_parallelism=max_parallelism)])
        self._lock = threading.Lock()
        self.timings: Timings = {}

    def run(self, targets: int) -> float:
        """Register so many targets and work on all; return how many targets a second were claimed, begun and ended."""
        run = uuid4()
        agent = Agent(uuid4(), "host", 1)
        airflow = AirflowRef("dag", f"manual__{run}", "run")
        registered = register_job(self._db, self._job)
        step = start_step(
            self._db, job_execution_id=run, registered=registered, step_id=1, airflow=airflow, agent=agent
        )
        databases = [Target(_SERVER, f"tenant{number:04}", self._pool) for number in range(targets)]
        with self._timed("register all targets"):
            rows = register_targets(self._db, step, databases)
        with self._timed("begin a chunk of 100"):
            begin_chunk(self._db, TargetChunk(run, 1, 1, min(100, targets), targets), airflow, agent)
        began = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(self._work, rows, repeat(airflow), repeat(agent)))
        return targets / (time.perf_counter() - began)

    def _work(self, row: RegisteredTarget, airflow: AirflowRef, agent: Agent) -> None:
        with self._timed("claim"):
            claim = claim_target(self._db, row.execution_id, airflow, agent)
        if isinstance(claim, AlreadyFinished):
            raise TypeError(f"{row.target.label} has ended already: {claim.lifecycle}")
        with self._timed("begin"):
            begun = begin_attempt(self._db, claim, 1).begun
        with self._timed("finish"):
            settled = finish_target(self._db, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED)
        if not begun or not settled.written:
            raise RuntimeError(f"{row.target.label}: begun {begun}, ended {settled.written}")

    def until(self, is_done: Callable[[], bool], targets: int) -> None:
        """Run again and again, so many targets each time, until it is done."""
        while not is_done():
            self.run(targets)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        with self._lock:
            self.timings.setdefault(what, []).append(seconds)
