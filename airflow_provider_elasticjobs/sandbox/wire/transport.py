"""TDS messages over one connection: packets in and out, through the TLS tunnel once there is one."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from pysqlbridge.tds.packet import (
    DEFAULT_PACKET_SIZE,
    HEADER_SIZE,
    PacketStatus,
    PacketType,
    TdsProtocolError,
    build_packet,
    parse_header,
)
from pysqlbridge.tds.tls import TlsError, TlsTunnel, wrap_handshake

READ_BYTES = 65_536
LONGEST_MESSAGE = 256 * 1024 * 1024


@dataclass(frozen=True)
class Message:
    """One whole message of the client.

    :param type: packet type
    :param status: status bits of its first packet, joined with those of its last
    :param payload: bodies of its packets, joined
    """

    type: PacketType
    status: PacketStatus
    payload: bytes


class Transport:
    """Frames messages on a pair of streams.

    :param reader: bytes from the client
    :param writer: bytes to the client
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._tunnel: TlsTunnel | None = None
        self._received = bytearray()
        self._unsent = bytearray()
        self._packet_id = 1
        self.packet_size = DEFAULT_PACKET_SIZE
        self.session_id = 0

    async def starts_with_tls(self) -> bool:
        """Whether the client's first byte opens a TLS record (TDS 8, ``Encrypt=strict``)."""
        while not self._received:
            await self._receive()
        return self._received[0] == 0x16

    async def read_message(self) -> Message | None:
        """Read the packets of one message; None when the client has gone.

        :raises TdsProtocolError: for what is no TDS packet, or a message beyond 256 MiB
        """
        try:
            return await self._read_message()
        except (ConnectionError, TlsError, EOFError):
            return None

    async def _read_message(self) -> Message:
        payload = bytearray()
        first: PacketType | None = None
        status = PacketStatus.NORMAL
        while True:
            await self._receive_until(HEADER_SIZE)
            header = parse_header(bytes(self._received[:HEADER_SIZE]))
            await self._receive_until(header.length)
            payload += self._received[HEADER_SIZE : header.length]
            del self._received[: header.length]
            first = header.type if first is None else first
            status |= header.status
            if header.is_end_of_message:
                return Message(first, status, bytes(payload))
            if len(payload) > LONGEST_MESSAGE:
                raise TdsProtocolError(f"a message of more than {LONGEST_MESSAGE} bytes")

    async def _receive_until(self, length: int) -> None:
        while len(self._received) < length:
            await self._receive()

    async def _receive(self) -> None:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise EOFError
        self._received += data if self._tunnel is None else self._tunnel.unwrap(data)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake inside PRELOGIN packets; everything after it is encrypted.

        :raises TlsError: when the handshake fails
        """
        tunnel = TlsTunnel(context)
        while not tunnel.handshake_complete:
            message = await self.read_message()
            if message is None:
                raise TlsError("the client left during the handshake")
            if records := tunnel.advance_handshake(message.payload):
                self._writer.writelines(wrap_handshake(records))
            await self._writer.drain()
        self._adopt(tunnel)

    async def start_strict_tls(self, context: ssl.SSLContext) -> None:
        """Do the handshake before any TDS packet (TDS 8)."""
        tunnel = TlsTunnel(context)
        data = bytes(self._received)
        self._received.clear()
        while True:
            self._writer.write(tunnel.advance_handshake(data))
            await self._writer.drain()
            if tunnel.handshake_complete:
                break
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise TlsError("the client left during the handshake")
        self._adopt(tunnel)

    def _adopt(self, tunnel: TlsTunnel) -> None:
        early = bytes(self._received)
        self._received = bytearray(tunnel.unwrap(early))
        self._tunnel = tunnel

    async def send(self, tokens: bytes, *, final: bool, partial: bool = False) -> None:
        """Send a piece of an answer and wait until the client takes it.

        :param tokens: the next bytes of the answer
        :param final: whether the answer ends here
        :param partial: send also what does not fill a packet, although the answer goes on
        :raises ConnectionError: when the client has gone
        """
        self._unsent += tokens
        packets = bytearray()
        body = self.packet_size - HEADER_SIZE
        while len(self._unsent) > body:
            packets += self._packet(bytes(self._unsent[:body]), PacketStatus.NORMAL)
            del self._unsent[:body]
        if final or (partial and self._unsent):
            packets += self._packet(bytes(self._unsent), PacketStatus(int(final)))
            self._unsent.clear()
        if final:
            self._packet_id = 1
        await self._write(bytes(packets))

    def _packet(self, body: bytes, status: PacketStatus) -> bytes:
        packet = build_packet(
            PacketType.TABULAR_RESULT, body, status=status, spid=self.session_id, packet_id=self._packet_id
        )
        self._packet_id = (self._packet_id + 1) % 256
        return bytes(packet)

    async def _write(self, data: bytes) -> None:
        if data:
            self._writer.write(data if self._tunnel is None else self._tunnel.wrap(data))
        await self._writer.drain()

    def close(self) -> None:
        """Close after what is on its way was sent."""
        self._writer.close()

    def abort(self) -> None:
        """Drop the connection at once; what is on its way is lost."""
        transport = self._writer.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
