from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, TaskGroup
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup
from airflow_provider_elasticjobs.task_groups.elastic_job import ElasticJob, valid_id

GROUP = TargetGroup("everyone", [SqlServer("s")])
STEPS = [JobStep("step1", GROUP, "SELECT 1"), JobStep("step 2", GROUP, "SELECT 2", conn_id="other", max_parallelism=5)]


def dag_of(*, name: str = "Job1", steps: list[JobStep] | None = None, **arguments: Any) -> Any:
    with DAG("a_dag", schedule=None) as dag:
        ElasticJob(name, STEPS if steps is None else steps, **arguments)
    return dag


class TestStructure:
    def test_each_step_resolves_and_runs_and_the_job_finishes_and_settles(self) -> None:
        assert sorted(dag_of().task_ids) == [
            "Job1.finish",
            "Job1.settle",
            "Job1.step1.resolve",
            "Job1.step1.run",
            "Job1.step_2.resolve",
            "Job1.step_2.run",
        ]

    def test_steps_run_one_after_another(self) -> None:
        dag = dag_of()
        upstream = {task.task_id.removeprefix("Job1."): task.upstream_task_ids for task in dag.tasks}
        assert upstream["step1.resolve"] == set()
        assert upstream["step1.run"] == {"Job1.step1.resolve"}
        assert upstream["step_2.resolve"] == {"Job1.step1.resolve", "Job1.step1.run"}
        assert upstream["finish"] == {"Job1.step_2.resolve", "Job1.step_2.run"}

    def test_settling_waits_for_every_step_because_its_siblings_go_on_after_a_failure(self) -> None:
        settle = dag_of().get_task("Job1.settle")
        assert settle.upstream_task_ids == {"Job1.step1.run", "Job1.step_2.run", "Job1.finish"}
        assert settle.is_teardown

    def test_settling_asks_servers_with_the_jobs_connection(self) -> None:
        assert dag_of(elasticjobs_conn_id="scripts").get_task("Job1.settle").elasticjobs_conn_id == "scripts"

    def test_a_dag_run_that_was_marked_fails_by_the_teardown(self) -> None:
        assert dag_of().get_task("Job1.settle").on_failure_fail_dagrun

    def test_skipped_and_empty_steps_let_the_job_go_on_and_a_branch_that_left_it_out_does_not(self) -> None:
        rules = {task.task_id: str(task.trigger_rule.value) for task in dag_of().tasks}
        assert rules["Job1.step1.resolve"] == "all_success"
        assert rules["Job1.step_2.resolve"] == "none_failed_min_one_success"
        assert rules["Job1.finish"] == "none_failed_min_one_success"

    def test_tasks_after_the_job_wait_for_its_end_and_those_before_for_nothing_of_it(self) -> None:
        with DAG("a_dag", schedule=None) as dag:
            job = ElasticJob("Job1", STEPS)
            BaseOperator(task_id="before") >> job >> BaseOperator(task_id="after")
        assert dag.get_task("after").upstream_task_ids == {"Job1.finish"}
        assert dag.get_task("before").downstream_task_ids == {"Job1.step1.resolve"}

    def test_a_dag_may_hold_several_jobs_also_inside_groups(self) -> None:
        with DAG("a_dag", schedule=None) as dag:
            ElasticJob("Job1", STEPS)
            with TaskGroup("outer"):
                inner = ElasticJob("Job1", STEPS)
        assert inner.group_id == "outer.Job1"
        assert dag.get_task("outer.Job1.step1.resolve").job_group_id == "outer.Job1"  # type: ignore[union-attr]
        assert dag.get_task("outer.Job1.settle").finish_task_id == "outer.Job1.finish"  # type: ignore[union-attr]

    def test_it_survives_serialisation(self) -> None:
        dag = dag_of(tier="JA100")
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert sorted(again.task_ids) == sorted(dag.task_ids)
        assert "Job1" in again.task_group_dict


