from __future__ import annotations

import struct

import pytest
from pysqlbridge.tds.login import obfuscate_password
from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.wire.login import LoginRequest, parse_login

FIELDS = ("host", "user", "password", "application", "server", "extension", "library", "language", "database")


def login7(texts: dict[str, str], *, packet_size: int = 4096, features: bytes | None = None) -> bytes:
    """A LOGIN7 message as a client writes it."""
    blobs = {name: texts.get(name, "").encode("utf-16-le") for name in FIELDS}
    blobs["password"] = obfuscate_password(texts.get("password", ""))
    if features is not None:
        blobs["extension"] = bytes(4)
    table, data, offset = b"", b"", 94
    for name in FIELDS:
        size = len(blobs[name])
        count = 4 if name == "extension" and features is not None else size // 2
        table += struct.pack("<HH", offset + len(data), count)
        if name == "extension" and features is not None:
            extension_at = len(data)
        data += blobs[name]
    if features is not None:
        where = struct.pack("<I", offset + len(data))
        data = data[:extension_at] + where + data[extension_at + 4 :] + features
    table += bytes(6) + bytes(12) + bytes(4)
    flags3 = 0x10 if features is not None else 0
    head = struct.pack("<6I4BiI", 94 + len(data), 0x74000004, packet_size, 0, 0, 0, 0, 0, 0, flags3, 0, 0)
    return head + table + data


def fedauth(token: str, *, library: int = 1, nonce: bytes = b"") -> bytes:
    raw = token.encode("utf-16-le")
    data = bytes([library << 1 | 1]) + struct.pack("<I", len(raw)) + raw + nonce
    return b"\x04\x01\x00\x00\x00\x01" + b"\x02" + struct.pack("<I", len(data)) + data + b"\xff"


def test_a_login_by_password() -> None:
    texts = {"user": "sa", "password": "p;ß", "database": "db1", "application": "app", "host": "here"}
    request = parse_login(login7(texts))
    assert request == LoginRequest(
        user="sa",
        password="p;ß",
        token=None,
        nonce=b"",
        database="db1",
        application_name="app",
        host_name="here",
        packet_size=4096,
        integrated=False,
    )


def test_no_database_is_none() -> None:
    assert parse_login(login7({})).database is None


@pytest.mark.parametrize(("asked", "agreed"), [(0, 4096), (100, 512), (8000, 8000), (32_767, 16_000)])
def test_the_packet_size_is_agreed(asked: int, agreed: int) -> None:
    assert parse_login(login7({}, packet_size=asked)).packet_size == agreed


@pytest.mark.parametrize("nonce", [b"", bytes(range(32))])
def test_a_login_by_token(nonce: bytes) -> None:
    request = parse_login(login7({"database": "db1"}, features=fedauth("secret-token", nonce=nonce)))
    assert (request.token, request.nonce, request.database) == ("secret-token", nonce, "db1")


def test_another_federated_library_is_refused() -> None:
    with pytest.raises(TdsProtocolError, match="access token"):
        parse_login(login7({}, features=fedauth("x", library=2)))


def test_features_without_a_token() -> None:
    assert parse_login(login7({"user": "sa"}, features=b"\x04\x01\x00\x00\x00\x01\xff")).token is None


def test_a_message_cut_short_is_a_protocol_error() -> None:
    with pytest.raises(TdsProtocolError):
        parse_login(login7({"user": "sa"})[:60])


def test_its_repr_shows_no_secret() -> None:
    request = parse_login(login7({"user": "sa", "password": "hidden"}, features=fedauth("hidden-token")))
    assert "hidden" not in repr(request)
