"""A cursor over the bytes of one TDS message."""

from __future__ import annotations

import struct

from pysqlbridge.tds.packet import TdsProtocolError


class Reader:
    """Reads little-endian fields from a message, refusing to run off its end.

    :param data: the message
    :param position: where to start, in bytes
    """

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self._position = position

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._position >= len(self._data)

    def take(self, length: int) -> bytes:
        """Read ``length`` bytes.

        :raises TdsProtocolError: when fewer are left
        """
        end = self._position + length
        if end > len(self._data):
            raise TdsProtocolError(f"the message ends {end - len(self._data)} bytes too early")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def unpack(self, layout: str) -> int:
        """Read one integer of a :mod:`struct` layout such as ``'<H'``."""
        (value,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(value)

    def byte(self) -> int:
        """Read one unsigned byte."""
        return self.take(1)[0]

    def peek(self) -> int:
        """The next byte, left in place."""
        return self._data[self._position]

    def ushort(self) -> int:
        """Read an unsigned two-byte integer."""
        return self.unpack("<H")

    def ulong(self) -> int:
        """Read an unsigned four-byte integer."""
        return self.unpack("<I")

    def text(self, characters: int) -> str:
        """Read UTF-16LE text of so many code units."""
        return self.take(characters * 2).decode("utf-16-le", "surrogatepass")
