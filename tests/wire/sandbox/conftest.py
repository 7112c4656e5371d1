"""Microsoft's ODBC driver against the sandbox's wire layer, with a scripted engine or the real one behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.server import Sandbox, SandboxServer
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, ServerSettings
from tests.unit.sandbox.wire.scripted_engine import Behaviour, ScriptedEngine, ScriptedSession

NAME = "tenants.database.windows.net"
SETTINGS = SandboxSettings((ServerSettings(NAME, logins={"sa": "p;w}d"}, tokens={"a-token": "anna"}),))


def echo(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
    """Give the parameters back as one row, or the number 1."""
    if not parameters:
        sink.columns([Column("n", SqlType("int"))])
        sink.row([1])
    else:
        sink.columns([Column(one.name, one.type) for one in parameters])
        sink.row([one.value for one in parameters])
    sink.done(1, "SELECT")


class Scripted:
    """A sandbox in this process, whose engine does what the test scripts."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine(echo)
        self.sandbox = Sandbox(SETTINGS, engine=self.engine).start()
        self.client = SandboxClient(SETTINGS, self.sandbox.describe())
        self.open = ExitStack()

    @property
    def server(self) -> SandboxServer:
        return self.sandbox.server(NAME)

    def connect(self, database: str | None = None, **options: str) -> pyodbc.Connection:
        connection = self.client.connect(None, database, **options)
        self.open.callback(connection.close)
        return connection

    def script(self, behaviour: Behaviour) -> None:
        self.engine.behaviour = behaviour

    def close(self) -> None:
        self.open.close()
        self.sandbox.stop()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    pyodbc.pooling = False
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def script(scripted: Scripted) -> Callable[[Behaviour], None]:
    return scripted.script
