"""Measuring one cell of the matrix: a run in Airflow, or bare clients."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.connections.connection_string import connection_string
from airflow_provider_elasticjobs.connections.driver import find_driver
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from benchmarks.bare import BareClients
from benchmarks.environment import load
from benchmarks.plan import SCRIPTS, Cell, chunks_of, width_of
from benchmarks.servers import Servers, odbc_connections
from benchmarks.watch import ProcessWatch, Watched
from dev.airflow_client import RUN_ENDED, AirflowApiError, every
from dev.local_airflow import LocalAirflow

__all__ = ["POOL", "TIER_POOL", "Bench", "BrokenRunError", "dag_plan", "write_dags"]

#: The pools of the matrix: for all, and for what is wider.
POOL, TIER_POOL = "benchmark", "benchmark_tier"
_GROUP = "job"
_WITHOUT_AIRFLOW = frozenset({"bare", "limit"})
_TEMPLATES = Path(__file__).parent / "dags" / "matrix"
#: Of the ways that are no elastic job, which no rows tell of: the file that a DAG is a copy of.
_OTHER_TEMPLATES = {"expand": "expand.py", "defer": "defer.py", "defer_wide": "defer.py"}
#: Between two questions how a run stands, for each hundred databases: Airflow reads all tasks of a run for its answer.
_POLL_SECONDS = 0.5
_LONGEST_POLL_SECONDS = 5.0
#: Processes that press the servers together, each as wide as one client.
_PRESSING_PROCESSES = 4


class BrokenRunError(Exception):
    """Not every script ran well, so that the time says nothing."""


_ATTEMPTS = Batch(
    """
SELECT MIN(a.start_time) AS began, MAX(a.end_time) AS ended, COUNT(*) AS attempts,
    SUM(CASE WHEN a.outcome = N'succeeded' THEN 1 ELSE 0 END) AS succeeded
