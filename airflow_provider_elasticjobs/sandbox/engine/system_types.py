"""The rows of ``sys.types``, and how long a column is in ``sys.columns``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType


@dataclass(frozen=True)
class SystemType:
    """A row of ``sys.types``."""

    name: str
    system_type_id: int
    user_type_id: int
    max_length: int
    precision: int
    scale: int


SYSTEM_TYPES: Final = tuple(
    SystemType(*row)
    for row in (
        ("uniqueidentifier", 36, 36, 16, 0, 0), ("date", 40, 40, 3, 10, 0), ("time", 41, 41, 5, 16, 7),
        ("datetime2", 42, 42, 8, 27, 7), ("datetimeoffset", 43, 43, 10, 34, 7), ("tinyint", 48, 48, 1, 3, 0),
        ("smallint", 52, 52, 2, 5, 0), ("int", 56, 56, 4, 10, 0), ("real", 59, 59, 4, 24, 0),
        ("datetime", 61, 61, 8, 23, 3), ("float", 62, 62, 8, 53, 0), ("bit", 104, 104, 1, 1, 0),
        ("decimal", 106, 106, 17, 38, 38), ("bigint", 127, 127, 8, 19, 0), ("varbinary", 165, 165, 8000, 0, 0),
        ("varchar", 167, 167, 8000, 0, 0), ("binary", 173, 173, 8000, 0, 0), ("char", 175, 175, 8000, 0, 0),
        ("nvarchar", 231, 231, 8000, 0, 0), ("sysname", 231, 256, 256, 0, 0), ("nchar", 239, 239, 8000, 0, 0),
    )
)  # fmt: skip


def system_type(name: str) -> SystemType:
    """Return the system type of this name."""
    return next(each for each in SYSTEM_TYPES if each.name == name)


def max_length(sql_type: SqlType) -> int:
    """Return ``max_length`` of a column: bytes, -1 for max."""
    if sql_type.length is not None:
        double = sql_type.name in ("nvarchar", "nchar") and sql_type.length > 0
        return sql_type.length * 2 if double else sql_type.length
    if sql_type.name == "decimal":
        precision = sql_type.precision or 18
        return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17
    if sql_type.scale is not None:
        saved = 2 if sql_type.scale <= 2 else 1 if sql_type.scale <= 4 else 0
        return system_type(sql_type.name).max_length - saved
    return system_type(sql_type.name).max_length


def precision_and_scale(sql_type: SqlType) -> tuple[int, int]:
    """Return ``precision`` and ``scale`` of a column."""
    if sql_type.name == "decimal":
        return sql_type.precision or 18, sql_type.scale or 0
    row = system_type(sql_type.name)
    if sql_type.scale is not None:
        base = {"datetime2": 19, "time": 8, "datetimeoffset": 26}[sql_type.name]
        return base + (sql_type.scale + 1 if sql_type.scale else 0), sql_type.scale
    return row.precision, row.scale