class TestWaves:
    STEP = JobStep("step1", GROUP, "x.sql", rollout=Rollout(waves=[Wave(count=1), Wave(ratio=0.1)], max_failures=2))

    def dag(self, **arguments: Any) -> Any:
        return dag_of(steps=[self.STEP, STEPS[1]], **arguments)

    def test_each_wave_has_a_mapped_task_that_waits_for_the_one_before(self) -> None:
        dag = self.dag()
        upstream = {
            task.task_id.removeprefix("Job1."): {one.removeprefix("Job1.") for one in task.upstream_task_ids}
            for task in dag.tasks
        }
        assert upstream["step1.wave_1"] == {"step1.resolve"}
        assert upstream["step1.begin_wave_2"] == {"step1.resolve", "step1.wave_1"}
        assert upstream["step1.wave_2"] == {"step1.begin_wave_2"}
        assert upstream["step1.begin_run"] == {"step1.begin_wave_2", "step1.wave_2"}
        assert upstream["step1.run"] == {"step1.begin_run"}
        assert upstream["step_2.resolve"] == {
            f"step1.{task}" for task in ("resolve", "wave_1", "begin_wave_2", "wave_2", "begin_run", "run")
        }
        assert upstream["settle"] == {"step1.wave_1", "step1.wave_2", "step1.run", "step_2.run", "finish"}

    def test_a_wave_begins_after_failures_and_knows_what_began_the_one_before(self) -> None:
        dag = self.dag(elasticjobs_conn_id="scripts", job_database_conn_id="rows")
        begin = {name: dag.get_task(f"Job1.step1.begin_{name}") for name in ("wave_2", "run")}
        assert {str(task.trigger_rule.value) for task in begin.values()} == {"all_done"}
        assert [(task.wave, task.after_task_id) for task in begin.values()] == [
            (2, "Job1.step1.resolve"),
            (3, "Job1.step1.begin_wave_2"),
        ]
        assert {(task.job_group_id, task.step_id) for task in begin.values()} == {("Job1", 1)}
        assert {(task.elasticjobs_conn_id, task.job_database_conn_id) for task in begin.values()} == {
            ("scripts", "rows")
        }

    def test_every_wave_runs_the_same_script_in_the_same_pool(self) -> None:
        dag = self.dag(tier="JA100")
        waves = [dag.get_task(f"Job1.step1.{name}") for name in ("wave_1", "wave_2", "run")]
        assert {task.pool for task in waves} == {"JA100"}
        assert {task.partial_kwargs["command"] for task in waves} == {"x.sql"}
        assert all(task.partial_kwargs["rollout"]["max_failures"] == 2 for task in waves)

    def test_it_survives_serialisation(self) -> None:
        dag = self.dag()
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert sorted(again.task_ids) == sorted(dag.task_ids)


