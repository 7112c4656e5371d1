"""How a connection begins: PRELOGIN, the TLS handshake, and the LOGIN7 message."""

from __future__ import annotations

import ssl

from pysqlbridge.tds.packet import PacketType, TdsProtocolError
from pysqlbridge.tds.prelogin import Encryption, Prelogin, PreloginOption, Version, server_response
from pysqlbridge.tds.token import EnvChangeType, env_change, login_ack

from airflow_provider_elasticjobs.sandbox.engine.interface import ServerMessage
from airflow_provider_elasticjobs.sandbox.wire import tokens
from airflow_provider_elasticjobs.sandbox.wire.login import LoginRequest, parse_login
from airflow_provider_elasticjobs.sandbox.wire.tokens import DoneKind
from airflow_provider_elasticjobs.sandbox.wire.transport import Message, Transport

AZURE_SQL_VERSION = Version(major=12, minor=0, build=2000, subbuild=8)
COLLATION = bytes.fromhex("0904d00034")
LANGUAGE = "us_english"


async def read_login(transport: Transport, tls: ssl.SSLContext, strict_tls: ssl.SSLContext) -> LoginRequest | None:
    """Bring a fresh connection to its login; every connection ends up encrypted.

    :param tls: for the handshake inside PRELOGIN packets (TDS 7.4)
    :param strict_tls: for the handshake before any packet (TDS 8)
    :returns: the login asked for, None when the client left
    :raises TdsProtocolError: for anything else than a login
    :raises TlsError: when the handshake fails
    """
    is_strict = await transport.starts_with_tls()
    if is_strict:
        await transport.start_strict_tls(strict_tls)
    opening = await transport.read_message()
    if opening is None:
        return None
    await transport.send(_prelogin_answer(opening, is_strict=is_strict), final=True)
    if not is_strict:
        await transport.start_tls(tls)
    message = await transport.read_message()
    return None if message is None else parse_login(_expect(message, PacketType.LOGIN7))


def _expect(message: Message, kind: PacketType) -> bytes:
    if message.type is not kind:
        raise TdsProtocolError(f"{kind.name} was expected, {message.type.name} came")
    return message.payload


def _prelogin_answer(message: Message, *, is_strict: bool) -> bytes:
    asked = Prelogin.parse(_expect(message, PacketType.PRELOGIN))
    if is_strict:
        wanted = Encryption.NOT_SUPPORTED  # encryption is not negotiated: it is there already
    elif asked.encryption is Encryption.NOT_SUPPORTED:
        raise TdsProtocolError("the sandbox speaks to encrypting clients only")
    else:
        # A client that did not ask for encryption is told that it is required.
        wanted = Encryption.REQUIRED if asked.encryption is Encryption.OFF else Encryption.ON
    answer = server_response(version=AZURE_SQL_VERSION, encryption=wanted, mars=False, asked=asked)
    if asked.get(PreloginOption.FEDAUTHREQUIRED) is not None:
        answer.options.append((PreloginOption.FEDAUTHREQUIRED, b"\x01"))
    return bytes(answer.build())


def login_refused(message: ServerMessage, server: str) -> bytes:
    """The answer to a login that is refused."""
    return tokens.message(message, server) + tokens.done(DoneKind.DONE, tokens.DoneFlag.ERROR)


def login_accepted(request: LoginRequest, server: str, database: str) -> bytes:
    """The answer to a login that succeeds.

    :param database: the session's database
    """
    size = str(request.packet_size)
    context = ServerMessage(5701, 0, 2, f"Changed database context to '{database}'.")
    language = ServerMessage(5703, 0, 1, f"Changed language setting to {LANGUAGE}.")
    version = (AZURE_SQL_VERSION.major, AZURE_SQL_VERSION.minor, AZURE_SQL_VERSION.build)
    return b"".join(
        [
            env_change(EnvChangeType.DATABASE, database, "master"),
            tokens.message(context, server),
            env_change(EnvChangeType.SQL_COLLATION, COLLATION),
            env_change(EnvChangeType.LANGUAGE, LANGUAGE),
            tokens.message(language, server),
            login_ack(version=version),
            tokens.federated_acknowledged(request.nonce) if request.token is not None else b"",
            env_change(EnvChangeType.PACKET_SIZE, size, "4096"),
            tokens.done(DoneKind.DONE, 0),
        ]
    )
