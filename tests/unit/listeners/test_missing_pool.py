from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_elasticjobs.listeners import missing_pool
from airflow_provider_elasticjobs.listeners.missing_pool import missing_pools, on_dag_run_running
from airflow_provider_elasticjobs.listeners.plugin import ElasticJobsPlugin
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.task_groups.elastic_job import ElasticJob

GROUP = TargetGroup("everyone", [SqlServer("s")])


@pytest.fixture
def dag() -> DAG:
    with DAG("a_dag", schedule=None) as made:
        ElasticJob("Job1", [JobStep("a", GROUP, "x"), JobStep("b", GROUP, "x")], tier="JA100")
        ElasticJobOperator(task_id="single", command="x", target={}, pool="mine")
    return made


def test_all_pools_there(dag: DAG) -> None:
    assert missing_pools(dag.tasks, {"default_pool", "JA100", "mine"}) == {}


def test_what_resolves_must_not_begin_when_what_runs_could_not(dag: DAG) -> None:
    missing = missing_pools(dag.tasks, {"default_pool", "mine"})
    assert missing == {"Job1.a.resolve": "JA100", "Job1.b.resolve": "JA100"}


def test_a_task_with_nothing_before_it_must_not_begin_itself(dag: DAG) -> None:
    assert missing_pools(dag.tasks, {"default_pool", "JA100"}) == {"single": "mine"}


def test_other_tasks_are_nobodys_business(dag: DAG) -> None:
    other = SimpleNamespace(task_type="PythonOperator", pool="nowhere", upstream_task_ids=set(), task_id="t")
    assert missing_pools([other], set()) == {}


def test_a_run_without_elastic_jobs_is_left_alone() -> None:
    run: Any = SimpleNamespace(dag=SimpleNamespace(tasks=[]))
    on_dag_run_running(run, "started")


def test_a_run_whose_dag_is_not_known_is_left_alone() -> None:
    run: Any = SimpleNamespace()
    on_dag_run_running(run, "started")


@pytest.mark.parametrize(
    ("pool", "command"),
    [
        ("JA400", "airflow elasticjobs tier JA400"),
        ("mine", "airflow pools set mine SLOTS elasticjobs --include-deferred"),
    ],
)
def test_the_note_says_how_to_make_the_pool(pool: str, command: str) -> None:
    assert missing_pool._command(pool) == command


def test_the_plugin_brings_the_listener() -> None:
    assert ElasticJobsPlugin.listeners == [missing_pool]
