from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import METHODS
from airflow_provider_elasticjobs.connections.fields import settings_from_fields
from airflow_provider_elasticjobs.hooks.connection_form import CONNECTION_TYPE
from airflow_provider_elasticjobs.hooks.elasticjobs import ElasticJobsHook

_FIELDS: dict[str, dict[str, Any]] = CONNECTION_TYPE["conn-fields"]


@pytest.mark.parametrize("name", sorted(_FIELDS))
def test_every_field_has_a_label_a_help_text_and_a_type(name: str) -> None:
    field = _FIELDS[name]
    assert field["label"]
    assert len(field["description"]) > 20
    assert "null" in field["schema"]["type"]


def test_every_field_is_understood() -> None:
    values = {name: field["schema"].get("default") for name, field in _FIELDS.items()}
    settings = settings_from_fields(login="u", password="p", extra=values)
    assert settings.ignored_extras == ()


def test_the_methods_on_offer_are_those_that_exist() -> None:
    assert sorted(_FIELDS["authentication"]["schema"]["enum"]) == sorted(METHODS)


def test_it_names_the_hook() -> None:
    module, _, name = CONNECTION_TYPE["hook-class-name"].rpartition(".")
    assert (module, name) == (ElasticJobsHook.__module__, ElasticJobsHook.__name__)
    assert CONNECTION_TYPE["connection-type"] == ElasticJobsHook.conn_type
    assert CONNECTION_TYPE["hook-name"] == ElasticJobsHook.hook_name


def test_a_driver_library_that_is_missing_is_named_when_the_hook_is_imported() -> None:
    program = "import sys; sys.modules['pyodbc'] = None; import airflow_provider_elasticjobs.hooks.elasticjobs"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DriverNotFoundError: pyodbc cannot be loaded" in done.stderr


def test_importing_it_imports_neither_airflow_nor_a_driver() -> None:
    program = (
        "import sys, airflow_provider_elasticjobs.hooks.connection_form\n"
        "print([name for name in ('airflow', 'pyodbc', 'azure') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
