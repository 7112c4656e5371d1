"""Executes cursors: all are static, local and scrollable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.exec_queries import known_types
from airflow_provider_elasticjobs.sandbox.engine.interface import ResultSink
from airflow_provider_elasticjobs.sandbox.engine.session_state import CursorState

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class CursorExecution:
    """Executes cursor statements of one session."""

    def __init__(self, session: EngineSession, execution: Execution) -> None:
        self._session = session
        self._execution = execution

    def run(self, statement: s.Cursor, sink: ResultSink) -> None:
        """Execute DECLARE, OPEN, FETCH, CLOSE or DEALLOCATE."""
        cursors = self._session.frame.cursors
        if statement.action == "DECLARE" and statement.query is not None:
            if statement.name in cursors:
                raise sql_error(16915, statement.name)
            cursors[statement.name] = CursorState(statement.query)
            return
        found = cursors.get(statement.name)
        if found is None:
            raise sql_error(16916, statement.name)
        if statement.action == "OPEN":
            self._open(found)
        elif statement.action == "FETCH":
            self._fetch(found, statement, sink)
        elif statement.action == "CLOSE":
            found.rows = None
        else:
            del cursors[statement.name]

    def _open(self, cursor: CursorState) -> None:
        opened, compiled = self._execution.queries.open(cursor.query)
        try:
            cursor.rows = self._session.fetch_all(opened)
        finally:
            opened.close()
        cursor.types = known_types(compiled.columns, cursor.rows)
        cursor.position = -1

    def _fetch(self, cursor: CursorState, statement: s.Cursor, sink: ResultSink) -> None:
        if cursor.rows is None:
            raise sql_error(16917)
        moves = {"NEXT": cursor.position + 1, "PRIOR": cursor.position - 1, "FIRST": 0, "LAST": len(cursor.rows) - 1}
        cursor.position = max(-1, min(moves[statement.direction], len(cursor.rows)))
        if not 0 <= cursor.position < len(cursor.rows):
            self._session.state.fetch_status = -1
            return
        row = cursor.rows[cursor.position]
        self._session.state.fetch_status = 0
        if not statement.into:
            self._execution.queries.send_rows([row], tuple(("", kind) for kind in cursor.types), sink)
            sink.done(1, "SELECT")
            return
        if len(statement.into) != len(row):
            raise sql_error(16924)
        for name, value, kind in zip(statement.into, row, cursor.types, strict=True):
            self._execution.assign(name, value, kind)
