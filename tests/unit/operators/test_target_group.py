from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_elasticjobs import (
    ElasticJobExecutionSensor,
    PurgeJobHistoryOperator,
    ReconcileExecutionsOperator,
    StartElasticJobOperator,
    StopElasticJobOperator,
)
from airflow_provider_elasticjobs.exceptions import DefinitionError, TargetGroupError
from airflow_provider_elasticjobs.execution import reconcile, step
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation
from airflow_provider_elasticjobs.job_database import planning
from airflow_provider_elasticjobs.job_database.records import RegisteredTarget
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.model.targets import FailedTargets, SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.operators import measuring, resolving, target_connectors
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator
from airflow_provider_elasticjobs.triggers import process
from tests.unit.operators.contexts import context

TABLE = SqlDatabaseOutput("s.example", "d", "t")
GROUP = TargetGroup("everyone", [SqlServer("s.example")])
JOB = Job("j", [JobStep("first", GROUP, "SELECT 1"), JobStep("second", GROUP, "SELECT 2")])
ROW = uuid5(UUID(int=0), "row")


class Begun:
    """Stands for ``begin_step``: keeps what it was asked."""

    def __init__(self) -> None:
        self.targets = [Target("s.example", "d1", "pool1"), Target("s.example", "d2", conn_id="theirs")]
        self.job: Job
        self.step_id: int
        self.named: dict[str, Any]
        self.resolving_in: object = None
        self.render: Callable[[Any], Any]
        self.error: Exception | None = None
        self.reconciled: list[tuple[object, Any, dict[str, Any]]] = []
        self.reconciling: Exception | Reconciliation = Reconciliation()

    def resolver(self, conn_id: str, database: object, *, render: Callable[[Any], Any]) -> str:
        """Stand for ``resolver``."""
        self.resolving_in, self.render = database, render
        return f"resolver by {conn_id}"

    def reconcile(self, database: object, connectors: object, **options: Any) -> Reconciliation:
        """Stand for ``reconcile``."""
        self.reconciled.append((database, connectors, options))
        if isinstance(self.reconciling, Exception):
            raise self.reconciling
        return self.reconciling

    def __call__(self, _database: object, job: Job, step_id: int, **named: Any) -> list[RegisteredTarget]:
        self.job, self.step_id, self.named = job, step_id, named
        if self.error is not None:
            raise self.error
        return [RegisteredTarget(ROW, target) for target in self.targets]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    made = Begun()
    monkeypatch.setattr(step, "begin_step", made)
    monkeypatch.setattr(process, "connection_settings", lambda conn_id: f"settings of {conn_id}")
    monkeypatch.setattr(process, "open_job_database", lambda settings: f"database by {settings}")
    monkeypatch.setattr(measuring, "measurer", lambda group, conn_id, _: (group, conn_id))
    monkeypatch.setattr(resolving, "resolver", made.resolver)
    monkeypatch.setattr(
        target_connectors,
        "connectors",
        lambda conn_id, **options: (conn_id, options),
    )
    monkeypatch.setattr(reconcile, "reconcile", made.reconcile)
    return made


def before(*mapped: Callable[[Any], Any], **arguments: Any) -> ResolveTargetGroupOperator:
    """Return a resolver in a DAG, with mapped tasks after it."""
    with DAG("a_dag", schedule=None):
        resolve = ResolveTargetGroupOperator(task_id="resolve", **{"target_group": GROUP, **arguments})
        for make in mapped:
            resolve >> make(resolve.output)
    return resolve


def run(task_id: str = "run", **arguments: Any) -> Callable[[Any], Any]:
    partial = {"task_id": task_id, "command": "SELECT 1", **arguments}
    return lambda targets: ElasticJobOperator.partial(**partial).expand(target=targets)


