"""A history of a million rows: the monitoring queries, the writer, and the purge, on any server.

    python -m benchmarks.history --server host,port --user name --password ... [--rows 1000000]

The server and the login are by default those of ``ELASTICJOBS_TEST_SERVER``, ``ELASTICJOBS_TEST_USER`` and
``ELASTICJOBS_TEST_PASSWORD``; the login must be able to create databases. It makes two, one that stays small and one
that it fills, and drops both. What it measures goes into ``benchmarks/results/history.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyodbc

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import latest_runs
from airflow_provider_elasticjobs.job_database.install import current_version, upgrade
from airflow_provider_elasticjobs.job_database.purge import purge_history
from airflow_provider_elasticjobs.job_database.records import Agent
from airflow_provider_elasticjobs.job_database.schema_steps import schema_steps
from benchmarks.history_data import AGENT, DAYS, ROWS_OF_JOB, fill, job_name
from benchmarks.history_section import section
from benchmarks.history_writers import Timings, Writers
from benchmarks.monitoring_queries import Parameters, monitoring_queries, readers

__all__ = ["RESULTS", "measure", "section"]

RESULTS = Path(__file__).parent / "results" / "history.json"

_TABLES = ("executions", "attempts", "messages")
_THREADS = 8


def measure(settings: ConnectionSettings, options: argparse.Namespace) -> dict[str, Any]:
    """Make both job databases, measure, and drop them.

    :param settings: of a login that may create databases.
    :param options: of the command line.
    """
    with _job_database(settings) as small, _job_database(settings) as large:
        result: dict[str, Any] = {
            "date": datetime.now(timezone.utc).date().isoformat(),
            "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "pyodbc": pyodbc.version},
            "schema_version": current_version(small),
            "writers_empty": _writers(small, options.targets),
        }
        with closing(connect(settings, None, large.database)) as connection:
            version = str(connection.execute("SELECT @@VERSION").fetchval()).splitlines()
            result["engine"] = ", ".join(" ".join(line.split()) for line in (version[0], version[-1]))
            result |= _filled(connection, options)
            of = _parameters(large)
            # Undone and applied as the schema's step has it, at the size at which it matters.
            index_step = next(step for step in schema_steps() if step.name == "014_indexes")
            _run_all(connection, index_step.undo_batches)
            result["without_indexes"] = _asked(settings, large, of, options)
            began = time.perf_counter()
            _run_all(connection, index_step.batches)
            result["index_seconds"] = round(time.perf_counter() - began, 1)
        result |= _asked(settings, large, of, options)
        result["purge"] = _purge(settings, large, options.targets)
    return result


def _run_all(connection: Any, batches: Sequence[str]) -> None:
    for batch in batches:
        connection.execute(batch).close()


def _filled(connection: Any, options: argparse.Namespace) -> dict[str, Any]:
    began = time.perf_counter()
    fill(connection, max(1, options.rows // ROWS_OF_JOB), progress=_say)
    seconds = time.perf_counter() - began
    _say(f"filled in {seconds:.0f} s")
    # Engines bring their statistics up to date by themselves, some time later.
    time.sleep(options.rest)
    rows = {table: connection.execute(f"SELECT COUNT(*) FROM jobs_internal.{table}").fetchval() for table in _TABLES}
    sql = "SELECT COUNT(*) FROM jobs_internal.executions WHERE target_type = 'SqlDatabase'"
    rows["targets"] = connection.execute(sql).fetchval()
    return {"fill_seconds": round(seconds), "rows": rows}


def _asked(
    settings: ConnectionSettings, db: JobDatabase, of: Parameters, options: argparse.Namespace
) -> dict[str, Any]:
    """Time every query, every reader and the writers."""
    queries, asked = monitoring_queries(of), readers(db, of, Agent(UUID(AGENT), "host", 1))
    with closing(connect(settings, None, db.database)) as connection:
        return {
            "queries": {name: _query(connection, sql, options.repetitions) for name, sql in queries.items()},
            "readers": {
                name: _statistics([_seconds(call) for _ in range(options.repetitions + 1)][1:])
                for name, call in asked.items()
            },
            "writers": _writers(db, options.targets),
        }


def _parameters(db: JobDatabase) -> Parameters:
    job = job_name(0)
    active, ended = latest_runs(db, job_name=job, count=2)
    return Parameters(job, ended.job_execution_id, active.job_execution_id, "tenants0.database.windows.net")


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _statistics(samples: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(samples)
    return {
        "samples": len(samples),
        "mean": round(statistics.mean(samples), 5),
        "sd": round(statistics.stdev(samples), 5) if len(samples) > 1 else 0.0,
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 5),
        "max": round(ordered[-1], 5),
    }


def _query(connection: Any, sql: str, repetitions: int) -> dict[str, Any]:
    """Time a query with the reading of all its rows; the first time is apart, as caches and plans are cold."""
    seconds = []
    rows: list[Any] = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        cursor = connection.execute(sql)
        while cursor.description is None and cursor.nextset():
            pass
        rows = cursor.fetchall()
        seconds.append(time.perf_counter() - began)
        cursor.close()
    return {"rows": len(rows), "first": round(seconds[0], 5), **_statistics(seconds[1:])}


def _writers(db: JobDatabase, targets: int) -> dict[str, Any]:
    """Time one writer after the other, with and without a cap, and the rate of several at once."""
    alone = Writers(db, 1)
    alone.run(targets)
    capped = Writers(db, 1, max_parallelism=targets)
    capped.run(targets)
    many = Writers(db, _THREADS)
    rates = [many.run(targets) for _ in range(3)]
    _say(f"{statistics.mean(rates):.0f} targets a second by {_THREADS} writers")
    calls = {**alone.timings, "begin, with a place": capped.timings["begin"]}
    return {"calls": _summary(calls), "threads": _THREADS, "targets_per_second": _statistics(rates)}


def _summary(timings: Timings) -> dict[str, Any]:
    return {what: _statistics(seconds) for what, seconds in timings.items()}


def _purge(settings: ConnectionSettings, db: JobDatabase, targets: int) -> dict[str, Any]:
    """Purge by the package, by the package while eight writers write, and by the procedure."""
    now = datetime.now(timezone.utc)
    result = {"package": _timed_purge(db, now - timedelta(days=DAYS - 5))}
    writers, done = Writers(db, _THREADS), threading.Event()
    thread = threading.Thread(target=writers.until, args=(done.is_set, targets))
    thread.start()
    try:
        result["package_while_written"] = _timed_purge(db, now - timedelta(days=DAYS - 10))
    finally:
        done.set()
        thread.join()
    result["package_while_written"]["calls"] = _summary(writers.timings)
    with closing(connect(settings, None, db.database)) as connection:
        before = _execution_rows(connection)
        began = time.perf_counter()
        sql = "EXEC jobs.sp_purge_jobhistory @job_name = ?, @oldest_date = ?"
        connection.execute(sql, job_name(0), (now - timedelta(days=DAYS // 3)).isoformat()[:19]).close()
        result["procedure"] = _rate(before - _execution_rows(connection), time.perf_counter() - began)
    return result


def _execution_rows(connection: Any) -> int:
    return int(connection.execute("SELECT COUNT(*) FROM jobs_internal.executions").fetchval())


def _timed_purge(db: JobDatabase, oldest: datetime) -> dict[str, Any]:
    """Purge, and note how long each batch took, without the pause after it."""
    batches: list[float] = []
    ended = [time.perf_counter()]

    def pause(seconds: float) -> None:
        batches.append(time.perf_counter() - ended[-1])
        time.sleep(seconds)
        ended.append(time.perf_counter())

    began = time.perf_counter()
    purged = purge_history(db, oldest=oldest, pause=pause)
    return _rate(purged.rows, time.perf_counter() - began) | {"batches": _statistics(batches)}


def _rate(rows: int, seconds: float) -> dict[str, Any]:
    _say(f"purged {rows:,} rows of executions in {seconds:.1f} s")
    return {"rows": rows, "seconds": round(seconds, 3), "rows_per_second": round(rows / seconds)}


@contextlib.contextmanager
def _job_database(settings: ConnectionSettings) -> Iterator[JobDatabase]:
    name = f"elasticjobs_bench_{uuid4().hex[:8]}"
    with closing(connect(settings, None, "master")) as master:
        master.execute(f"CREATE DATABASE {name}").close()
        db = JobDatabase(lambda: connect(settings, None, name), server="server", database=name, pool_size=_THREADS + 1)
        try:
            upgrade(db)
            yield db
        finally:
            db.close()
            for _ in range(20):  # some servers keep what a session has just used
                time.sleep(0.5)
                with contextlib.suppress(pyodbc.Error):
                    master.execute(f"DROP DATABASE {name}").close()
                    break


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment: Mapping[str, str] = os.environ
    parser.add_argument("--server", default=environment.get("ELASTICJOBS_TEST_SERVER"))
    parser.add_argument("--user", default=environment.get("ELASTICJOBS_TEST_USER"))
    parser.add_argument("--password", default=environment.get("ELASTICJOBS_TEST_PASSWORD"))
    parser.add_argument("--rows", type=int, default=1_000_000, help="target rows of the history")
    parser.add_argument("--targets", type=int, default=800, help="targets that the writers work on at a time")
    parser.add_argument("--repetitions", type=int, default=7, help="of each query, after a first that is apart")
    parser.add_argument("--rest", type=float, default=90, help="seconds that the engine has after the filling")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the section of the page.

    :param arguments: of the command line.
    :raises SystemExit: if no server is named.
    """
    options = _options(arguments)
    if not options.server:
        raise SystemExit("name a server: --server, or ELASTICJOBS_TEST_SERVER")
    pyodbc.pooling = False
    host, _, port = options.server.partition(",")
    login = SqlLogin(options.user, options.password)
    settings = ConnectionSettings(login, server=host, port=int(port or 1433), trust_server_certificate=True)
    result = measure(settings, options)
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _say(section(result))


if __name__ == "__main__":
    main()
