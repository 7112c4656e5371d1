"""BEGIN, COMMIT, ROLLBACK and SAVE TRANSACTION over SQLite's transactions.

SQLite's transaction begins with the first write (or locking hint), so that a transaction that only reads blocks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class Transactions:
    """The transaction state of one session."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self.count = 0
        self.doomed = False
        self._open = False
        self._statement = False
        self._names: list[str] = []
        self._outer_name = ""
        self._undo: Callable[[], None] | None = None
        self._savepoints = 0

    @property
    def state(self) -> int:
        """What XACT_STATE answers."""
        return 0 if not self.count else -1 if self.doomed else 1

    def begin(self, name: str = "") -> None:
        """BEGIN TRANSACTION."""
        if not self.count:
            self._outer_name = name
            self._undo = self._session.temporary_snapshot()
        self.count += 1

    def begin_implicitly(self) -> None:
        """Begin one when IMPLICIT_TRANSACTIONS is on and none is open."""
        if self._session.state.options.implicit_transactions and not self.count:
            self.begin()

    def commit(self) -> None:
        """COMMIT TRANSACTION.

        :raises SqlError: 3902 without a transaction, 3930 when it cannot be committed
        """
        if not self.count:
            raise sql_error(3902)
        if self.doomed:
            raise sql_error(3930)
        self.count -= 1
        if not self.count:
            self._finish("COMMIT")

    def rollback(self, name: str = "") -> None:
        """ROLLBACK TRANSACTION, wholly or to a savepoint.

        :raises SqlError: 3903 without a transaction, 6401 for an unknown name
        """
        if not self.count:
            raise sql_error(3903)
        lowered = [each.lower() for each in self._names]
        if name and name.lower() in lowered:
            position = len(lowered) - 1 - lowered[::-1].index(name.lower())
            self._session.connection.execute(f'ROLLBACK TO "save{position}"')
            del self._names[position + 1 :]
            return
        if name and name.lower() != self._outer_name.lower():
            raise sql_error(6401, name)
        self.rollback_all()

    def rollback_all(self) -> None:
        """Roll everything back, if anything is open."""
        self.count = 0
        self._finish("ROLLBACK")
        if self._undo is not None:
            self._undo()
            self._undo = None

    def save(self, name: str) -> None:
        """SAVE TRANSACTION."""
        if not self.count:
            raise sql_error(3902)
        self.open()
        self._session.connection.execute(f'SAVEPOINT "save{len(self._names)}"')
        self._names.append(name)

    def open(self) -> None:
        """Begin SQLite's transaction and take the database's write lock."""
        if self._open:
            return
        session = self._session
        timeout = session.state.options.lock_timeout
        session.waiting = "LCK_M_X"
        try:
            session.database_file.write_lock.acquire(session.cancellation, None if timeout < 0 else timeout / 1000)
        finally:
            session.waiting = ""
        try:
            session.connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            session.database_file.write_lock.release()
            raise
        self._open = True

    def _finish(self, word: str) -> None:
        self._names.clear()
        self.doomed = False
        if word == "COMMIT":
            self._undo = None
        try:
            self._end(word)
        finally:
            # Not before: whoever gets such a lock reads what its last holder has committed.
            self._session.server.locks.release_all(self._session, "Transaction")

    def _end(self, word: str) -> None:
        if not self._open:
            return
        try:
            with self._session.uninterrupted:
                if self._session.connection.in_transaction:
                    self._session.connection.execute(word)
        finally:
            self._open = False
            self._session.database_file.write_lock.release()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run one statement that writes: all of it or nothing."""
        if self.doomed:
            raise sql_error(3930)
        if self.count or self._statement:
            self.open()
            with self._savepoint():
                yield
            return
        self.open()
        self._statement = True
        done = False
        try:
            yield
            done = True
        finally:
            self._statement = False
            if not self.count:
                self._finish("COMMIT" if done else "ROLLBACK")

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        connection = self._session.connection
        self._savepoints += 1
        name = f"statement{self._savepoints}"
        connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            with self._session.uninterrupted:
                if connection.in_transaction:
                    connection.execute(f"ROLLBACK TO {name}")
                    connection.execute(f"RELEASE {name}")
            raise
        else:
            if connection.in_transaction:
                connection.execute(f"RELEASE {name}")
        finally:
            self._savepoints -= 1
