"""Parameter declarations as text, as ``sp_executesql`` and ``sp_prepare`` take them: ``@P1 int, @P2 nvarchar(10)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.wire.encoding import MAX

_DECLARATION = re.compile(
    r"^\s*(?P<name>@[\w@#$]*)\s+(?:AS\s+)?(?:\[?sys\]?\s*\.\s*)?\[?(?P<type>\w+)\]?\s*"
    r"(?:\(\s*(?P<first>\d+|max)\s*(?:,\s*(?P<second>\d+)\s*)?\))?"
    r"(?P<rest>[\s\w]*)$",
    re.IGNORECASE,
)
_COMMA_OUTSIDE_BRACKETS = re.compile(r",(?![^()]*\))")
_SYNONYMS = {"numeric": "decimal", "dec": "decimal", "integer": "int", "rowversion": "binary", "timestamp": "binary"}
_LONG = {"text": "varchar", "ntext": "nvarchar", "image": "varbinary", "xml": "nvarchar"}
_SIZED = frozenset({"nvarchar", "nchar", "varchar", "char", "varbinary", "binary"})
_SCALED = frozenset({"datetime2", "time", "datetimeoffset"})


@dataclass(frozen=True)
class Declaration:
    """One declared parameter.

    :param name: with its ``@``
    :param type: declared type
    :param is_output: whether OUTPUT follows the type
    """

    name: str
    type: SqlType
    is_output: bool = False


def _type(name: str, first: str | None, second: str | None) -> SqlType:
    name = _SYNONYMS.get(name, name)
    if name == "sysname":
        return SqlType("nvarchar", length=128)
    if name in _LONG:
        return SqlType(_LONG[name], length=MAX)
    number = None if first is None else MAX if first.lower() == "max" else int(first)
    if name in _SIZED:
        return SqlType(name, length=1 if number is None else number)
    if name == "decimal":
        return SqlType(name, precision=18 if number is None else number, scale=int(second or 0))
    if name in _SCALED:
        return SqlType(name, scale=7 if number is None else number)
    return SqlType(name)


def parse_declarations(text: str | None) -> list[Declaration]:
    """Read a parameter declaration list; None and blank text declare none.

    :raises ValueError: for a part that is no declaration
    """
    if text is None or not text.strip():
        return []
    return [_parse(part) for part in _COMMA_OUTSIDE_BRACKETS.split(text)]


def _parse(part: str) -> Declaration:
    match = _DECLARATION.match(part)
    if match is None:
        raise ValueError(f"'{part.strip()}' declares no parameter")
    is_output = bool({"output", "out"} & set(match["rest"].lower().split()))
    return Declaration(match["name"], _type(match["type"].lower(), match["first"], match["second"]), is_output)
