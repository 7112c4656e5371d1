"""Ways of proving an identity to a server, one small class each."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_elasticjobs.authentication.azure_tokens import (
    DefaultCredential,
    ManagedIdentity,
    ServicePrincipal,
    WorkloadIdentity,
)
from airflow_provider_elasticjobs.authentication.base import DEFAULT_TOKEN_SCOPE, Authentication
from airflow_provider_elasticjobs.authentication.sql_login import SqlLogin
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError

__all__ = [
    "DEFAULT_TOKEN_SCOPE",
    "METHODS",
    "Authentication",
    "DefaultCredential",
    "ManagedIdentity",
    "ServicePrincipal",
    "SqlLogin",
    "WorkloadIdentity",
    "authentication_from_fields",
]

#: Every method by its name in a connection.
METHODS: dict[str, type[Authentication]] = {
    each.method: each for each in (SqlLogin, ManagedIdentity, ServicePrincipal, WorkloadIdentity, DefaultCredential)
}


def authentication_from_fields(method: str | None, fields: Mapping[str, str | None]) -> Authentication:
    """Return the identity that a connection's fields describe.

    :param method: a key of :data:`METHODS`; empty means a SQL login.
    :param fields: see :meth:`~.base.Authentication.from_fields`.
    :raises ConnectionSettingsError: if the method is unknown or a field is missing.
    """
    name = (method or SqlLogin.method).strip().lower()
    if name not in METHODS:
        raise ConnectionSettingsError(f"authentication '{name}' is unknown; use one of {', '.join(sorted(METHODS))}")
    return METHODS[name].from_fields(fields)
