"""One run of a job on thousands of databases, in a whole Airflow: wall time, memory, the scheduler's longest loop.

``python -m benchmarks.one_run --databases 5000`` chooses chunks by itself; with ``--targets-per-task 100`` the author
does. Scheduler, triggerer, workers, API server, both databases and all sandboxes run on this machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from airflow_provider_elasticjobs.job_database.history import count_targets
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from benchmarks.fleet import Fleet
from benchmarks.memory import MemorySampler
from dev.local_airflow import COMPONENTS, LocalAirflow

_DAGS = Path(__file__).parent / "dags" / "one_run"
_LOOP = re.compile(r"Ran scheduling loop in ([0-9.]+) ms")


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the job once, and return what was measured.

    :param options: of the command line.
    :param folder: for Airflow's files.
    """
    with Fleet(options.databases, options.servers) as fleet:
        environment = {
            "FLEET_SERVERS": ",".join(fleet.databases),
            "FLEET_COMMAND": options.command,
            "FLEET_TARGETS_PER_TASK": str(options.targets_per_task or ""),
            "FLEET_CHUNK_PARALLELISM": str(options.chunk_parallelism or ""),
            # The only place where the scheduler tells how long a loop took, without a metrics server.
            "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.jobs.scheduler_job_runner=DEBUG",
        }
        with LocalAirflow(folder, _DAGS, environment=environment, parallelism=options.parallelism) as airflow:
            for conn_id, connection in fleet.airflow_connections().items():
                airflow.add_connection(conn_id, connection)
            airflow.cli("elasticjobs", "db", "upgrade")
            airflow.set_pool("fleet", options.slots)
            pids = {name: airflow.component(name).pid for name in COMPONENTS}
            servers = {name.split(".")[0]: process.pid or 0 for name, process in fleet.processes.items()}
            airflow.wait_for_dag("fleet")
            with MemorySampler({**pids, **servers}, alone={"scheduler"}) as memory:
                began = time.monotonic()
                run_id = airflow.trigger("fleet")
                state = airflow.wait_for_run("fleet", run_id, options.timeout)
                seconds = time.monotonic() - began
            targets = count_targets(fleet.job_database, job_execution_id("fleet", run_id, "fleet"))
            tasks = Counter(str(one["task_id"]) for one in airflow.task_instances("fleet", run_id))
        loops = [float(found) / 1000 for found in _LOOP.findall((folder / "logs" / "scheduler.log").read_text())]
    return {
        "state": state,
        "targets": {str(lifecycle): count for lifecycle, count in targets.items()},
        "tasks": tasks["fleet.only.run"],
        "seconds": round(seconds, 1),
        "targets_per_second": round(options.databases / seconds, 1),
        "scheduler_loops": len(loops),
        "longest_scheduler_loop_seconds": round(max(loops), 2),
        "memory_mib": memory.summary(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--databases", type=int, default=5000)
    parser.add_argument("--servers", type=int, default=2, help="processes that they are spread over")
    parser.add_argument("--targets-per-task", type=int)
    parser.add_argument("--chunk-parallelism", type=int)
    parser.add_argument("--slots", type=int, default=100, help="of the pool")
    parser.add_argument("--parallelism", type=int, default=8, help="of Airflow's executor")
    parser.add_argument("--command", default="SELECT 1;")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds")
    return parser.parse_args()


def main() -> int:
    """Measure, and print the result as JSON; the exit code is 0 if every database ended well."""
    options = _options()
    machine = {"cores": psutil.cpu_count(), "python": platform.python_version(), "load": psutil.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="elasticjobs-bench-") as folder:
        found = measure(options, Path(folder))
    sys.stdout.write(json.dumps({"options": vars(options), "machine": machine, **found}, indent=2) + "\n")
    return 0 if found["targets"] == {"Succeeded": options.databases} else 1


if __name__ == "__main__":
    sys.exit(main())
