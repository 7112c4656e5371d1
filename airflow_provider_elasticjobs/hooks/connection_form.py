"""The form of the connection type ``elasticjobs``: plain data for Airflow's provider information, no imports."""

from __future__ import annotations

from typing import Any

__all__ = ["CONNECTION_TYPE"]


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    kind = schema.pop("kind", "string")
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


_CONN_FIELDS: dict[str, dict[str, Any]] = {
    "authentication": _field(
        "Authentication",
        "sql_login: login and password. managed_identity: the machine's identity; with a client id the user-assigned"
        " one. service_principal: client id, tenant id, and the client secret as password. workload_identity: a"
        " federated Kubernetes service account. default: the chain of azure-identity.",
        enum=["sql_login", "managed_identity", "service_principal", "workload_identity", "default"],
        default="sql_login",
    ),
    "client_id": _field(
        "Client ID",
        "Application (client) id of a managed identity, service principal or workload identity. Leave it empty for the"
        " system-assigned managed identity.",
    ),
    "tenant_id": _field("Tenant ID", "Directory (tenant) id; a service principal needs it."),
    "token_scope": _field(
        "Token scope",
        "Audience of the access token. Empty: https://database.windows.net/.default. The sovereign clouds have their"
        " own.",
    ),
    "encrypt": _field(
        "Encrypt",
        "yes: TLS (default). strict: TLS before anything else (TDS 8). no: only where the server refuses TLS.",
        enum=["yes", "strict", "no"],
        default="yes",
    ),
    "trust_server_certificate": _field(
        "Trust any certificate",
        "Accept a certificate without verifying it, as of a server in a lab. Leave it off elsewhere.",
        kind="boolean",
        default=False,
    ),
    "server_certificate": _field(
        "Server certificate file",
        "Path, on the worker and the triggerer, of the one certificate (PEM) to accept. Needs Encrypt = strict.",
    ),
    "hostname_in_certificate": _field(
        "Name in certificate",
        "Name to expect in the certificate. Empty: the host, or the logical server's name if the host map names it.",
    ),
    "host_map": _field(
        "Host map",
        "Private endpoints: one 'server = host,port' a line. The logical server's name stays in the job history.",
        format="multiline",
    ),
    "login_timeout": _field(
        "Login time-out",
        "Seconds to wait for connecting and logging in. Empty: 30.",
        kind="integer",
        minimum=1,
        maximum=600,
    ),
    "error_classes": _field(
        "Error classes",
        'Error numbers that mean something else here than usual, as JSON: {"throttled": [50123]}. See the documentation'
        " on reliability.",
    ),
    "driver": _field(
        "ODBC driver",
        "Empty: found by itself. Else its registered name, as 'ODBC Driver 18 for SQL Server'.",
    ),
}

#: The entry of ``connection-types`` in the provider information.
CONNECTION_TYPE: dict[str, Any] = {
    "connection-type": "elasticjobs",
    "hook-class-name": "airflow_provider_elasticjobs.hooks.elasticjobs.ElasticJobsHook",
    "hook-name": "Elastic Jobs (Azure SQL, SQL Server)",
    "ui-field-behaviour": {
        "hidden-fields": ["extra"],
        "relabeling": {
            "host": "Server",
            "schema": "Database",
            "login": "Login (or client ID)",
            "password": "Password (or client secret)",
        },
        "placeholders": {
            "host": "tenants.database.windows.net (default where a task names no server)",
            "schema": "master (default where a task names no database)",
            "port": "1433",
        },
    },
    "conn-fields": _CONN_FIELDS,
}
