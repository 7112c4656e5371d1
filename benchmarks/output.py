"""How fast rows get from a target into an output's table, and how much memory that takes.

    python -m benchmarks.output [--rows 1000000] [--server host,port --user name --password ...]

Without a server it starts the sandbox, which is a Python program and far slower than SQL Server: its rates say little,
its ratios and the memory of this process something. The table of a target is filled first, which is not counted. Each
way writes as many rows as ``--small`` says into a temporary table; the last line is the whole of an output, from the
script to the commit, with all ``--rows``, and what this process took above its size before (peak resident memory).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Any
from uuid import uuid4

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect import connect, connector
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.outputs.sql_database import SqlDatabasePlace
from airflow_provider_elasticjobs.outputs.writer import OutputRun
from airflow_provider_elasticjobs.sandbox.process import SandboxProcess
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, ServerSettings
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.bulk_insert import BulkInsert
from airflow_provider_elasticjobs.tsql.columns import ResultColumn
from airflow_provider_elasticjobs.tsql.row_block import RowBlock
from airflow_provider_elasticjobs.tsql.run import ScriptRun

_COLUMNS = (
    "id int, name nvarchar(40), amount decimal(18, 4), noted datetime2(6), mark uniqueidentifier, kind varchar(20)"
)
_ROW = "1, N'\u00dcberweisung \U0001f600', 1234567890.1234, '2026-01-02 03:04:05.123456', NEWID(), 'transfer'"
_BLOCK = 1_000


@contextlib.contextmanager
def _server(options: argparse.Namespace) -> Iterator[tuple[str, ConnectionSettings]]:
    if options.server:
        host, _, port = options.server.partition(",")
        login = SqlLogin(options.user, options.password)
        yield host, ConnectionSettings(login, server=host, port=int(port or 1433), trust_server_certificate=True)
        return
    name, password = "bench.database.windows.net", "made-up"
    with SandboxProcess(SandboxSettings((ServerSettings(name, logins={"bench": password}),))) as sandbox:
        address = Address("127.0.0.1", sandbox.port(name))
        login = SqlLogin("bench", password)
        yield name, ConnectionSettings(login, server=name, host_map={name: address}, trust_server_certificate=True)


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident_mebibytes() -> float:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no path to speak of
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _fill(connection: Any, rows: int) -> None:
    connection.execute(f"CREATE TABLE source ({_COLUMNS})").close()
    connection.execute(f"INSERT source VALUES ({_ROW})").close()
    filled = 1
    while filled < rows:
        more = min(filled, rows - filled)
        connection.execute(f"INSERT source SELECT TOP ({more}) * FROM source").close()
        filled += more


class _Collected:
    """Takes a whole result as blocks, for a way that only writes."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self.blocks: list[RowBlock] = []

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        self.columns = [f"[{column.name}]" for column in columns]
        return True

    def take(self, block: RowBlock) -> None:
        copy = RowBlock(block.layout, block.rows)
        ctypes.memmove(copy.address, block.address, len(copy.buffer))
        copy.rows = block.rows
        self.blocks.append(copy)


def _row_by_row(connection: Any, rows: list[Any]) -> None:
    cursor = connection.cursor()
    for row in rows:
        cursor.execute("INSERT INTO #t VALUES (?, ?, ?, ?, ?, ?)", row)


def _executemany(connection: Any, rows: list[Any]) -> None:
    cursor = connection.cursor()
    cursor.fast_executemany = True
    for start in range(0, len(rows), _BLOCK):
        cursor.executemany("INSERT INTO #t VALUES (?, ?, ?, ?, ?, ?)", rows[start : start + _BLOCK])


def _many_values(connection: Any, rows: list[Any]) -> None:
    cursor = connection.cursor()
    group = 300
    for start in range(0, len(rows), group):
        part = rows[start : start + group]
        values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(part))
        cursor.execute(f"INSERT INTO #t VALUES {values}", [value for row in part for value in row])


def _timed(name: str, rows: int, settings: ConnectionSettings, database: str, work: Callable[[Any], None]) -> None:
    with closing(connect(settings, None, database)) as connection:
        connection.execute(f"CREATE TABLE #t ({_COLUMNS})").close()
        begin = time.perf_counter()
        try:
            work(connection)
        except Exception as error:  # noqa: BLE001 - a way that a server does not take is a result, too
            _say(f"{name:45} not taken: {str(error)[:100]}")
            return
        seconds = time.perf_counter() - begin
    _say(_line(name, rows, seconds))


def _line(name: str, rows: int, seconds: float) -> str:
    return f"{name:45} {rows:9,} rows {seconds:7.2f} s {rows / seconds:10,.0f} rows/s"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _compare(settings: ConnectionSettings, database: str, rows: int) -> None:
    with closing(connect(settings, None, database)) as connection:
        values = connection.execute(f"SELECT TOP ({rows}) * FROM source").fetchall()
        collected = _Collected()
        ScriptRun(connection, split_batches(f"SELECT TOP ({rows}) * FROM source"), receiver=collected).run()
    _timed("execute, row by row", rows, settings, database, lambda one: _row_by_row(one, values))
    _timed("execute, 300 rows a statement", rows, settings, database, lambda one: _many_values(one, values))
    _timed("executemany, fast_executemany", rows, settings, database, lambda one: _executemany(one, values))

    def bulk(connection: Any) -> None:
        insert = BulkInsert(connection, "#t", collected.columns)
        for block in collected.blocks:
            insert.insert(block)

    _timed("blocks, as an output does it", rows, settings, database, bulk)


def _whole(name: str, settings: ConnectionSettings, database: str, rows: int) -> None:
    before, peak_before = _resident_mebibytes(), _peak_mebibytes()
    run = OutputRun(uuid4(), uuid4(), Target(name, database), lambda _: nullcontext())
    place = SqlDatabasePlace(SqlDatabaseOutput(name, database, "collected"), connector(settings))
    begin = time.perf_counter()
    with closing(connect(settings, name, database)) as connection, closing(place.open(run)) as writer:
        ScriptRun(connection, split_batches("SELECT * FROM source"), receiver=writer).run()
        staged = time.perf_counter() - begin
        written = writer.commit()
    seconds = time.perf_counter() - begin
    _say(_line("an output, from the script to the commit", written, seconds))
    _say(f"  of that the last transaction {seconds - staged:.2f} s")
    grown = _peak_mebibytes() - before
    _say(f"  memory: {before:.0f} MiB before (peak {peak_before:.0f}), {grown:.1f} MiB more at the peak")
    if written != rows:
        raise SystemExit(f"{rows} rows were expected")


def main() -> None:
    """Measure, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--server")
    parser.add_argument("--user")
    parser.add_argument("--password")
    options = parser.parse_args()
    with _server(options) as (name, settings):
        database = f"elasticjobs_bench_{uuid4().hex[:8]}"
        with closing(connect(settings, name, "master")) as master:
            master.execute(f"CREATE DATABASE {database}").close()
            try:
                with closing(connect(settings, name, database)) as connection:
                    _fill(connection, options.rows)
                _whole(name, settings, database, options.rows)
                _compare(settings, database, options.small)
            finally:
                with contextlib.suppress(Exception):  # some servers keep what a session has just used
                    master.execute(f"DROP DATABASE {database}").close()


if __name__ == "__main__":
    main()
