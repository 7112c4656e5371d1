"""Splitting a script into batches at ``GO``, as ``sqlcmd`` and Management Studio do.

``GO`` is no T-SQL: the server never sees it. It separates when it stands alone on a line of code, in any letter case,
perhaps with a count (``GO 3``: send the batch three times) and with comments. In a string, a comment or a delimited
identifier it is text. Reference 3.9: official scripts use it inside a step's command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.parameters import ParameterValue
from airflow_provider_elasticjobs.tsql.lexer import RegionKind, regions

__all__ = ["Batch", "split_batches"]

_NEWLINE = re.compile(r"\r\n|\r|\n")
_SEPARATOR = re.compile(r"\s*GO(?:\s+(?P<count>\d+))?\s*\Z", re.IGNORECASE)
_GO_WITH_REST = re.compile(r"\s*GO(?![\w@#$])(?P<rest>.*)\Z", re.IGNORECASE | re.DOTALL)
_NOT_NEWLINE = re.compile(r"[^\r\n]")
_MAXIMUM_COUNT = 2**31 - 1


@dataclass(frozen=True)
class Batch:
    """One text that is sent to the server as a whole.

    :param text: the T-SQL, exactly as written.
    :param count: how many times it is sent (``GO n``).
    :param first_line: line of the script on which the text begins, from 1.
    :param parameters: values that the text mentions as ``@name``; they may be secrets.
    """

    text: str
    count: int = 1
    first_line: int = 1
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict, hash=False, repr=False)


def split_batches(script: str) -> list[Batch]:
    """Return the batches of a script, in order, without those that hold no statement.

    :param script: T-SQL with ``GO`` separators; a byte order mark at its start is dropped.
    :raises DefinitionError: if a line begins with ``GO`` and goes on with something other than a positive count or a
        comment (``GO;``). Management Studio refuses it too; left alone, the server would often read it as an alias.
    """
    script = script.removeprefix("\ufeff")
    code = _without_comments_and_literals(script)
    batches: list[Batch] = []
    start, first_line = 0, 1
    for line_number, begin, end in _lines(code):
        count = _separator_count(code[begin:end], line_number)
        if count is None:
            continue
        _append(batches, script[start:begin], code[start:begin], count, first_line)
        start, first_line = end, line_number + 1
    _append(batches, script[start:], code[start:], 1, first_line)
    return batches


def _append(batches: list[Batch], text: str, code: str, count: int, first_line: int) -> None:
    if code.strip():
        batches.append(Batch(text, count, first_line))


def _without_comments_and_literals(script: str) -> str:
    """Return a text of the same length and lines, with comments blank and literals as quotes."""
    parts = []
    for region in regions(script):
        text = script[region.start : region.end]
        if region.kind.is_comment:
            text = _NOT_NEWLINE.sub(" ", text)
        elif region.kind is not RegionKind.CODE:
            text = _NOT_NEWLINE.sub("'", text)
        parts.append(text)
    return "".join(parts)


def _lines(code: str) -> Iterator[tuple[int, int, int]]:
    position, number = 0, 1
    while position < len(code):
        newline = _NEWLINE.search(code, position)
        end = len(code) if newline is None else newline.end()
        yield number, position, end
        position, number = end, number + 1


def _separator_count(line: str, line_number: int) -> int | None:
    separator = _SEPARATOR.match(line)
    if separator is not None:
        count = int(separator["count"] or 1)
        if not 1 <= count <= _MAXIMUM_COUNT:
            raise DefinitionError(f"line {line_number}: the count after GO must be from 1 to {_MAXIMUM_COUNT}")
        return count
    if _GO_WITH_REST.match(line):
        raise DefinitionError(
            f"line {line_number}: GO must stand alone on its line, or with a count from 1 to {_MAXIMUM_COUNT}"
            " and a comment; if GO is meant as a name, write [GO]"
        )
    return None
