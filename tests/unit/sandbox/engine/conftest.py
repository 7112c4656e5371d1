"""A logical server with one database, and a sink that records what a batch answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ServerMessage, SqlType
from airflow_provider_elasticjobs.sandbox.engine.server import LogicalServer
from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


@dataclass
class Answer:
    """What a batch answered."""

    results: list[tuple[list[Column], list[list[object]]]] = field(default_factory=list)
    counts: list[tuple[int | None, str]] = field(default_factory=list)
    messages: list[ServerMessage] = field(default_factory=list)
    errors: list[ServerMessage] = field(default_factory=list)
    outputs: dict[str, object] = field(default_factory=dict)
    status: int | None = None
    flushes: int = 0

    def columns(self, columns: Sequence[Column]) -> None:
        self.results.append((list(columns), []))

    def row(self, values: Sequence[object]) -> None:
        self.results[-1][1].append(list(values))

    def done(self, row_count: int | None, statement: str) -> None:
        self.counts.append((row_count, statement))

    def message(self, message: ServerMessage) -> None:
        self.messages.append(message)

    def error(self, message: ServerMessage) -> None:
        self.errors.append(message)

    def flush(self) -> None:
        self.flushes += 1

    def return_status(self, value: int) -> None:
        self.status = value

    def output_parameter(self, name: str, type: SqlType, value: object) -> None:  # noqa: A002 - the interface's name
        self.outputs[name] = value

    @property
    def rows(self) -> list[list[object]]:
        """The rows of the last result set."""
        return self.results[-1][1]

    @property
    def value(self) -> object:
        """The first value of the last result set."""
        return self.rows[0][0]

    @property
    def types(self) -> list[SqlType]:
        """The column types of the last result set."""
        return [column.type for column in self.results[-1][0]]

    @property
    def texts(self) -> list[str]:
        """The texts of the messages, without those that only say that a statement ended."""
        return [message.text for message in self.messages if message.number != 3621]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the errors."""
        return [error.number for error in self.errors]


Run = Callable[..., Answer]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LogicalServer]:
    logical = LogicalServer("one.example", tmp_path, logins={"admin": "secret"})
    logical.create_database("shop", elastic_pool="pool1")
    yield logical
    logical.close()


@pytest.fixture
def open_session(server: LogicalServer) -> Callable[..., EngineSession]:
    def opened(database: str = "shop", login: str = "admin") -> EngineSession:
        return server.open_session(login=login, database=database, application_name="tests", host_name="here")

    return opened


@pytest.fixture
def session(open_session: Callable[..., EngineSession]) -> EngineSession:
    return open_session()


def ask(session: EngineSession, sql: str, *parameters: Parameter) -> Answer:
    """Run a batch and return what it answered."""
    answer = Answer()
    session.execute(sql, answer, parameters)
    return answer


@pytest.fixture
def run(session: EngineSession) -> Run:
    """Runs a batch in one session."""
    return lambda sql, *parameters: ask(session, sql, *parameters)


@pytest.fixture
def ask_session() -> Callable[..., Answer]:
    """Runs a batch in a session of the test's own."""
    return ask
