# ruff: noqa: E501 - SQL Server's texts in one piece
"""Identity columns: the next value, the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class Identities:
    """Counters of identity columns, kept in the database (for temporary tables: in the session)."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._temporary: dict[int, int] = {}
        self._pending: dict[int, int] = {}
        self._steps: dict[int, tuple[int, int]] = {}

    def start(self, table: TableInfo) -> None:
        """Read the counter before an INSERT."""
        column = table.identity_column
        if column is None or column.identity is None:
            return
        seed, increment = column.identity
        last = self.current(table)
        self._pending[table.object_id] = seed - increment if last is None else last
        self._steps[table.object_id] = (seed, increment)

    def next(self, object_id: int) -> int:
        """Return the next value; SQLite calls this for each row."""
        self._pending[object_id] += self._steps[object_id][1]
        return self._pending[object_id]

    def note(self, object_id: int, value: int) -> int:
        """Take notice of an explicit value (IDENTITY_INSERT)."""
        if (value - self._pending[object_id]) * self._steps[object_id][1] > 0:
            self._pending[object_id] = value
        return value

    def finish(self, table: TableInfo) -> int | None:
        """Write the counter after an INSERT and return the last value."""
        if table.identity_column is None:
            return None
        value = self._pending.pop(table.object_id)
        if table.kind == "T":
            self._temporary[table.object_id] = value
        else:
            self._session.connection.execute(
                'INSERT INTO "sys$identity" VALUES (?, ?) ON CONFLICT (object_id) DO UPDATE SET last_value = excluded.last_value',
                (table.object_id, value),
            )
        return value

    def current(self, table: TableInfo) -> int | None:
        """Return the last value, None before the first."""
        if table.kind == "T":
            return self._temporary.get(table.object_id)
        row = self._session.connection.execute(
            'SELECT last_value FROM "sys$identity" WHERE object_id = ?', (table.object_id,)
        ).fetchone()
        return None if row is None else int(row[0])

    def reseed(self, table: TableInfo) -> None:
        """Forget the counter (TRUNCATE TABLE)."""
        self._temporary.pop(table.object_id, None)
        if table.kind != "T":
            self._session.connection.execute('DELETE FROM "sys$identity" WHERE object_id = ?', (table.object_id,))
