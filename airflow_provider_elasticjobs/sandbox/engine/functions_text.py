# ruff: noqa: ARG005 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: PLC0415 - modules that need each other
"""Implementations of the text, number and JSON functions; registered in SQLite under ``tsql_`` names."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import random
import re
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.json_paths import json_modify, json_query, json_rows, json_value, split
from airflow_provider_elasticjobs.sandbox.engine.types import type_from_spec
from airflow_provider_elasticjobs.sandbox.engine.values import Stored, cast_stored, text_of

_PLACEHOLDER: Final = re.compile(
    r"%(?P<flags>[-+0# ]*)(?P<width>\*|\d+)?(?:\.(?P<digits>\*|\d+))?(?:l|h|I64)?(?P<kind>[diouxXs%])"
)
_NUMERIC: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")


def cast(value: Stored, source: str | None, target: str, style: int | None = None) -> Stored:
    """CAST and CONVERT; types are given as specs."""
    if value is None:
        return None
    return cast_stored(value, type_from_spec(source) if source else None, type_from_spec(target), style)


def try_cast(value: Stored, source: str | None, target: str, style: int | None = None) -> Stored:
    """TRY_CAST and TRY_CONVERT."""
    try:
        return cast(value, source, target, style)
    except SqlError:
        return None


def plain_text(value: Stored) -> str:
    """Return any stored value as text."""
    if isinstance(value, str):
        return value
    return cast_text(value)


def cast_text(value: Stored) -> str:
    """Return a value that is not text as text."""
    from airflow_provider_elasticjobs.sandbox.engine.values import guess_type

    return "" if value is None else text_of(value, guess_type(value))


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    def null_safe(*arguments: Stored) -> Stored:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return null_safe


@lru_cache(maxsize=1024)
def like_pattern(pattern: str, escape: str = "") -> re.Pattern[str]:
    """Return a LIKE pattern as a regular expression."""
    out, index = [], 0
    while index < len(pattern):
        char = pattern[index]
        if escape and char == escape and index + 1 < len(pattern):
            index += 1
            out.append(re.escape(pattern[index]))
        elif char in "%_":
            out.append(".*" if char == "%" else ".")
        elif char == "[" and (end := pattern.find("]", index + 1)) > index:
            body = pattern[index + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{body}]" if body else "(?!)")
            index = end
        else:
            out.append(re.escape(char))
        index += 1
    return re.compile("".join(out), re.IGNORECASE | re.DOTALL)


def _like(value: Stored, pattern: Stored, escape: str = "") -> int:
    return int(like_pattern(plain_text(pattern), escape).fullmatch(plain_text(value)) is not None)


def _pat_index(pattern: str, value: str) -> int:
    body = pattern
    anchored = not body.startswith("%")
    expression = like_pattern(body.strip("%") if not anchored else body.rstrip("%"))
    found = expression.match(value) if anchored else expression.search(value)
    return found.start() + 1 if found else 0


def _left(text: str, count: int) -> str:
    if count < 0:
        raise SqlError(536, "Invalid length parameter passed to the left function.")
    return text[:count]


def _right(text: str, count: int) -> str:
    if count < 0:
        raise SqlError(536, "Invalid length parameter passed to the right function.")
    return text[-count:] if count else ""


def _substring(value: Stored, start: int, length: int) -> Stored:
    if length < 0:
        raise SqlError(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    begin, end = max(0, start - 1), max(0, start - 1 + length)
    return value[begin:end] if isinstance(value, bytes) else plain_text(value)[begin:end]


def _char_index(wanted: str, text: str, start: int = 1) -> int:
    return text.lower().find(wanted.lower(), max(0, start - 1)) + 1


def _replace(text: str, old: str, new: str) -> str:
    return re.sub(re.escape(old), lambda _: new, text, flags=re.IGNORECASE) if old else text


def _stuff(text: str | None, start: int | None, length: int | None, new: str | None) -> str | None:
    if text is None or start is None or length is None or start < 1 or start > len(text) or length < 0:
        return None
    return text[: start - 1] + (new or "") + text[start - 1 + length :]


def quote_name(name: str, mark: str = "[") -> str | None:
    """QUOTENAME."""
    if len(name) > 128:
        return None
    closing = {"[": "]", "]": "]", "(": ")", ")": ")", "<": ">", ">": ">", "{": "}", "}": "}"}.get(mark, mark)
    opening = {"]": "[", ")": "(", ">": "<", "}": "{"}.get(mark, mark)
    return opening + name.replace(closing, closing * 2) + closing


def format_message(template: Stored, *arguments: Stored) -> str:
    """FORMATMESSAGE and RAISERROR's substitution."""
    rest = list(arguments)

    def fill(match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%"
        width = str(rest.pop(0)) if match["width"] == "*" and rest else match["width"] or ""
        value = rest.pop(0) if rest else None
        if value is None:
            return "(null)"
        if match["kind"] == "s":
            digits = f".{match['digits']}" if match["digits"] else ""
            return f"%{match['flags']}{width}{digits}s" % plain_text(value)
        kind = "d" if match["kind"] in "diu" else match["kind"]
        return f"%{match['flags']}{width}{kind}" % int(str(value))

    return _PLACEHOLDER.sub(fill, plain_text(template))


def _concat_ws(separator: str | None, *values: Stored) -> str:
    return (separator or "").join(plain_text(value) for value in values if value is not None)


def _str(number: float, length: int = 10, decimals: int = 0) -> str:
    text = f"{number:.{decimals}f}"
    return text.rjust(length) if len(text) <= length else "*" * length


def _parse_name(name: str, part: int) -> str | None:
    pieces = [piece.strip('[]"') for piece in re.findall(r"\[[^\]]*\]|\"[^\"]*\"|[^.]+", name)]
    return pieces[-part] if 1 <= part <= len(pieces) else None


def _hash_bytes(algorithm: str, value: bytes) -> bytes:
    name = {"SHA2_256": "sha256", "SHA2_512": "sha512", "SHA1": "sha1", "SHA": "sha1", "MD5": "md5"}.get(
        algorithm.upper()
    )
    if name is None:
        raise SqlError(15600, "An invalid parameter or option was specified for procedure 'hashbytes'.")
    return hashlib.new(name, value, usedforsecurity=False).digest()


def _checksum(*values: Stored) -> int:
    number = zlib.crc32("\x1f".join(plain_text(value).lower() for value in values).encode())
    return number - 2**32 if number >= 2**31 else number


def _data_length(value: Stored, name: str) -> int:
    if isinstance(value, bytes):
        return len(value)
    fixed = {
        "int": 4,
        "bigint": 8,
        "smallint": 2,
        "tinyint": 1,
        "bit": 1,
        "float": 8,
        "real": 4,
        "uniqueidentifier": 16,
    }
    if name in fixed:
        return fixed[name]
    if name in ("datetime2", "datetime", "date", "time", "datetimeoffset", "decimal"):
        return {"date": 3, "time": 5, "datetimeoffset": 10, "decimal": 9}.get(name, 8)
    text = plain_text(value)
    return len(text.encode("utf-16-le")) if name.startswith("n") else len(text.encode("latin-1", "replace"))


def _round(number: float, digits: int, truncate: int = 0) -> float:
    factor = 10.0**digits
    scaled = number * factor
    whole = math.trunc(scaled) if truncate else math.floor(abs(scaled) + 0.5) * (1 if scaled >= 0 else -1)
    result = whole / factor
    return int(result) if isinstance(number, int) else result


def int_div(left: int, right: int) -> int:
    """Divide whole numbers toward zero."""
    if not right:
        raise sql_error(8134)
    quotient = abs(int(left)) // abs(int(right))
    return quotient if (left < 0) == (right < 0) else -quotient


def divide(left: float, right: float) -> float:
    """Divide numbers."""
    if not right:
        raise sql_error(8134)
    return left / right


def modulo(left: float, right: float) -> float:
    """Remainder with the sign of the dividend."""
    if not right:
        raise sql_error(8134)
    remainder = math.fmod(left, right)
    return int(remainder) if isinstance(left, int) and isinstance(right, int) else remainder


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, bytes) and isinstance(right, bytes):
        return left + right
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return (float(left) if isinstance(left, str) else left) + (float(right) if isinstance(right, str) else right)


