from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.connections import driver as module
from airflow_provider_elasticjobs.connections.driver import find_driver, load_pyodbc, missing_library, packaged_driver
from airflow_provider_elasticjobs.exceptions import DriverNotFoundError


@pytest.fixture(autouse=True)
def nothing_found_yet() -> Iterator[None]:
    module._found_driver.cache_clear()
    yield
    module._found_driver.cache_clear()


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(load_pyodbc(), "drivers", lambda: names)
    return names


def test_an_explicit_driver_is_taken_as_it_is(registered: list[str]) -> None:
    assert find_driver(" {My Driver} ".strip()) == "My Driver"


def test_the_newest_registered_driver_is_taken(registered: list[str]) -> None:
    registered += ["FreeTDS", "ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server"]
    assert find_driver() == "ODBC Driver 18 for SQL Server"
    registered.pop()
    assert find_driver() == "ODBC Driver 18 for SQL Server", "it is looked for once in a process"
    module._found_driver.cache_clear()
    assert find_driver() == "ODBC Driver 17 for SQL Server"


def test_freetds_is_no_substitute(registered: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    registered.append("FreeTDS")
    monkeypatch.setattr(module, "packaged_driver", lambda: None)
    with pytest.raises(DriverNotFoundError, match=r"msodbcsql18.*mssql-python-odbc"):
        find_driver()
    registered.append("ODBC Driver 18 for SQL Server")
    assert find_driver() == "ODBC Driver 18 for SQL Server"


def test_without_a_registered_one_the_packages_is_taken(registered: list[str]) -> None:
    found = find_driver()
    assert found == packaged_driver()
    assert Path(found).is_file()


@pytest.mark.parametrize(
    ("machine", "family", "folder"),
    [
        ("x86_64", "debian_ubuntu", "linux/debian_ubuntu/x86_64"),
        ("aarch64", "debian_ubuntu", "linux/debian_ubuntu/arm64"),
        ("x86_64", "rhel", "linux/rhel/x86_64"),
        ("x86_64", "suse", "linux/debian_ubuntu/x86_64"),  # not in this package: the next best
    ],
)
def test_the_library_of_this_machine_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, family: str, folder: str
) -> None:
    for each in ("linux/debian_ubuntu/x86_64", "linux/debian_ubuntu/arm64", "linux/rhel/x86_64"):
        library = tmp_path / each / "lib" / "libmsodbcsql-18.6.so.2.1"
        library.parent.mkdir(parents=True)
        library.touch()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(module, "_linux_family", lambda: family)
    assert packaged_driver(tmp_path) == str(tmp_path / folder / "lib" / "libmsodbcsql-18.6.so.2.1")


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"ID": "debian"}, "debian_ubuntu"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian_ubuntu"),
        ({"ID": "almalinux", "ID_LIKE": "rhel centos fedora"}, "rhel"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
        ({"ID": "alpine"}, "alpine"),
        ({}, "debian_ubuntu"),
    ],
)
def test_linux_families(release: dict[str, str], family: str) -> None:
    assert module._linux_family(release) == family


@pytest.mark.parametrize(
    ("library", "package"),
    [("libltdl.so.7", "libltdl7"), ("libgssapi_krb5.so.2", "libgssapi-krb5-2"), ("libodbc.so.2", "unixodbc")],
)
def test_a_missing_system_library_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, library: str, package: str
) -> None:
    def fail(path: str) -> None:
        raise OSError(f"{library}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", fail)
    reason = missing_library("/some/libmsodbcsql.so")
    assert reason is not None
    assert library in reason
    assert f"apt-get install {package}" in reason


def test_a_library_that_loads_lacks_nothing() -> None:
    found = packaged_driver()
    assert found is not None
    assert missing_library(found) is None
    assert missing_library("ODBC Driver 18 for SQL Server") is None


def test_a_pyodbc_that_cannot_be_imported_names_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    with pytest.raises(DriverNotFoundError, match="pyodbc cannot be loaded"):
        load_pyodbc()


def test_pyodbcs_own_pool_is_off() -> None:
    assert load_pyodbc().pooling is False
