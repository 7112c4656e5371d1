"""Rows as a block of memory: one record after the other, each value as ODBC holds it in C.

A block that one statement fetched is what another statement inserts: no value becomes a Python object on the way, so
none loses a digit, a fraction of a second or half of a surrogate pair, and a million rows cost little more than their
transport. Numbers with a point go as text, which is exact; moments as ODBC's structures, down to 100 nanoseconds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_ssize_t, sizeof
from dataclasses import dataclass

from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType

__all__ = ["BLOCK_BYTES", "NULL_DATA", "CForm", "Field", "RowBlock", "RowLayout", "c_form"]

#: Size of a block, of which every script with an output has one. A row that is larger by itself is a block of its own.
BLOCK_BYTES = 2**19
#: ODBC's indicator of a NULL; otherwise it is the value's length in bytes.
NULL_DATA = -1

_C_CHAR, _C_WCHAR, _C_BINARY, _C_BIT = 1, -8, -2, -7
_C_FLOAT, _C_DOUBLE, _C_SBIGINT, _C_GUID = 7, 8, -25, -11
_C_DATE, _C_TIMESTAMP = 91, 93
_SQL_WVARCHAR, _SQL_VARBINARY, _SQL_DECIMAL = -9, -3, 3
_ALIGNMENT = 8
_INDICATOR_BYTES = sizeof(c_ssize_t)


@dataclass(frozen=True)
class CForm:
    """How values of a type are held in memory, and what they are called as a parameter.

    :param c_type: ODBC's number of the C type.
    :param width: bytes of a value, with a text's end; 0 if values have no greatest length.
    :param parameter_type: ODBC's number of the type as which a parameter is sent.
    :param size: the parameter's column size.
    :param digits: the parameter's decimal digits.
    """

    c_type: int
    width: int
    parameter_type: int
    size: int = 0
    digits: int = 0

    @property
    def end_bytes(self) -> int:
        """Bytes that the driver needs behind a value."""
        return {_C_WCHAR: 2, _C_CHAR: 1}.get(self.c_type, 0)


_FIXED = {
    "bit": CForm(_C_BIT, 1, -7),
    "tinyint": CForm(_C_SBIGINT, 8, -6),
    "smallint": CForm(_C_SBIGINT, 8, 5),
    "int": CForm(_C_SBIGINT, 8, 4),
    "bigint": CForm(_C_SBIGINT, 8, -5),
    "money": CForm(_C_CHAR, 24, _SQL_DECIMAL, 19, 4),
    "smallmoney": CForm(_C_CHAR, 24, _SQL_DECIMAL, 19, 4),
    "real": CForm(_C_FLOAT, 4, 7, 24),
    "float": CForm(_C_DOUBLE, 8, 6, 53),
    "date": CForm(_C_DATE, 6, 91, 10),
    "datetime": CForm(_C_TIMESTAMP, 16, 93, 23, 3),
    "smalldatetime": CForm(_C_TIMESTAMP, 16, 93, 16),
    "uniqueidentifier": CForm(_C_GUID, 16, -11, 36),
}
#: C type, bytes, type as a parameter, and characters of a value without fractions of a second. The driver manager has
#: no name for the last two, SQL_SS_TIMESTAMPOFFSET_STRUCT and SQL_SS_TIME2_STRUCT: the driver takes them as bytes.
_MOMENTS = {
    "datetime2": (_C_TIMESTAMP, 16, 93, 19),
    "datetimeoffset": (_C_BINARY, 20, -155, 26),
    "time": (_C_BINARY, 12, -154, 8),
}


def c_form(sql_type: SqlType) -> CForm:
    """Return how values of a known type are held.

    :param sql_type: a type for which :attr:`SqlType.is_known` holds.
    """
    if sql_type.name in _FIXED:
        return _FIXED[sql_type.name]
    if sql_type.name in _MOMENTS:
        c_type, width, parameter_type, size = _MOMENTS[sql_type.name]
        fraction = sql_type.scale + 1 if sql_type.scale else 0
        return CForm(c_type, width, parameter_type, size + fraction, sql_type.scale)
    if sql_type.name == "decimal":
        return CForm(_C_CHAR, sql_type.precision + 4, _SQL_DECIMAL, sql_type.precision, sql_type.scale)
    length = 0 if sql_type.is_long else sql_type.length
    if sql_type.is_text:
        return CForm(_C_WCHAR, 2 * (length + 1) if length else 0, _SQL_WVARCHAR, length if length <= 4000 else 0)
    return CForm(_C_BINARY, length, _SQL_VARBINARY, length)


@dataclass(frozen=True)
class Field:
    """One column's place in a record: its indicator at ``offset``, its value behind that.

    :param form: how the value is held.
    :param offset: bytes from the record's start.
    :param width: bytes for the value.
    """

    form: CForm
    offset: int
    width: int

    @property
    def value_offset(self) -> int:
        """Bytes from the record's start to the value."""
        return self.offset + _INDICATOR_BYTES


