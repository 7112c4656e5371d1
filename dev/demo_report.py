"""What the demo reads with Microsoft's driver: the job database while it runs, and the databases in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.fields import settings_from_fields
from dev.demo_fleet import EXPECTED_TABLES, TENANTS_SERVER

if TYPE_CHECKING:
    import pyodbc

COUNTS = """
SELECT step_name, lifecycle, COUNT(*) FROM jobs.job_executions
WHERE target_database_name IS NOT NULL GROUP BY step_name, lifecycle ORDER BY step_name, lifecycle
"""
EXECUTIONS = """
SELECT job_name, step_name, target_server_name, target_database_name, lifecycle, current_attempts,
    start_time, end_time, last_message
FROM jobs.job_executions ORDER BY job_name, step_id, LEN(target_database_name), target_database_name
"""
TABLES = "SELECT name FROM sys.tables ORDER BY name"
HEADINGS = ("job", "step", "target", "lifecycle", "attempts", "seconds", "last message")


class Reader:
    """Reads as the demo's own login.

    :param connections: fields of the connections, by name, as Airflow has them
    """

    def __init__(self, connections: Mapping[str, Mapping[str, Any]]) -> None:
        self._connections = connections

    def counts(self) -> list[tuple[str, str, int]]:
        """Return how many targets of each step are in which lifecycle: step, lifecycle, number."""
        return [(row[0], row[1], row[2]) for row in self._read("elasticjobs_job_database", COUNTS)]

    def executions(self) -> list[Sequence[Any]]:
        """Return the rows of ``jobs.job_executions`` as texts, in the order of :data:`HEADINGS`."""
        return [_texts(row) for row in self._read("elasticjobs_job_database", EXECUTIONS)]

    def wrong_tables(self) -> list[str]:
        """Return what is wrong with the tables of the tenants: one sentence a database, none when all is well."""
        found = {name: self.tables(name) for name in EXPECTED_TABLES}
        return [
            f"{name} has {', '.join(sorted(found[name])) or 'no table'} instead of {', '.join(sorted(expected))}"
            for name, expected in EXPECTED_TABLES.items()
            if found[name] != expected
        ]

    def tables(self, database: str) -> frozenset[str]:
        """Return the names of a tenant's tables.

        :param database: the tenant
        """
        return frozenset(row[0] for row in self._read("elasticjobs_default", TABLES, TENANTS_SERVER, database))

    def _read(
        self, conn_id: str, query: str, server: str | None = None, database: str | None = None
    ) -> Sequence[pyodbc.Row]:
        fields = {name: value for name, value in self._connections[conn_id].items() if name != "conn_type"}
        settings = settings_from_fields(**fields)
        with closing(connect(settings, server, database, application_name="elasticjobs-demo")) as connection:
            rows: Sequence[pyodbc.Row] = connection.execute(query).fetchall()
            return rows


def progress_line(counts: Sequence[tuple[str, str, int]]) -> str:
    """Return one line that tells how far the job is.

    :param counts: from :meth:`Reader.counts`
    """
    steps: dict[str, list[str]] = {}
    for step, lifecycle, number in counts:
        steps.setdefault(step, []).append(f"{number} {lifecycle}")
    return "; ".join(f"{step}: {', '.join(words)}" for step, words in steps.items()) or "no target yet"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> str:
    """Return rows as text in columns, each line cut at a width.

    :param headings: of the columns
    :param rows: their texts
    :param width: characters of a line
    """
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    lines = [headings, ["-" * size for size in widths], *rows]
    texts = ["  ".join(text.ljust(size) for text, size in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(text[:width].rstrip() for text in texts)


def _texts(row: pyodbc.Row) -> Sequence[str]:
    job, step, server, database, lifecycle, attempts, start, end, message = row
    target = f"{server.partition('.')[0]}/{database}" if database else ""
    seconds = f"{(end - start).total_seconds():.1f}" if start and end else ""
    first_line = (message or "").strip().partition("\n")[0]
    return (job, step or "", target, lifecycle, str(attempts), seconds, first_line)
