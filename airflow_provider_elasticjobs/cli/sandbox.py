"""``airflow elasticjobs sandbox``: a local stand-in for SQL Server, in the foreground."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import threading
from argparse import Namespace

from airflow_provider_elasticjobs.sandbox.settings import (
    DatabaseSettings,
    SandboxSettings,
    ServerSettings,
    SettingsError,
)
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE

__all__ = ["connections_of", "default_settings", "serve"]

_LOGIN = "sandbox"
_TENANTS = 12


def default_settings(password: str) -> SandboxSettings:
    """Return the servers that are served without a file: twelve tenants, two of them in a pool, and a job database.

    :param password: of the one login of both servers.
    """
    tenants = tuple(
        DatabaseSettings(f"database{number}", "pool1" if number > _TENANTS - 2 else None)
        for number in range(1, _TENANTS + 1)
    )
    logins = {_LOGIN: password}
    return SandboxSettings(
        (
            ServerSettings("tenants.database.windows.net", logins=logins, databases=tenants),
            ServerSettings("jobs.database.windows.net", logins=logins, databases=(DatabaseSettings("job_database"),)),
        )
    )


def connections_of(settings: SandboxSettings, ports: dict[str, int]) -> dict[str, dict[str, object]]:
    """Return the Airflow connections that lead to a running sandbox, as ``airflow connections import`` reads them.

    :param settings: its servers; the last one holds the job database.
    :param ports: the port of each server.
    """
    host_map = {name: f"127.0.0.1,{port}" for name, port in ports.items()}
    # Its certificates are made when it starts, by an authority that nobody knows.
    extra = {"host_map": host_map, "trust_server_certificate": True}
    connections: dict[str, dict[str, object]] = {}
    for conn_id, server in ((DEFAULT_CONNECTION, settings.servers[0]), (DEFAULT_JOB_DATABASE, settings.servers[-1])):
        login, password = next(iter(server.logins.items()))
        connections[conn_id] = {
            "conn_type": "elasticjobs",
            "host": server.name,
            "login": login,
            "password": password,
            "extra": json.dumps(extra),
        }
    if databases := settings.servers[-1].databases:
        connections[DEFAULT_JOB_DATABASE]["schema"] = databases[0].name
    return connections


def serve(args: Namespace) -> None:
    """Serve until SIGINT or SIGTERM, having printed the Airflow connections that lead there.

    :param args: ``file`` of the command line.
    :raises SystemExit: with the reason, if the settings are wrong, a port is in use or a library is missing.
    """
    try:
        # Its libraries are an extra of this package.
        from airflow_provider_elasticjobs.sandbox.server import PortInUseError, Sandbox  # noqa: PLC0415
    except ImportError as error:
        raise SystemExit(f"{error}: install airflow-provider-elasticjobs[sandbox]") from error
    try:
        settings = SandboxSettings.read(args.file) if args.file else default_settings(secrets.token_urlsafe(16))
        sandbox = Sandbox(settings).start()
    except (SettingsError, PortInUseError) as error:
        raise SystemExit(f"The sandbox does not start: {error}") from error
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        ports = {server.name: server.port for server in sandbox.servers.values()}
        connections = connections_of(settings, ports)
        sys.stdout.write(json.dumps(connections, indent=2) + "\n")
        sys.stdout.flush()
        ended.wait()
    finally:
        sandbox.stop()