FROM jobs_internal.attempts AS a
JOIN jobs_internal.executions AS e ON e.execution_id = a.execution_id
WHERE e.job_execution_id = @run;
""",
    run="uniqueidentifier",
)


@dataclass(frozen=True)
class Running:
    """When scripts ran.

    :param seconds: from the beginning of the first to the end of the last.
    :param tasks: Airflow tasks that ran them, None without Airflow.
    """

    seconds: float
    tasks: int | None = None


def running_by_rows(job_database: JobDatabase, run: UUID, size: int, tasks: int) -> Running:
    """Return when an elastic job's scripts ran, by its attempts in the job database.

    :param job_database: where they are.
    :param run: the ``job_execution_id``.
    :param size: how many there must be.
    :param tasks: of Airflow.
    :raises BrokenRunError: if there is a database without an attempt that succeeded.
    """
    (row,) = job_database.run(_ATTEMPTS, run=run)
    if row.succeeded != size:
        raise BrokenRunError(f"{row.succeeded} of {row.attempts} attempts on {size} databases succeeded")
    return Running((row.ended - row.began).total_seconds(), tasks)


def running_by_tasks(instances: list[dict[str, Any]], size: int) -> Running:
    """Return when mapped tasks ran, by Airflow's own times.

    :param instances: the task instances, as the REST API describes them.
    :param size: how many there must be.
    :raises BrokenRunError: if not so many succeeded.
    """
    ended = [one for one in instances if one["state"] == "success"]
    if len(ended) != size:
        raise BrokenRunError(f"{len(ended)} of {len(instances)} tasks on {size} databases succeeded")
    seconds = max(_moment(one["end_date"]) for one in ended) - min(_moment(one["start_date"]) for one in ended)
    return Running(seconds, len(ended))


def dag_plan(cells: list[Cell], servers: Servers, width: int) -> dict[str, dict[str, Any]]:
    """Return what the DAG files read: what each DAG does, by its id.

    :param cells: to be measured.
    :param servers: of the targets.
    :param width: scripts at a time.
    """
    dags = {}
    for cell in cells:
        if cell.variant in _WITHOUT_AIRFLOW:
            continue
        pattern = servers.pattern(cell.size)
        dags[cell.name] = {
            "variant": cell.variant,
            "pool": POOL if width_of(cell.variant, width) == width else TIER_POOL,
            "command": SCRIPTS[cell.script],
            "servers": list(servers.targets(cell.size)),
            "odbc_conn_ids": list(odbc_connections(servers, cell.size)),
            "pattern": pattern,
            "like": (pattern or "database*").replace("*", "%"),
            **asdict(chunks_of(cell.variant, cell.size, width)),
        }
    return dags


@dataclass(frozen=True)
class Bench:
    """Everything that is up while the matrix is measured.

    :param airflow: with the DAGs.
    :param servers: of the targets and the job database.
    :param width: scripts at a time.
    :param timeout: seconds that one run may take.
    """

    airflow: LocalAirflow
    servers: Servers
    width: int
    timeout: float

    def measure(self, cell: Cell) -> dict[str, Any]:
        """Measure a cell, and return it with all that was found.

        :raises BrokenRunError: if not every script ran well.
        """
        found: dict[str, Any] = {"date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")}
        found["load"] = load()
        measure = self._bare if cell.variant in _WITHOUT_AIRFLOW else self._run
        return {**cell.to_json(), **found, **measure(cell)}

    def _bare(self, cell: Cell) -> dict[str, Any]:
        driver, settings = find_driver(), self.servers.settings
        strings = [
            connection_string(settings, driver, server, database)
            for server, databases in self.servers.targets(cell.size).items()
            for database in databases
        ]
        processes = 1 if cell.variant == "bare" else _PRESSING_PROCESSES
        with BareClients(processes) as clients, self._watched({"client": Watched(clients.pids)}) as costs:
            seconds = clients.run(strings, SCRIPTS[cell.script], self.width)
        return {"wall_seconds": round(seconds, 3), "running_seconds": round(seconds, 3), "tasks": None, **costs}

    def _run(self, cell: Cell) -> dict[str, Any]:
        with self._watched(self._components()) as costs:
            run_id = self.airflow.trigger(cell.name)
            try:
                state = self._end_of(cell, run_id)
            except (AirflowApiError, BrokenRunError):
                # What goes on would be measured with the next cell.
                with suppress(AirflowApiError):
                    self.airflow.set_run_state(cell.name, run_id, "failed")
                raise
        if state != "success":
            raise BrokenRunError(f"the run ended {state}")
        path = f"dags/{cell.name}/dagRuns/{run_id}"
        run = self.airflow.api("GET", path)
        instances = self.airflow.task_instances(cell.name, run_id)
        running = self._running(cell, run_id, instances)
        # Airflow's own database stays as small as it was, whatever was measured before.
        with suppress(AirflowApiError):
            self.airflow.api("DELETE", path)
        wall = _moment(run["end_date"]) - _moment(run["queued_at"])
        return {
            "wall_seconds": round(wall, 3),
            "running_seconds": round(running.seconds, 3),
            "tasks": running.tasks,
            **costs,
        }

    def _end_of(self, cell: Cell, run_id: str) -> str:
        pause = min(max(_POLL_SECONDS, _POLL_SECONDS * cell.size / 100), _LONGEST_POLL_SECONDS)
        for _ in every(pause, self.timeout):
            state = self.airflow.run_state(cell.name, run_id)
            if state in RUN_ENDED:
                return state
        raise BrokenRunError(f"the run took longer than {self.timeout:g} s")

    def _running(self, cell: Cell, run_id: str, instances: list[dict[str, Any]]) -> Running:
        if cell.variant in _OTHER_TEMPLATES:
            return running_by_tasks([one for one in instances if one["task_id"].startswith("run_")], cell.size)
        tasks = sum(one["task_id"] == f"{_GROUP}.only.run" for one in instances)
        run = job_execution_id(cell.name, run_id, _GROUP)
        return running_by_rows(self.servers.job_database, run, cell.size, tasks)

    def _components(self) -> dict[str, Watched]:
        pid = {name: [self.airflow.component(name).pid] for name in ("scheduler", "triggerer", "api-server")}
        return {
            "scheduler": Watched(pid["scheduler"], below=False),
            "workers": Watched(pid["scheduler"], own=False),
            "triggerer": Watched(pid["triggerer"]),
            "API server": Watched(pid["api-server"]),
            "DAG processor": Watched([self.airflow.component("dag-processor").pid]),
        }

    @contextmanager
    def _watched(self, client: Mapping[str, Watched]) -> Iterator[dict[str, Any]]:
        """Fill what is yielded with CPU time, memory and the job database's counters, when the work has ended."""
        costs: dict[str, Any] = {}
        servers = {name: Watched(pids) for name, pids in self.servers.pids().items()}
        before = self.servers.job_database_counters()
        with ProcessWatch({**client, **servers}) as watch:
            yield costs
        after = self.servers.job_database_counters()
        costs["cpu_seconds"], costs["peak_mib"] = watch.cpu_seconds, watch.peak_mib
        costs["job_database"] = after and before and {name: after[name] - before[name] for name in after}


def write_dags(folder: Path, plan: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a file for each DAG, as a user would have it.

    Airflow parses the whole file of a task that a trigger has ended: others in it would be counted with it.

    :param folder: where they go.
    :param plan: as from :func:`dag_plan`.
    :returns: the file that ``BENCHMARK_PLAN`` has to name.
    """
    for dag_id, one in plan.items():
        template = _OTHER_TEMPLATES.get(one["variant"], "elastic_job.py")
        shutil.copy(_TEMPLATES / template, folder / f"{dag_id}.py")
    path = folder / "plan.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    return path


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
