"""Regions of a T-SQL text: code, strings, delimited identifiers and comments.

This is no parser. It knows just enough to say whether a character is code, which is what batch separators and variables
need to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = ["Region", "RegionKind", "regions"]


class RegionKind(Enum):
    """What a stretch of text is."""

    CODE = "code"
    STRING = "string"
    BRACKETED = "bracketed"
    QUOTED = "quoted"
    LINE_COMMENT = "line comment"
    BLOCK_COMMENT = "block comment"

    @property
    def is_comment(self) -> bool:
        """Whether the server ignores the region."""
        return self in (RegionKind.LINE_COMMENT, RegionKind.BLOCK_COMMENT)


@dataclass(frozen=True)
class Region:
    """A stretch ``text[start:end]`` of one kind, delimiters included.

    :param kind: what the stretch is.
    :param start: offset of its first character.
    :param end: offset behind its last character.
    """

    kind: RegionKind
    start: int
    end: int


_OPENING = re.compile(r"'|\"|\[|--|/\*")
_KINDS = {
    "'": RegionKind.STRING,
    '"': RegionKind.QUOTED,
    "[": RegionKind.BRACKETED,
    "--": RegionKind.LINE_COMMENT,
    "/*": RegionKind.BLOCK_COMMENT,
}
# A doubled closing delimiter stands for itself; an unclosed region runs to the end of the text, as on the server.
_CLOSING = {
    "'": re.compile(r"(?:[^']|'')*('|\Z)"),
    '"': re.compile(r'(?:[^"]|"")*("|\Z)'),
    "[": re.compile(r"(?:[^\]]|\]\])*(\]|\Z)"),
    "--": re.compile(r"[^\r\n]*"),
}
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def regions(text: str) -> Iterator[Region]:
    """Yield the regions of ``text`` in order; together they cover it exactly, and none is empty.

    :param text: any T-SQL, complete or not.
    """
    position = 0
    while (opening := _OPENING.search(text, position)) is not None:
        if opening.start() > position:
            yield Region(RegionKind.CODE, position, opening.start())
        position = _end_of(text, opening)
        yield Region(_KINDS[opening.group()], opening.start(), position)
    if position < len(text):
        yield Region(RegionKind.CODE, position, len(text))


def _end_of(text: str, opening: re.Match[str]) -> int:
    delimiter = opening.group()
    if delimiter == "/*":
        return _end_of_block_comment(text, opening.end())
    closing = _CLOSING[delimiter].match(text, opening.end())
    return len(text) if closing is None else closing.end()


def _end_of_block_comment(text: str, position: int) -> int:
    depth = 1  # T-SQL block comments nest
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            return len(text)
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position
