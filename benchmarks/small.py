"""Smaller measurements: import, parse, resolve and register 5,000 databases, 800 scripts at once, 5,000 in one run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.execution.step import begin_step
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup
from airflow_provider_elasticjobs.targets.enumerate import enumerate_with
from airflow_provider_elasticjobs.targets.resolve import Resolution, resolve
from benchmarks import at_once
from benchmarks.environment import environment, load, server_versions
from benchmarks.fleet import JOBS, Fleet
from benchmarks.results import RawData

MEASURES = ("import", "parse", "resolve", "register", "at_once", "one_run")
_DATABASES = 5_000
_SCRIPTS_AT_ONCE = 800
_HELD_SECONDS = 30.0

__all__ = ["MEASURES", "run"]


def _in_a_process(name: str) -> float:
    command = [sys.executable, "-m", "benchmarks.light", name]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    return float(ended.stdout.split()[-1])


class _OneServer:
    """A server with 5,000 databases, asked as a run asks it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._group = TargetGroup("everyone", [SqlServer(name) for name in fleet.databases])

    def resolve(self) -> float:
        """Return the seconds to resolve a group, connection and all."""
        began = time.perf_counter()
        found = self._resolve(self._group)
        seconds = time.perf_counter() - began
        if len(found.targets) != _DATABASES:
            raise AssertionError(f"{len(found.targets)} databases were found")
        return seconds

    def register(self) -> float:
        """Return the seconds to begin a step on databases that are resolved already: a row for each of them."""
        resolution = self._resolve(self._group)
        with closing(self._fleet.job_database) as job_database:
            began = time.perf_counter()
            registered = begin_step(
                job_database,
                Job("register", [JobStep("only", self._group, "SELECT 1;")]),
                1,
                job_execution_id=uuid4(),
                airflow=AirflowRef("register", "run", "resolve"),
                resolve=lambda _: resolution,
                log=lambda *_: None,
            )
            seconds = time.perf_counter() - began
        if len(registered) != _DATABASES:
            raise AssertionError(f"{len(registered)} databases were registered")
        return seconds

    def _resolve(self, group: TargetGroup) -> Resolution:
        settings = self._fleet.settings
        return resolve(group, enumerate_with(lambda server, _: connect(settings, server, "master")))


def _repeat(raw: RawData, name: str, measure: Callable[[], float], repetitions: int) -> None:
    done = sum(one["name"] == name for one in raw.cells)
    for repetition in range(done + 1, repetitions + 1):
        head = _head(name, repetition)
        _keep(raw, {**head, "seconds": round(measure(), 5)})


def _at_once(raw: RawData, repetitions: int) -> None:
    done = sum(one["name"] == "at_once" for one in raw.cells)
    options = argparse.Namespace(scripts=_SCRIPTS_AT_ONCE, servers=4, seconds=_HELD_SECONDS, timeout=300)
    for repetition in range(done + 1, repetitions + 1):
        head = _head("at_once", repetition)
        _keep(raw, {**head, "scripts": _SCRIPTS_AT_ONCE, **at_once.measure(options)})


def _one_run(raw: RawData, repetitions: int) -> None:
    done = sum(one["name"] == "one_run" for one in raw.cells)
    command = [sys.executable, "-m", "benchmarks.one_run", "--databases", str(_DATABASES)]
    for repetition in range(done + 1, repetitions + 1):
        head = _head("one_run", repetition)
        ended = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        found = json.loads(ended.stdout)
        memory = found["memory_mib"]
        kept = {name: found[name] for name in ("seconds", "tasks", "targets_per_second")}
        kept["longest_scheduler_loop_seconds"] = found["longest_scheduler_loop_seconds"]
        for process in ("scheduler", "triggerer"):
            kept[f"{process}_mib_second_quarter"] = memory[process]["quarter_2"]
            kept[f"{process}_mib_last_quarter"] = memory[process]["quarter_4"]
        _keep(raw, {**head, "databases": _DATABASES, **kept})


def _head(name: str, repetition: int) -> dict[str, Any]:
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
    return {"name": name, "repetition": repetition, "date": date, "load": load()}


def _keep(raw: RawData, cell: dict[str, Any]) -> None:
    raw.add(cell)
    sys.stdout.write(f"{cell['name']} {cell['repetition']}: {cell.get('seconds', cell)}\n")
    sys.stdout.flush()


def run(output: Path, names: Iterable[str], repetitions: int, *, resume: bool) -> None:
    """Measure what is asked for, each so often.

    :param output: folder of the raw data.
    :param names: of :data:`MEASURES`.
    :param repetitions: of each.
    :param resume: keep what was measured, and measure the rest.
    """
    with Fleet(_DATABASES, 1) as fleet:
        versions = server_versions(connect(fleet.settings, JOBS, "master"), "sandbox")
        raw = RawData(output / "small.json", {**environment(), **versions}, {"databases": _DATABASES}, resume=resume)
        upgrade(fleet.job_database)
        one_server = _OneServer(fleet)
        measures: dict[str, Callable[[], float]] = {
            "import": lambda: _in_a_process("import"),
            "parse": lambda: _in_a_process("parse"),
            "resolve": one_server.resolve,
            "register": one_server.register,
        }
        for name, measure in measures.items():
            if name in names:
                _repeat(raw, name, measure, repetitions)
    if "at_once" in names:
        _at_once(raw, repetitions)
    if "one_run" in names:
        _one_run(raw, repetitions)
