"""The ODBC functions that ``pyodbc`` does not offer, called on the handles that it does.

``pyodbc`` hides what a step needs: the severity of a message, the end of a result set without reading its values (some
types it cannot convert at all, and a large value would be read whole), rows as blocks of memory that another statement
can send on, and whether the connection still lives. Since 5.5 it hands out its handles; its own driver manager is asked
through them, and both see one statement.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ctypes import (
    byref,
    c_char_p,
    c_int16,
    c_int32,
    c_size_t,
    c_ssize_t,
    c_uint16,
    c_void_p,
    create_string_buffer,
    sizeof,
)
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import DriverNotFoundError
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic, strip_prefixes

if TYPE_CHECKING:
    import pyodbc

__all__ = [
    "NO_DATA",
    "SUCCESS",
    "SUCCESS_WITH_INFO",
    "StatementHandle",
    "cancel_statement",
    "close_statement",
    "connection_is_alive",
]

SUCCESS, SUCCESS_WITH_INFO, NO_DATA = 0, 1, 100

_HANDLE_STMT = 3
_ATTR_NOSCAN, _ATTR_ROWS_FETCHED_PTR, _ATTR_ROW_ARRAY_SIZE = 2, 26, 27
_COPT_SS_CONNECTION_DEAD = 1244  # asks the socket; the standard attribute 1209 only repeats the last known state
_DIAG_SS_STATE, _DIAG_SS_SEVERITY, _DIAG_SS_PROCEDURE, _DIAG_SS_LINE = -1150, -1151, -1153, -1154
_IS_INTEGER = -6
_TEXT_UNITS = 8192
_NAME_UNITS = 1024
_ROWS_A_FETCH = 1000
_PARAM_INPUT, _RESET_PARAMS = 1, 3
_C_WCHAR, _WVARCHAR, _C_BINARY, _VARBINARY = -8, -9, -2, -3
_IN_ROW_UNITS, _IN_ROW_BYTES = 4000, 8000  # what is longer is of type (max), whose size is written 0

_PROTOTYPES = {
    "SQLBindParameter": [c_void_p, c_uint16] + [c_int16] * 3 + [c_size_t, c_int16, c_void_p, c_ssize_t, c_void_p],
    "SQLFreeStmt": [c_void_p, c_uint16],
    "SQLExecDirectW": [c_void_p, c_char_p, c_int32],
    "SQLMoreResults": [c_void_p],
    "SQLFetch": [c_void_p],
    "SQLNumResultCols": [c_void_p, c_void_p],
    "SQLRowCount": [c_void_p, c_void_p],
    "SQLSetStmtAttr": [c_void_p, c_int32, c_void_p, c_int32],
    "SQLGetConnectAttr": [c_void_p, c_int32, c_void_p, c_int32, c_void_p],
    "SQLGetDiagRecW": [c_int16, c_void_p, c_int16, c_void_p, c_void_p, c_void_p, c_int16, c_void_p],
    "SQLGetDiagFieldW": [c_int16, c_void_p, c_int16, c_int16, c_void_p, c_int16, c_void_p],
    "SQLDescribeColW": [c_void_p, c_uint16, c_void_p, c_int16, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p],
    "SQLColAttributeW": [c_void_p, c_uint16, c_uint16, c_void_p, c_int16, c_void_p, c_void_p],
    "SQLBindCol": [c_void_p, c_uint16, c_int16, c_void_p, c_ssize_t, c_void_p],
    "SQLGetData": [c_void_p, c_uint16, c_int16, c_void_p, c_ssize_t, c_void_p],
    "SQLPrepareW": [c_void_p, c_char_p, c_int32],
    "SQLExecute": [c_void_p],
}


@lru_cache(maxsize=1)
def _driver_manager() -> ctypes.CDLL:
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    library = ctypes.CDLL(pyodbc.__file__)  # symbols are looked up in the libraries it is linked to, too
    for name, arguments in _PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, c_int16
    return library


def _handle_value(owner: object, name: str) -> int:
    handle = getattr(owner, name, None)
    value = getattr(handle, "value", handle) or _handle_by_layout(owner, name)
    if not value:
        raise DriverNotFoundError("pyodbc 5.5 or newer is needed: this one does not hand out its ODBC handles")
    return int(value)


def _handle_by_layout(owner: object, name: str) -> int | None:
    """Return the handle that pyodbc 5.3, the newest one for Python 3.10, keeps to itself.

    Its objects begin with Python's header, then a connection's handle, or a cursor's connection and its handle. Checked
    against 5.5, which hands out the same values; a test notices when 5.3 is no longer what Python 3.10 gets.
    """
    import pyodbc  # noqa: PLC0415 - as above

    if not pyodbc.version.startswith("5.3."):
        return None
    place = id(owner) + object.__basicsize__
    if name == "hdbc":
        return c_void_p.from_address(place).value
    connection = getattr(owner, "connection", None)
    if connection is None or c_void_p.from_address(place).value != id(connection):
        return None
    return c_void_p.from_address(place + sizeof(c_void_p)).value


def connection_is_alive(connection: pyodbc.Connection) -> bool:
    """Return whether the server's end of a connection still answers, as far as the socket knows.

    :param connection: an open connection that no other thread is using.
    """
    if connection.closed:
        return False
    dead = c_int32(1)
    status = _driver_manager().SQLGetConnectAttr(
        _handle_value(connection, "hdbc"), _COPT_SS_CONNECTION_DEAD, byref(dead), _IS_INTEGER, None
    )
    return status in (SUCCESS, SUCCESS_WITH_INFO) and dead.value == 0


def cancel_statement(cursor: pyodbc.Cursor) -> None:
    """Send an attention for what the cursor is running; on a lost connection, do nothing.

    :param cursor: a cursor that another thread is executing on.
    """
    with suppress(_driver_error()):
        cursor.cancel()


def close_statement(cursor: pyodbc.Cursor) -> None:
    """Close a cursor and end what it still runs on the server; on a lost connection, do nothing.

    :param cursor: a cursor that no thread is executing on.
    """
    with suppress(_driver_error()):
        cursor.close()


def _driver_error() -> type[Exception]:
    import pyodbc  # noqa: PLC0415 - as above

    error: type[Exception] = pyodbc.Error
    return error


class StatementHandle:
    """The ODBC statement of a cursor. What is asked of it returns ODBC's status; the records are read apart.

    :param cursor: an open cursor; it must outlive this object, and be used for nothing but ``cancel`` and ``close``.
    """

    def __init__(self, cursor: pyodbc.Cursor) -> None:
        self._handle = _handle_value(cursor, "hstmt")
        self._library = _driver_manager()
        self._fetched = c_size_t(0)
        self._arguments: list[object] = []
        # The text goes out as written: the driver is not to look for ODBC escapes in it.
        self.set(_ATTR_NOSCAN, c_void_p(1))

    def execute(self, text: str, arguments: Sequence[str | bytes] = ()) -> int:
        """Send one batch as it is and wait for the first answer.

        :param text: T-SQL, not empty.
        :param arguments: one for each ``?`` of the text.
        """
        self.call("SQLFreeStmt", _RESET_PARAMS)
        self._arguments = [self._bind(number, argument) for number, argument in enumerate(arguments, start=1)]
        # Executed with more rows a fetch, a SELECT would be turned into a server cursor (sp_cursoropen).
        self.set(_ATTR_ROW_ARRAY_SIZE, c_void_p(1))
        encoded = text.encode("utf-16-le", errors="surrogatepass")
        return self.call("SQLExecDirectW", encoded, len(encoded) // 2)

    def _bind(self, number: int, argument: str | bytes) -> object:
        """Bind an input parameter, and return what has to live until the statement has run."""
        is_text = isinstance(argument, str)
        data = argument if isinstance(argument, bytes) else argument.encode("utf-16-le", errors="surrogatepass")
        c_type, sql_type = (_C_WCHAR, _WVARCHAR) if is_text else (_C_BINARY, _VARBINARY)
        length = len(data) // 2 if is_text else len(data)
        in_row = _IN_ROW_UNITS if is_text else _IN_ROW_BYTES
        buffer, indicator = create_string_buffer(data, max(1, len(data))), c_ssize_t(len(data))
        self.call(
            "SQLBindParameter", number, _PARAM_INPUT, c_type, sql_type, in_row if length <= in_row else 0, 0,
            buffer, len(data), byref(indicator),
        )  # fmt: skip
        return buffer, indicator

    def next_result(self) -> int:
        """Go to the next answer of the batch."""
        return self.call("SQLMoreResults")

    def column_count(self) -> int:
        """Return the number of columns of the current answer, 0 if it has no rows."""
        columns = c_int16(0)
        self.call("SQLNumResultCols", byref(columns))
        return columns.value

    def affected_rows(self) -> int:
        """Return how many rows the current answer says were changed, -1 if it does not say."""
        rows = c_ssize_t(-1)
        self.call("SQLRowCount", byref(rows))
        return rows.value

    def fetch_block(self, rows: int = _ROWS_A_FETCH) -> tuple[int, int]:
        """Fetch up to so many rows into the memory that is bound, or pass over them; return ODBC's status and number.

        :param rows: 1,000 by default.
        """
        self.set(_ATTR_ROW_ARRAY_SIZE, c_void_p(rows))
        self.set(_ATTR_ROWS_FETCHED_PTR, byref(self._fetched))
        self._fetched.value = 0
        status = self.call("SQLFetch")
        return status, self._fetched.value

    def set(self, attribute: int, value: object) -> None:
        """Set an attribute of the statement.

        :param attribute: its number in ODBC.
        :param value: a pointer, or a number in the place of one.
        """
        self.call("SQLSetStmtAttr", attribute, value, 0)

    def diagnostics(self) -> Iterator[Diagnostic]:
        """Yield the records of the last call; to be read before the next."""
        state, number, units = (c_uint16 * 6)(), c_int32(0), c_int16(0)
        text = (c_uint16 * _TEXT_UNITS)()
        index = 0
        while True:
            index += 1
            status = self._library.SQLGetDiagRecW(
                _HANDLE_STMT, self._handle, index, state, byref(number), text, _TEXT_UNITS, byref(units)
            )
            if status not in (SUCCESS, SUCCESS_WITH_INFO):
                return
            yield self._diagnostic(index, _decoded(state, 5), number.value, _decoded(text, units.value))

    def _diagnostic(self, index: int, sqlstate: str, number: int, text: str) -> Diagnostic:
        plain, from_server = strip_prefixes(text)
        if not from_server:
            return Diagnostic(number, plain, sqlstate, from_server=False)
        severity, state, line = c_int32(-1), c_int32(-1), c_uint16(0)
        name, length = (c_uint16 * _NAME_UNITS)(), c_int16(0)
        self._field(index, _DIAG_SS_SEVERITY, byref(severity), _IS_INTEGER)
        self._field(index, _DIAG_SS_STATE, byref(state), _IS_INTEGER)
        self._field(index, _DIAG_SS_LINE, byref(line), _IS_INTEGER)
        self._field(index, _DIAG_SS_PROCEDURE, name, sizeof(name), byref(length))
        return Diagnostic(
            number,
            plain,
            sqlstate,
            severity=severity.value if severity.value >= 0 else None,
            line=line.value or None,
            state=state.value if state.value >= 0 else None,
            procedure=_decoded(name, length.value // 2) or None,
        )

    def _field(self, index: int, field: int, value: object, size: int, length: object = None) -> None:
        self._library.SQLGetDiagFieldW(_HANDLE_STMT, self._handle, index, field, value, size, length)

    def call(self, function: str, *arguments: object) -> int:
        """Call an ODBC function on the statement, and return its status.

        :param function: one of those that this module knows the arguments of.
        :param arguments: those after the handle.
        """
        return int(getattr(self._library, function)(self._handle, *arguments))


def _decoded(units: ctypes.Array[c_uint16], length: int) -> str:
    length = min(length, len(units) - 1)
    return bytes(units)[: length * 2].decode("utf-16-le", errors="replace")
