"""How a run's attempts and messages are printed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from airflow_provider_elasticjobs.job_database.attempt_history import AttemptRow, MessageRow
from airflow_provider_elasticjobs.job_database.history import ExecutionRow

__all__ = ["attempt_lines", "message_lines", "nested"]

_Row = dict[str, Any]

#: What is left out where a row stands inside its parent's.
_TARGET = ("step_id", "target_server_name", "target_database_name")
_ATTEMPT = (*_TARGET, "rerun", "attempt")


def nested(
    rows: Iterable[ExecutionRow], attempts: Iterable[AttemptRow], messages: Iterable[MessageRow] | None
) -> list[_Row]:
    """Return a run's rows for a program: each target's with ``attempts``, and each of these with its ``messages``.

    :param rows: of the job, its steps and their targets.
    :param attempts: of the whole run.
    :param messages: of the whole run; None if nobody asked for them.
    """
    said = _by(_ATTEMPT, map(asdict, messages or ()))
    made = _by(
        _TARGET,
        (
            asdict(one) | ({} if messages is None else {"messages": _inner(said[_key(one, _ATTEMPT)], _ATTEMPT)})
            for one in attempts
        ),
    )
    return [
        asdict(row) | ({"attempts": _inner(made[_key(row, _TARGET)], _TARGET)} if row.target_database_name else {})
        for row in rows
    ]


def attempt_lines(attempts: Iterable[AttemptRow]) -> list[_Row]:
    """Return the attempts of a run as a person wants to see them."""
    return [
        _place(one)
        | {
            "attempt": _number(one),
            "start_time": one.start_time,
            "milliseconds": one.duration_milliseconds,
            "outcome": one.outcome or "running",
            "error": one.error_number,
            "task": _task(one),
            "message": one.message,
        }
        for one in attempts
    ]


def message_lines(messages: Iterable[MessageRow]) -> list[_Row]:
    """Return what the scripts of a run said as a person wants to see it."""
    return [
        _place(one)
        | {
            "attempt": _number(one),
            "kind": one.kind,
            "number": one.number,
            "severity": one.severity,
            "line": one.line,
            "procedure": one.procedure_name,
            "text": one.text,
        }
        for one in messages
    ]


def _place(row: AttemptRow | MessageRow) -> _Row:
    return {"step_id": row.step_id, "what": f"{row.target_server_name}/{row.target_database_name}"}


def _number(row: AttemptRow | MessageRow) -> str:
    """Return the attempt's number; a row that began anew counts from 1 again."""
    return f"{row.attempt}, rerun {row.rerun}" if row.rerun else str(row.attempt)


def _task(attempt: AttemptRow) -> str:
    index = "" if attempt.map_index is None or attempt.map_index < 0 else f"[{attempt.map_index}]"
    return f"{attempt.task_id}{index} try {attempt.try_number}" if attempt.task_id else ""


def _key(row: object, names: Sequence[str]) -> Hashable:
    return tuple(getattr(row, name) for name in names)


def _by(names: Sequence[str], rows: Iterable[_Row]) -> Mapping[Hashable, list[_Row]]:
    grouped: dict[Hashable, list[_Row]] = defaultdict(list)
    for row in rows:
        grouped[tuple(row[name] for name in names)].append(row)
    return grouped


def _inner(rows: Iterable[_Row], known: Sequence[str]) -> list[_Row]:
    return [{name: value for name, value in row.items() if name not in known} for row in rows]
