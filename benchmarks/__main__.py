"""``make bench``: every way to run a script on a fleet, side by side, in one Airflow on one set of servers.

    python -m benchmarks [--sizes 10,100] [--scripts no-op] [--variants bare,chunks] [--small import,parse]
                         [--repetitions 5] [--full] [--budget MINUTES] [--limit SECONDS] [--resume] [--output FOLDER]

The raw data is written after each measurement, so a run may be broken off and continued with ``--resume``. Where
``ELASTICJOBS_TEST_SERVER``, ``_USER`` and ``_PASSWORD`` name a server, it takes the place of the sandboxes. The page is
made by ``python -m benchmarks.page``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.job_database.install import upgrade
from benchmarks import small
from benchmarks.environment import environment, server_versions
from benchmarks.measure import POOL, TIER_POOL, Bench, BrokenRunError, dag_plan, write_dags
from benchmarks.plan import SCRIPTS, SIZES, VARIANTS, Cell, expected_seconds, order, width_of
from benchmarks.results import RESULTS, RawData
from benchmarks.servers import LiveServers, SandboxServers, Servers, odbc_connections
from dev.airflow_client import AirflowApiError
from dev.local_airflow import LocalAirflow

_DEFAULT_WIDTH = 16
_LONGEST_REASON = 300
#: Between two measurements, for what the last one left behind.
_REST_SECONDS = 1.0


def _options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_numbers, default=SIZES, help="databases, separated by commas")
    parser.add_argument("--scripts", type=_names(SCRIPTS), default=tuple(SCRIPTS), help=", ".join(SCRIPTS))
    parser.add_argument("--variants", type=_names(VARIANTS), default=tuple(VARIANTS), help=", ".join(VARIANTS))
    parser.add_argument("--small", type=_names(small.MEASURES), default=small.MEASURES, help=", ".join(small.MEASURES))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="also what takes hours")
    parser.add_argument("--budget", type=float, help="minutes; what would end later is left out")
    parser.add_argument("--limit", type=float, help="seconds; what is expected to take longer is left out")
    parser.add_argument("--resume", action="store_true", help="keep what was measured, and measure the rest")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the raw data")
    parser.add_argument("--width", type=int, default=_DEFAULT_WIDTH, help="scripts at a time")
    parser.add_argument("--processes", type=int, default=2, help="sandboxes that the targets are spread over")
    parser.add_argument("--timeout", type=float, default=10_800, help="seconds of one run")
    return parser.parse_args(arguments)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(",")) if text else ()
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return names

    return read


@contextmanager
def _bench(options: argparse.Namespace, cells: list[Cell], servers: Servers) -> Iterator[Bench]:
    """Start an Airflow that knows a DAG for each cell."""
    with tempfile.TemporaryDirectory(prefix="elasticjobs-bench-") as name:
        folder = Path(name)
        plan = dag_plan(cells, servers, options.width)
        dags = folder / "dags"
        dags.mkdir()
        environment = {
            "BENCHMARK_PLAN": str(write_dags(dags, plan)),
            # The default, 1,024, refuses what (b) maps over.
            "AIRFLOW__CORE__MAX_MAP_LENGTH": "10000",
            "AIRFLOW__PROVIDERS_ODBC__ALLOW_DRIVER_IN_EXTRA": "True",
            # The files do not change: nothing parses them while something is measured.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "86400",
        }
        home = folder / "airflow"
        with LocalAirflow(home, dags, environment=environment, parallelism=options.width) as airflow:
            connections = servers.airflow_connections()
            for size in options.sizes:
                connections.update(odbc_connections(servers, size))
            for conn_id, connection in connections.items():
                airflow.add_connection(conn_id, connection)
            airflow.set_pool(POOL, options.width)
            airflow.set_pool(TIER_POOL, width_of("tier", options.width))
            for dag_id in plan:
                airflow.wait_for_dag(dag_id, 120)
            yield Bench(airflow, servers, options.width, options.timeout)


def run(options: argparse.Namespace) -> None:
    """Measure all cells that are to be measured and are not yet.

    :param options: of the command line.
    """
    cells = list(order(options.scripts, options.sizes, options.variants, options.repetitions, full=options.full))
    live = bool(os.environ.get("ELASTICJOBS_TEST_SERVER"))
    servers = LiveServers(options.sizes) if live else SandboxServers(options.sizes, options.processes)
    began = time.monotonic()
    with servers:
        job_database = servers.job_database
        upgrade(job_database)
        any_server = next(iter(servers.targets(options.sizes[0])))
        versions = server_versions(connect(servers.settings, any_server, "master"), servers.engine)
        kept = {"width": options.width, "processes": options.processes, "engine": servers.engine}
        raw = RawData(options.output / "matrix.json", {**environment(), **versions}, kept, resume=options.resume)
        known = {Cell(one["script"], one["size"], one["variant"], one["repetition"]) for one in raw.cells}
        missing = [cell for cell in cells if cell not in known]
        _say(f"{len(missing)} of {len(cells)} measurements to make")
        variants = dict.fromkeys(cell.variant for cell in missing)
        first = [Cell(options.scripts[0], min(options.sizes), variant, 0) for variant in variants]
        if missing:
            with _bench(options, [*first, *missing], servers) as bench:
                # Nobody counts these: processes have then loaded what they load once.
                for cell in first:
                    _say(f"warming up: {cell.name}, {bench.measure(cell)['wall_seconds']:.1f} s")
                for number, cell in enumerate(missing, start=1):
                    name = f"{number}/{len(missing)} {cell.script}, {cell.size}, {cell.variant}, {cell.repetition}"
                    why_not = _too_long(options, expected_seconds(cell, raw.cells), time.monotonic() - began)
                    _say(f"{name}: {why_not or _measured(bench, raw, cell)}")


def _too_long(options: argparse.Namespace, expected: float | None, passed: float) -> str | None:
    """Return why a measurement is left out, None if it is made."""
    if options.limit and expected is not None and expected > options.limit:
        return f"left out, it would take {expected:.0f} s"
    if options.budget and passed + (expected or 0) > options.budget * 60:
        return f"left out, {passed / 60:.0f} minutes have passed"
    return None


def _measured(bench: Bench, raw: RawData, cell: Cell) -> str:
    time.sleep(_REST_SECONDS)
    try:
        found = bench.measure(cell)
    except (BrokenRunError, AirflowApiError) as error:
        reason = str(error)[:_LONGEST_REASON]
        raw.add_broken(cell.to_json(), reason)
        return reason
    raw.add(found)
    return f"{found['wall_seconds']:.1f} s, once running {found['running_seconds']:.1f} s"


def _main(options: argparse.Namespace) -> None:
    if options.small:
        small.run(options.output, options.small, options.repetitions, resume=options.resume)
    if options.variants:
        run(options)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main(_options())
