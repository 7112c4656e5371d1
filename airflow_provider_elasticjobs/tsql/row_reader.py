"""Reading a result set's rows in blocks of bounded size."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Generator, Iterator, Sequence
from ctypes import byref, c_ssize_t, c_void_p
from typing import Protocol

from airflow_provider_elasticjobs.exceptions import OutputError
from airflow_provider_elasticjobs.tsql.columns import ResultColumn
from airflow_provider_elasticjobs.tsql.odbc import NO_DATA, SUCCESS, SUCCESS_WITH_INFO, StatementHandle
from airflow_provider_elasticjobs.tsql.row_block import BLOCK_BYTES, NULL_DATA, RowBlock, RowLayout

__all__ = ["RowReceiver", "blocks"]

_ATTR_ROW_BIND_TYPE = 5
_FREE_UNBIND = 2
_CHUNK_BYTES = 2**16
_GOOD = (SUCCESS, SUCCESS_WITH_INFO)


class RowReceiver(Protocol):
    """Who wants the rows of a script; what it raises ends the script."""

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        """Take note that a result set begins; return whether its rows are wanted."""

    def take(self, block: RowBlock) -> None:
        """Take rows of the result set; the block is used again afterwards."""


def blocks(
    statement: StatementHandle,
    columns: Sequence[ResultColumn],
    note: Callable[[int], None],
    block_bytes: int = BLOCK_BYTES,
) -> Generator[RowBlock, None, None]:
    """Yield the rows of a result set, until it ends or a row cannot be read.

    :param statement: one whose current answer has rows, none of which was read.
    :param columns: its columns, all of known types.
    :param note: called with ODBC's status of each step, to look at its records.
    :param block_bytes: bytes in a block; a larger row is a block of its own.
    :raises OutputError: if a value had to be cut, because the server had announced shorter ones.
    """
    if any(column.sql_type.is_long for column in columns):
        yield from _piecewise(statement, columns, note, block_bytes)
        return
    try:
        yield from _bound(statement, RowLayout.of(columns), note, block_bytes)
    finally:
        statement.call("SQLFreeStmt", _FREE_UNBIND)


def _bound(
    statement: StatementHandle, layout: RowLayout, note: Callable[[int], None], block_bytes: int
) -> Iterator[RowBlock]:
    """Let the driver fill whole blocks."""
    block = RowBlock(layout, layout.capacity(block_bytes))
    statement.set(_ATTR_ROW_BIND_TYPE, c_void_p(layout.record_bytes))
    for number, field in enumerate(layout.fields, start=1):
        place = block.address + field.offset
        statement.call("SQLBindCol", number, field.form.c_type, block.address + field.value_offset, field.width, place)
    while True:
        status, block.rows = statement.fetch_block(layout.capacity(block_bytes))
        note(status)
        if status not in _GOOD:
            return
        if status == SUCCESS_WITH_INFO and block.is_cut():
            raise OutputError("a value is longer than the server had said of its column")
        yield block


def _piecewise(
    statement: StatementHandle, columns: Sequence[ResultColumn], note: Callable[[int], None], block_bytes: int
) -> Iterator[RowBlock]:
    """Ask for one value after the other, because some have no greatest length; lay blocks out for what came."""
    least = RowLayout.of(columns)
    layout = least
    rows: list[list[bytes | None]] = []
    for row in _rows(statement, least, note):
        wider = _wide_enough(layout, columns, row)
        if rows and wider.record_bytes * (len(rows) + 1) > block_bytes:
            yield _filled(layout, rows)
            rows, wider = [], _wide_enough(least, columns, row)
        rows.append(row)
        layout = wider
    if rows:
        yield _filled(layout, rows)


def _wide_enough(layout: RowLayout, columns: Sequence[ResultColumn], row: Sequence[bytes | None]) -> RowLayout:
    """Return a layout that holds a row, too, its widths powers of two: one that stays need not be bound again."""
    lengths = [len(value or b"") for value in row]
    if all(field.width - field.form.end_bytes >= length for field, length in zip(layout.fields, lengths, strict=True)):
        return layout
    widths = [
        max(field.width, 1 << (length + 1).bit_length()) for field, length in zip(layout.fields, lengths, strict=True)
    ]
    return RowLayout.of(columns, widths)


def _filled(layout: RowLayout, rows: Sequence[Sequence[bytes | None]]) -> RowBlock:
    block = RowBlock(layout, len(rows))
    for number, row in enumerate(rows):
        block.put(number, row)
    block.rows = len(rows)
    return block


def _rows(statement: StatementHandle, layout: RowLayout, note: Callable[[int], None]) -> Iterator[list[bytes | None]]:
    buffer = (ctypes.c_char * _CHUNK_BYTES)()
    while True:
        status, _ = statement.fetch_block(1)
        note(status)
        if status not in _GOOD:
            return
        row: list[bytes | None] = []
        for number, field in enumerate(layout.fields, start=1):
            status, value = _value(statement, number, field.form.c_type, field.form.end_bytes, buffer)
            if status not in _GOOD:
                note(status)
                return
            row.append(value)
        yield row


def _value(
    statement: StatementHandle, number: int, c_type: int, end_bytes: int, buffer: ctypes.Array[ctypes.c_char]
) -> tuple[int, bytes | None]:
    """Return ODBC's status and a value, read in pieces if it is large."""
    length = c_ssize_t(0)
    room = _CHUNK_BYTES - end_bytes
    pieces: list[bytes] = []
    while True:
        status = statement.call("SQLGetData", number, c_type, buffer, _CHUNK_BYTES, byref(length))
        if status == NO_DATA:
            return SUCCESS, b"".join(pieces)
        if status not in _GOOD or length.value == NULL_DATA:
            return status, None
        whole = 0 <= length.value <= room
        pieces.append(ctypes.string_at(buffer, length.value if whole else room))
        if whole:
            return SUCCESS, pieces[0] if len(pieces) == 1 else b"".join(pieces)
