from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_elasticjobs.listeners import missing_pool
from airflow_provider_elasticjobs.listeners.missing_pool import on_dag_run_running, useless_pools
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


@pytest.mark.parametrize("slots", [1, 100, math.inf])
def test_all_pools_there(dag: DAG, slots: float) -> None:
    assert useless_pools(dag.tasks, {"default_pool": 1, "JA100": slots, "mine": 1}) == {}


def test_what_resolves_must_not_begin_when_what_runs_could_not(dag: DAG) -> None:
    useless = useless_pools(dag.tasks, {"default_pool": 1, "mine": 1})
    assert sorted(useless) == ["Job1.a.resolve", "Job1.b.resolve"]
    assert "The pool 'JA100' does not exist" in useless["Job1.a.resolve"]


def test_a_task_with_nothing_before_it_must_not_begin_itself(dag: DAG) -> None:
    assert list(useless_pools(dag.tasks, {"default_pool": 1, "JA100": 1})) == ["single"]


@pytest.mark.parametrize(("slots", "useless"), [(3, True), (4, False)])
def test_a_pool_must_have_as_many_slots_as_one_task_takes(slots: int, useless: bool) -> None:
    with DAG("a_dag", schedule=None) as dag:
        ElasticJob("Job1", [JobStep("a", GROUP, "x")], pool="small", targets_per_task=50, chunk_parallelism=4)
    found = useless_pools(dag.tasks, {"small": slots})
    assert list(found) == (["Job1.a.resolve"] if useless else [])
    assert all("has 3 slot(s), and each task of 'Job1.a.run' takes 4" in text for text in found.values())


def test_other_tasks_are_nobodys_business(dag: DAG) -> None:
    other = SimpleNamespace(task_type="PythonOperator", pool="nowhere", upstream_task_ids=set(), task_id="t")
    assert useless_pools([other], {}) == {}


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
    assert missing_pool in ElasticJobsPlugin.listeners
