from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev import constraints

ROOT = Path(__file__).resolve().parents[3]
LINES = [line for line in constraints.CONSTRAINTS.read_text().splitlines() if not line.startswith("#")]


def applying(python: str) -> list[Requirement]:
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    requirements = [Requirement(line) for line in LINES]
    return [each for each in requirements if each.marker is None or each.marker.evaluate(environment)]


def pinned(python: str) -> dict[str, str]:
    return {canonicalize_name(each.name): str(each.specifier) for each in applying(python)}


@pytest.mark.parametrize("line", LINES)
def test_names_and_versions_only(line: str) -> None:
    assert constraints.LINE.fullmatch(line)
    assert not re.search(r"://|@|--", line)


@pytest.mark.parametrize("line", ["six", "six>=1", "six @ https://host/six.whl", "six==1 --hash=sha256:0", "-i x"])
def test_anything_else_is_refused(line: str) -> None:
    assert not constraints.LINE.fullmatch(line)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_each_name_has_one_version_for_each_python(python: str) -> None:
    names = [each.name for each in applying(python)]
    assert len(names) == len(set(names))
    assert {"apache-airflow", "pyodbc", "mssql-python-odbc", "pysqlbridge", "sqlglot", "pytest", "ruff"} <= set(names)


def test_everything_that_the_package_asks_for_is_pinned() -> None:
    """Directly asked for, that is; `make constraints` resolves the rest."""
    asked = [Requirement(text) for text in requires("airflow-provider-elasticjobs") or ()]
    missing = {canonicalize_name(each.name) for each in asked} - set(pinned("3.11"))
    assert missing <= {"airflow-provider-elasticjobs"}
