"""Registers the T-SQL functions in a session's SQLite connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.functions_context import ContextFunctions
from airflow_provider_elasticjobs.sandbox.engine.functions_text import RANDOM, TEXT, plain_text
from airflow_provider_elasticjobs.sandbox.engine.functions_time import TIME
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.system_types import max_length, precision_and_scale, system_type
from airflow_provider_elasticjobs.sandbox.engine.types import BINARIES, INTEGERS, STRINGS, type_from_spec
from airflow_provider_elasticjobs.sandbox.engine.values import Stored, cast_stored, text_of

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


def register_functions(session: EngineSession) -> None:
    """Make every ``tsql_`` function known to the session's connection."""
    connection, guard = session.connection, session.guard
    for name, function in {**TEXT, **TIME}.items():
        connection.create_function(f"tsql_{name}", -1, guard(function), deterministic=True)
    changing = {**RANDOM, **ContextFunctions(session).table()}
    changing["set_variable"] = lambda name, value, source: _set_variable(session, name, value, source)
    changing["identity"] = session.identities.next
    changing["note_identity"] = session.identities.note
    changing["row_count"] = lambda object_id: _row_count(session, object_id)
    for name, function in changing.items():
        connection.create_function(f"tsql_{name}", -1, guard(function))
    connection.create_function("tsql_store", 5, guard(store), deterministic=True)
    connection.create_function("tsql_type_info", 2, guard(type_info), deterministic=True)
    connection.create_aggregate("tsql_string_agg", -1, StringAggregate)  # type: ignore[arg-type]


def store(value: Stored, source: str, target: str, table: str, column: str) -> Stored:
    """Convert a value for a column, refusing what does not fit.

    :raises SqlError: 2628 when text is too long, and conversion errors
    """
    if value is None:
        return None
    kind = type_from_spec(target)
    if (kind.name in STRINGS or kind.name in BINARIES) and kind.length not in (None, -1):
        text = value if isinstance(value, (str, bytes)) else text_of(value, type_from_spec(source))
        if len(text) > (kind.length or 0) and (isinstance(text, bytes) or len(text.rstrip(" ")) > (kind.length or 0)):
            shown = text[: kind.length] if isinstance(text, str) else ""
            raise sql_error(2628, table, column, shown)
    return cast_stored(value, type_from_spec(source), kind)


def type_info(spec: str, what: str) -> Any:
    """Return one property of a column's type for the catalog views."""
    kind = type_from_spec(spec)
    if what == "name":
        return kind.name
    if what == "max_length":
        return max_length(kind)
    if what in ("precision", "scale"):
        return precision_and_scale(kind)[0 if what == "precision" else 1]
    if what in ("system_type_id", "user_type_id"):
        return system_type(kind.name).system_type_id
    return _schema_info(kind, what)


def _schema_info(kind: SqlType, what: str) -> int | None:
    if what == "characters":
        return kind.length
    if what == "datetime_precision":
        return (
            kind.scale
            if kind.name in ("datetime2", "time", "datetimeoffset")
            else 3
            if kind.name == "datetime"
            else None
        )
    if kind.name not in INTEGERS | {"decimal", "float", "real"} or kind.name == "bit":
        return None
    return precision_and_scale(kind)[0 if what == "numeric_precision" else 1]


def _set_variable(session: EngineSession, name: str, value: Stored, source: str | None) -> Stored:
    variable = session.frame.variable(name)
    variable.value = cast_stored(value, type_from_spec(source) if source else None, variable.type)
    return value


def _row_count(session: EngineSession, object_id: int) -> int:
    info = session.catalog.by_id(object_id)
    if info is None:
        return 0
    row = session.connection.execute(f"SELECT count(*) FROM {session.catalog.table_of(info).physical}").fetchone()
    return int(row[0])


class StringAggregate:
    """STRING_AGG: joins the values, in the order of its keys when there are any."""

    def __init__(self) -> None:
        self._rows: list[tuple[tuple[Stored, ...], str]] = []
        self._separator = ","
        self._directions = ""

    def step(self, value: Stored, separator: str | None, directions: str, *keys: Stored) -> None:
        """Take one row; NULL values do not count."""
        if value is None:
            return
        self._separator, self._directions = separator or "", directions
        self._rows.append((keys, plain_text(value)))

    def finalize(self) -> str | None:
        """Return the joined text; NULL without rows."""
        for position in reversed(range(len(self._directions))):
            self._rows.sort(key=lambda row: _sort_key(row[0][position]), reverse=self._directions[position] == "d")
        return self._separator.join(text for _, text in self._rows) if self._rows else None


def _sort_key(value: Stored) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (int, float)):
        return (1, float(value), "")
    return (2, 0.0, value.hex() if isinstance(value, bytes) else value.lower())
