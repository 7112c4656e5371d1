"""Values that a script gets beside its text, and their way through JSON: no type is lost, none is guessed.

JSON's own kinds (text, numbers, true, false, null) stand for themselves; every other value is an object of ``type`` and
``value``, so ``{"price": Decimal("1.50")}`` becomes ``{"price": {"type": "decimal", "value": "1.50"}}``. An author may
write either.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = [
    "VARIABLE_NAMES",
    "ParameterValue",
    "merged_parameters",
    "parameters_from_text",
    "parameters_to_json",
    "parameters_to_text",
    "read_parameters",
]

ParameterValue = bool | int | float | str | bytes | Decimal | UUID | date | datetime | time | None

#: Every variable that Elastic Jobs documents (reference 3.9); no parameter has such a name.
VARIABLE_NAMES = frozenset(
    {
        "job_execution_create_time",
        "job_execution_id",
        "job_id",
        "job_name",
        "job_version",
        "step_id",
        "step_name",
        "target_group_name",
    }
)

#: Most characters that the parameters of one target may have as JSON.
MOST_CHARACTERS = 65_536

_NAME = re.compile(r"[^\W\d]\w{0,126}")
#: A number of more digits has no T-SQL type that is exact.
_MOST_DIGITS = 38
_READERS: dict[str, Callable[[str], ParameterValue]] = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "decimal": Decimal,
    "time": time.fromisoformat,
    "uuid": UUID,
}


def read_parameters(given: Mapping[str, Any] | None, owner: str) -> dict[str, ParameterValue]:
    """Return parameters as Python values, from Python values or from JSON.

    :param given: name to value; None for no parameters.
    :param owner: what they belong to, for the message. A message names the parameter, and never its value.
    :raises DefinitionError: if a name or a value cannot be used, or two names differ in letter case only.
    """
    if given is not None and not isinstance(given, Mapping):
        raise DefinitionError(f"{owner}: parameters must be a mapping of names to values, not {type(given).__name__}")
    read: dict[str, ParameterValue] = {}
    for name, value in (given or {}).items():
        _check_name(name, owner, read)
        read[name] = _read_value(value, f"{owner}: parameter {name!r}")
    return read


def _check_name(name: object, owner: str, others: Mapping[str, object]) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{owner}: {name!r} is no name for a parameter: a letter or '_', then letters, digits and '_', at most 127"
        )
    if name.lower() in VARIABLE_NAMES:
        raise DefinitionError(f"{owner}: {name!r} is a built-in variable; choose another name for the parameter")
    if name.lower() in {other.lower() for other in others}:
        raise DefinitionError(f"{owner}: two parameters are called {name!r}; letter case does not count")


def _read_value(value: Any, place: str) -> ParameterValue:
    if isinstance(value, Mapping):
        reader = _READERS.get(str(value.get("type")))
        if reader is None or not isinstance(value.get("value"), str):
            raise DefinitionError(f"{place}: an object needs a 'type' ({', '.join(_READERS)}) and a 'value' of text")
        try:
            value = reader(value["value"])
        except (ValueError, InvalidOperation):
            raise DefinitionError(f"{place}: its value is no {value['type']}") from None
    if problem := _problem(value):
        raise DefinitionError(f"{place} {problem}")
    return value  # type: ignore[no-any-return]  # one of the types, or _problem had said so


def _problem(value: object) -> str | None:
    """Return what keeps a value from being a parameter."""
    if value is None or isinstance(value, (bool, str, bytes, UUID, date)):
        return None
    if isinstance(value, time):
        return "is a time with a zone, which T-SQL has no type for" if value.tzinfo else None
    if isinstance(value, (int, float, Decimal)):
        if not math.isfinite(value):
            return "is not a finite number"
        return "has too many digits" if not isinstance(value, float) and _digits(value) > _MOST_DIGITS else None
    kinds = "text, a number, a bool, bytes, a date, a time, a UUID or None"
    return f"is of type {type(value).__name__}; it must be {kinds}"


def _digits(value: int | Decimal) -> int:
    """Return how many digits a number has, written without an exponent."""
    _, digits, exponent = Decimal(value).as_tuple()
    return max(len(digits) + max(int(exponent), 0), -int(exponent))


def merged_parameters(*sources: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    """Return all parameters; where two have one name, in any letter case, the later source's counts.

    :param sources: from the least to the most exact.
    """
    merged: dict[str, tuple[str, ParameterValue]] = {}
    for source in sources:
        merged.update({name.lower(): (name, value) for name, value in source.items()})
    return dict(merged.values())


def parameters_to_json(values: Mapping[str, ParameterValue]) -> dict[str, Any]:
    """Return parameters as plain JSON, from which :func:`read_parameters` makes the same values.

    :param values: from :func:`read_parameters`.
    """
    return {name: _value_to_json(value) for name, value in values.items()}


def _value_to_json(value: ParameterValue) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return {"type": "bytes", "value": base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime):
        zoned = value if value.tzinfo is None else value.astimezone(timezone.utc)
        return {"type": "datetime", "value": zoned.isoformat()}
    kind = "date" if isinstance(value, date) else type(value).__name__.lower()
    return {"type": kind, "value": value.isoformat() if isinstance(value, (date, time)) else str(value)}


def parameters_to_text(values: Mapping[str, ParameterValue], owner: str) -> str:
    """Return parameters as they are stored: a JSON text, empty if there are none.

    :param values: from :func:`read_parameters`.
    :param owner: what they belong to, for the message.
    :raises DefinitionError: if the text is longer than 65,536 characters.
    """
    text = json.dumps(parameters_to_json(values), ensure_ascii=False) if values else ""
    if len(text) > MOST_CHARACTERS:
        raise DefinitionError(f"{owner}: the parameters have {len(text)} characters; at most {MOST_CHARACTERS}")
    return text


def parameters_from_text(text: str | None) -> dict[str, ParameterValue]:
    """Return parameters from :func:`parameters_to_text`'s form.

    :param text: the stored text; None or empty for no parameters.
    """
    return read_parameters(json.loads(text), "the target's row") if text else {}
