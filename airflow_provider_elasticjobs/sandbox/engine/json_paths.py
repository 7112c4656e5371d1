"""JSON_VALUE, JSON_QUERY, JSON_MODIFY and the rows of OPENJSON and STRING_SPLIT."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError

_STEP: Final = re.compile(r'\.(?:"((?:[^"\\]|\\.)*)"|([^.\[\s"]+))|\[(\d+)\]')
_MISSING: Final = object()
_TYPES: Final = {str: 1, int: 2, float: 2, bool: 3, list: 4, dict: 5}


def _load(document: str) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        raise SqlError(13609, "JSON text is not properly formatted.") from None


def _steps(path: str) -> list[str | int]:
    body = path.strip()
    for mode in ("lax ", "strict "):
        body = body.removeprefix(mode).strip()
    if not body.startswith("$"):
        raise SqlError(13607, f"JSON path is not properly formatted. Unexpected character '{body[:1]}' is found.")
    return [int(match[3]) if match[3] else (match[1] or match[2]) for match in _STEP.finditer(body[1:])]


def _find(document: str, path: str) -> Any:
    value = _load(document)
    for step in _steps(path):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else _MISSING
        else:
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            break
    return value


def _scalar(value: Any) -> str | None:
    if value is None or value is _MISSING:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_value(document: str, path: str) -> str | None:
    """Return a scalar of a document as text."""
    value = _find(document, path)
    return None if isinstance(value, (dict, list)) else _scalar(value)


def json_query(document: str, path: str = "$") -> str | None:
    """Return an object or array of a document as JSON text."""
    value = _find(document, path)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if isinstance(value, (dict, list)) else None


def json_modify(document: str | None, path: str | None, value: object) -> str | None:
    """Return the document with one value set, or removed when it is NULL."""
    if document is None or path is None:
        return None
    root = _load(document)
    steps = _steps(path)
    target = root
    for step in steps[:-1]:
        target = target[step]
    if value is None and isinstance(target, dict):
        target.pop(steps[-1], None)
    else:
        target[steps[-1]] = value
    return json.dumps(root, ensure_ascii=False, separators=(",", ":"))


def json_rows(document: str | None, path: str, with_columns: int) -> str:
    """Return OPENJSON's rows as a JSON array.

    :param with_columns: 1 for the elements themselves (WITH), 0 for ``[key, value, type]``
    """
    if document is None:
        return "[]"
    value = _find(document, path)
    if value is _MISSING or value is None:
        return "[]"
    if with_columns:
        return json.dumps([json.dumps(item) for item in (value if isinstance(value, list) else [value])])
    pairs = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    return json.dumps([[str(key), _scalar(item), _TYPES.get(type(item), 0)] for key, item in pairs])


def split(text: str, separator: str) -> str:
    """Return STRING_SPLIT's values as a JSON array."""
    return json.dumps(text.split(separator))
