"""What commands print: tables for people, JSON with its types for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from airflow.cli.simple_table import AirflowConsole
from rich.markup import escape

__all__ = ["show", "show_json"]

_Row = Mapping[str, Any]


def show(rows: Sequence[_Row], output: str) -> None:
    """Print rows of one shape.

    :param rows: a mapping from column to value each.
    :param output: ``table``, ``json``, ``yaml`` or ``plain``.
    """
    if output == "json":
        show_json([dict(row) for row in rows])
        return
    texts = [{column: _text(value, output) for column, value in row.items()} for row in rows]
    AirflowConsole(show_header=True).print_as(texts, output)


def show_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON: ids and times as text, numbers and None as they are.

    :param value: of mappings, sequences and plain values.
    :param indent: as for :func:`json.dumps`; None for one line.
    """
    sys.stdout.write(json.dumps(value, indent=indent, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        # Every time in the job database is UTC.
        return f"{value.isoformat()}Z"
    if isinstance(value, (UUID, Enum)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _text(value: object, output: str) -> str:
    if value is None:
        return ""
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    # A message like [Microsoft][ODBC Driver 18] is no markup.
    return escape(text) if output == "table" else text
