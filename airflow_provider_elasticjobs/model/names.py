"""The rule that every name of the contract shares (reference 1.0 and 7.5)."""

from __future__ import annotations

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["check_name"]


def check_name(value: object, field: str, owner: str, maximum: int = 128) -> str:
    """Return ``value`` if it can be stored as a name, a string of 1 to ``maximum`` characters.

    :param value: what the author gave.
    :param field: the argument's name, for the message.
    :param owner: what the name belongs to, for the message.
    :raises DefinitionError: if it is not text, empty, blank at an end, or too long.
    """
    if not isinstance(value, str) or not value:
        raise DefinitionError(f"{owner}: {field} must be a non-empty text, not {value!r}")
    if value != value.strip():
        raise DefinitionError(f"{owner}: {field} {value!r} begins or ends with white space")
    if len(value) > maximum:
        raise DefinitionError(f"{owner}: {field} has {len(value)} characters; at most {maximum} can be stored")
    return value
