"""The system libraries that Microsoft's ODBC driver and pyodbc load, and how to get those that are missing."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

# The wheels of pyodbc and mssql-python-odbc carry none of these.
LIBRARIES = {
    "libodbc.so.2": "libodbc2",
    "libltdl.so.7": "libltdl7",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
}


class MissingPackagesError(Exception):
    """System packages are missing and cannot be installed from here; the message says what to type."""


def missing_packages() -> list[str]:
    """Return the Debian packages of the libraries that cannot be loaded."""
    return [package for library, package in LIBRARIES.items() if not _loads(library)]


def ensure_packages(packages: Sequence[str], reason: str) -> None:
    """Install Debian packages, as root or by ``sudo`` when that asks for no password.

    :param packages: their names; none is fine
    :param reason: what they are needed for, in the message
    :raises MissingPackagesError: they cannot be installed from here, or apt-get failed
    """
    if not packages:
        return
    advice = f"{reason} needs the system package(s) {' '.join(packages)}. Install them, for example with:\n    "
    advice += f"sudo apt-get install {' '.join(packages)}"
    prefix = _privilege()
    if prefix is None or shutil.which("apt-get") is None:
        raise MissingPackagesError(advice)
    sys.stdout.write(f"installing the system package(s) {' '.join(packages)} with apt-get: {reason} needs them\n")
    sys.stdout.flush()
    apt = [*prefix, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    # A fresh container image has no package lists; a machine without a network may not need any
    for command in ([*apt, "update"], install):
        result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        raise MissingPackagesError(f"apt-get failed (exit code {result.returncode}). {advice}")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _privilege() -> list[str] | None:
    """Return what to put before a command that needs root: nothing, ``sudo -n``, or None when neither will do."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return ["sudo", "-n"] if allowed.returncode == 0 else None
