"""Everything that decides how a server is reached and as whom: one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from airflow_provider_elasticjobs.authentication import Authentication
from airflow_provider_elasticjobs.connections.addresses import Address, parse_address
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable

__all__ = ["DEFAULT_LOGIN_TIMEOUT", "ConnectionSettings"]

DEFAULT_LOGIN_TIMEOUT = 30


@dataclass(frozen=True)
class ConnectionSettings:
    """One identity and the way to the servers it is used on. Server and database are defaults: both are arguments.

    :param authentication: the identity.
    :param server: logical server name used where none is given.
    :param database: database used where none is given.
    :param port: TCP port of servers that name none; 1433 if ``None``.
    :param host_map: logical server name in lower case to the address dialled in its place (private endpoints).
    :param driver: name or path of the ODBC driver; found by itself if ``None``.
    :param encrypt: ``yes``, ``no`` or ``strict`` (TLS before the first TDS packet).
    :param trust_server_certificate: accept any certificate; for a server with a self-signed one, in a lab.
    :param server_certificate: file with the one certificate to accept, instead of the authorities; the driver heeds it
        with ``encrypt="strict"`` only.
    :param hostname_in_certificate: name to expect in the certificate; the logical server's name if it is mapped.
    :param login_timeout: seconds for connecting and logging in.
    :param errors: what the engine's error numbers mean for a retry on this connection.
    :param ignored_extras: names of a connection's extra fields that mean nothing here.
    """

    authentication: Authentication
    server: str | None = None
    database: str | None = None
    port: int | None = None
    host_map: Mapping[str, Address] = field(default_factory=dict, hash=False)
    driver: str | None = None
    encrypt: str = "yes"
    trust_server_certificate: bool = False
    server_certificate: str | None = None
    hostname_in_certificate: str | None = None
    login_timeout: int = DEFAULT_LOGIN_TIMEOUT
    errors: ErrorTable = DEFAULT_ERRORS
    ignored_extras: tuple[str, ...] = ()

    def address_of(self, server: str) -> Address:
        """Return where a logical server is dialled.

        :param server: logical server name, perhaps with a port.
        :raises ConnectionSettingsError: if it is no address.
        """
        mapped = self.host_map.get(server.strip().lower())
        address = parse_address(server) if mapped is None else mapped
        named_instance = "\\" in address.host
        return address if address.port or named_instance else replace(address, port=self.port)

    def expected_name(self, server: str) -> str | None:
        """Return the name to expect in the server's certificate, ``None`` for that of the host dialled.

        :param server: logical server name, perhaps with a port.
        """
        if self.hostname_in_certificate:
            return self.hostname_in_certificate
        return parse_address(server).host if server.strip().lower() in self.host_map else None
