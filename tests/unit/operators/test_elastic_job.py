from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_elasticjobs.exceptions import DefinitionError, JobDatabaseError
from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.target import TargetResult
from airflow_provider_elasticjobs.job_database import rollouts
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup
from airflow_provider_elasticjobs.operators import elastic_job
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator
from airflow_provider_elasticjobs.triggers import process, target_run
from airflow_provider_elasticjobs.triggers.elastic_job import ElasticJobTrigger
from tests.unit.operators.contexts import context

TABLE = SqlDatabaseOutput("s.example", "d", "t")
TARGET = {"server": "s.example", "database": "d1", "execution_id": "2f6d7b51-0a5e-4d7e-8b53-1f4c1f5f2a10"}

CHUNK = TargetChunk(UUID(int=3), 1, 51, 100, 5000)


def operator(**arguments: Any) -> ElasticJobOperator:
    return ElasticJobOperator(**{"task_id": "run", "command": "SELECT 1", "target": TARGET, **arguments})


class FakeRun:
    """A target's run that ends as the test says, in whatever thread calls it."""

    def __init__(self, ending: Lifecycle | BaseException) -> None:
        self.ending = ending
        self.threads: list[str] = []
        self.cancelled = threading.Event()
        self.arguments: dict[str, Any] = {}

    def __call__(self, **arguments: Any) -> FakeRun:
        self.arguments = arguments
        return self

    def run(self) -> TargetResult:
        self.threads.append(threading.current_thread().name)
        self.arguments["log"](logging.INFO, "100 % of a line")
        if isinstance(self.ending, BaseException):
            raise self.ending
        return TargetResult(self.ending, f"it is {self.ending}", 1)

    def cancel(self) -> None:
        self.cancelled.set()


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    fake = FakeRun(Lifecycle.SUCCEEDED)
    monkeypatch.setattr(target_run, "TargetRun", fake)
    return fake


class TestItem:
    """What the resolver hands on is text, and a mapping does as well."""

    @pytest.mark.parametrize("target", [TARGET, json.dumps(TARGET)])
    def test_text_and_mapping_mean_the_same(self, fake_run: FakeRun, target: Any) -> None:
        operator(target=target, deferrable=False).execute(context())
        assert fake_run.arguments["order"]["target"] == {"server": "s.example", "database": "d1"}
        assert fake_run.arguments["order"]["execution_id"] == TARGET["execution_id"]

    @pytest.mark.parametrize("target", ["s.example/d1", "[1]", "7"])
    def test_other_text_is_named(self, fake_run: FakeRun, target: str) -> None:
        with pytest.raises(DefinitionError, match=r"task 'run': target must be an item .* not '") as raised:
            operator(target=target, deferrable=False).execute(context())
        assert repr(target) in str(raised.value)

    def mapped(self, items: list[str], map_index: int) -> tuple[ElasticJobOperator, list[Any]]:
        """Return a mapped task as Airflow renders it, and what it asked its resolver's XCom for."""
        asked: list[Any] = []
        with DAG("d", schedule=None) as dag:
            group = TargetGroup("g", [SqlServer("s.example")])
            resolve = ResolveTargetGroupOperator(task_id="resolve", target_group=group)
            command = "SELECT {{ 1 + 1 }}"
            task = ElasticJobOperator.partial(task_id="run", command=command).expand(target=resolve.output)
        running = {**context(map_index=map_index), "dag": dag, "dag_run": SimpleNamespace(conf={})}

        def pull(**which: Any) -> list[str]:
            asked.append(which)
            return items

        running["ti"].xcom_pull = pull
        task.render_template_fields(cast("Context", running))
        return running["ti"].task, asked

    def test_a_database_is_no_template(self) -> None:
        item = json.dumps({**TARGET, "database": "{{ 1 / 0 }}"})
        task, _ = self.mapped([item], 0)
        assert (task.command, task.target, task.target_label) == ("SELECT 2", item, "s.example/{{ 1 / 0 }}")

    def test_airflow_still_hands_each_task_the_whole_list(self) -> None:
        """Were it the one item, it could be a mapping again: see ``mapped_items``."""
        task, asked = self.mapped([json.dumps(TARGET)] * 3, 2)
        assert task.target == json.dumps(TARGET)
        assert [which["task_ids"] for which in asked] == ["resolve"]


