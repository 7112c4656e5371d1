from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_elasticjobs.execution import reconcile
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation
from airflow_provider_elasticjobs.job_database import waves
from airflow_provider_elasticjobs.job_database.records import RegisteredTarget
from airflow_provider_elasticjobs.job_database.waves import WaveStart
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.operators import begin_wave, target_connectors
from airflow_provider_elasticjobs.operators.begin_wave import BeginWaveOperator
from airflow_provider_elasticjobs.triggers import process
from tests.unit.operators.contexts import context

ROW = UUID(int=7)
OPERATOR = BeginWaveOperator(task_id="begin_wave_2", wave=2, after_task_id="Job1.one.resolve", job_group_id="Job1")
BEGUN = context(states={"Job1.one.resolve": "success"})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The job database, as the operator knows it."""
    state: dict[str, Any] = {"starts": [], "asked": [], "reconciled": []}

    def begin(database: object, execution: UUID, step_id: int, wave: int) -> WaveStart:
        state["asked"].append((database, execution, step_id, wave))
        return state["starts"].pop(0) if len(state["starts"]) > 1 else state["starts"][0]

    def settle(_: object, connector_of: object, *, job_execution_id: UUID) -> Reconciliation:
        state["reconciled"].append((connector_of, job_execution_id))
        return Reconciliation()

    monkeypatch.setattr(process, "connection_settings", lambda conn_id: conn_id)
    monkeypatch.setattr(process, "open_job_database", lambda settings: f"database of {settings}")
    monkeypatch.setattr(target_connectors, "connectors", lambda conn_id, **_: conn_id)
    monkeypatch.setattr(waves, "begin_wave", begin)
    monkeypatch.setattr(reconcile, "reconcile", settle)
    monkeypatch.setattr(begin_wave, "_POLL_SECONDS", 0)
    return state


def test_it_returns_what_the_mapped_task_runs_on(known: dict[str, Any]) -> None:
    known["starts"] = [WaveStart([RegisteredTarget(ROW, Target("s", "d", "p", "theirs"))])]
    assert [json.loads(item) for item in OPERATOR.execute(BEGUN)] == [
        {"server": "s", "database": "d", "elastic_pool": "p", "conn_id": "theirs", "execution_id": str(ROW)}
    ]
    execution = job_execution_id("a_dag", "a_run", "Job1")
    assert known["asked"] == [("database of elasticjobs_job_database", execution, 1, 2)]


def test_a_rollout_that_was_stopped_makes_no_tasks(known: dict[str, Any]) -> None:
    known["starts"] = [WaveStart(stopped="3 of 40 databases failed and at most 2 may")]
    assert OPERATOR.execute(BEGUN) == []


def test_it_waits_for_rows_whose_task_has_ended_and_settles_those_of_lost_processes(known: dict[str, Any]) -> None:
    known["starts"] = [WaveStart(still_active=2), WaveStart(still_active=1), WaveStart()]
    assert OPERATOR.execute(BEGUN) == []
    assert known["reconciled"] == [("elasticjobs_default", job_execution_id("a_dag", "a_run", "Job1"))] * 2


def test_it_does_not_wait_for_ever(known: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begin_wave, "_PATIENCE_SECONDS", -1_000)
    known["starts"] = [WaveStart(still_active=2)]
    with pytest.raises(AirflowFailException, match=r"2 database\(s\) of earlier waves have not ended"):
        OPERATOR.execute(BEGUN)


def test_a_run_that_is_to_stop_begins_nothing(known: dict[str, Any]) -> None:
    known["starts"] = [WaveStart(cancelled=True)]
    with pytest.raises(AirflowFailException, match="asked to stop"):
        OPERATOR.execute(BEGUN)


@pytest.mark.parametrize(
    ("state", "raised"),
    [
        ("skipped", AirflowSkipException),
        ("failed", AirflowSkipException),
        ("upstream_failed", AirflowSkipException),
        (None, AirflowFailException),
    ],
)
def test_where_the_step_did_not_begin_nor_does_a_wave(
    known: dict[str, Any], state: str | None, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        OPERATOR.execute(context(states={"Job1.one.resolve": state} if state else {}))
    assert known["asked"] == []


def test_it_survives_serialisation() -> None:
    with DAG("a_dag", schedule=None) as dag:
        BeginWaveOperator(task_id="begin", wave=3, after_task_id="before", job_group_id="Job1", step_id=2)
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("begin")
    assert task.trigger_rule == "all_done"
    assert tuple(task.template_fields) == ("elasticjobs_conn_id", "job_database_conn_id")
