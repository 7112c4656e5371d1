"""Hundreds of scripts at once in one process: its memory, how late its event loop is, and how fast all can be stopped.

``python -m benchmarks.at_once --scripts 800`` runs the package's triggers in the event loop of one process, as a
triggerer does, without the rest of Airflow: what is measured is theirs alone. The servers are sandboxes, each a process
of its own, and count for themselves how many scripts they ran at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID, uuid4

import psutil

from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.step import begin_step
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.targets import SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.targets.resolve import Resolution
from benchmarks.fleet import Fleet
from benchmarks.memory import memory_of

_MARK = "held at once"
_COMMAND = f"/* {_MARK} */ WAITFOR DELAY '00:30:00';"
_TICK_SECONDS = 0.05
_POLL_SECONDS = 0.5


class _Loop:
    """How late the event loop is: by how much a nap of 50 ms takes longer than that."""

    def __init__(self) -> None:
        self.latest = 0.0

    async def watch(self) -> None:
        """Nap for ever, and keep how late the latest awakening was."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK_SECONDS)
            self.latest = max(self.latest, time.monotonic() - began - _TICK_SECONDS)


def hold(channel: Connection, variables: dict[str, str], orders: list[dict[str, Any]]) -> None:
    """Run a trigger for each order, in a process of its own.

    :param channel: told when the process is idle, waits for a word to begin, and told at the end how late the loop was.
    :param variables: of the environment, which hold the Airflow connections.
    :param orders: what the triggers run.
    """
    os.environ.update(variables)
    # Every trigger tells what it does; the result is told by the process that began this one.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    # Airflow reads its settings from the environment when it is first imported.
    from airflow_provider_elasticjobs.triggers.elastic_job import ElasticJobTrigger  # noqa: PLC0415

    async def run(number: int, order: dict[str, Any]) -> str:
        trigger = ElasticJobTrigger(
            order=order,
            airflow=asdict(AirflowRef("at_once", "run", "run", number)),
            elasticjobs_conn_id="elasticjobs_default",
            job_database_conn_id="elasticjobs_job_database",
        )
        events = [type(event).__name__ async for event in trigger.run()]
        return ", ".join(events)

    async def main() -> None:
        loop = _Loop()
        watch = asyncio.create_task(loop.watch())
        channel.send("idle")
        await asyncio.to_thread(channel.recv)
        loop.latest = 0.0
        work = asyncio.gather(*(run(number, order) for number, order in enumerate(orders)))
        # Each question: the latest awakening since the one before.
        while not work.done():
            if await asyncio.to_thread(channel.poll, _POLL_SECONDS):
                channel.recv()
                channel.send(loop.latest)
                loop.latest = 0.0
        channel.send([loop.latest, sorted(set(await work))])
        watch.cancel()

    asyncio.run(main())


def begin(fleet: Fleet, job_database: JobDatabase) -> tuple[UUID, list[dict[str, Any]]]:
    """Begin a run on all databases of a fleet, and return its id and an order for each.

    :param fleet: the databases.
    :param job_database: installed.
    """
    targets = [Target(server, name) for server, names in fleet.databases.items() for name in names]
    step = JobStep("hold", TargetGroup("everyone", [SqlServer(name) for name in fleet.databases]), _COMMAND)
    run = uuid4()
    registered = begin_step(
        job_database,
        Job("at once", [step]),
        1,
        job_execution_id=run,
        airflow=AirflowRef("at_once", "run", "resolve"),
        resolve=lambda _: Resolution(targets),
        log=lambda *_: None,
    )
    once = RetryPolicy(attempts=0)
    return run, [TargetOrder(one.execution_id, one.target, _COMMAND, retry=once).to_json() for one in registered]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Hold all scripts for a while, stop them, and return what was measured.

    :param options: of the command line.
    """
    with Fleet(options.scripts, options.servers) as fleet:
        job_database = fleet.job_database
        upgrade(job_database)
        run, orders = begin(fleet, job_database)
        connections = fleet.airflow_connections().items()
        variables = {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields) for conn_id, fields in connections}
        here, there = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=hold, args=(there, variables, orders), daemon=True
        )
        process.start()
        here.recv()
        pid = process.pid or 0
        found: dict[str, Any] = {"idle_mib": round(memory_of(pid), 1)}

        def running() -> int:
            clients = [fleet.clients[name] for name in fleet.databases]
            return sum(client.peak_running(containing=_MARK) for client in clients)

        began = time.monotonic()
        here.send("begin")
        _until(lambda: running() >= options.scripts, options.timeout, "all scripts' beginning")
        found["seconds_until_all_run"] = round(time.monotonic() - began, 1)
        found["latest_loop_seconds_while_starting"] = _ask(here)
        before = sum(psutil.Process(pid).cpu_times()[:2])
        time.sleep(options.seconds)
        found["cores_while_they_run"] = round((sum(psutil.Process(pid).cpu_times()[:2]) - before) / options.seconds, 2)
        found["latest_loop_seconds_while_they_run"] = _ask(here)
        found["mib_above_idle"] = round(memory_of(pid) - found["idle_mib"], 1)
        found["threads"] = psutil.Process(pid).num_threads()
        began = time.monotonic()
        cancel_execution(job_database, run, requested_by="the benchmark")
        _until(
            lambda: count_targets(job_database, run) == {Lifecycle.CANCELED: options.scripts},
            options.timeout,
            "all rows' end",
        )
        found["seconds_until_all_are_stopped"] = round(time.monotonic() - began, 1)
        lateness, events = here.recv()
        found["latest_loop_seconds_while_stopping"] = round(lateness, 3)
        found["events"] = events
        found["most_at_once_by_the_servers"] = running()
        process.join(30)
    return found


def _ask(channel: Connection) -> float:
    channel.send("how late?")
    return round(float(channel.recv()), 3)


def _until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds:g} s")
        time.sleep(_POLL_SECONDS)


def main() -> int:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", type=int, default=800)
    parser.add_argument("--servers", type=int, default=4, help="processes that they are spread over")
    parser.add_argument("--seconds", type=float, default=20, help="how long all are held")
    parser.add_argument("--timeout", type=float, default=300, help="seconds")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    found = {"options": vars(options), **measure(options), "load": [load, os.getloadavg()[0]]}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
