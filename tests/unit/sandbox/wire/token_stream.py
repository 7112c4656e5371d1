"""Reads the tokens of an answer back, as a client does, so that tests look at meaning and not at bytes."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_elasticjobs.sandbox.wire.decoding import read_value
from airflow_provider_elasticjobs.sandbox.wire.reading import Reader


class Told(NamedTuple):
    """An error or a message."""

    kind: str
    number: int
    severity: int
    text: str
    server: str


class Finished(NamedTuple):
    """A DONE token."""

    kind: str
    flags: int
    row_count: int


class Columns(NamedTuple):
    """A COLMETADATA token: column names, and how to read each value."""

    names: list[str]
    type_infos: list[bytes]


class Row(NamedTuple):
    """A row."""

    values: list[object]


class Status(NamedTuple):
    """A return status."""

    value: int


class Output(NamedTuple):
    """An output parameter."""

    ordinal: int
    name: str
    value: object


class Change(NamedTuple):
    """An ENVCHANGE token."""

    kind: int
    data: bytes


DONES = {0xFD: "DONE", 0xFE: "DONEPROC", 0xFF: "DONEINPROC"}
TYPE_INFO_BYTES = {0x28: 1, 0x29: 2, 0x2A: 2, 0x2B: 2, 0x6C: 4, 0xE7: 8, 0xEF: 8, 0xA7: 8, 0xAF: 8, 0xA5: 3, 0xAD: 3}


def read_tokens(data: bytes) -> list[object]:
    """The tokens of one answer, in order."""
    reader = Reader(data)
    found: list[object] = []
    columns = Columns([], [])
    while not reader.at_end:
        token = reader.byte()
        if token == 0x81:
            columns = _columns(reader)
            found.append(columns)
        elif token == 0xD1:
            found.append(Row([_value(reader, info) for info in columns.type_infos]))
        else:
            found.append(_other(reader, token))
    return found


def _columns(reader: Reader) -> Columns:
    names, infos = [], []
    for _ in range(reader.ushort()):
        reader.take(6)
        infos.append(reader.take(TYPE_INFO_BYTES.get(reader.peek(), 2)))
        names.append(reader.text(reader.byte()))
    return Columns(names, infos)


def _value(reader: Reader, info: bytes) -> object:
    rest = reader.take(0)
    # The value follows in the stream; a reader over both gives it and says how much it took.
    joined = Reader(info + rest + _remaining(reader))
    value = read_value(joined)[1]
    reader.take(joined._position - len(info))
    return value


def _remaining(reader: Reader) -> bytes:
    return reader._data[reader._position :]


def _other(reader: Reader, token: int) -> object:
    if token in DONES:
        flags, _, count = reader.ushort(), reader.ushort(), reader.unpack("<Q")
        return Finished(DONES[token], flags, count)
    if token == 0x79:
        return Status(reader.unpack("<i"))
    if token == 0xAC:
        ordinal, name = reader.ushort(), reader.text(reader.byte())
        reader.take(7)
        info = reader.take(TYPE_INFO_BYTES.get(reader.peek(), 2))
        return Output(ordinal, name, _value(reader, info))
    if token == 0xE3:
        body = reader.take(reader.ushort())
        return Change(body[0], body[1:])
    assert token in (0xAA, 0xAB), hex(token)
    told = Reader(reader.take(reader.ushort()))
    number, _, severity = told.ulong(), told.byte(), told.byte()
    text = told.text(told.ushort())
    return Told("error" if token == 0xAA else "info", number, severity, text, told.text(told.byte()))
