"""The columns of a result set: their names, and their types as T-SQL writes them."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_int16, c_size_t, c_uint16
from dataclasses import dataclass

from airflow_provider_elasticjobs.tsql.odbc import StatementHandle

__all__ = ["ResultColumn", "SqlType", "columns_of"]

_DESC_TYPE_NAME = 14
_TEXT_UNITS = 257  # a name of 128 characters, each perhaps of two units, and its end

_WITH_LENGTH = frozenset({"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"})
_WITH_SCALE = frozenset({"datetime2", "datetimeoffset", "time"})
_PLAIN = frozenset(
    {
        *("bit", "tinyint", "smallint", "int", "bigint", "money", "smallmoney", "real", "float"),
        *("date", "datetime", "smalldatetime", "uniqueidentifier", "text", "ntext", "image", "xml"),
    }
)
#: Types with another name for the same thing; a row version is a value like any other where it is copied to.
_SYNONYMS = {"numeric": "decimal", "sysname": "nvarchar", "timestamp": "binary", "rowversion": "binary"}


@dataclass(frozen=True)
class SqlType:
    """A type as T-SQL declares it.

    :param name: in lower case, ``nvarchar``.
    :param length: characters or bytes of a text or binary type; 0 for ``max``.
    :param precision: digits of a ``decimal``.
    :param scale: digits behind the point of a ``decimal``, or of a second.
    """

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def is_known(self) -> bool:
        """Whether values of the type can be copied; not so ``sql_variant`` and the CLR's types."""
        return self.name in _PLAIN or self.name in _WITH_LENGTH or self.name in _WITH_SCALE or self.name == "decimal"

    @property
    def is_long(self) -> bool:
        """Whether a value has no length that could be provided for: ``max``, ``xml`` and their forerunners."""
        return self.name in ("text", "ntext", "image", "xml") or (self.name in _WITH_LENGTH and self.length == 0)

    @property
    def is_text(self) -> bool:
        """Whether values are characters."""
        return self.name in ("char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml")

    @property
    def declaration(self) -> str:
        """The type in a column's definition: ``nvarchar(40)``."""
        if self.name == "decimal":
            return f"decimal({self.precision}, {self.scale})"
        if self.name in _WITH_SCALE:
            return f"{self.name}({self.scale})"
        if self.name in _WITH_LENGTH:
            return f"{self.name}({self.length or 'max'})"
        return self.name


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result set.

    :param name: may be empty.
    :param sql_type: its type.
    """

    name: str
    sql_type: SqlType


def columns_of(statement: StatementHandle) -> Sequence[ResultColumn]:
    """Return the columns of a statement's current result set; empty if it has none.

    :param statement: one that was executed.
    """
    return [_described(statement, number) for number in range(1, statement.column_count() + 1)]


def _described(statement: StatementHandle, number: int) -> ResultColumn:
    name, units = (c_uint16 * _TEXT_UNITS)(), c_int16(0)
    odbc_type, size, digits, nullable = c_int16(0), c_size_t(0), c_int16(0), c_int16(0)
    statement.call(
        "SQLDescribeColW",
        *(number, name, _TEXT_UNITS, byref(units), byref(odbc_type), byref(size), byref(digits), byref(nullable)),
    )
    type_name, length = (c_uint16 * _TEXT_UNITS)(), c_int16(0)
    statement.call("SQLColAttributeW", number, _DESC_TYPE_NAME, type_name, 2 * _TEXT_UNITS, byref(length), None)
    text = bytes(type_name)[: length.value].decode("utf-16-le")
    return ResultColumn(bytes(name)[: 2 * units.value].decode("utf-16-le"), sql_type(text, size.value, digits.value))


def sql_type(type_name: str, size: int, digits: int) -> SqlType:
    """Return a type from what ODBC says of a column.

    :param type_name: the server's name of it, perhaps ``int identity``.
    :param size: ODBC's column size: characters, bytes or digits; 0 for ``max``.
    :param digits: ODBC's decimal digits.
    """
    plain = type_name.lower().partition(" ")[0].removesuffix("()")
    name = _SYNONYMS.get(plain, plain)
    if name == "decimal":
        return SqlType(name, precision=size, scale=digits)
    if name in _WITH_SCALE:
        return SqlType(name, scale=digits)
    return SqlType(name, length=size) if name in _WITH_LENGTH else SqlType(name)
