"""The way to the job database: a small pool of connections, and repetition where the engine allows it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pyodbc

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.job_database.batch import Batch, BoundBatch
from airflow_provider_elasticjobs.job_database.errors import Remedy, describe, remedy

__all__ = ["JobDatabase", "Session"]

_T = TypeVar("_T")

#: Losing against other transactions this often in a row is not chance any more.
_CONFLICT_ATTEMPTS = 20
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 5.0


class Session:
    """One connection, in the hands of one thread."""

    def __init__(self, connection: pyodbc.Connection) -> None:
        self._connection = connection

    def run(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[Any]:
        """Run a batch, and return the rows of its last result set; empty if it has none."""
        results = self.results(batch, rows, **values)
        return results[-1] if results else []

    def results(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[list[Any]]:
        """Run a batch, and return the rows of each of its result sets."""
        return self.send(batch.bind(rows, **values))

    def send(self, bound: BoundBatch) -> list[list[Any]]:
        """Send a batch, and read every result set to its end, so that an error in a late statement is raised."""
        cursor = self._connection.cursor()
        try:
            if bound.arguments:
                cursor.setinputsizes(list(bound.sizes))
            cursor.execute(bound.sql, *bound.arguments)
            return list(_drain(cursor))
        finally:
            with suppress(pyodbc.Error):
                cursor.close()

    def text(self, sql: str) -> None:
        """Send a batch without arguments, as it is."""
        self.send(BoundBatch(sql, (), ()))


def _drain(cursor: pyodbc.Cursor) -> Iterator[list[Any]]:
    while True:
        if cursor.description is not None:
            yield cursor.fetchall()
        if not cursor.nextset():
            return


class JobDatabase:
    """The job database: runs batches, on a few connections that threads share one at a time.

    A batch is repeated when it lost against another transaction (deadlock, 1205), and, on a new connection, when the
    connection broke or the server is away; so every batch given to it must be repeatable: sent twice it changes nothing
    more and gives the same answer.

    :param connect: opens a connection to the job database, in autocommit mode.
    :param server: name of its server, for messages.
    :param database: its name, for messages.
    :param pool_size: most connections open at a time; a thread waits for one to become free.
    :param patience: seconds to keep trying while the server cannot be reached.
    :param pause: waits between tries, given seconds; tests replace it.
    """

    def __init__(
        self,
        connect: Callable[[], pyodbc.Connection],
        *,
        server: str = "",
        database: str = "",
        pool_size: int = 4,
        patience: float = 120,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self.database = database
        self._connect = connect
        self._patience = patience
        self._pause = pause
        self._free = threading.BoundedSemaphore(pool_size)
        self._idle: list[pyodbc.Connection] = []
        self._inherited: list[pyodbc.Connection] = []
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"JobDatabase({self.server}/{self.database})"

    def run(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[Any]:
        """Run a repeatable batch, and return the rows of its last result set; empty if it has none.

        :raises JobDatabaseAwayError: if the server stays away for longer than ``patience``.
        :raises JobDatabaseError: if it refuses the batch.
        """
        return self.repeatedly(lambda session: session.run(batch, rows, **values))

    def results(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[list[Any]]:
        """Run a repeatable batch, and return the rows of each of its result sets."""
        return self.repeatedly(lambda session: session.results(batch, rows, **values))

    def transact(self, work: Callable[[Session], _T]) -> _T:
        """Do ``work`` in one transaction; it is done anew from its beginning if the transaction is lost.

        :param work: given the session of the transaction; its result is returned.
        :raises JobDatabaseError: as :meth:`run`.
        """

        def transaction(session: Session) -> _T:
            session.text("SET XACT_ABORT ON; BEGIN TRANSACTION;")
            result = work(session)
            session.text("COMMIT TRANSACTION;")
            return result

        return self.repeatedly(transaction)

    def repeatedly(self, work: Callable[[Session], _T]) -> _T:
        """Do repeatable ``work`` on one connection, again where the error says that it may help."""
        began = time.monotonic()
        tries: Counter[Remedy] = Counter()
        while True:
            try:
                with self._session() as session:
                    return work(session)
            except (pyodbc.Error, ElasticJobsError) as error:
                what = remedy(error)
                tries[what] += 1
                if not self._may_repeat(what, tries[what], time.monotonic() - began):
                    raise self._final(error, what) from error
            self._pause(_pause_before(tries[what]))

    def alongside(self) -> JobDatabase:
        """Return the same job database on one connection of its own, for one who must not wait in line."""
        return JobDatabase(
            self._connect,
            server=self.server,
            database=self.database,
            pool_size=1,
            patience=self._patience,
            pause=self._pause,
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            _close(self._idle.pop())

    def _may_repeat(self, what: Remedy, tries: int, elapsed: float) -> bool:
        if what is Remedy.REPEAT:
            return tries < _CONFLICT_ATTEMPTS
        # the first repetition is free: an idle connection that had broken is replaced at once
        return what is Remedy.RECONNECT and (tries == 1 or elapsed < self._patience)

    def _final(self, error: pyodbc.Error | ElasticJobsError, what: Remedy) -> ElasticJobsError:
        if isinstance(error, ElasticJobsError) and error.number is None and what is Remedy.NONE:
            return error
        return describe(error, self.server, self.database)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._free:
            connection = self._take()
            try:
                yield Session(connection)
            except BaseException:
                # whatever was open on it (a transaction, results) ends with it
                _close(connection)
                raise
            self._idle.append(connection)

    def _take(self) -> pyodbc.Connection:
        if self._process != os.getpid():
            # a forked process must not talk on its parent's sockets, nor close them: they stay referenced
            self._inherited += self._idle
            self._idle, self._process = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()


def _close(connection: pyodbc.Connection) -> None:
    with suppress(pyodbc.Error):
        connection.close()


def _pause_before(tries: int) -> float:
    """Return the seconds before the next try: growing, and spread so that losers do not meet again."""
    if tries == 1:
        return random.uniform(0, _FIRST_PAUSE)  # noqa: S311 a pause is no secret
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(tries, 12)) * random.uniform(0.5, 1)  # noqa: S311
