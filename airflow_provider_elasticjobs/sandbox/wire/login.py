"""What a client says of itself in LOGIN7, including a login by access token ([MS-TDS] 2.2.6.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pysqlbridge.tds.login import Login7, deobfuscate_password
from pysqlbridge.tds.packet import TdsProtocolError

from airflow_provider_elasticjobs.sandbox.wire.reading import Reader
from airflow_provider_elasticjobs.sandbox.wire.tokens import FEATURE_END, FEATURE_FEDAUTH

EXTENSION_PAIR = 36 + 5 * 4
OPTION_FLAGS_3 = 27
EXTENSION_USED = 0x10
SECURITY_TOKEN_LIBRARY = 0x01
NONCE_BYTES = 32
SMALLEST_PACKET = 512
LARGEST_ENCRYPTED_PACKET = 16_000
DEFAULT_PACKET = 4096


@dataclass(frozen=True)
class LoginRequest:
    """A login as the client asked for it; secrets stay out of its repr.

    :param user: login name, empty with a token
    :param password: password, empty with a token
    :param token: access token, None with a password
    :param nonce: what FEATUREEXTACK echoes
    :param database: database asked for, None for the login's own
    :param application_name: what ``APP_NAME()`` answers
    :param host_name: what ``HOST_NAME()`` answers
    :param packet_size: bytes a packet, agreed
    :param integrated: whether the client wants Windows authentication
    """

    user: str
    password: str = field(repr=False)
    token: str | None = field(repr=False)
    nonce: bytes = field(repr=False)
    database: str | None
    application_name: str
    host_name: str
    packet_size: int
    integrated: bool


def parse_login(payload: bytes) -> LoginRequest:
    """Read a LOGIN7 message.

    :raises TdsProtocolError: when it is malformed or asks for a federated library other than an access token
    """
    features = _features(payload)
    login = Login7.parse(_without_extension(payload))
    token, nonce = _federated(features[FEATURE_FEDAUTH]) if FEATURE_FEDAUTH in features else (None, b"")
    return LoginRequest(
        user=login.user_name,
        password=deobfuscate_password(login.password),
        token=token,
        nonce=nonce,
        database=login.database or None,
        application_name=login.app_name,
        host_name=login.host_name,
        packet_size=_packet_size(login.packet_size),
        integrated=login.uses_integrated_auth,
    )


def _packet_size(asked: int) -> int:
    return min(max(asked or DEFAULT_PACKET, SMALLEST_PACKET), LARGEST_ENCRYPTED_PACKET)


def _without_extension(payload: bytes) -> bytes:
    # The reused parser takes the extension for text, which the bytes it points at are not.
    return payload[:EXTENSION_PAIR] + b"\x00" * 4 + payload[EXTENSION_PAIR + 4 :]


def _features(payload: bytes) -> dict[int, bytes]:
    if len(payload) < EXTENSION_PAIR + 4 or not payload[OPTION_FLAGS_3] & EXTENSION_USED:
        return {}
    offset, _ = struct.unpack_from("<HH", payload, EXTENSION_PAIR)
    reader = Reader(payload, Reader(payload, offset).ulong())
    features = {}
    while (feature := reader.byte()) != FEATURE_END:
        features[feature] = reader.take(reader.ulong())
    return features


def _federated(data: bytes) -> tuple[str, bytes]:
    reader = Reader(data)
    library = reader.byte() >> 1
    if library != SECURITY_TOKEN_LIBRARY:
        raise TdsProtocolError("the sandbox takes an access token, not an interactive federated login")
    token = reader.take(reader.ulong()).decode("utf-16-le", "replace")
    return token, b"" if reader.at_end else reader.take(NONCE_BYTES)
