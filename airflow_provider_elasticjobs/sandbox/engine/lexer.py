# ruff: noqa: E501 - SQL Server's texts in one piece
"""T-SQL text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[\s\ufeff]+)
  | (?P<comment>--[^\n]*)
  | (?P<block>/\*)
  | (?P<string>[Nn]?'(?:[^']|'')*')
  | (?P<bracket>\[(?:[^\]]|\]\])*\])
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<binary>0[xX][0-9A-Fa-f]*)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<variable>@@?[\w@$\#]+)
  | (?P<word>(?:\#\#?)?[^\W\d][\w@$\#]*)
  | (?P<op><>|!=|<=|>=|!<|!>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|\|\||::|[-+*/%=<>(){},.;&|^~:!?\\$])
    """,
    re.VERBOSE,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Token:
    """One token.

    :param kind: ``word``, ``name`` (bracketed or quoted), ``string``, ``number``, ``binary``, ``variable``, ``op``, ``end``
    :param text: as written
    :param value: identifier or string without its quotes
    :param key: upper-case word, or the operator; ``''`` for everything else, so that keywords are easily told
    :param start: offset of the first character
    :param end: offset after the last character
    :param line: 1-based
    """

    kind: str
    text: str
    value: str
    key: str
    start: int
    end: int
    line: int


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a batch; the last one has the kind ``end``.

    :raises SqlError: 105 or 113 for an unclosed string or comment, 102 for a character that T-SQL does not know
    """
    tokens: list[Token] = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _bad_character(text, position, line)
        kind = match.lastgroup or ""
        end = _end_of_comment(text, match.end(), line) if kind == "block" else match.end()
        if kind not in ("space", "comment", "block"):
            tokens.append(_token(kind, match.group(), position, end, line))
        line += text.count("\n", position, end)
        position = end
    tokens.append(Token("end", "", "", "", position, position, line))
    return tokens


def _token(kind: str, text: str, start: int, end: int, line: int) -> Token:
    if kind == "string":
        return Token("string", text, text[text.index("'") + 1 : -1].replace("''", "'"), "", start, end, line)
    if kind == "bracket":
        return Token("name", text, text[1:-1].replace("]]", "]"), "", start, end, line)
    if kind == "quoted":
        return Token("name", text, text[1:-1].replace('""', '"'), "", start, end, line)
    key = text.upper() if kind == "word" else text if kind == "op" else ""
    return Token(kind, text, text, key, start, end, line)


def _end_of_comment(text: str, position: int, line: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            raise _at_line(sql_error(113), line)
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


def _bad_character(text: str, position: int, line: int) -> SqlError:
    rest = text[position:]
    if rest[0] in "'\"[" or rest[:2] in ("N'", "n'"):
        return _at_line(sql_error(105, rest.lstrip("Nn")[1:][:128]), line)
    return _at_line(sql_error(102, rest[0]), line)


def _at_line(error: SqlError, line: int) -> SqlError:
    error.line = line
    return error
