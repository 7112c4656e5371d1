"""Why a connection could not be opened: one clear error, with server and database, what to do, and no secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from airflow_provider_elasticjobs.connections.driver import INSTALL_ADVICE, missing_library
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import (
    DatabaseNotFoundError,
    DriverNotFoundError,
    ElasticJobsError,
    FirewallError,
    LoginFailedError,
    ServerUnreachableError,
    TargetConnectionError,
)
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic, parse_odbc_error
from airflow_provider_elasticjobs.tsql.error_numbers import ERROR_CLASSES, ErrorClass

__all__ = ["connect_error"]


class _Cause(NamedTuple):
    numbers: frozenset[int]
    error: type[TargetConnectionError]
    summary: str
    advice: str


# In this order: a login that fails because of its database carries 4060 and 18456.
_CAUSES = (
    _Cause(
        frozenset({40615, 40914, 47073}),
        FirewallError,
        "the server's firewall refuses this address",
        "Add a firewall or virtual network rule on the server, or map it to its private endpoint in host_map.",
    ),
    _Cause(
        frozenset({4060, 911, 916}),
        DatabaseNotFoundError,
        "the database cannot be opened",
        "Check its name, and that this identity has a user in it.",
    ),
    _Cause(
        frozenset({18456, 18452, 18470, 18486, 18487, 18488, 33134}),
        LoginFailedError,
        "the login failed",
        "Check the connection's login and password or identity, and that a login or user exists for it.",
    ),
    _Cause(
        ERROR_CLASSES[ErrorClass.THROTTLED] | ERROR_CLASSES[ErrorClass.UNAVAILABLE],
        TargetConnectionError,
        "the database is not available at present",
        "It may be resuming, moving or throttled; try again.",
    ),
)
_DRIVER_STATES = frozenset({"IM002", "IM003", "IM004", "IM005"})
_UNREACHABLE_STATES = frozenset({"08001", "08S01", "08004", "HYT00", "HYT01"})


def connect_error(
    error: BaseException, settings: ConnectionSettings, server: str, database: str, driver: str
) -> ElasticJobsError:
    """Return what a driver's refusal to connect means.

    :param error: the ``pyodbc`` exception.
    :param settings: what was tried.
    :param server: logical server name.
    :param database: database name.
    :param driver: name or path of the driver.
    """
    records = parse_odbc_error(error)
    if _is_driver_failure(records):
        return _driver_error(records, driver)
    cause = _cause_of(records)
    said = "; ".join(dict.fromkeys(record.text for record in records))
    number = _number(records, cause)
    where = f"{server}/{database}"
    if settings.address_of(server).host.lower() != server.strip().lower():
        where += f" (at {settings.address_of(server).keyword()})"
    text = (
        f"cannot connect to {where} as {settings.authentication.label}: {cause.summary}. {cause.advice} Answer: {said}"
    )
    return cause.error(text, server=server, database=database, number=number)


def _is_driver_failure(records: Sequence[Diagnostic]) -> bool:
    return any(record.sqlstate in _DRIVER_STATES or "Can't open lib" in record.text for record in records)


def _driver_error(records: Sequence[Diagnostic], driver: str) -> DriverNotFoundError:
    said = "; ".join(record.text for record in records)
    reason = missing_library(driver) or f"{said}. {INSTALL_ADVICE}"
    return DriverNotFoundError(f"the ODBC driver '{driver}' cannot be loaded: {reason}")


def _cause_of(records: Sequence[Diagnostic]) -> _Cause:
    numbers = {record.number for record in records if record.from_server}
    known = next((cause for cause in _CAUSES if numbers & cause.numbers), None)
    if known is not None:
        return known
    if _is_certificate_failure(records):
        return _CERTIFICATE
    if not any(numbers) and any(record.sqlstate in _UNREACHABLE_STATES for record in records):
        return _UNREACHABLE
    return _OTHER


def _is_certificate_failure(records: Sequence[Diagnostic]) -> bool:
    # The driver has no number for it; every platform's text says one of these.
    return any(not record.from_server and ("SSL" in record.text or "certificate" in record.text) for record in records)


def _number(records: Sequence[Diagnostic], cause: _Cause) -> int | None:
    numbers = [record.number for record in records if record.from_server and record.number > 0]
    return next((number for number in numbers if number in cause.numbers), numbers[0] if numbers else None)


_UNREACHABLE = _Cause(
    frozenset(),
    ServerUnreachableError,
    "the server does not answer",
    "Check its name and port, the network, and the connection's host_map.",
)
_CERTIFICATE = _Cause(
    frozenset(),
    TargetConnectionError,
    "TLS could not be set up, or the server's certificate is not trusted",
    "Install its authority's certificate on this machine (on Linux SSL_CERT_FILE may name it), or with encrypt = strict"
    " name the server's own in server_certificate; if only its name differs, set hostname_in_certificate; for a lab"
    " only, set trust_server_certificate.",
)
_OTHER = _Cause(frozenset(), TargetConnectionError, "the connection was refused", "See the answer.")
