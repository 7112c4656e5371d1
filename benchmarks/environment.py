"""On what something was measured: versions and hardware, without names of hosts or paths."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import airflow_provider_elasticjobs

if TYPE_CHECKING:
    import pyodbc

__all__ = ["environment", "load", "server_versions"]

_PACKAGES = (
    "airflow-provider-elasticjobs",
    "apache-airflow",
    "apache-airflow-providers-common-sql",
    "apache-airflow-providers-odbc",
    "apache-airflow-providers-standard",
    "pyodbc",
)
_GIB = 1024**3


def environment() -> dict[str, str | int]:
    """Return the versions and the hardware of this machine."""
    packages = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "python": platform.python_version(),
        **packages,
        "package sources": _digest(Path(airflow_provider_elasticjobs.__file__).parent),
        "os": _os_name(),
        "cpu": _cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()),
        "cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / _GIB),
    }


def server_versions(connection: pyodbc.Connection, engine: str) -> dict[str, str]:
    """Return the driver's version and that of the server it is connected to.

    :param connection: is closed.
    :param engine: ``sandbox`` or ``server``: a sandbox calls itself what the driver expects.
    """
    import pyodbc  # noqa: PLC0415 - where there is a connection it is loaded

    with closing(connection):
        real = f"{connection.getinfo(pyodbc.SQL_DBMS_NAME)} {connection.getinfo(pyodbc.SQL_DBMS_VER)}"
        driver = str(connection.getinfo(pyodbc.SQL_DRIVER_VER))
        return {"odbc driver": driver, "servers": "sandboxes" if engine == "sandbox" else real}


def _digest(folder: Path) -> str:
    """Return what changes with the package: measurements before and after a change are not continued as one."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".sql"}):
        found.update(path.relative_to(folder).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _os_name() -> str:
    name = platform.system()
    with suppress(OSError):
        name = platform.freedesktop_os_release().get("PRETTY_NAME", name)
    return f"{name}, {platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _cpu_model(lines: Sequence[str]) -> str:
    for line in lines:
        field, _, value = line.partition(":")
        if field.strip() == "model name":
            return value.strip()
    return platform.machine()
