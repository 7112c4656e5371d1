from __future__ import annotations

import pytest
from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.wire.reading import Reader


def test_reads_fields_in_order() -> None:
    reader = Reader(b"\x01\x02\x03\x04\x05\x06\x07A\x00")
    assert (reader.byte(), reader.ushort(), reader.ulong()) == (1, 0x0302, 0x07060504)
    assert not reader.at_end
    assert reader.text(1) == "A"
    assert reader.at_end


def test_peek_leaves_the_byte_in_place() -> None:
    reader = Reader(b"\x07\x08", 1)
    assert reader.peek() == reader.byte() == 8


def test_running_off_the_end_is_a_protocol_error() -> None:
    with pytest.raises(TdsProtocolError, match="2 bytes too early"):
        Reader(b"\x01\x02").ulong()


def test_a_lone_surrogate_survives() -> None:
    assert Reader(b"\x00\xd8").text(1) == "\ud800"
