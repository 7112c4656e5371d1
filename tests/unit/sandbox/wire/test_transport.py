from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from pysqlbridge.tds.packet import PacketStatus, PacketType, build_message, iter_packets
from pysqlbridge.tds.tls import TlsError

from airflow_provider_elasticjobs.sandbox.certificate import server_context, write_certificates
from airflow_provider_elasticjobs.sandbox.wire.transport import Message, Transport

Result = TypeVar("Result")


def talk(client: bytes, serve: Callable[[Transport], Awaitable[Result]]) -> tuple[Result, bytes]:
    """Let a client send bytes and leave; give what the server made of them and what it sent."""

    async def run() -> tuple[Result, bytes]:
        made: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                made.set_result(await serve(Transport(reader, writer)))
            except Exception as problem:  # noqa: BLE001 - handed to the test
                made.set_exception(problem)
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(client)
        writer.write_eof()
        sent = await reader.read()
        writer.close()
        server.close()
        return await made, sent

    return asyncio.run(run())


@pytest.mark.parametrize("packet_size", [16, 512, 4096])
def test_packets_are_joined_to_a_message(packet_size: int) -> None:
    payload = bytes(range(256)) * 3
    client = b"".join(build_message(PacketType.SQL_BATCH, payload, packet_size=packet_size))
    message, _ = talk(client, lambda transport: transport.read_message())
    assert message == Message(PacketType.SQL_BATCH, PacketStatus.END_OF_MESSAGE, payload)


def test_a_status_bit_of_the_first_packet_is_kept() -> None:
    packets = build_message(PacketType.RPC, bytes(20), packet_size=18)
    first = packets[0][:1] + bytes([PacketStatus.RESET_CONNECTION]) + packets[0][2:]
    message, _ = talk(first + b"".join(packets[1:]), lambda transport: transport.read_message())
    assert message is not None
    assert message.status & PacketStatus.RESET_CONNECTION


@pytest.mark.parametrize("client", [b"", b"\x01\x01\x00", b"\x01\x01\x00\xff\x00\x00\x01\x00abc"])
def test_a_client_that_leaves_gives_no_message(client: bytes) -> None:
    message, _ = talk(client, lambda transport: transport.read_message())
    assert message is None


def test_an_answer_is_cut_into_packets() -> None:
    async def answer(transport: Transport) -> None:
        transport.packet_size = 108
        transport.session_id = 77
        await transport.send(b"a" * 150, final=False)
        await transport.send(b"b" * 60, final=True)

    _, sent = talk(b"", answer)
    packets = list(iter_packets(sent))
    assert [header.payload_length for header, _ in packets] == [100, 100, 10]
    assert [header.is_end_of_message for header, _ in packets] == [False, False, True]
    assert [header.packet_id for header, _ in packets] == [1, 2, 3]
    assert {header.spid for header, _ in packets} == {77}
    assert b"".join(body for _, body in packets) == b"a" * 150 + b"b" * 60


def test_an_answer_that_fills_its_packet_ends_with_it() -> None:
    async def answer(transport: Transport) -> None:
        transport.packet_size = 108
        await transport.send(b"a" * 100, final=True)

    _, sent = talk(b"", answer)
    ((header, _),) = iter_packets(sent)
    assert header.is_end_of_message


def test_a_partial_send_leaves_nothing_behind() -> None:
    async def answer(transport: Transport) -> None:
        await transport.send(b"abc", final=False)
        await transport.send(b"def", final=False, partial=True)

    _, sent = talk(b"", answer)
    ((header, body),) = iter_packets(sent)
    assert (body, header.is_end_of_message) == (b"abcdef", False)


@pytest.mark.parametrize(("first", "is_tls"), [(b"\x16\x03\x01", True), (b"\x12\x01\x00", False)])
def test_the_first_byte_tells_tls_from_tds(first: bytes, is_tls: bool) -> None:
    found, _ = talk(first, lambda transport: transport.starts_with_tls())
    assert found is is_tls


@pytest.mark.parametrize("strict", [True, False])
def test_a_handshake_with_someone_else_fails_clearly(tmp_path: Path, strict: bool) -> None:
    context = server_context(write_certificates(tmp_path, ["srv"]), strict=strict)

    async def shake(transport: Transport) -> None:
        await (transport.start_strict_tls(context) if strict else transport.start_tls(context))

    client = b"GET / HTTP/1.1\r\n\r\n"
    if not strict:
        client = b"".join(build_message(PacketType.PRELOGIN, client))
    with pytest.raises(TlsError):
        talk(client, shake)


def test_a_client_that_leaves_during_the_handshake(tmp_path: Path) -> None:
    context = server_context(write_certificates(tmp_path, ["srv"]), strict=False)
    with pytest.raises(TlsError, match="left"):
        talk(b"", lambda transport: transport.start_tls(context))
