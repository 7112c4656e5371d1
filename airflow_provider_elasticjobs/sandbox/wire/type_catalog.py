"""``sp_datatype_info_100``: the data types as ODBC describes them, which drivers read when they connect.

pyodbc takes from it how many characters, bytes and fraction digits a parameter may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, SqlType

PROCEDURES = frozenset({"sp_datatype_info", "sp_datatype_info_100", "sp_datatype_info_90"})

_NAME = SqlType("nvarchar", length=128)
_SMALL = SqlType("smallint")
_COLUMNS = (
    Column("TYPE_NAME", _NAME),
    Column("DATA_TYPE", _SMALL),
    Column("PRECISION", SqlType("int")),
    Column("LITERAL_PREFIX", SqlType("varchar", length=32)),
    Column("LITERAL_SUFFIX", SqlType("varchar", length=32)),
    Column("CREATE_PARAMS", SqlType("varchar", length=32)),
    Column("NULLABLE", _SMALL),
    Column("CASE_SENSITIVE", _SMALL),
    Column("SEARCHABLE", _SMALL),
    Column("UNSIGNED_ATTRIBUTE", _SMALL),
    Column("MONEY", _SMALL),
    Column("AUTO_INCREMENT", _SMALL),
    Column("LOCAL_TYPE_NAME", _NAME),
    Column("MINIMUM_SCALE", _SMALL),
    Column("MAXIMUM_SCALE", _SMALL),
    Column("SQL_DATA_TYPE", _SMALL),
    Column("SQL_DATETIME_SUB", _SMALL),
    Column("NUM_PREC_RADIX", SqlType("int")),
    Column("INTERVAL_PRECISION", _SMALL),
    Column("USERTYPE", _SMALL),
)


@dataclass(frozen=True)
class _Described:
    name: str
    odbc: int
    size: int
    quotes: tuple[str, str] | None = None
    create: str | None = None
    scales: tuple[int, int] | None = None
    radix: int | None = None
    verbose: int | None = None
    subcode: int | None = None
    is_text: bool = False

    def row(self) -> list[object]:
        """The row in the order of the columns."""
        prefix, suffix = self.quotes or (None, None)
        low, high = self.scales or (None, None)
        unsigned = None if self.radix is None else int(self.name == "tinyint")
        increments = None if self.radix is None else 0
        return [
            self.name, self.odbc, self.size, prefix, suffix, self.create, 1, int(self.is_text),
            3 if self.is_text else 2, unsigned, 0, increments, self.name, low, high,
            self.verbose or self.odbc, self.subcode, self.radix, None, 0,
        ]  # fmt: skip


_TEXT = ("'", "'")
_UNICODE = ("N'", "'")
_BYTES = ("0x", "")
_TYPES = (
    _Described("datetimeoffset", -155, 34, _TEXT, "scale", (0, 7)),
    _Described("time", -154, 16, _TEXT, "scale", (0, 7)),
    _Described("uniqueidentifier", -11, 36, _TEXT),
    _Described("nvarchar", -9, 4000, _UNICODE, "max length", is_text=True),
    _Described("nchar", -8, 4000, _UNICODE, "length", is_text=True),
    _Described("bit", -7, 1, scales=(0, 0)),
    _Described("tinyint", -6, 3, scales=(0, 0), radix=10),
    _Described("bigint", -5, 19, scales=(0, 0), radix=10),
    _Described("varbinary", -3, 8000, _BYTES, "max length"),
    _Described("binary", -2, 8000, _BYTES, "length"),
    _Described("char", 1, 8000, _TEXT, "length", is_text=True),
    _Described("numeric", 2, 38, None, "precision,scale", (0, 38), 10),
    _Described("decimal", 3, 38, None, "precision,scale", (0, 38), 10),
    _Described("int", 4, 10, scales=(0, 0), radix=10),
    _Described("smallint", 5, 5, scales=(0, 0), radix=10),
    _Described("float", 6, 53, radix=2),
    _Described("real", 7, 24, radix=2),
    _Described("varchar", 12, 8000, _TEXT, "max length", is_text=True),
    _Described("date", 91, 10, _TEXT, verbose=9, subcode=1),
    _Described("datetime2", 93, 27, _TEXT, "scale", (0, 7), verbose=9, subcode=3),
    _Described("datetime", 93, 23, _TEXT, None, (3, 3), verbose=9, subcode=3),
    _Described("smalldatetime", 93, 16, _TEXT, None, (0, 0), verbose=9, subcode=3),
)


def describe_types(arguments: Sequence[Parameter], sink: ResultSink) -> None:
    """Answer ``sp_datatype_info_100``.

    :param arguments: the first is the ODBC type asked for; none or 0 asks for all
    :param sink: takes the rows
    """
    asked = arguments[0].value if arguments else 0
    found = [described for described in _TYPES if asked in (0, None, described.odbc)]
    sink.columns(_COLUMNS)
    for described in found:
        sink.row(described.row())
    sink.done(len(found), "SELECT")
