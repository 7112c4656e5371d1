"""Server names: the logical one that people write, and the address that is dialled for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError

__all__ = ["DEFAULT_PORT", "Address", "parse_address", "parse_host_map"]

DEFAULT_PORT = 1433


@dataclass(frozen=True)
class Address:
    """A host and a port.

    :param host: name or IP address, or ``host``, a backslash and a named instance, which is found without a port.
    :param port: TCP port; ``None`` where none was written.
    """

    host: str
    port: int | None = None

    def keyword(self) -> str:
        """Return the value of the connection string's ``Server``."""
        if self.port is None and "\\" in self.host:
            return self.host
        return f"tcp:{self.host},{self.port or DEFAULT_PORT}"


def parse_address(text: str) -> Address:
    """Return the address in ``host``, ``host,port``, ``tcp:host,port`` or ``host:port``.

    :param text: as people write it.
    :raises ConnectionSettingsError: if there is no host, or the port is none.
    """
    plain = text.strip().removeprefix("tcp:")
    host, separator, port = plain.partition(",")
    if not separator and plain.count(":") == 1:  # more colons make an IPv6 address
        host, separator, port = plain.partition(":")
    if not host.strip():
        raise ConnectionSettingsError(f"'{text}' names no host")
    if not separator:
        return Address(host.strip())
    return Address(host.strip(), _port(port, text))


def _port(port: str, text: str) -> int:
    number = int(port) if port.strip().isdecimal() else 0
    if not 0 < number < 2**16:
        raise ConnectionSettingsError(f"'{text}' has no valid port")
    return number


def parse_host_map(value: object) -> Mapping[str, Address]:
    """Return logical server name in lower case to address.

    :param value: a mapping of name to ``host`` or ``host,port``, or text with one ``name = host,port`` a line.
    :raises ConnectionSettingsError: naming the entry that is wrong.
    """
    if not value:
        return {}
    if isinstance(value, str):
        lines = [line for line in value.replace(";", "\n").splitlines() if line.strip()]
        pairs = [line.partition("=")[::2] for line in lines]
    elif isinstance(value, Mapping):
        pairs = [(str(name), str(address)) for name, address in value.items()]
    else:
        raise ConnectionSettingsError("host_map must be an object, or lines of 'server = host,port'")
    mapped = {}
    for name, address in pairs:
        if not name.strip() or not address.strip():
            raise ConnectionSettingsError(f"host_map: '{name.strip()}' needs the form 'server = host,port'")
        mapped[name.strip().lower()] = parse_address(address)
    return mapped