class TestResult:
    def test_it_is_a_list_of_small_mappings_as_text(self, begun: Begun) -> None:
        assert [json.loads(item) for item in before(run()).execute(context())] == [
            {"server": "s.example", "database": "d1", "elastic_pool": "pool1", "execution_id": str(ROW)},
            {"server": "s.example", "database": "d2", "conn_id": "theirs", "execution_id": str(ROW)},
        ]

    def test_nothing_to_do_is_an_empty_list(self, begun: Begun) -> None:
        begun.targets = []
        assert before(run()).execute(context()) == []

    @pytest.mark.parametrize(("databases", "tasks"), [(1_000, 1_000), (1_001, 167)])
    def test_above_a_thousand_databases_a_task_takes_several(self, begun: Begun, databases: int, tasks: int) -> None:
        begun.targets = [Target("s.example", f"d{number}") for number in range(databases)]
        items = before(run()).execute(context())
        assert len(items) == tasks
        assert TargetChunk.is_json(json.loads(items[0])) is (tasks < databases)

    def test_a_chunk_names_the_run_the_step_and_its_places(self, begun: Begun) -> None:
        begun.targets = [Target("s.example", f"d{number}") for number in range(5)]
        resolve = before(target_group=None, job=JOB, step_id=2, job_group_id="Job1", targets_per_task=3)
        execution_id = job_execution_id("a_dag", "a_run", "Job1")
        first, last = (TargetChunk.from_json(json.loads(item)) for item in resolve.execute(context()))
        assert first == TargetChunk(execution_id, 2, 1, 3, 5)
        assert last.label == "targets 4-5 of 5"

    def test_a_server_that_cannot_be_asked_fails_the_task(self, begun: Begun) -> None:
        begun.error = TargetGroupError("s.example is down")
        with pytest.raises(TargetGroupError, match=r"s\.example is down"):
            before(run()).execute(context())


