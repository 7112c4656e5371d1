from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_elasticjobs.listeners import preload
from airflow_provider_elasticjobs.listeners.plugin import ElasticJobsPlugin
from airflow_provider_elasticjobs.listeners.preload import on_starting

NAME = "airflow_provider_elasticjobs"


class Job:
    """Called like what Airflow hands to listeners when the scheduler, the DAG processor or the triggerer starts."""


class TaskRunnerMarker:
    """Called like what Airflow hands to listeners when a task starts."""


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(preload, "import_module", names.append)
    return names


def test_airflow_finds_it_in_the_plugin() -> None:
    assert preload in ElasticJobsPlugin.listeners


def test_a_component_loads_what_its_children_need(loaded: list[str]) -> None:
    on_starting(Job())
    assert {f"{NAME}.task_groups.elastic_job", f"{NAME}.triggers.target_run"} <= set(loaded)


def test_a_task_does_not(loaded: list[str]) -> None:
    on_starting(TaskRunnerMarker())
    assert loaded == []


def test_nor_does_a_component_that_is_told_not_to(loaded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELASTICJOBS__PRELOAD", "False")
    on_starting(Job())
    assert loaded == []


def test_a_component_starts_without_what_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(preload, "import_module", refuse)
    on_starting(Job())


def test_airflow_calls_it_before_the_scheduler_starts_its_workers() -> None:
    """Whatever Airflow calls a component's class, and whenever it calls the listeners: a real one is made here."""
    code = (
        "import json, sys; from airflow.jobs.job import Job; Job();"
        f"print(json.dumps([name for name in sys.modules if name.startswith('{NAME}')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout.splitlines()[-1])
    assert {f"{NAME}.operators.elastic_job", f"{NAME}.hooks.elasticjobs", f"{NAME}.execution.target"} <= set(modules)


def test_the_plugin_loads_nothing_by_itself() -> None:
    """Every task of every DAG loads the plugin."""
    code = (
        f"import json, sys; import airflow.sdk, airflow.plugins_manager, {NAME}.listeners.plugin;"
        f"print(json.dumps([name for name in sys.modules if name.startswith('{NAME}.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout.splitlines()[-1])
    assert {name.split(".")[1] for name in modules} <= {"listeners", "get_provider_info", "hooks"}
    assert f"{NAME}.hooks.elasticjobs" not in modules
