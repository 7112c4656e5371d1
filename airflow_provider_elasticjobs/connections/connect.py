"""Opening a connection to one database, or saying clearly why not."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.authentication.token_cache import CachedToken
from airflow_provider_elasticjobs.connections.connect_errors import connect_error
from airflow_provider_elasticjobs.connections.connection_string import connection_string
from airflow_provider_elasticjobs.connections.driver import find_driver, load_pyodbc
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, LoginFailedError

if TYPE_CHECKING:
    import pyodbc

__all__ = ["Connector", "connect", "connector", "token_attribute"]

#: ``(server, database, application_name) -> connection``: what the parts above take, so that tests can count.
Connector = Callable[[str, str, "str | None"], "pyodbc.Connection"]

_COPT_SS_ACCESS_TOKEN = 1256

#: Of a token that has expired as of one that no user belongs to.
_LOGIN_FAILED = 18456


def connect(
    settings: ConnectionSettings,
    server: str | None = None,
    database: str | None = None,
    *,
    application_name: str | None = None,
    autocommit: bool = True,
) -> pyodbc.Connection:
    """Open a connection. It is never pooled, and never re-opened behind the caller's back.

    A login that is refused with a token that is not new is tried once more with a newer one.

    :param settings: identity and transport.
    :param server: logical server name; the settings' own if ``None``.
    :param database: database name; the settings' own if ``None``, else ``master``.
    :param application_name: what the server shows for the session; cut at 128 characters.
    :param autocommit: whether each statement commits by itself.
    :raises TargetConnectionError: or one of its children, with server and database, and the engine's number if any.
    :raises DriverNotFoundError: if no driver can be loaded.
    :raises ConnectionSettingsError: if no server is known, or a value cannot be used.
    """
    server = server or settings.server
    if not server:
        raise ConnectionSettingsError("no server is given, and the connection has no host")
    database = database or settings.database or "master"
    open_with = partial(_open, settings, server, database, application_name=application_name, autocommit=autocommit)
    token = _access_token(settings, server, database)
    try:
        return open_with(token)
    except LoginFailedError as error:
        failure = error
    newer = None
    if token is not None and failure.number == _LOGIN_FAILED:
        newer = settings.authentication.token_after_refusal(token)
    if newer is None:
        raise failure
    return open_with(newer)


def _open(
    settings: ConnectionSettings,
    server: str,
    database: str,
    token: CachedToken | None,
    *,
    application_name: str | None,
    autocommit: bool,
) -> pyodbc.Connection:
    driver = find_driver(settings.driver)
    driver_module = load_pyodbc()
    try:
        # String and attributes hold the password or the token: no name is given to them that a traceback could show.
        opened: pyodbc.Connection = driver_module.connect(
            connection_string(settings, driver, server, database, application_name=application_name),
            timeout=settings.login_timeout,
            autocommit=autocommit,
            attrs_before={} if token is None else {_COPT_SS_ACCESS_TOKEN: token_attribute(token.text)},
        )
    except driver_module.Error as error:
        failure = connect_error(error, settings, server, database, driver)
    else:
        return opened
    raise failure


def connector(settings: ConnectionSettings) -> Connector:
    """Return :func:`connect` with the settings filled in.

    :param settings: identity and transport.
    """

    def open_connection(server: str, database: str, application_name: str | None = None) -> pyodbc.Connection:
        return connect(settings, server, database, application_name=application_name)

    return open_connection


def token_attribute(token: str) -> bytes:
    """Return an access token as the driver wants it: its length in four bytes, then UTF-16.

    :param token: the token.
    """
    encoded = token.encode("utf-16-le")
    return struct.pack("<I", len(encoded)) + encoded


def _access_token(settings: ConnectionSettings, server: str, database: str) -> CachedToken | None:
    try:
        return settings.authentication.access_token()
    except LoginFailedError as error:
        failure = LoginFailedError(
            f"cannot connect to {server}/{database}: {error}", server=server, database=database, number=error.number
        )
    raise failure
