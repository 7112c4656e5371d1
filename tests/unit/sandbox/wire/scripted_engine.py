"""An engine whose sessions do what a test scripts, so that the wire layer is tested on its own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from airflow_provider_elasticjobs.sandbox.engine.interface import (
    Cancelled,
    LoginRefused,
    Parameter,
    ResultSink,
    ServerMessage,
)
from airflow_provider_elasticjobs.sandbox.settings import ServerSettings

Behaviour = Callable[["ScriptedSession", str, Sequence[Parameter], ResultSink], None]


class ScriptedSession:
    """A session that answers every request with one behaviour and remembers what it was asked."""

    def __init__(self, engine: ScriptedEngine, database: str) -> None:
        self.database = database
        self.session_id = next(engine.numbers)
        self.transaction_count = 0
        self.cancelled = threading.Event()
        self.is_closed = False
        self.resets = 0
        self.asked: list[tuple[str, Sequence[Parameter]]] = []
        self.engine = engine

    def execute(self, sql: str, sink: ResultSink, parameters: Sequence[Parameter] = ()) -> None:
        self.cancelled.clear()
        self.asked.append((sql, parameters))
        self.engine.behaviour(self, sql, parameters, sink)

    def call(self, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        self.execute(f"CALL {procedure}", sink, arguments)

    def begin_transaction(self, sink: ResultSink) -> None:
        self.transaction_count += 1

    def commit(self, sink: ResultSink) -> None:
        self.transaction_count = 0

    def rollback(self, sink: ResultSink) -> None:
        self.transaction_count = 0

    def reset(self) -> None:
        self.resets += 1
        self.transaction_count = 0

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.is_closed = True

    def wait_for_cancel(self, seconds: float) -> None:
        """Block like a WAITFOR until cancelled."""
        if self.cancelled.wait(seconds):
            raise Cancelled


class ScriptedEngine:
    """Opens scripted sessions; a database named ``missing`` does not exist."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.numbers = itertools.count(51)
        self.sessions: list[ScriptedSession] = []
        self.databases: dict[str, str | None] = {}
        self.passwords: Mapping[str, str] = {}

    def __call__(self, settings: ServerSettings, folder: Path) -> ScriptedEngine:
        self.passwords = settings.logins
        return self

    def check_password(self, login: str, password: str) -> None:
        if self.passwords.get(login) != password:
            raise LoginRefused(ServerMessage(18456, 14, 1, f"Login failed for user '{login}'."))

    def has_login(self, name: str) -> bool:
        return name in self.passwords

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        self.databases[name] = elastic_pool

    def open_session(
        self, *, login: str, database: str | None, application_name: str, host_name: str, is_admin: bool | None = None
    ) -> ScriptedSession:
        if database == "missing":
            raise LoginRefused(ServerMessage(4060, 11, 1, f'Cannot open database "{database}" requested by the login.'))
        session = ScriptedSession(self, database or "master")
        self.sessions.append(session)
        return session

    def close(self) -> None:
        for session in self.sessions:
            session.cancel()
