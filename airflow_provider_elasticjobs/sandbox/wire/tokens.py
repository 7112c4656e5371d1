"""Tokens that the reused token module lacks, or counts in characters where the protocol counts UTF-16 code units.

Layouts from [MS-TDS] 2.2.7: ERROR, INFO, DONE and its two kin, RETURNSTATUS, RETURNVALUE, ENVCHANGE, FEATUREEXTACK.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag

from pysqlbridge.tds.result import as_utf16

from airflow_provider_elasticjobs.sandbox.engine.interface import Column, ServerMessage, SqlType
from airflow_provider_elasticjobs.sandbox.wire.encoding import ValueEncoder, encoder_for

ERROR_TOKEN = 0xAA
INFO_TOKEN = 0xAB
NULLABLE_UPDATEABLE_UNKNOWN = 0x0009
UPDATEABLE_UNKNOWN = 0x0008
LONGEST_MESSAGE = 2047 * 2
LOWEST_ERROR_SEVERITY = 11
FEATURE_FEDAUTH = 0x02
FEATURE_END = 0xFF


class DoneKind(IntEnum):
    """Which DONE token: of a batch, of a procedure, of a statement inside a procedure."""

    DONE = 0xFD
    DONEPROC = 0xFE
    DONEINPROC = 0xFF


class DoneFlag(IntFlag):
    """Status bits of a DONE token."""

    FINAL = 0x0000
    MORE = 0x0001
    ERROR = 0x0002
    COUNT = 0x0010
    ATTENTION = 0x0020
    SERVER_ERROR = 0x0100


class EnvironmentChange(IntEnum):
    """Kinds of ENVCHANGE beyond the ones sent at login."""

    BEGIN_TRANSACTION = 8
    COMMIT_TRANSACTION = 9
    ROLLBACK_TRANSACTION = 10
    RESET_CONNECTION = 18


COMMANDS = {"SELECT": 0xC1, "INSERT": 0xC3, "DELETE": 0xC4, "UPDATE": 0xC5, "MERGE": 0x117}


def _short_text(text: str) -> bytes:
    encoded = bytes(as_utf16(text)[: 255 * 2])
    return bytes([len(encoded) // 2]) + encoded


def _framed(token: int, body: bytes) -> bytes:
    return struct.pack("<BH", token, len(body)) + body


def message(told: ServerMessage, server: str) -> bytes:
    """An ERROR token (severity 11 and more) or an INFO token.

    :param told: number, severity, state, text, line and procedure
    :param server: name of the logical server
    """
    text = as_utf16(told.text)[: LONGEST_MESSAGE * 2]
    body = struct.pack("<IBBH", told.number & 0xFFFFFFFF, told.state & 0xFF, told.severity & 0xFF, len(text) // 2)
    body += text + _short_text(server) + _short_text(told.procedure) + struct.pack("<I", max(told.line, 0))
    return _framed(ERROR_TOKEN if told.severity >= LOWEST_ERROR_SEVERITY else INFO_TOKEN, body)


def done(kind: DoneKind, flags: int, *, row_count: int | None = None, statement: str = "") -> bytes:
    """A DONE, DONEPROC or DONEINPROC token; a ``row_count`` of None sends no count."""
    if row_count is not None:
        flags |= DoneFlag.COUNT
    return struct.pack("<BHHQ", kind, flags, COMMANDS.get(statement, 0), row_count or 0)


def return_status(value: int) -> bytes:
    """The return status of a procedure."""
    return struct.pack("<Bi", 0x79, value)


def return_value(ordinal: int, name: str, sql_type: SqlType, value: object) -> bytes:
    """An output parameter's final value; ``ordinal`` is its place among the call's parameters."""
    encoder = encoder_for(sql_type)
    head = struct.pack("<BH", 0xAC, ordinal) + _short_text(name)
    return head + struct.pack("<BIH", 1, 0, UPDATEABLE_UNKNOWN) + encoder.type_info() + encoder.encode(value)


def column_metadata(columns: Sequence[Column], encoders: Sequence[ValueEncoder]) -> bytes:
    """The COLMETADATA token that declares a result set."""
    parts = [struct.pack("<BH", 0x81, len(columns))]
    for column, encoder in zip(columns, encoders, strict=True):
        flags = NULLABLE_UPDATEABLE_UNKNOWN if column.type.nullable else UPDATEABLE_UNKNOWN
        parts.append(struct.pack("<IH", 0, flags) + encoder.type_info() + _short_text(column.name))
    return b"".join(parts)


def transaction_change(kind: EnvironmentChange, descriptor: bytes) -> bytes:
    """Tell that a transaction began (the descriptor is the new value) or ended (it is the old one)."""
    value = bytes([len(descriptor)]) + descriptor
    began = kind is EnvironmentChange.BEGIN_TRANSACTION
    return _framed(0xE3, bytes([kind]) + (value + b"\x00" if began else b"\x00" + value))


def reset_acknowledged() -> bytes:
    """Answer a request that asked for ``sp_reset_connection`` in its header."""
    return _framed(0xE3, bytes([EnvironmentChange.RESET_CONNECTION, 0, 0]))


def federated_acknowledged(nonce: bytes) -> bytes:
    """FEATUREEXTACK for a login by access token, echoing the client's nonce."""
    return struct.pack("<BBI", 0xAE, FEATURE_FEDAUTH, len(nonce)) + nonce + bytes([FEATURE_END])
