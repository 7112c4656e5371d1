"""Remote procedure calls: what a request of packet type RPC carries ([MS-TDS] 2.2.6.6)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pysqlbridge.tds.batch import skip_all_headers
from pysqlbridge.tds.packet import TdsProtocolError
from pysqlbridge.tds.rpc import PROC_ID_SENTINEL

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter
from airflow_provider_elasticjobs.sandbox.wire.decoding import read_value
from airflow_provider_elasticjobs.sandbox.wire.reading import Reader

OUTPUT = 0x01
ENCRYPTED = 0x08
BATCH_SEPARATORS = frozenset({0xFE, 0xFF})
WELL_KNOWN = {
    1: "sp_cursor",
    2: "sp_cursoropen",
    3: "sp_cursorprepare",
    4: "sp_cursorexecute",
    5: "sp_cursorprepexec",
    6: "sp_cursorunprepare",
    7: "sp_cursorfetch",
    8: "sp_cursoroption",
    9: "sp_cursorclose",
    10: "sp_executesql",
    11: "sp_prepare",
    12: "sp_execute",
    13: "sp_prepexec",
    14: "sp_prepexecrpc",
    15: "sp_unprepare",
}


@dataclass(frozen=True)
class RemoteCall:
    """One call.

    :param procedure: name as the client wrote it, or the name of the well-known number it sent
    :param arguments: in order
    """

    procedure: str
    arguments: list[Parameter] = field(default_factory=list)


def parse_calls(payload: bytes) -> list[RemoteCall]:
    """Read the calls of one request; an executemany puts several in one.

    :raises UnsupportedTypeError: for a parameter type that the sandbox does not take
    :raises TdsProtocolError: for anything malformed
    """
    reader = Reader(payload, skip_all_headers(payload))
    calls = []
    try:
        while not reader.at_end:
            calls.append(_call(reader))
    except (struct.error, IndexError, ValueError) as problem:
        raise TdsProtocolError(f"the procedure call is malformed ({type(problem).__name__})") from None
    return calls


def _call(reader: Reader) -> RemoteCall:
    procedure = _procedure(reader)
    reader.ushort()
    arguments: list[Parameter] = []
    while not reader.at_end:
        if reader.peek() in BATCH_SEPARATORS:
            reader.byte()
            break
        arguments.append(_argument(reader))
    return RemoteCall(procedure, arguments)


def _procedure(reader: Reader) -> str:
    length = reader.ushort()
    if length != PROC_ID_SENTINEL:
        return reader.text(length)
    number = reader.ushort()
    if number not in WELL_KNOWN:
        raise TdsProtocolError(f"{number} is no well-known procedure")
    return WELL_KNOWN[number]


def _argument(reader: Reader) -> Parameter:
    name = reader.text(reader.byte())
    status = reader.byte()
    if status & ENCRYPTED:
        raise TdsProtocolError("the sandbox takes no encrypted parameter")
    sql_type, value = read_value(reader)
    return Parameter(name, sql_type, value, bool(status & OUTPUT))
