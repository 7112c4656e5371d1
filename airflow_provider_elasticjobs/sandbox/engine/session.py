# ruff: noqa: ARG002 - one signature for every entry of a table
"""One connection's session: its state, its SQLite connection, how SQLite text is run."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_elasticjobs.sandbox.engine import catalog_views
from airflow_provider_elasticjobs.sandbox.engine.catalog import Catalog, IndexInfo, TableInfo
from airflow_provider_elasticjobs.sandbox.engine.constraint_errors import translate
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.identities import Identities
from airflow_provider_elasticjobs.sandbox.engine.interface import Cancelled, Parameter, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.engine.interpreter import Interpreter
from airflow_provider_elasticjobs.sandbox.engine.register import register_functions
from airflow_provider_elasticjobs.sandbox.engine.security import Security
from airflow_provider_elasticjobs.sandbox.engine.session_state import CursorState, Frame, SessionState
from airflow_provider_elasticjobs.sandbox.engine.statements import ObjectName
from airflow_provider_elasticjobs.sandbox.engine.storage import Cache, Cancellation, DatabaseFile
from airflow_provider_elasticjobs.sandbox.engine.transactions import Transactions

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.server import LogicalServer

_TEMPORARY_ID: Final = -1000


class EngineSession:
    """A session of a logical server; implements :class:`interface.Session`.

    :param server: the logical server
    :param database_file: the database it is connected to, for good
    :param session_id: ``@@SPID``
    :param login: login name
    :param is_admin: whether the login may do everything
    :param application_name: ``APP_NAME()``
    :param host_name: ``HOST_NAME()``
    """

    def __init__(
        self, server: LogicalServer, database_file: DatabaseFile, session_id: int, *, login: str, is_admin: bool,
        application_name: str, host_name: str,
    ) -> None:  # fmt: skip
        self.server = server
        self.database_file = database_file
        self.session_id = session_id
        self.login = login
        self.application_name = application_name
        self.host_name = host_name
        self.login_time = self.started = _now_text()
        self.running, self.waiting, self.command = False, "", ""
        self.cancellation = Cancellation()
        self.state = SessionState()
        self.frame = Frame()
        self.handled_errors: list[SqlError] = []
        self.private_cache = Cache(512)
        self.temporary_version = 0
        self.touched_temporary = False
        self._temporary_tables: dict[str, TableInfo] = {}
        self._temporary_indexes: dict[int, list[IndexInfo]] = {}
        self._temporary_id = _TEMPORARY_ID
        self._pending: BaseException | None = None
        self._closed = False
        self.uninterrupted = threading.RLock()
        self.connection = database_file.connect()
        self.catalog = Catalog(self.connection, database_file.catalog_cache)
        self.transactions = Transactions(self)
        self.identities = Identities(self)
        self.security = Security(self, is_admin=is_admin)
        register_functions(self)
        self._interpreter = Interpreter(self)

    @property
    def database(self) -> str:
        """Name of the database."""
        return self.database_file.name

    @property
    def transaction_count(self) -> int:
        """``@@TRANCOUNT``."""
        return self.transactions.count

    def sees(self, other: EngineSession) -> bool:
        """Return whether this session may know of the other one."""
        return self.database.lower() == "master" or other.database_file is self.database_file

    # Interface to the wire

    def execute(self, sql: str, sink: ResultSink, parameters: Sequence[Parameter] = ()) -> None:
        """Run a batch; see :meth:`interface.Session.execute`."""
        self._run(sql[:30], lambda: self._interpreter.batch(sql, sink, parameters))

    def call(self, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        """Call a procedure by name; see :meth:`interface.Session.call`."""
        self._run("EXECUTE", lambda: self._interpreter.call(procedure, arguments, sink))

    def begin_transaction(self, sink: ResultSink) -> None:
        """Begin a transaction."""
        self.transactions.begin()

    def commit(self, sink: ResultSink) -> None:
        """Commit the open transaction."""
        self._report(self.transactions.commit, sink)

    def rollback(self, sink: ResultSink) -> None:
        """Roll back the open transaction."""
        self._report(self.transactions.rollback, sink)

    def _report(self, action: Callable[[], None], sink: ResultSink) -> None:
        try:
            action()
        except SqlError as error:
            sink.error(error.as_message())

    def _run(self, command: str, action: Callable[[], None]) -> None:
        self.cancellation.clear()
        self.running, self.command, self.started = (
            True,
            command.split(maxsplit=1)[0].upper() if command.strip() else "",
            _now_text(),
        )
        try:
            action()
        except sqlite3.Error:
            self.cancellation.check()
            raise
        except Cancelled:
            if self.state.options.xact_abort and self.transactions.count:
                self.transactions.rollback_all()
            raise
        finally:
            self.running, self.waiting, self.command = False, "", ""

    def reset(self) -> None:
        """Return to the state after login."""
        self.transactions.rollback_all()
        self.server.locks.release_all(self)
        for name in list(self._temporary_tables):
            self.drop_temporary(name)
        self.state = SessionState()
        self.frame = Frame()
        self.handled_errors.clear()

    def cancel(self) -> None:
        """Stop what runs now; may be called from any thread."""
        self.cancellation.set()
        with self.uninterrupted:
            if not self._closed:
                self.connection.interrupt()

    def close(self) -> None:
        """End the session."""
        if self._closed:
            return
        with self.uninterrupted:
            self._closed = True
        try:
            self.transactions.rollback_all()
        finally:
            self.server.locks.release_all(self)
            self.server.forget(self)
            self.connection.close()

    # Tables, for the compiler

    def table(self, name: ObjectName) -> TableInfo:
        """Return a table, view, catalog view, temporary table or table variable.

        :raises SqlError: 208, 137 or 40515
        """
        if name.name.startswith("@"):
            self.touched_temporary = True
            found = self.frame.tables.get(name.name.lower())
            if found is None:
                raise SqlError(1087, f'Must declare the table variable "{name.name}".', severity=15, state=2)
            return found
        if name.name.startswith("#"):
            self.touched_temporary = True
            found = self.temporary_table(name.name)
            if found is None:
                raise sql_error(208, name.name)
            return found
        if name.server or (name.database and name.database.lower() != self.database.lower()):
            raise sql_error(40515, name)
        view = (
            catalog_views.find(name.schema, name.name) if name.schema.lower() in ("sys", "information_schema") else None
        )
        found = view or self.catalog.table(name.schema or "dbo", name.name)
        if found is None:
            raise sql_error(208, name)
        return found

    def variable_type(self, name: str) -> SqlType:
        """Return the type of a variable."""
        return self.frame.variable(name).type

    def require(self, permission: str, table: TableInfo) -> None:
        """Check a right on a table."""
        self.security.require(permission, table)

    def temporary_table(self, name: str) -> TableInfo | None:
        """Return a temporary table, or None."""
        return self._temporary_tables.get(name.lower())

    def next_temporary_id(self) -> int:
        """Return an id for a temporary table."""
        self._temporary_id -= 1
        return self._temporary_id

    def add_temporary(self, table: TableInfo, indexes: list[IndexInfo]) -> None:
        """Remember a temporary table (``#t``) or the indexes of a table variable."""
        self._temporary_indexes[table.object_id] = indexes
        if table.name.startswith("#"):
            self._temporary_tables[table.name.lower()] = table
            self.frame.temporary.append(table.name.lower())
            self.temporary_version += 1

    def drop_temporary(self, name: str) -> None:
        """Drop a temporary table."""
        table = self._temporary_tables.pop(name.lower(), None)
        if table is not None:
            self.temporary_version += 1
            self.connection.execute(f"DROP TABLE IF EXISTS {table.physical}")

    def temporary_snapshot(self) -> Callable[[], None]:
        """Return what brings back today's temporary tables after a rollback."""
        tables = dict(self._temporary_tables)

        def restore() -> None:
            self._temporary_tables = tables
            self.temporary_version += 1

        return restore

    def table_indexes(self, table: TableInfo) -> list[IndexInfo]:
        """Return the indexes of any table."""
        if table.kind == "T":
            return self._temporary_indexes.setdefault(table.object_id, [])
        return self.catalog.indexes(table.object_id)

    def find_cursor(self, name: str) -> CursorState | None:
        """Return a cursor of the running procedure or batch."""
        return self.frame.cursors.get(name)

    # Running SQLite text

    def guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function for SQLite, which would lose the error it raises."""

        def guarded(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except (SqlError, Cancelled) as error:
                self._pending = error
                raise
            except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
                name = getattr(function, "__name__", "function")
                self._pending = SqlError(8116, f"An argument is invalid for the function ({name}: {error}).")
                raise

        return guarded

    def run(
        self,
        text: str,
        values: Mapping[str, Any] | Sequence[Any] = (),
        *,
        verb: str = "",
        table: TableInfo | None = None,
    ) -> sqlite3.Cursor:
        """Execute SQLite text.

        :raises SqlError: what SQL Server would raise
        :raises Cancelled: when interrupted
        """
        try:
            return self.connection.execute(text, values)
        except sqlite3.Error as problem:
            raise self.problem(problem, verb, table) from None

    def fetch(self, cursor: sqlite3.Cursor) -> tuple[Any, ...] | None:
        """Return the next row of a cursor, or None."""
        try:
            row: tuple[Any, ...] | None = cursor.fetchone()
        except sqlite3.Error as problem:
            raise self.problem(problem) from None
        return row

    def fetch_all(
        self, cursor: sqlite3.Cursor, *, verb: str = "", table: TableInfo | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the remaining rows of a cursor."""
        try:
            return cursor.fetchall()
        except sqlite3.Error as problem:
            raise self.problem(problem, verb, table) from None

    def problem(self, problem: sqlite3.Error, verb: str = "", table: TableInfo | None = None) -> BaseException:
        """Return the error to raise for an SQLite error."""
        pending, self._pending = self._pending, None
        if pending is not None and "user-defined" in str(problem):
            return pending
        self.cancellation.check()
        return translate(self, problem, verb, table)


def _now_text() -> str:
    return dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f0")
