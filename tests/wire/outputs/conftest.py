"""A script on one connection, its output written through another, as an attempt does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.outputs.sql_database import SqlDatabasePlace
from airflow_provider_elasticjobs.outputs.writer import OutputRun
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.run import ScriptRun
from tests.wire.conftest import LiveServer


@dataclass
class Collected:
    """One table that the results of scripts go to.

    :param source: the database that scripts run on.
    :param home: the database of the table.
    :param writer: who writes it; the server's own login by default.
    """

    server: LiveServer
    source: str
    home: str
    table: str = field(default_factory=lambda: f"t_{uuid4().hex[:8]}")
    writer: ConnectionSettings | None = None

    def output(self, **options: Any) -> SqlDatabaseOutput:
        return SqlDatabaseOutput(self.server.name, self.home, self.table, **options)

    def write(self, script: str, *, execution_id: UUID | None = None, commit: bool = True, **options: Any) -> int:
        """Run a script as one attempt, and return how many rows were written."""
        run = OutputRun(
            execution_id or uuid4(), uuid4(), Target(self.server.name, self.source), lambda _: nullcontext()
        )
        place = SqlDatabasePlace(self.output(**options), connector(self.writer or self.server.settings))
        with closing(self.server.connect(self.source)) as connection, closing(place.open(run)) as writer:
            ScriptRun(connection, split_batches(script), receiver=writer).run()
            return writer.commit() if commit else 0

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.execute(sql, self.home)

    def rows(self, columns: str = "*", order: str = "1") -> list[tuple[Any, ...]]:
        return self.execute(f"SELECT {columns} FROM {self.table} ORDER BY {order}")


@pytest.fixture(scope="module")
def databases(new_database: Callable[[], str]) -> tuple[str, str]:
    return new_database(), new_database()


@pytest.fixture
def collected(server: LiveServer, databases: tuple[str, str]) -> Iterator[Collected]:
    made = Collected(server, *databases)
    yield made
    made.execute(f"IF OBJECT_ID('{made.table}') IS NOT NULL DROP TABLE {made.table}")