class TestJob:
    def test_a_step_of_a_job(self, begun: Begun) -> None:
        before(target_group=None, job=JOB, step_id=2, job_group_id="Job1").execute(context())
        assert (begun.job, begun.step_id) == (JOB, 2)
        assert begun.named["job_execution_id"] == job_execution_id("a_dag", "a_run", "Job1")

    def test_a_job_as_plain_json(self, begun: Begun) -> None:
        before(target_group=None, job=JOB.to_json()).execute(context())
        assert begun.job == JOB

    def test_alone_it_is_a_job_of_one_step_with_the_mapped_tasks_arguments(self, begun: Begun) -> None:
        caps = {"max_parallelism": 3, "max_parallelism_per_server": 4}
        mapped = run("visit", retry={"attempts": 2}, step_timeout=9, idempotent=False, step_output=TABLE, **caps)
        before(mapped).execute(context())
        assert begun.job.name == "a_dag.resolve"
        assert begun.named["job_execution_id"] == job_execution_id("a_dag", "a_run", "resolve")
        assert begun.job.steps == (
            JobStep(
                "visit",
                GROUP,
                "SELECT 1",
                retry=RetryPolicy(attempts=2),
                step_timeout=9,
                max_parallelism=3,
                max_parallelism_per_server=4,
                conn_id="elasticjobs_default",
                idempotent=False,
                output=TABLE,
            ),
        )

    def test_alone_it_may_have_a_name_and_the_group_may_be_plain_json(self, begun: Begun) -> None:
        before(run(retry=RetryPolicy(attempts=1)), target_group=GROUP.to_json(), job_name="Visits").execute(context())
        assert begun.job.name == "Visits"
        assert begun.job.steps[0].target_group == GROUP
        assert begun.job.steps[0].retry.attempts == 1

    @pytest.mark.parametrize("mapped", [(), (run("a"), run("b"))])
    def test_alone_exactly_one_mapped_operator_must_follow(self, begun: Begun, mapped: Any) -> None:
        with pytest.raises(DefinitionError, match=f"must follow it, not {len(mapped)}"):
            before(*mapped).execute(context())

    @pytest.mark.parametrize("form", [Rollout(max_failures=2, spread=60), Rollout(max_failures=2, spread=60).to_json()])
    def test_alone_it_has_the_mapped_tasks_budget(self, begun: Begun, form: Any) -> None:
        before(run(rollout=form)).execute(context())
        assert begun.job.steps[0].rollout == Rollout(max_failures=2, spread=60)

    def test_alone_it_has_no_waves_because_each_needs_tasks_of_its_own(self, begun: Begun) -> None:
        with pytest.raises(DefinitionError, match="BeginWaveOperator before each further wave"):
            before(run(rollout=Rollout(waves=[Wave(count=1)]))).execute(context())

    @pytest.mark.parametrize("arguments", [{"target_group": None}, {"job": JOB}])
    def test_a_group_or_a_job_must_be_given_and_not_both(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(DefinitionError, match="either a target_group or a job"):
            before(**arguments)


class TestConnections:
    def test_scripts_and_lists_share_one_unless_another_is_named(self, begun: Begun) -> None:
        before(run(), elasticjobs_conn_id="scripts").execute(context())
        assert begun.named["resolve"] == "resolver by scripts"
        before(run(), elasticjobs_conn_id="scripts", refresh_conn_id="lists").execute(context())
        assert begun.named["resolve"] == "resolver by lists"
        assert begun.named["measure"] == (GROUP, "lists")


class TestTemplates:
    def test_a_member_is_rendered_with_the_tasks_context_and_the_definition_is_not(self, begun: Begun) -> None:
        group = TargetGroup.failed_of("{{ params.run }}")
        before(run(), target_group=group).execute(context(params={"run": str(ROW)}))
        assert begun.job.steps[0].target_group == group
        assert group.rendered(begun.render).members == (FailedTargets(str(ROW)),)

    def test_earlier_runs_are_looked_up_in_the_tasks_job_database(self, begun: Begun) -> None:
        before(run(), job_database_conn_id="elsewhere").execute(context())
        assert begun.resolving_in == "database by settings of elsewhere"


class TestLostRows:
    """The start of a run settles what earlier runs' lost processes left."""

    def test_the_first_step_looks_at_a_few_of_all_runs_and_does_not_wait_long(self, begun: Begun) -> None:
        before(run(), elasticjobs_conn_id="scripts").execute(context())
        ((database, (conn_id, waits), options),) = begun.reconciled
        assert database == "database by settings of elasticjobs_job_database"
        assert conn_id == "scripts"
        assert waits["login_timeout"] <= 10
        assert options["most"] <= options["max_workers"] <= 32
        assert "job_execution_id" not in options

    def test_later_steps_do_not(self, begun: Begun) -> None:
        before(target_group=None, job=JOB, step_id=2).execute(context())
        assert begun.reconciled == []

    def test_whatever_goes_wrong_there_the_run_begins(self, begun: Begun) -> None:
        begun.reconciling = RuntimeError("the job database is in a bad mood")
        assert len(before(run()).execute(context())) == 2


def test_its_group_can_be_asked_for_without_running_it() -> None:
    assert before(run(), target_group=GROUP.to_json()).group() == GROUP
    assert before(target_group=None, job=JOB.to_json(), step_id=2).group() == GROUP


@pytest.mark.parametrize(
    "operator",
    [
        StartElasticJobOperator(task_id="t", job_name="j"),
        StopElasticJobOperator(task_id="t", job_execution_id="{{ x }}"),
        PurgeJobHistoryOperator(task_id="t", older_than=timedelta(days=3)),
        ReconcileExecutionsOperator(task_id="t"),
        ElasticJobExecutionSensor(task_id="t", job_execution_id="{{ x }}", failing=()),
    ],
    ids=lambda operator: type(operator).__name__,
)
def test_the_operators_beside_it_survive_serialisation_too(operator: Any) -> None:
    dag = DAG("beside", schedule=None)
    dag.add_task(operator)
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("t")
    assert again.task_type == type(operator).__name__


def test_it_survives_serialisation() -> None:
    resolve = before(run())
    again = DagSerialization.from_dict(DagSerialization.to_dict(resolve.dag))
    assert again.get_task("resolve").task_type == "ResolveTargetGroupOperator"
    assert again.get_task("run").is_mapped


class TestPlan:
    def test_the_databases_are_shown_and_none_is_handed_on(self, begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
        planned: list[Any] = []
        monkeypatch.setattr(planning, "plan_targets", lambda *told: planned.append(told))
        said: list[str] = []
        monkeypatch.setattr(ResolveTargetGroupOperator, "_say", lambda _task, _level, text: said.append(text))
        handed_on = before(run(), trial="plan", job_group_id="Job1").execute(context())
        assert handed_on == []
        database = "database by settings of elasticjobs_job_database"
        assert planned == [(database, job_execution_id("a_dag", "a_run", "Job1"), 1)]
        assert said == ["Planned: s.example/d1 (elastic pool pool1)", "Planned: s.example/d2"]

    @pytest.mark.parametrize("trial", ["parse", "rollback", "", None])
    def test_other_trials_hand_them_on(self, begun: Begun, trial: str | None) -> None:
        assert len(before(run(), trial=trial).execute(context())) == 2

    def test_a_misspelt_trial_begins_nothing(self, begun: Begun) -> None:
        with pytest.raises(DefinitionError, match="task 'resolve': trial must be"):
            before(run(), trial="plann").execute(context())
        assert not hasattr(begun, "job")