class TestDeferrable:
    def deferred(self, task: ElasticJobOperator) -> ElasticJobTrigger:
        with pytest.raises(TaskDeferred) as raised:
            task.execute(context(map_index=3))
        assert raised.value.method_name == "execute_complete"
        assert raised.value.timeout is None
        assert isinstance(raised.value.trigger, ElasticJobTrigger)
        return raised.value.trigger

    def test_it_is_the_default_and_hands_everything_to_the_trigger(self) -> None:
        trigger = self.deferred(operator(retry=RetryPolicy(attempts=1), step_timeout=timedelta(minutes=2)))
        assert trigger.order["target"] == {"server": "s.example", "database": "d1"}
        assert trigger.order["execution_id"] == TARGET["execution_id"]
        assert trigger.order["command"] == "SELECT 1"
        assert trigger.order["retry"]["attempts"] == 1
        assert trigger.order["step_timeout"] == 120
        assert trigger.airflow["map_index"] == 3

    def test_a_chunk_goes_by_its_places_and_runs_as_many_scripts_as_it_has_slots(self) -> None:
        task = operator(target=CHUNK.to_json(), pool_slots=4, step_timeout=9, elasticjobs_conn_id="mine")
        trigger = self.deferred(task)
        order = ChunkOrder.from_json(trigger.order)
        assert (order.chunk, order.at_once) == (CHUNK, 4)
        assert (order.pattern.command, order.pattern.step_timeout) == ("SELECT 1", 9)
        assert trigger.elasticjobs_conn_id == "mine"

    def test_the_defaults_are_those_of_elastic_jobs(self) -> None:
        order = self.deferred(operator()).order
        assert order["retry"] == RetryPolicy().to_json()
        assert (order["step_timeout"], order["idempotent"]) == (43_200, True)

    def test_transaction_and_clocks_reach_the_order(self) -> None:
        order = self.deferred(
            operator(transaction=True, target_timeout=timedelta(hours=1), lock_timeout=0, refresh_conn_id="refresher")
        ).order
        assert (order["transaction"], order["target_timeout"], order["lock_timeout"]) == (True, 3600, 0)
        assert order["refresh_conn_id"] == "refresher"
        again = TargetOrder.from_json(json.loads(json.dumps(order)))
        assert (again.transaction, again.target_timeout, again.refresh_conn_id) == (True, 3600, "refresher")

    def test_a_trigger_of_an_older_package_has_none_of_them(self) -> None:
        order = self.deferred(operator()).order
        for name in ("transaction", "target_timeout", "lock_timeout", "refresh_conn_id"):
            del order[name]
        assert TargetOrder.from_json(order).transaction is False

    def test_a_retry_policy_may_be_plain_json(self) -> None:
        assert self.deferred(operator(retry={"attempts": 2})).order["retry"]["attempts"] == 2

    def test_the_connection_of_the_member_comes_first(self) -> None:
        task = operator(target={**TARGET, "conn_id": "theirs"}, elasticjobs_conn_id="mine")
        assert self.deferred(task).elasticjobs_conn_id == "theirs"
        assert self.deferred(operator(elasticjobs_conn_id="mine")).elasticjobs_conn_id == "mine"

    def test_a_table_is_written_by_the_steps_connection_unless_it_names_its_own(self) -> None:
        task = operator(step_output=TABLE, target={**TARGET, "conn_id": "theirs"}, elasticjobs_conn_id="mine")
        assert self.deferred(task).order["output"] == {**TABLE.to_json(), "conn_id": "mine"}
        named = replace(TABLE, conn_id="its own")
        assert self.deferred(operator(step_output=named.to_json())).order["output"] == named.to_json()

    def test_a_storage_has_no_connection_but_its_own(self) -> None:
        folder = ParquetOutput("s3://bucket")
        assert self.deferred(operator(step_output=folder)).order["output"] == folder.to_json()

    @pytest.mark.parametrize(
        ("event", "error"),
        [("failed", AirflowFailException), ("skipped", AirflowSkipException), (None, AirflowFailException)],
    )
    def test_what_the_trigger_said_is_said_again(self, event: str | None, error: type[Exception]) -> None:
        with pytest.raises(error):
            operator().execute_complete(context(), event)

    def test_success_is_silent(self) -> None:
        operator().execute_complete(context(), "success")


