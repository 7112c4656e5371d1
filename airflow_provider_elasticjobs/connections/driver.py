"""Finding Microsoft's ODBC driver: installed in the system, or carried by the package ``mssql-python-odbc``."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_elasticjobs.exceptions import DriverNotFoundError

__all__ = ["INSTALL_ADVICE", "SYSTEM_DRIVERS", "find_driver", "load_pyodbc", "missing_library", "packaged_driver"]

#: Names under which an installed driver is registered, best first.
SYSTEM_DRIVERS = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server")

#: What to do when there is no driver.
INSTALL_ADVICE = (
    "Install Microsoft's ODBC Driver 18 (package msodbcsql18), or the Python package mssql-python-odbc"
    " (pip install 'airflow-provider-elasticjobs[driver]'), which carries it."
)
_SYSTEM_LIBRARIES = {
    "libodbc.so.2": "unixodbc",
    "libltdl.so.7": "libltdl7",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libkrb5.so.3": "libkrb5-3",
    "libodbcinst.so.2": "odbcinst",
}
_LINUX_FAMILIES = {
    "alpine": ("alpine",),
    "rhel": ("rhel", "fedora", "centos", "amzn", "ol", "rocky", "almalinux"),
    "suse": ("suse", "sles", "opensuse"),
}


def load_pyodbc() -> Any:
    """Return ``pyodbc``, with its own connection pool off: a pooled connection could outlive its token.

    :raises DriverNotFoundError: if it or a system library it needs is missing; the message says what to install.
    """
    try:
        import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed
    except ImportError as error:
        raise DriverNotFoundError(f"pyodbc cannot be loaded: {_with_package(str(error))}") from None
    pyodbc.pooling = False
    return pyodbc


def find_driver(explicit: str | None = None) -> str:
    """Return the driver to name in a connection string: a registered name, or the path of a library.

    What was found once is not looked for again in this process.

    :param explicit: name or path that the user chose; taken as it is.
    :raises DriverNotFoundError: if there is none; the message says what to install.
    """
    if explicit:
        return explicit.strip().removeprefix("{").removesuffix("}")
    return _found_driver()


@functools.cache
def _found_driver() -> str:
    """Look for a driver, until there is one: the search takes 0.2 ms, a tenth of what a connection costs."""
    return _first_registered(load_pyodbc().drivers()) or packaged_driver() or _no_driver()


def packaged_driver(root: Path | None = None) -> str | None:
    """Return the path of the driver within ``mssql-python-odbc`` for this machine, ``None`` without that package.

    :param root: folder ``libs`` of the package; found by itself unless given.
    """
    folder = _libraries_root() if root is None else root
    if folder is None:
        return None
    for directory in _candidate_folders(folder):
        for pattern in ("libmsodbcsql-18*.so*", "libmsodbcsql.18*.dylib", "msodbcsql18.dll"):
            found = sorted(directory.glob(pattern))
            if found:
                return str(found[-1])
    return None


def missing_library(driver: str) -> str | None:
    """Return which system package a driver's library lacks, ``None`` if it loads or is only a registered name.

    The driver manager says "file not found" of a library that is there but cannot be loaded; this says the truth.

    :param driver: as from :func:`find_driver`.
    """
    if not Path(driver).is_absolute():
        return None
    try:
        ctypes.CDLL(driver)
    except OSError as error:
        return _with_package(str(error))
    return None


def _no_driver() -> str:
    raise DriverNotFoundError(f"no ODBC driver for SQL Server was found. {INSTALL_ADVICE}")


def _first_registered(registered: Iterable[str]) -> str | None:
    names = set(registered)
    return next((name for name in SYSTEM_DRIVERS if name in names), None)


def _with_package(reason: str) -> str:
    package = next((package for library, package in _SYSTEM_LIBRARIES.items() if library in reason), None)
    return f"{reason} (on Debian: apt-get install {package})" if package else f"{reason}. {INSTALL_ADVICE}"


def _libraries_root() -> Path | None:
    found = importlib.util.find_spec("mssql_python_odbc")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "libs"


def _candidate_folders(root: Path) -> list[Path]:
    arm = platform.machine().lower() in ("arm64", "aarch64")
    if sys.platform == "darwin":
        return [root / "macos" / ("arm64" if arm else "x86_64") / "lib", root / "macos" / "universal2" / "lib"]
    if sys.platform == "win32":
        return [root / "windows" / ("arm64" if arm else "x64")]
    architecture = "arm64" if arm else "x86_64"
    return [root / "linux" / family / architecture / "lib" for family in (_linux_family(), "debian_ubuntu")]


def _linux_family(release: dict[str, Any] | None = None) -> str:
    try:
        facts = platform.freedesktop_os_release() if release is None else release
    except OSError:
        return "debian_ubuntu"
    words = f"{facts.get('ID', '')} {facts.get('ID_LIKE', '')}".lower().replace("-", " ").split()
    return next(
        (family for family, ids in _LINUX_FAMILIES.items() if any(word in ids for word in words)), "debian_ubuntu"
    )
