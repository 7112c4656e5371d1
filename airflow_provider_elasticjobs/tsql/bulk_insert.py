"""Writing blocks of rows into a table, many rows a statement and many statements a round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import byref, c_size_t, c_ssize_t, c_void_p
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    ScriptCancelledError,
    ScriptError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.tsql.attention import Attention
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic, first_number, joined_text
from airflow_provider_elasticjobs.tsql.odbc import NO_DATA, SUCCESS, StatementHandle, close_statement
from airflow_provider_elasticjobs.tsql.row_block import RowBlock, RowLayout

if TYPE_CHECKING:
    import pyodbc

__all__ = ["BulkInsert"]

_ATTR_PARAM_BIND_OFFSET_PTR, _ATTR_PARAM_BIND_TYPE, _ATTR_PARAMS_PROCESSED_PTR, _ATTR_PARAMSET_SIZE = 17, 18, 21, 22
_PARAM_INPUT = 1
_FREE_CLOSE = 0
#: Rows a statement, as far as its arguments allow; a block has many statements, which go in one round trip.
_ROWS_A_STATEMENT = 32
_MOST_PARAMETERS = 2000


class _Insert:
    """A prepared INSERT of some rows, executed over and over for a block in one round trip.

    :param cursor: an open cursor for its own use.
    :param text: the statement.
    :param rows: rows that it inserts.
    """

    def __init__(self, cursor: pyodbc.Cursor, text: str, rows: int) -> None:
        self.cursor = cursor
        self._statement = StatementHandle(cursor)
        self._rows = rows
        self._bound: tuple[RowLayout, int] | None = None
        self._offset, self._processed = c_ssize_t(0), c_size_t(0)
        encoded = text.encode("utf-16-le")
        self._statement.call("SQLPrepareW", encoded, len(encoded) // 2)
        self._statement.set(_ATTR_PARAM_BIND_OFFSET_PTR, byref(self._offset))
        self._statement.set(_ATTR_PARAMS_PROCESSED_PTR, byref(self._processed))

    def run(self, block: RowBlock, first: int, times: int) -> list[Diagnostic]:
        """Insert ``times`` times as many rows as a statement has, from a block's row ``first``; return the errors."""
        if self._bound is None or self._bound[0] != block.layout:
            self._bind(block)
        assert self._bound is not None  # noqa: S101 narrows the type
        self._offset.value = block.address - self._bound[1] + first * block.layout.record_bytes
        self._statement.set(_ATTR_PARAMSET_SIZE, c_void_p(times))
        errors: list[Diagnostic] = []
        status = self._statement.call("SQLExecute")
        while status != NO_DATA:
            if status != SUCCESS:
                said = list(self._statement.diagnostics())
                errors += [one for one in said if one.is_error]
                if not said or not said[-1].from_server:
                    break
            status = self._statement.call("SQLMoreResults")
        self._statement.call("SQLFreeStmt", _FREE_CLOSE)
        return errors

    def close(self) -> None:
        close_statement(self.cursor)

    def _bind(self, block: RowBlock) -> None:
        layout = block.layout
        self._statement.set(_ATTR_PARAM_BIND_TYPE, c_void_p(layout.record_bytes * self._rows))
        number = 0
        for row in range(self._rows):
            for field in layout.fields:
                number += 1
                form, record = field.form, block.address + row * layout.record_bytes
                self._statement.call(
                    "SQLBindParameter",
                    *(number, _PARAM_INPUT, form.c_type, form.parameter_type, form.size, form.digits),
                    *(record + field.value_offset, field.width, record + field.offset),
                )
        self._bound = layout, block.address


class BulkInsert:
    """Inserts blocks of rows into a table.

    :param connection: an open connection that runs nothing else meanwhile.
    :param table: the table's name, delimited.
    :param columns: names of the columns, delimited, in the order of a block's fields.
    :param constants: names of further columns, delimited, each with the literal that it gets in every row.
    """

    def __init__(
        self,
        connection: pyodbc.Connection,
        table: str,
        columns: Sequence[str],
        constants: Mapping[str, str] | None = None,
    ) -> None:
        self._connection = connection
        constants = constants or {}
        self._head = f"INSERT INTO {table} ({', '.join([*columns, *constants])}) VALUES "
        self._row = f"({', '.join([*('?' for _ in columns), *constants.values()])})"
        self._rows = max(1, min(_ROWS_A_STATEMENT, _MOST_PARAMETERS // len(columns)))
        self._inserts: dict[int, _Insert] = {}
        self._attention = Attention()

    def insert(self, block: RowBlock) -> None:
        """Insert the rows of a block.

        :raises ScriptError: if the server refuses a row.
        :raises ScriptCancelledError: if :meth:`cancel` was called.
        :raises ServerUnreachableError: if the connection breaks.
        """
        whole = block.rows // self._rows
        if whole:
            self._run(self._rows, block, 0, whole)
        if rest := block.rows - whole * self._rows:
            self._run(1, block, whole * self._rows, rest)

    def cancel(self, *, patience: float = 10.0) -> bool:
        """Stop the writing, from any thread; as :meth:`.run.ScriptRun.cancel`."""
        return self._attention.send(patience)

    def close(self) -> None:
        """Give the statements back."""
        for insert in self._inserts.values():
            insert.close()
        self._inserts.clear()

    def _run(self, rows: int, block: RowBlock, first: int, times: int) -> None:
        if rows not in self._inserts:
            self._inserts[rows] = _Insert(self._connection.cursor(), self._head + ", ".join([self._row] * rows), rows)
        insert = self._inserts[rows]
        with self._attention.covers(insert.cursor) as stopped:
            errors = [] if stopped else insert.run(block, first, times)
        if self._attention.requested:
            raise ScriptCancelledError("cancelled while rows were being written")
        if errors:
            raise _error(errors)


def _error(errors: Sequence[Diagnostic]) -> ElasticJobsError:
    number, text = first_number(errors), joined_text(errors[:5])
    if number is None:
        return ServerUnreachableError(f"the rows could not be sent: {text}")
    return ScriptError(text, number=number)