@dataclass(frozen=True)
class RowLayout:
    """The fields of a record.

    :param fields: one for each column, in order.
    :param record_bytes: bytes from one record to the next.
    """

    fields: tuple[Field, ...]
    record_bytes: int

    @classmethod
    def of(cls, columns: Sequence[ResultColumn], widths: Sequence[int] | None = None) -> RowLayout:
        """Return the layout of some columns.

        :param columns: all of known types.
        :param widths: bytes for each column's values, its end included; default: what the type needs.
        """
        forms = [c_form(column.sql_type) for column in columns]
        fields, offset = [], 0
        for form, width in zip(forms, widths or [form.width for form in forms], strict=True):
            fields.append(Field(form, offset, width))
            offset += _INDICATOR_BYTES + -(-width // _ALIGNMENT) * _ALIGNMENT
        return cls(tuple(fields), offset)

    def capacity(self, block_bytes: int = BLOCK_BYTES) -> int:
        """Return how many records a block holds, 1 at least."""
        return max(1, block_bytes // self.record_bytes)


class RowBlock:
    """Memory for some rows.

    :param layout: of each record.
    :param capacity: records that it has room for.
    """

    def __init__(self, layout: RowLayout, capacity: int) -> None:
        self.layout = layout
        self.rows = 0
        self.buffer = (ctypes.c_char * (layout.record_bytes * capacity))()
        self.address = ctypes.addressof(self.buffer)

    def put(self, row: int, values: Sequence[bytes | None]) -> None:
        """Write a row's values, as their C types hold them.

        :param row: the record, from 0.
        :param values: one for each field, None for a NULL.
        """
        start = row * self.layout.record_bytes
        for field, value in zip(self.layout.fields, values, strict=True):
            length = NULL_DATA if value is None else len(value)
            c_ssize_t.from_buffer(self.buffer, start + field.offset).value = length
            if value:
                ctypes.memmove(self.address + start + field.value_offset, value, length)

    def get(self, row: int) -> list[bytes | None]:
        """Return a row's values, as their C types hold them.

        :param row: the record, from 0.
        """
        start, view = row * self.layout.record_bytes, memoryview(self.buffer)
        values: list[bytes | None] = []
        for field in self.layout.fields:
            length = c_ssize_t.from_buffer(self.buffer, start + field.offset).value
            value_start = start + field.value_offset
            values.append(None if length == NULL_DATA else bytes(view[value_start : value_start + length]))
        return values

    def is_cut(self) -> bool:
        """Whether a value was longer than its column had said, and lost its end."""
        starts = range(0, self.rows * self.layout.record_bytes, self.layout.record_bytes)
        return any(
            c_ssize_t.from_buffer(self.buffer, start + field.offset).value > field.width - field.form.end_bytes
            for field in self.layout.fields
            for start in starts
        )
