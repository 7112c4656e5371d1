"""Writing Python values as T-SQL literals and names as delimited identifiers."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timezone
from decimal import Decimal
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["literal", "plain_text", "quote_identifier"]

_IDENTIFIER_LENGTH = 128  # characters of sysname, in UTF-16 units


def quote_identifier(name: str) -> str:
    """Return a name as a delimited identifier, ``]`` doubled.

    :param name: the plain name, 1 to 128 characters.
    :raises DefinitionError: if no object can have that name.
    """
    if not name or "\0" in name:
        raise DefinitionError("an identifier must not be empty or hold a NUL character")
    if len(name.encode("utf-16-le")) // 2 > _IDENTIFIER_LENGTH:
        raise DefinitionError(f"an identifier has at most {_IDENTIFIER_LENGTH} characters: {name[:40]}...")
    return "[" + name.replace("]", "]]") + "]"


def literal(value: object) -> str:
    """Return a complete literal: text as ``N'...'``, numbers bare, identifiers and times quoted, ``None`` as ``NULL``.

    A ``datetime`` with a time zone is written in UTC, as the job database keeps times.

    :param value: ``None``, ``bool``, ``int``, ``float``, ``Decimal``, ``str``, ``bytes``, ``UUID``, ``date``, ``time``
        or ``datetime``.
    :raises DefinitionError: if the value has no literal (infinity, another type).
    """
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, float, Decimal)):
        return _number(value)
    if isinstance(value, bytes):
        return "0x" + value.hex().upper()
    if isinstance(value, str):
        return "N'" + value.replace("'", "''") + "'"
    return "'" + plain_text(value).replace("'", "''") + "'"


def plain_text(value: object) -> str:
    """Return a value's text without quotes, as it reads inside a string or a name.

    :param value: as for :func:`literal`; ``None`` is empty text.
    :raises DefinitionError: if the value has no such text.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return str(value).upper()
    if isinstance(value, datetime):
        # The type datetime refuses more than three digits.
        return _utc(value).isoformat(timespec="microseconds" if value.microsecond % 1000 else "milliseconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return literal(value) if isinstance(value, bytes) else _number(value)


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is None else value.astimezone(timezone.utc).replace(tzinfo=None)


def _number(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return format(value, ".16e")
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    raise DefinitionError(f"a {type(value).__name__} value has no T-SQL literal")
