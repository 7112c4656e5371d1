from __future__ import annotations

import struct

import pytest
from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, SqlType
from airflow_provider_elasticjobs.sandbox.wire.rpc import RemoteCall, parse_calls

HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)


def named(name: str) -> bytes:
    return struct.pack("<H", len(name)) + name.encode("utf-16-le") + b"\x00\x00"


def well_known(number: int) -> bytes:
    return struct.pack("<HHH", 0xFFFF, number, 0)


def integer(value: int, name: str = "", status: int = 0) -> bytes:
    return bytes([len(name)]) + name.encode("utf-16-le") + bytes([status, 0x26, 4, 4]) + struct.pack("<i", value)


def test_a_call_by_name() -> None:
    (call,) = parse_calls(HEADERS + named("dbo.p") + integer(7, "@a") + integer(8, status=1))
    assert call == RemoteCall(
        "dbo.p", [Parameter("@a", SqlType("int"), 7), Parameter("", SqlType("int"), 8, is_output=True)]
    )


@pytest.mark.parametrize(("number", "name"), [(10, "sp_executesql"), (13, "sp_prepexec"), (2, "sp_cursoropen")])
def test_a_call_by_number(number: int, name: str) -> None:
    assert parse_calls(HEADERS + well_known(number)) == [RemoteCall(name)]


@pytest.mark.parametrize("separator", [b"\xff", b"\xfe"])
def test_several_calls_in_one_request(separator: bytes) -> None:
    calls = parse_calls(HEADERS + named("a") + integer(1) + separator + named("b") + integer(2))
    assert [(call.procedure, call.arguments[0].value) for call in calls] == [("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (HEADERS + well_known(99), "99"),
        (HEADERS + named("p") + integer(1)[:-2], "too early"),
        (HEADERS + named("p") + integer(1, status=8), "encrypted"),
        (HEADERS + b"\x05", "too early"),
        (b"\x00", "too short"),
    ],
)
def test_what_is_malformed_is_a_protocol_error(payload: bytes, said: str) -> None:
    with pytest.raises(TdsProtocolError, match=said):
        parse_calls(payload)
