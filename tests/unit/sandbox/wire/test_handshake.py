from __future__ import annotations

import pytest
from pysqlbridge.tds.packet import PacketStatus, PacketType, TdsProtocolError
from pysqlbridge.tds.prelogin import Encryption, Prelogin, PreloginOption

from airflow_provider_elasticjobs.sandbox.engine.interface import ServerMessage
from airflow_provider_elasticjobs.sandbox.wire import handshake
from airflow_provider_elasticjobs.sandbox.wire.transport import Message
from tests.unit.sandbox.wire.token_stream import Finished, Told, read_tokens


def answer(encryption: Encryption, *, is_strict: bool = False, federated: bool = False, mars: bool = False) -> Prelogin:
    options = [
        (PreloginOption.VERSION, bytes(6)),
        (PreloginOption.ENCRYPTION, bytes([encryption])),
        (PreloginOption.MARS, bytes([mars])),
    ]
    if federated:
        options.append((PreloginOption.FEDAUTHREQUIRED, b"\x01"))
    asked = Message(PacketType.PRELOGIN, PacketStatus.END_OF_MESSAGE, Prelogin(options).build())
    return Prelogin.parse(handshake._prelogin_answer(asked, is_strict=is_strict))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Encryption.ON, Encryption.ON),
        (Encryption.REQUIRED, Encryption.ON),
        (Encryption.OFF, Encryption.REQUIRED),
    ],
)
def test_every_connection_is_encrypted(asked: Encryption, told: Encryption) -> None:
    assert answer(asked).encryption is told


def test_a_client_that_cannot_encrypt_is_turned_away() -> None:
    with pytest.raises(TdsProtocolError, match="encrypting"):
        answer(Encryption.NOT_SUPPORTED)


def test_encryption_that_is_there_already_is_not_negotiated() -> None:
    assert answer(Encryption.NOT_SUPPORTED, is_strict=True).encryption is Encryption.NOT_SUPPORTED


def test_multiple_active_result_sets_are_declined() -> None:
    assert answer(Encryption.ON, mars=True).mars is False


def test_federated_login_is_answered_only_when_asked() -> None:
    assert answer(Encryption.ON).get(PreloginOption.FEDAUTHREQUIRED) is None
    assert answer(Encryption.ON, federated=True).get(PreloginOption.FEDAUTHREQUIRED) == b"\x01"


def test_a_client_that_opens_with_something_else_is_turned_away() -> None:
    message = Message(PacketType.SQL_BATCH, PacketStatus.END_OF_MESSAGE, b"")
    with pytest.raises(TdsProtocolError, match="PRELOGIN was expected"):
        handshake._prelogin_answer(message, is_strict=False)


def test_a_refusal_is_an_error_and_a_done() -> None:
    told, done = read_tokens(handshake.login_refused(ServerMessage(18456, 14, 1, "Login failed."), "srv"))
    assert told == Told("error", 18456, 14, "Login failed.", "srv")
    assert done == Finished("DONE", 2, 0)
