"""Reading a connection's fields into :class:`~.settings.ConnectionSettings`. Pure; knows no Airflow.

Serves the connection type ``elasticjobs`` and the existing types ``mssql`` and ``odbc``, whose extra field holds ODBC
keywords (``Encrypt``, ``TrustServerCertificate``, ``Authentication``) in any spelling. Nothing unknown ever reaches the
driver: it is left out, and named in ``ignored_extras`` so that the hook can say so once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_elasticjobs.authentication import authentication_from_fields
from airflow_provider_elasticjobs.connections.addresses import parse_address, parse_host_map
from airflow_provider_elasticjobs.connections.settings import DEFAULT_LOGIN_TIMEOUT, ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, DefinitionError
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable

__all__ = ["settings_from_fields"]

# Every accepted spelling of an extra, lower case without separators, to the field it fills.
_SPELLINGS = {
    "authentication": "authentication",
    "clientid": "client_id",
    "managedidentityclientid": "client_id",
    "tenantid": "tenant_id",
    "tokenscope": "token_scope",
    "driver": "driver",
    "encrypt": "encrypt",
    "trustservercertificate": "trust_server_certificate",
    "servercertificate": "server_certificate",
    "hostnameincertificate": "hostname_in_certificate",
    "logintimeout": "login_timeout",
    "connecttimeout": "login_timeout",
    "connectiontimeout": "login_timeout",
    "hostmap": "host_map",
    "database": "database",
    "errorclasses": "error_classes",
}
# What the driver's own keyword Authentication calls our methods.
_ODBC_METHODS = {
    "sqlpassword": "sql_login",
    "activedirectorymsi": "managed_identity",
    "activedirectorymanagedidentity": "managed_identity",
    "activedirectoryserviceprincipal": "service_principal",
    "activedirectorydefault": "default",
    "activedirectoryworkloadidentity": "workload_identity",
}
_ENCRYPT = {"yes": "yes", "true": "yes", "1": "yes", "mandatory": "yes", "strict": "strict"} | dict.fromkeys(
    ("no", "false", "0", "optional"), "no"
)
_TRUE, _FALSE = {"yes", "true", "1", "on"}, {"no", "false", "0", "off", ""}
_SYSTEM_DRIVER = re.compile(r"\{?ODBC Driver \d+ for SQL Server\}?", re.IGNORECASE)
# Extras of the types mssql and odbc that concern their own hooks only.
_SILENT = {
    "connectkwargs",
    "sqlalchemyscheme",
    "placeholder",
    "dsn",
    "charset",
    "autocommit",
    "multipleactiveresultsets",
}


def settings_from_fields(
    *,
    login: str | None = None,
    password: str | None = None,
    host: str | None = None,
    port: int | None = None,
    schema: str | None = None,
    extra: Mapping[str, Any] | None = None,
    allow_driver_path: bool = False,
) -> ConnectionSettings:
    """Return the settings that a connection's fields describe.

    :param login: login, or the client id of an Entra identity.
    :param password: password, or the client secret of a service principal.
    :param host: default server, perhaps with a port.
    :param port: default port.
    :param schema: default database.
    :param extra: the extra fields.
    :param allow_driver_path: whether ``driver`` may be a path or an unknown name. A library named by whoever may edit
        connections is loaded into the process, so by default only Microsoft's registered drivers are accepted.
    :raises ConnectionSettingsError: naming the field that is wrong.
    """
    fields, ignored = _known(extra or {})
    encrypt = _encrypt(fields.get("encrypt"))
    if fields.get("server_certificate") and encrypt != "strict":
        # The driver would pass over the file without a word.
        raise ConnectionSettingsError("server_certificate needs encrypt = strict")
    identity = {name: _text(fields.get(name)) for name in ("client_id", "tenant_id", "token_scope")}
    return ConnectionSettings(
        authentication=authentication_from_fields(
            _method(_text(fields.get("authentication"))), {**identity, "login": login, "password": password}
        ),
        server=_server(host),
        database=schema or _text(fields.get("database")),
        port=port,
        host_map=parse_host_map(fields.get("host_map")),
        driver=_driver(_text(fields.get("driver")), allow_driver_path),
        encrypt=encrypt,
        trust_server_certificate=_flag("trust_server_certificate", fields.get("trust_server_certificate")),
        server_certificate=_text(fields.get("server_certificate")),
        hostname_in_certificate=_text(fields.get("hostname_in_certificate")),
        login_timeout=_seconds("login_timeout", fields.get("login_timeout")),
        errors=_errors(fields.get("error_classes")),
        ignored_extras=ignored,
    )


def _known(extra: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields: dict[str, Any] = {}
    ignored = []
    for name, value in extra.items():
        plain = re.sub(r"[\s_-]", "", name).lower()
        if plain in _SPELLINGS:
            if value is not None and value != "":
                fields[_SPELLINGS[plain]] = value
        elif plain not in _SILENT:
            ignored.append(name)
    return fields, tuple(sorted(ignored))


def _errors(value: object) -> ErrorTable:
    """Read the extra ``error_classes``: an object, or its JSON as text, as a form field gives it."""
    if value is None:
        return DEFAULT_ERRORS
    try:
        classes: Any = json.loads(value) if isinstance(value, str) else value
        return ErrorTable.overridden(dict(classes))
    except DefinitionError as error:
        raise ConnectionSettingsError(f"error_classes: {error}") from None
    except (TypeError, ValueError):
        example = '{"throttled": [50123]}'
        raise ConnectionSettingsError(f"error_classes must be an object like {example}, not {value!r}") from None


def _text(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None


def _server(host: str | None) -> str | None:
    if not host or not host.strip():
        return None
    parse_address(host)  # refuse it here, where the field can still be named
    return host.strip().removeprefix("tcp:")


def _method(name: str | None) -> str | None:
    return _ODBC_METHODS.get(name.lower(), name) if name else None


def _driver(name: str | None, allow_path: bool) -> str | None:
    if name is None or allow_path or _SYSTEM_DRIVER.fullmatch(name):
        return name
    raise ConnectionSettingsError(
        "driver must be a registered name such as 'ODBC Driver 18 for SQL Server'; a path is accepted only with"
        " allow_driver_in_extra = True in section [providers.odbc] of Airflow's configuration"
    )


def _encrypt(value: object) -> str:
    text = "yes" if value is None else str(value).strip().lower()
    if text not in _ENCRYPT:
        raise ConnectionSettingsError(f"encrypt must be yes, no or strict, not '{text}'")
    return _ENCRYPT[text]


def _flag(name: str, value: object) -> bool:
    text = "" if value is None else str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ConnectionSettingsError(f"{name} must be true or false, not '{text}'")
    return text in _TRUE


def _seconds(name: str, value: object) -> int:
    if value is None:
        return DEFAULT_LOGIN_TIMEOUT
    text = str(value).strip()
    if not text.isdecimal() or int(text) < 1:
        raise ConnectionSettingsError(f"{name} must be a whole number of seconds from 1, not '{text}'")
    return int(text)
