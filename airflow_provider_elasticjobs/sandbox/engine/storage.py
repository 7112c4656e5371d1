"""One database: its SQLite file, its write lock, its caches."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import Cancelled
from airflow_provider_elasticjobs.sandbox.engine.metadata import create_metadata

_CACHE_SIZE: Final = 4096


class Cancellation:
    """A flag that one thread sets and another waits on or looks at."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for the end of what runs."""
        self._event.set()

    def clear(self) -> None:
        """Forget an earlier request."""
        self._event.clear()

    def check(self) -> None:
        """Raise when the end was asked for.

        :raises Cancelled: then
        """
        if self._event.is_set():
            raise Cancelled("cancelled")

    def wait(self, seconds: float) -> None:
        """Wait, without using the processor.

        :raises Cancelled: as soon as the end is asked for
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._event.wait(min(left, 3600.0)):
                raise Cancelled("cancelled")


class WriteLock:
    """The right to write to a database; one session has it at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, cancellation: Cancellation, timeout: float | None) -> None:
        """Wait for the lock.

        :param timeout: seconds; None waits for ever
        :raises SqlError: 1222 when the time is over
        :raises Cancelled: when cancelled while waiting
        """
        if self._lock.acquire(blocking=False):
            return
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.05 if deadline is None else min(0.05, deadline - time.monotonic())
            if left <= 0:
                raise sql_error(1222)
            if self._lock.acquire(timeout=left):
                return
            cancellation.check()

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


class Cache:
    """A bounded map that threads share; the entry not used for longest goes first."""

    def __init__(self, size: int = _CACHE_SIZE) -> None:
        self._entries: OrderedDict[Hashable, object] = OrderedDict()
        self._size = size
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> object | None:
        """Return the entry or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: Hashable, value: object) -> None:
        """Add an entry."""
        with self._lock:
            self._entries[key] = value
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


class DatabaseFile:
    """A database of a logical server.

    :param name: its name
    :param database_id: its number in ``sys.databases``
    :param path: its SQLite file, created here
    :param elastic_pool: the pool it is in, or None
    :param state: ``state_desc`` of ``sys.databases``
    """

    def __init__(self, name: str, database_id: int, path: Path, *, elastic_pool: str | None, state: str) -> None:
        self.name = name
        self.database_id = database_id
        self.elastic_pool = elastic_pool
        self.state = state
        self.write_lock = WriteLock()
        self.compiled = Cache()
        self.catalog_cache = Cache()
        self._path = path
        self._versions = itertools.count(1)
        connection = self.connect()
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            create_metadata(connection)
        finally:
            connection.close()

    def connect(self) -> sqlite3.Connection:
        """Open a connection for one session."""
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=60, cached_statements=512
        )
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA legacy_alter_table=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection

    def next_version(self) -> int:
        """Return a schema version that was never used, not even by a transaction that was rolled back."""
        return next(self._versions)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        paths = [self._path.with_name(self._path.name + suffix) for suffix in ("", "-wal")]
        return sum(path.stat().st_size for path in paths if path.exists())

    def delete_files(self) -> None:
        """Remove the files of a dropped database."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
