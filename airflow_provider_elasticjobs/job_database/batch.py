"""One T-SQL batch with typed arguments: the unit of work of the job database, one round trip each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import lru_cache
from typing import Any

import pyodbc

__all__ = ["Batch", "BoundBatch"]

#: An error aborts the batch and undoes its open transaction; counts of rows are not sent.
_PREAMBLE = "SET NOCOUNT ON;\nSET XACT_ABORT ON;\nDECLARE @now datetime2(7) = SYSUTCDATETIME();\n"

_SIZES: dict[str, tuple[int, int, int]] = {
    "uniqueidentifier": (pyodbc.SQL_GUID, 16, 0),
    "int": (pyodbc.SQL_INTEGER, 10, 0),
    "bigint": (pyodbc.SQL_BIGINT, 19, 0),
    "bit": (pyodbc.SQL_BIT, 1, 0),
    "real": (pyodbc.SQL_REAL, 7, 0),
    "datetime2(7)": (pyodbc.SQL_TYPE_TIMESTAMP, 27, 7),
    "nvarchar(max)": (pyodbc.SQL_WVARCHAR, 0, 0),
}
_SIZED_TEXT = re.compile(r"nvarchar\((\d+)\)")


@lru_cache(maxsize=64)
def _size(type_name: str) -> tuple[int, int, int]:
    sized = _SIZED_TEXT.fullmatch(type_name)
    return (pyodbc.SQL_WVARCHAR, int(sized.group(1)), 0) if sized else _SIZES[type_name]


def _plain(value: object) -> object:
    """Return the value as the driver is to send it: enums as their text, times in UTC without a zone."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc).replace(tzinfo=None)
    return value


@dataclass(frozen=True)
class BoundBatch:
    """A batch with its arguments.

    :param sql: the text, with ``?`` for each argument.
    :param arguments: the values, in order.
    :param sizes: type, size and scale of each, the same for every value: one plan in the server's cache.
    """

    sql: str
    arguments: tuple[Any, ...]
    sizes: tuple[tuple[int, int, int], ...]


class _Arguments:
    """The values of a batch's question marks, and their types, in order."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.sizes: list[tuple[int, int, int]] = []

    def add(self, value: object, type_name: str) -> str:
        """Return what stands for the value in the text: a question mark, or NULL.

        A NULL is never an argument: the driver would ask the server for its type, an extra round trip, for which
        Babelfish ends the open transaction.
        """
        if value is None:
            return "NULL"
        self.values.append(_plain(value))
        self.sizes.append(_size(type_name))
        return "?"


class Batch:
    """A T-SQL batch whose arguments are variables.

    Each argument is declared as a variable of its type in the text's first lines, ``@now`` (the server's clock, UTC)
    among them, so that the statements themselves are plain T-SQL. A batch may also take rows: ``{rows}`` in the text
    becomes the table constructor ``VALUES (...), (...)``, and a SELECT that finds nothing where none are given.

    :param text: the statements, which use the arguments as ``@name``.
    :param rows: types of the columns of ``{rows}``; none by default.
    :param types: T-SQL type of each argument, by name.
    """

    def __init__(self, text: str, /, rows: Sequence[str] = (), **types: str) -> None:
        self._text = text.strip()
        self._types = types
        self._row_types = tuple(rows)

    @property
    def rows_at_once(self) -> int:
        """How many rows fit in one batch: an engine takes at most 2,100 arguments, and 1,000 rows in a VALUES."""
        return min(1000, (2090 - len(self._types)) // len(self._row_types))

    def bind(self, rows: Sequence[Sequence[object]] = (), **values: object) -> BoundBatch:
        """Return the batch with these arguments.

        :param rows: the rows of ``{rows}``, at most :attr:`rows_at_once`.
        :param values: a value for each argument that the batch declares.
        :raises TypeError: if an argument is missing, or unknown.
        """
        if values.keys() != self._types.keys():
            raise TypeError(f"the batch takes {sorted(self._types)}, not {sorted(values)}")
        given = _Arguments()
        declared = ", ".join(
            f"@{name} {type_name} = {given.add(values[name], type_name)}" for name, type_name in self._types.items()
        )
        sql = _PREAMBLE + (f"DECLARE {declared};\n" if declared else "") + self._text
        if self._row_types:
            sql = sql.replace("{rows}", self._table(rows, given))
        return BoundBatch(sql, tuple(given.values), tuple(given.sizes))

    def _table(self, rows: Sequence[Sequence[object]], given: _Arguments) -> str:
        if not rows:
            nothing = ", ".join(f"CAST(NULL AS {type_name})" for type_name in self._row_types)
            return f"SELECT {nothing} WHERE 1 = 0"
        return "VALUES " + ", ".join(self._row(row, given) for row in rows)

    def _row(self, row: Sequence[object], given: _Arguments) -> str:
        types = zip(row, self._row_types, strict=True)
        return (
            "(" + ", ".join(f"CAST({given.add(value, type_name)} AS {type_name})" for value, type_name in types) + ")"
        )