class TestInTheWorker:
    @pytest.mark.parametrize(
        ("lifecycle", "error"),
        [
            (Lifecycle.FAILED, AirflowFailException),
            (Lifecycle.TIMED_OUT, AirflowFailException),
            (Lifecycle.CANCELED, AirflowFailException),
            (Lifecycle.SKIPPED, AirflowSkipException),
        ],
    )
    def test_the_lifecycle_ends_the_task(self, fake_run: FakeRun, lifecycle: Lifecycle, error: type[Exception]) -> None:
        fake_run.ending = lifecycle
        with pytest.raises(error, match=f"it is {lifecycle}"):
            operator(deferrable=False).execute(context())

    def test_a_good_end_is_silent(self, fake_run: FakeRun) -> None:
        operator(deferrable=False).execute(context())
        assert fake_run.threads == ["elasticjobs-script"]

    def test_an_error_comes_out_as_it_is(self, fake_run: FakeRun) -> None:
        fake_run.ending = JobDatabaseError("it is away")
        with pytest.raises(JobDatabaseError, match="it is away"):
            operator(deferrable=False).execute(context())

    def test_lines_of_the_script_reach_the_log_unchanged(
        self, fake_run: FakeRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines: list[Any] = []
        monkeypatch.setattr(ElasticJobOperator, "_say", lambda _, *line: lines.append(line))
        operator(deferrable=False).execute(context())
        assert lines == [(logging.INFO, "100 % of a line")]

    def test_on_kill_stops_the_script(self, fake_run: FakeRun) -> None:
        task = operator(deferrable=False)
        task.on_kill()
        assert not fake_run.cancelled.is_set()
        task.execute(context())
        task.on_kill()
        assert fake_run.cancelled.is_set()


class TestDeclaration:
    def test_the_grid_calls_a_target_by_server_and_database(self) -> None:
        task = operator()
        assert task.map_index_template is not None
        rendered = task.render_template(task.map_index_template, {"task": task})
        assert rendered == "s.example/d1"

    @pytest.mark.parametrize("chunk", [CHUNK.to_json(), json.dumps(CHUNK.to_json())])
    def test_it_calls_a_chunk_by_its_places(self, chunk: Any) -> None:
        task = operator(target=chunk)
        assert task.map_index_template is not None
        assert task.render_template(task.map_index_template, {"task": task}) == "targets 51-100 of 5000"

    def test_so_it_does_when_mapped_and_the_author_may_say_otherwise(self) -> None:
        with DAG("d", schedule=None):
            mapped = ElasticJobOperator.partial(task_id="a", command="x").expand(target=[TARGET])
            other = ElasticJobOperator.partial(task_id="b", command="x", map_index_template="y").expand(target=[TARGET])
        assert mapped.map_index_template == elastic_job.TARGET_LABEL
        assert other.map_index_template == "y"

    def test_a_sql_file_is_a_template(self, tmp_path: Path) -> None:
        (tmp_path / "step.sql").write_text("SELECT '{{ run_id }}' AS $(job_name)")
        with DAG("d", schedule=None, template_searchpath=str(tmp_path)):
            task = operator(command="step.sql")
        task.render_template_fields({"run_id": "r1"})
        assert task.command == "SELECT 'r1' AS $(job_name)"

    @pytest.mark.parametrize("retry", [None, {"attempts": 1}, RetryPolicy(attempts=1)])
    def test_it_survives_serialisation_plain_and_mapped(self, retry: Any) -> None:
        with DAG("d", schedule=None) as dag:
            operator(retry=retry)
            ElasticJobOperator.partial(task_id="mapped", command="x.sql", retry=retry, pool="p").expand(target=[TARGET])
        again = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert again.get_task("run").task_type == "ElasticJobOperator"
        assert again.get_task("mapped").pool == "p"
        assert again.get_task("mapped").map_index_template == elastic_job.TARGET_LABEL


class TestSpread:
    """A target whose time has not come gives its slot back."""

    SPREAD = Rollout(spread=3600).to_json()

    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        asked: dict[str, Any] = {"seconds": 0.0, "rows": [], "closed": 0}

        class Database:
            def close(self) -> None:
                asked["closed"] += 1

        def seconds_to_wait(database: object, row: UUID) -> float:
            asked["rows"].append(row)
            return float(asked["seconds"])

        monkeypatch.setattr(process, "connection_settings", lambda conn_id: conn_id)
        monkeypatch.setattr(process, "open_job_database", lambda _: Database())
        monkeypatch.setattr(rollouts, "seconds_to_wait", seconds_to_wait)
        return asked

    @pytest.mark.parametrize(("seconds", "absence"), [(20.0, 20), (100.0, 100), (3000.0, 300)])
    def test_it_comes_back_at_its_time_and_looks_now_and_then(
        self, waits: dict[str, Any], seconds: float, absence: int
    ) -> None:
        waits["seconds"] = seconds
        before = datetime.now(timezone.utc)
        with pytest.raises(AirflowRescheduleException) as raised:
            operator(rollout=self.SPREAD).execute(context())
        away = (raised.value.reschedule_date - before).total_seconds()
        assert absence <= away < absence + 10
        assert waits["rows"] == [UUID(TARGET["execution_id"])]
        assert waits["closed"] == 1

    @pytest.mark.parametrize("seconds", [0.0, 19.0])
    def test_one_whose_time_is_near_goes_on(self, waits: dict[str, Any], seconds: float) -> None:
        waits["seconds"] = seconds
        with pytest.raises(TaskDeferred):
            operator(rollout=Rollout(spread=60)).execute(context())

    @pytest.mark.parametrize("rollout", [None, Rollout(max_failures=3), Rollout(max_failures=3).to_json()])
    def test_without_a_spread_nobody_is_asked(self, waits: dict[str, Any], rollout: Any) -> None:
        with pytest.raises(TaskDeferred):
            operator(rollout=rollout).execute(context())
        assert waits["rows"] == []


class TestTrial:
    def test_a_trial_is_in_the_order_and_waits_for_passing_errors_only(self) -> None:
        order = operator(trial="rollback", retry=RetryPolicy(attempts=3))._arguments(context())["order"]
        assert (order["trial"], order["retry"]["attempts"], order["retry"]["retry_on"]) == ("rollback", 3, "transient")

    def test_numbers_to_retry_stay(self) -> None:
        order = operator(trial="parse", retry=RetryPolicy(retry_on=(1205,)))._arguments(context())["order"]
        assert order["retry"]["retry_on"] == [1205]

    @pytest.mark.parametrize("trial", [None, ""])
    def test_without_a_trial_it_runs(self, trial: str | None) -> None:
        order = operator(trial=trial)._arguments(context())["order"]
        assert (order["trial"], order["retry"]["retry_on"]) == (None, "any")

    def test_a_misspelt_trial_runs_nothing(self) -> None:
        with pytest.raises(DefinitionError, match="trial must be"):
            operator(trial="rolback")._arguments(context())

    def test_it_is_a_template(self) -> None:
        assert "trial" in ElasticJobOperator.template_fields
