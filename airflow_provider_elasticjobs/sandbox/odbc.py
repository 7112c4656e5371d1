"""How a client process reaches a sandbox with Microsoft's ODBC driver: driver, connection string, access token."""

from __future__ import annotations

import platform
import struct
from pathlib import Path

DRIVER_NAME = "ODBC Driver 18 for SQL Server"
ACCESS_TOKEN_ATTRIBUTE = 1256


class NoDriverError(Exception):
    """Neither the system nor the PyPI package ``mssql-python-odbc`` has the driver."""


def find_driver() -> str:
    """The driver's name where the system knows it, else the path of the library in ``mssql-python-odbc``.

    :raises NoDriverError: when there is none
    """
    import pyodbc  # noqa: PLC0415 - only a client needs the driver

    if DRIVER_NAME in pyodbc.drivers():
        return "{" + DRIVER_NAME + "}"
    try:
        import mssql_python_odbc  # noqa: PLC0415 - only a client needs the driver
    except ImportError:
        raise NoDriverError(f"install {DRIVER_NAME} or the Python package mssql-python-odbc") from None
    pattern = f"*/*/{platform.machine()}/lib/libmsodbcsql*"
    # Debian's build comes first in the alphabet and runs wherever its glibc does.
    found = sorted(Path(mssql_python_odbc.get_libs_dir()).glob(pattern))
    if not found:
        raise NoDriverError(f"mssql-python-odbc has no library for {platform.machine()}")
    return str(found[0])


def braced(value: str) -> str:
    """A value as a connection string takes it, whatever characters it holds."""
    return "{" + value.replace("}", "}}") + "}"


def connection_string(address: str, port: int, options: dict[str, str]) -> str:
    """A connection string for one server of a sandbox.

    :param address: host address
    :param port: TCP port
    :param options: further keywords, such as UID, PWD, Database, APP; they may replace the defaults ``Encrypt=yes``,
        ``TrustServerCertificate=yes`` and ``ConnectRetryCount=0``
    """
    defaults = {"Encrypt": "yes", "TrustServerCertificate": "yes", "ConnectRetryCount": "0"}
    pairs = {"Driver": find_driver(), "Server": f"tcp:{address},{port}", **defaults, **options}
    return ";".join(f"{name}={value}" for name, value in pairs.items())


def token_attribute(token: str) -> dict[int, bytes]:
    """``attrs_before`` for pyodbc that logs in by access token."""
    raw = token.encode("utf-16-le")
    return {ACCESS_TOKEN_ATTRIBUTE: struct.pack("<I", len(raw)) + raw}