def _power(base: float, exponent: float) -> float:
    result = math.pow(base, exponent)
    return int(result) if isinstance(base, int) else result


def _is_json(text: str) -> int:
    try:
        return int(isinstance(json.loads(text), (dict, list)))
    except ValueError:
        return 0


TEXT: Final[Mapping[str, Callable[..., Any]]] = {
    "cast": cast, "try_cast": try_cast, "like": _strict(_like), "len": _strict(lambda text: len(text.rstrip(" "))),
    "upper": _strict(str.upper), "lower": _strict(str.lower), "ltrim": _strict(lambda text: text.lstrip(" ")),
    "rtrim": _strict(lambda text: text.rstrip(" ")), "trim": _strict(lambda text: text.strip(" ")),
    "left": _strict(_left), "right": _strict(_right), "substring": _strict(_substring), "replace": _strict(_replace),
    "stuff": _stuff, "charindex": _strict(_char_index), "patindex": _strict(_pat_index),
    "reverse": _strict(lambda text: text[::-1]), "replicate": _strict(lambda text, count: text * count if count >= 0 else None),
    "space": _strict(lambda count: " " * count), "concat": lambda *values: "".join(plain_text(value) for value in values),
    "concat_ws": _concat_ws, "quotename": _strict(quote_name), "ascii": _strict(lambda text: ord(text[0]) if text else None),
    "unicode": _strict(lambda text: ord(text[0]) if text else None),
    "char": _strict(lambda code: chr(code) if 0 <= code <= 255 else None), "nchar": _strict(chr), "str": _strict(_str),
    "translate": _strict(lambda text, old, new: text.translate(str.maketrans(old, new))),
    "string_escape": _strict(lambda text, _: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/")),
    "parsename": _strict(_parse_name), "formatmessage": format_message, "isjson": _strict(_is_json),
    "json_value": _strict(json_value), "json_query": _strict(json_query), "json_modify": json_modify,
    "json_rows": json_rows, "split": _strict(split), "hashbytes": _strict(_hash_bytes), "checksum": _checksum,
    "binary_checksum": _checksum, "isnumeric": lambda value: int(value is not None and bool(_NUMERIC.match(plain_text(value)))),
    "datalength": _strict(_data_length), "compress": _strict(lambda value: gzip.compress(value if isinstance(value, bytes) else value.encode("utf-16-le"))),
    "decompress": _strict(gzip.decompress), "int_div": _strict(int_div), "div": _strict(divide), "mod": _strict(modulo),
    "add": _strict(_add), "abs": _strict(abs), "ceiling": _strict(math.ceil), "floor": _strict(math.floor),
    "sign": _strict(lambda number: (number > 0) - (number < 0)), "round": _strict(_round), "power": _strict(_power),
    "sqrt": _strict(math.sqrt), "square": _strict(lambda number: float(number) ** 2), "exp": _strict(math.exp),
    "log": _strict(math.log), "log10": _strict(math.log10), "pi": lambda: math.pi,
}  # fmt: skip
"""Functions whose result depends on nothing but their arguments."""

RANDOM: Final[Mapping[str, Callable[..., Any]]] = {"rand": lambda seed=None: random.random()}  # noqa: S311 - not for secrets
"""Functions that give something else at each call."""