class TestArguments:
    def mapped(self, step: str = "step1", **arguments: Any) -> Any:
        return dag_of(**arguments).get_task(f"Job1.{step}.run")

    def test_the_tier_is_the_pool_of_the_scripts_alone(self) -> None:
        dag = dag_of(tier="JA100")
        pools = {task.task_id.removeprefix("Job1."): task.pool for task in dag.tasks}
        assert pools == {
            "step1.resolve": "default_pool",
            "step1.run": "JA100",
            "step_2.resolve": "default_pool",
            "step_2.run": "JA100",
            "finish": "default_pool",
            "settle": "default_pool",
        }

    def test_another_pool_takes_the_tiers_place(self) -> None:
        assert self.mapped(tier="JA100", pool="mine").pool == "mine"
        assert self.mapped(pool="mine").pool == "mine"

    def test_a_step_brings_its_own_settings(self) -> None:
        step = JobStep(
            "step1", GROUP, "x.sql", retry=RetryPolicy(attempts=1), step_timeout=7, idempotent=False, transaction=True
        )
        arguments = self.mapped(steps=[step], deferrable=False).partial_kwargs
        assert arguments["command"] == "x.sql"
        assert arguments["retry"]["attempts"] == 1
        assert (arguments["step_timeout"], arguments["idempotent"], arguments["deferrable"]) == (7, False, False)
        assert arguments["transaction"] is True

    def test_a_step_brings_its_caps(self) -> None:
        step = JobStep("step1", GROUP, "x.sql", max_parallelism=2, max_parallelism_per_server=5)
        arguments = self.mapped(steps=[step]).partial_kwargs
        assert (arguments["max_parallelism"], arguments["max_parallelism_per_server"]) == (2, 5)

    def test_a_task_takes_one_database_and_one_slot_unless_told_otherwise(self) -> None:
        dag = dag_of()
        assert dag.get_task("Job1.step1.resolve").targets_per_task is None
        assert dag.get_task("Job1.step1.run").pool_slots == 1

    @pytest.mark.parametrize(
        ("arguments", "slots"),
        [
            ({"targets_per_task": 50}, 10),
            ({"targets_per_task": 4}, 4),
            ({"targets_per_task": 50, "chunk_parallelism": 25}, 25),
            ({"targets_per_task": 5, "chunk_parallelism": 25}, 5),
        ],
    )
    def test_a_chunk_takes_a_slot_for_each_script_at_a_time(self, arguments: dict[str, Any], slots: int) -> None:
        dag = dag_of(**arguments)
        for step in ("step1", "step_2"):
            assert dag.get_task(f"Job1.{step}.resolve").targets_per_task == arguments["targets_per_task"]
            assert dag.get_task(f"Job1.{step}.run").pool_slots == slots

    def test_a_step_brings_its_output(self) -> None:
        output = SqlDatabaseOutput("s", "d", "t")
        arguments = self.mapped(steps=[JobStep("step1", GROUP, "x.sql", output=output)]).partial_kwargs
        assert arguments["step_output"] == output.to_json()

    def test_all_its_tasks_are_in_the_queue_of_its_default_arguments(self) -> None:
        tasks = dag_of(default_args={"queue": "eu"}).tasks
        assert {task.queue for task in tasks} == {"eu"}

    def test_retries_meant_for_other_tasks_do_not_multiply_those_of_a_step(self) -> None:
        with DAG("a_dag", schedule=None, default_args={"retries": 3}) as dag:
            ElasticJob("Job1", STEPS)
        assert dag.get_task("Job1.step1.run").retries == 0
        assert dag.get_task("Job1.step1.resolve").retries == 3

    def test_connections_go_from_the_job_to_the_steps_that_name_none(self) -> None:
        dag = dag_of(elasticjobs_conn_id="scripts", refresh_conn_id="lists", job_database_conn_id="rows")
        first, second = (dag.get_task(f"Job1.{step}.run").partial_kwargs for step in ("step1", "step_2"))
        assert (first["elasticjobs_conn_id"], second["elasticjobs_conn_id"]) == ("scripts", "other")
        resolve = dag.get_task("Job1.step_2.resolve")
        assert (resolve.elasticjobs_conn_id, resolve.refresh_conn_id) == ("other", "lists")
        assert {task.job_database_conn_id for task in dag.tasks if hasattr(task, "job_database_conn_id")} == {"rows"}

    def test_the_group_is_called_after_the_job_or_as_the_author_says(self) -> None:
        assert "My_job.finish" in dag_of(name="My job").task_ids
        assert "other.finish" in dag_of(group_id="other").task_ids

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"steps": []}, "has no steps"),
            ({"name": "50 %"}, "must not contain '%'"),
            ({"name": "€"}, "no letter or digit"),
            ({"targets_per_task": 0}, "targets_per_task must be 1 or more, not 0"),
            ({"targets_per_task": 5, "chunk_parallelism": 0}, "chunk_parallelism must be 1 or more, not 0"),
            ({"chunk_parallelism": 5}, "chunk_parallelism needs targets_per_task"),
            ({"steps": [JobStep("a b", GROUP, "x"), JobStep("a_b", GROUP, "x")]}, "make the id 'a_b'"),
        ],
    )
    def test_what_cannot_work_is_said_when_the_dag_is_read(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(DefinitionError, match=message):
            dag_of(**arguments)


@pytest.mark.parametrize(
    ("name", "found"), [("Job1", "Job1"), ("Nightly collect", "Nightly_collect"), ("a.b/c", "a_b_c"), ("-x-", "-x-")]
)
def test_names_become_ids(name: str, found: str) -> None:
    assert valid_id(name) == found
