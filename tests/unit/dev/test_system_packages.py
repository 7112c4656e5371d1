from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev import system_packages
from dev.system_packages import MissingPackagesError, ensure_packages, missing_packages

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds what the test puts there, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return folder


def put(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\n{script}\n')
    file.chmod(0o755)


def calls(folder: Path) -> list[str]:
    file = folder.parent / "calls"
    return file.read_text().splitlines() if file.exists() else []


def as_user(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_a_library_that_cannot_be_loaded_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "LIBRARIES", {"libc.so.6": "libc6", "libnosuch.so.9": "libnosuch9"})
    assert missing_packages() == ["libnosuch9"]


def test_nothing_missing_runs_nothing(commands: Path) -> None:
    put(commands, "apt-get", "exit 1")
    ensure_packages([], "it")
    assert calls(commands) == []


def test_root_installs_with_apt(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    put(commands, "apt-get", "")
    ensure_packages(["libltdl7", "libodbc2"], "the driver")
    update, install = calls(commands)
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends libltdl7 libodbc2")


def test_a_failed_update_does_not_matter_when_the_installation_works(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, 0)
    put(commands, "apt-get", 'case "$*" in *update*) exit 100;; esac')
    ensure_packages(["libltdl7"], "the driver")
    assert len(calls(commands)) == 2


def test_a_failed_installation_says_what_to_type(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    put(commands, "apt-get", "exit 100")
    with pytest.raises(MissingPackagesError, match=r"exit code 100(.|\n)*sudo apt-get install libltdl7"):
        ensure_packages(["libltdl7"], "the driver")


def test_sudo_is_used_when_it_asks_for_no_password(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 1000)
    put(commands, "apt-get", "")
    put(commands, "sudo", 'shift; case "$1" in true) exit 0;; esac; "$@"')
    ensure_packages(["libltdl7"], "the driver")
    assert [call.split()[0] for call in calls(commands)] == ["sudo", "sudo", "apt-get", "sudo", "apt-get"]


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo wants a password"])
def test_somebody_without_rights_is_told_the_command(
    commands: Path, monkeypatch: pytest.MonkeyPatch, sudo: str | None
) -> None:
    as_user(monkeypatch, 1000)
    put(commands, "apt-get", "")
    if sudo is not None:
        put(commands, "sudo", sudo)
    with pytest.raises(MissingPackagesError) as caught:
        ensure_packages(["libltdl7", "libgssapi-krb5-2"], "Microsoft's ODBC driver")
    assert str(caught.value).startswith("Microsoft's ODBC driver needs the system package(s) libltdl7 libgssapi-krb5-2")
    assert str(caught.value).endswith("sudo apt-get install libltdl7 libgssapi-krb5-2")
    assert not any(call.startswith("apt-get") for call in calls(commands))


def test_a_system_without_apt_is_told_too(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    with pytest.raises(MissingPackagesError, match="libltdl7"):
        ensure_packages(["libltdl7"], "the driver")


def test_the_list_is_what_pyodbc_and_the_driver_really_load() -> None:
    """The dynamic linker's own list of what the two libraries want, apart from what every Python has."""
    code = """
import ctypes, pathlib, mssql_python_odbc, platform, pyodbc
pattern = f"*/debian_ubuntu/{platform.machine()}/lib/libmsodbcsql*"
ctypes.CDLL(str(next(pathlib.Path(mssql_python_odbc.get_libs_dir()).glob(pattern))))
print(*{line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}, sep="\\n")
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for library in system_packages.LIBRARIES:
        stem = library.partition(".so")[0]
        assert f"/{stem}.so" in loaded, library
