from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_elasticjobs.execution import reconcile
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation
from airflow_provider_elasticjobs.job_database import cancellation, history
from airflow_provider_elasticjobs.job_database.history import ExecutionRow
from airflow_provider_elasticjobs.job_database.records import Leftover
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.operators import job_execution
from airflow_provider_elasticjobs.operators.job_execution import (
    FinishJobExecutionOperator,
    SettleJobExecutionOperator,
    summary,
)
from airflow_provider_elasticjobs.triggers import process
from tests.unit.operators.contexts import context

EXECUTION = job_execution_id("a_dag", "a_run", "Job1")
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def row(
    lifecycle: Lifecycle, step_id: int | None = None, database: str | None = None, message: str = "m"
) -> ExecutionRow:
    return ExecutionRow(
        job_execution_id=EXECUTION,
        job_name="Job1",
        job_version=1,
        step_id=step_id,
        step_name=None if step_id is None else f"step{step_id}",
        lifecycle=lifecycle,
        create_time=NOW,
        start_time=NOW,
        end_time=NOW,
        current_attempts=1,
        last_message=message,
        target_type=None,
        target_group_name=None,
        target_server_name=database and "s",
        target_database_name=database,
        target_elastic_pool_name=None,
    )


class TestSummary:
    def test_it_counts_the_targets_of_each_step_and_names_what_went_wrong(self) -> None:
        rows = [
            row(Lifecycle.FAILED),
            row(Lifecycle.FAILED, 1),
            row(Lifecycle.SUCCEEDED, 1, "d1"),
            row(Lifecycle.SUCCEEDED, 1, "d2"),
            row(Lifecycle.FAILED, 1, "d3", "Divide by zero"),
        ]
        assert list(summary(rows)) == [
            f"Job Job1 ({EXECUTION}): Failed. m",
            "Step 1 step1: Failed. Targets: 2 Succeeded, 1 Failed",
            "s/d3: Failed. Divide by zero",
        ]

    def test_a_step_without_targets_says_why(self) -> None:
        rows = [row(Lifecycle.SUCCEEDED), row(Lifecycle.SUCCEEDED, 1, message="nothing to do")]
        assert list(summary(rows))[1] == "Step 1 step1: Succeeded. nothing to do"

    def test_it_stays_short_whatever_fails(self) -> None:
        rows = [row(Lifecycle.FAILED), *(row(Lifecycle.FAILED, 1, f"d{number}") for number in range(500))]
        lines = list(summary(rows))
        assert len(lines) < 30
        assert lines[-1] == "... and 480 more"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The job database as two functions know it."""
    state: dict[str, Any] = {"rows": [], "lifecycles": [], "cancelled": [], "settled": [], "leftovers": []}

    def lifecycle(_: object, execution: UUID) -> Lifecycle | None:
        assert execution == EXECUTION
        return state["lifecycles"].pop(0) if len(state["lifecycles"]) > 1 else state["lifecycles"][0]

    def cancel(_: object, execution: UUID, *, requested_by: str) -> None:
        state["cancelled"].append((execution, requested_by))

    def settle(_: object, connector_of: object, *, job_execution_id: UUID, **options: Any) -> Reconciliation:
        state["settled"].append((job_execution_id, options))
        return Reconciliation(state["leftovers"])

    monkeypatch.setattr(process, "connection_settings", lambda _: None)
    monkeypatch.setattr(process, "open_job_database", lambda _: "database")
    monkeypatch.setattr(history, "executions", lambda *_: state["rows"])
    monkeypatch.setattr(history, "job_lifecycle", lifecycle)
    monkeypatch.setattr(cancellation, "cancel_execution", cancel)
    monkeypatch.setattr(reconcile, "reconcile", settle)
    monkeypatch.setattr(job_execution, "_POLL_SECONDS", 0)
    return state


class TestFinish:
    finish = FinishJobExecutionOperator(task_id="finish", job_group_id="Job1")

    @pytest.mark.parametrize("good", [Lifecycle.SUCCEEDED, Lifecycle.SUCCEEDED_WITH_SKIPPED, Lifecycle.SKIPPED])
    def test_a_good_run_lets_later_tasks_begin(self, known: dict[str, Any], good: Lifecycle) -> None:
        known["rows"] = [row(good)]
        assert self.finish.execute(context()) == str(good)

    @pytest.mark.parametrize("bad", [Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED, Lifecycle.IN_PROGRESS])
    def test_any_other_fails(self, known: dict[str, Any], bad: Lifecycle) -> None:
        known["rows"] = [row(bad)]
        with pytest.raises(AirflowFailException, match=f"the job's run is {bad}"):
            self.finish.execute(context())

    def test_a_run_that_the_job_database_does_not_know_fails(self, known: dict[str, Any]) -> None:
        with pytest.raises(AirflowFailException, match="unknown to the job database"):
            self.finish.execute(context())


class TestSettle:
    settle = SettleJobExecutionOperator(task_id="settle", job_group_id="Job1", finish_task_id="Job1.finish")
    good = context(states={"Job1.finish": "success"})
    marked = context(states={"Job1.finish": "skipped"})
    failed = context(states={"Job1.finish": "upstream_failed"})

    def test_after_a_run_that_went_through_there_is_nothing_to_do(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [Lifecycle.SUCCEEDED]
        self.settle.execute(self.good)
        assert (known["cancelled"], known["settled"]) == ([], [])

    def test_it_repeats_the_verdict_of_a_run_that_failed(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [Lifecycle.FAILED]
        with pytest.raises(AirflowFailException, match="its last task is upstream_failed, its run is Failed"):
            self.settle.execute(self.failed)
        assert (known["cancelled"], known["settled"]) == ([], [])

    def test_a_marked_run_is_stopped_awaited_and_made_to_fail(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS] * 13 + [Lifecycle.CANCELED]
        with pytest.raises(AirflowFailException, match="its last task is skipped, its run is Canceled"):
            self.settle.execute(self.marked)
        assert known["cancelled"] == [(EXECUTION, "Airflow: a_run was marked")]
        assert len(known["settled"]) == 3

    def test_what_a_lost_process_left_is_settled_without_a_cancel(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [Lifecycle.IN_PROGRESS] * 11 + [Lifecycle.FAILED]
        known["leftovers"] = [Leftover(EXECUTION, EXECUTION, 1, "s", "d", Lifecycle.FAILED)]
        with pytest.raises(AirflowFailException, match="its run is Failed"):
            self.settle.execute(self.failed)
        assert known["cancelled"] == []
        options = known["settled"][0][1]
        assert options["include_created"] is True
        assert options["expiry_seconds"] > 10

    def test_nobody_is_called_lost_who_may_have_been_without_job_database(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [Lifecycle.IN_PROGRESS] * 10 + [Lifecycle.FAILED]
        with pytest.raises(AirflowFailException, match="its run is Failed"):
            self.settle.execute(self.failed)
        assert known["settled"] == []

    def test_it_does_not_wait_for_ever(self, known: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(job_execution, "_PATIENCE_SECONDS", 0)
        known["lifecycles"] = [Lifecycle.IN_PROGRESS]
        with pytest.raises(AirflowFailException, match="its run is InProgress"):
            self.settle.execute(self.marked)

    def test_a_job_that_a_branch_left_out_is_no_failure(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [None]
        self.settle.execute(context(states={"Job1.finish": "skipped", "branch": "success"}))
        assert (known["cancelled"], known["settled"]) == ([], [])

    def test_a_run_that_was_marked_before_the_job_began_fails(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [None]
        with pytest.raises(AirflowFailException, match="its last task is skipped"):
            self.settle.execute(context(states={"Job1.finish": "skipped", "before": "failed"}))

    def test_a_job_that_never_began(self, known: dict[str, Any]) -> None:
        known["lifecycles"] = [None]
        with pytest.raises(AirflowFailException, match="its run is None"):
            self.settle.execute(self.failed)
        assert known["settled"] == []
