"""The rule that every name of the contract shares (reference 1.0 and 7.5), and patterns of names."""

from __future__ import annotations

import fnmatch
import re

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["SYSTEM_DATABASES", "check_name", "has_wildcard", "name_matches"]

#: Databases that every server has for itself: targets only when named.
SYSTEM_DATABASES = frozenset({"master", "tempdb", "model", "msdb", "distribution"})


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


def has_wildcard(name: str) -> bool:
    """Return whether a name holds ``*`` or ``?``, which no name of an Azure SQL database or pool can."""
    return "*" in name or "?" in name


def name_matches(name: str, pattern: str) -> bool:
    """Return whether a name fits a pattern: ``*`` is any text, ``?`` one character, letter case does not count.

    :param name: of a database or an elastic pool.
    :param pattern: of which everything but ``*`` and ``?`` stands for itself, brackets too.
    """
    plain = pattern.casefold().replace("[", "[[]")
    return re.match(fnmatch.translate(plain), name.casefold()) is not None
