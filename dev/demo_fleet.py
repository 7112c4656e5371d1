"""The servers of the demo: twelve tenants on one, the job database on another, and one for the nightly example."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TENANTS_SERVER = "tenants.database.windows.net"
TENANTS = tuple(f"database{number}" for number in range(1, 13))
ELASTIC_POOL = "pool1"
POOLED = frozenset({"database11", "database12"})
EXCLUDED = "database2"
JOBS_SERVER = "jobs.database.windows.net"
JOB_DATABASE = "jobdb"
# The nightly example's second server; nobody needs it for the main job
ARCHIVE_SERVER = "archive.database.windows.net"
ARCHIVE = "history1"
LOGIN = "jobuser"

EXPECTED_TABLES: Mapping[str, frozenset[str]] = {
    name: frozenset({"Step1Table"} if name == EXCLUDED else {"Step1Table", "Step2Table"}) for name in TENANTS
}


class Fleet:
    """The sandbox's settings, and the connections to it.

    :param password: of the only login, on both servers; made up by default
    """

    def __init__(self, password: str | None = None) -> None:
        self._password = password or secrets.token_urlsafe(12)

    def write_settings(self, file: Path) -> None:
        """Write the file that the sandbox reads, readable by its owner only.

        :param file: where to
        """
        logins = {LOGIN: self._password}
        tenants = [{"name": name, "elastic_pool": ELASTIC_POOL if name in POOLED else None} for name in TENANTS]
        servers = [
            {"name": TENANTS_SERVER, "logins": logins, "databases": tenants},
            {"name": JOBS_SERVER, "logins": logins, "databases": [{"name": JOB_DATABASE}]},
            {"name": ARCHIVE_SERVER, "logins": logins, "databases": [{"name": ARCHIVE}]},
        ]
        file.touch(mode=0o600)
        file.write_text(json.dumps({"servers": servers}))

    def connections(self, address: str, ports: Mapping[str, int]) -> dict[str, dict[str, Any]]:
        """Return the Airflow connections of the example DAGs, by name: the fields of each.

        :param address: where the sandbox listens
        :param ports: port by logical server
        """
        extra = {"host_map": {server: f"{address},{port}" for server, port in ports.items()}}
        identity = {"conn_type": "elasticjobs", "login": LOGIN, "password": self._password, "extra": extra}
        return {
            "elasticjobs_default": {**identity, "host": TENANTS_SERVER},
            "elasticjobs_job_database": {**identity, "host": JOBS_SERVER, "schema": JOB_DATABASE},
        }
