"""Repetition and pooling, with a stand-in for the connection; what a real server does is in tests/wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.exceptions import (
    JobDatabaseAwayError,
    JobDatabaseError,
    LoginFailedError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

DEADLOCK = pyodbc.ProgrammingError("40001", "[40001] [Microsoft][SQL Server]deadlocked (1205) (SQLExecDirectW)")
LOST = pyodbc.OperationalError("08S01", "[08S01] [Microsoft]Communication link failure (0) (SQLExecDirectW)")
WRONG = pyodbc.ProgrammingError("42000", "[42000] [Microsoft][SQL Server]Divide by zero (8134) (SQLExecDirectW)")
ASK = Batch("SELECT 1;")


class Cursor:
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.description: object = None
        self._sets: list[list[int]] = []

    def setinputsizes(self, sizes: object) -> None: ...

    def execute(self, sql: str, *arguments: object) -> None:
        self._server.statements.append(sql)
        if self._server.errors:
            error = self._server.errors.pop(0)
            if error is not None:
                raise error
        self._sets = [[1], [2]]
        self.description = None if "TRANSACTION" in sql else "columns"

    def fetchall(self) -> list[int]:
        return self._sets[0]

    def nextset(self) -> bool:
        self._sets = self._sets[1:]
        return bool(self._sets)

    def close(self) -> None: ...


class Connection:
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def cursor(self) -> Cursor:
        return Cursor(self._server)

    def close(self) -> None:
        self._server.closed += 1


class FakeServer:
    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.refusals: list[Exception] = []
        self.statements: list[str] = []
        self.opened = self.closed = 0

    def connect(self) -> Any:
        if self.refusals:
            raise self.refusals.pop(0)
        self.opened += 1
        return Connection(self)

    def database(self, pause: Callable[[float], None] = lambda _: None, **options: Any) -> JobDatabase:
        return JobDatabase(self.connect, server="s", database="d", pause=pause, **options)


def test_the_last_result_set_is_the_answer_and_the_connection_is_kept() -> None:
    server = FakeServer()
    db = server.database()
    assert [db.run(ASK), db.run(ASK)] == [[2], [2]]
    assert db.results(ASK) == [[1], [2]]
    assert (server.opened, server.closed) == (1, 0)
    db.close()
    assert server.closed == 1


@pytest.mark.parametrize("error", [DEADLOCK, LOST])
def test_a_batch_is_sent_again_on_a_fresh_connection(error: Exception) -> None:
    server = FakeServer(error, error)
    assert server.database().run(ASK) == [2]
    assert len(server.statements) == 3
    assert (server.opened, server.closed) == (3, 2)


def test_deadlocks_without_end_surface_after_a_while() -> None:
    server = FakeServer(*[DEADLOCK] * 1000)
    with pytest.raises(JobDatabaseError, match="s/d") as caught:
        server.database().run(ASK)
    assert (type(caught.value), caught.value.number) == (JobDatabaseError, 1205)
    assert len(server.statements) == 20


def test_a_server_that_stays_away_surfaces_when_patience_ends() -> None:
    server = FakeServer()
    server.refusals = [ServerUnreachableError("no answer from s")] * 1000
    with pytest.raises(JobDatabaseAwayError, match="no answer from s"):
        server.database(patience=0).run(ASK)
    assert len(server.refusals) == 998


def test_pauses_grow_and_stay_bounded() -> None:
    pauses: list[float] = []
    FakeServer(*[DEADLOCK] * 15).database(pause=pauses.append).run(ASK)
    assert len(pauses) == 15
    assert pauses[0] <= 0.02
    assert 1 < max(pauses) <= 5


@pytest.mark.parametrize("error", [WRONG, LoginFailedError("wrong password", number=18456)])
def test_other_errors_are_not_repeated(error: Exception) -> None:
    server = FakeServer(error)
    with pytest.raises(JobDatabaseError) as caught:
        server.database().run(ASK)
    assert caught.value.__cause__ is error
    assert (caught.value.server, caught.value.database) == ("s", "d")
    assert len(server.statements) == 1


def test_a_transaction_is_done_anew_from_its_beginning() -> None:
    server = FakeServer(None, None, LOST)
    assert server.database().transact(lambda session: session.run(ASK)) == [2]
    kinds = ["BEGIN" in sql or "COMMIT" in sql for sql in server.statements]
    assert kinds == [True, False, True, True, False, True]
    assert (server.opened, server.closed) == (2, 1)


def test_an_error_of_the_work_itself_is_raised_as_it_is_and_undoes_the_transaction() -> None:
    server = FakeServer()

    def refuse(_: object) -> None:
        raise JobDatabaseError("no lock")

    with pytest.raises(JobDatabaseError, match=r"^no lock$"):
        server.database().transact(refuse)
    assert server.closed == 1


def test_threads_share_at_most_the_pools_connections() -> None:
    server = FakeServer()
    db = server.database(pool_size=3)
    together = threading.Barrier(3)

    def work(_: int) -> None:
        db.repeatedly(lambda session: (together.wait(timeout=10), session.run(ASK)))

    with ThreadPoolExecutor(9) as threads:
        list(threads.map(work, range(9)))
    assert server.opened == 3


def test_nothing_secret_is_shown() -> None:
    assert repr(FakeServer().database()) == "JobDatabase(s/d)"


def test_a_deadlock_after_a_long_outage_is_repeated_all_the_same() -> None:
    server = FakeServer(*[LOST] * 30, *[DEADLOCK] * 10)
    assert server.database().run(ASK) == [2]


def test_one_who_must_not_wait_in_line_has_a_connection_of_its_own() -> None:
    server = FakeServer()
    db = server.database(pool_size=1)
    aside = db.alongside()
    assert db.repeatedly(lambda _: aside.run(ASK)) == [2]
    assert (server.opened, repr(aside)) == (2, repr(db))
