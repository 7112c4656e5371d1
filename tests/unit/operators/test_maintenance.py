from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk import DAG

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation, Unanswered
from airflow_provider_elasticjobs.job_database.purge import Purged
from airflow_provider_elasticjobs.job_database.records import Leftover, LostScript
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.operators import maintenance
from airflow_provider_elasticjobs.operators.maintenance import PurgeJobHistoryOperator, ReconcileExecutionsOperator
from tests.unit.operators.contexts import context

RUN = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
SCRIPT = LostScript(RUN, RUN, RUN, RUN, 1, "first", Target("s", "d1"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options that purge and reconcile were called with."""
    asked: list[dict[str, Any]] = []

    def purge(_: object, **options: Any) -> Purged:
        asked.append(options)
        return Purged(2, 9)

    def settle(_: object, __: object, **options: Any) -> Reconciliation:
        asked.append(options)
        left = [Leftover(RUN, RUN, 1, "s", "d0", Lifecycle.FAILED), Leftover(RUN, RUN, 2, None, None, Lifecycle.FAILED)]
        return Reconciliation(left, [SCRIPT], [Unanswered(SCRIPT, "no route")])

    monkeypatch.setattr(maintenance, "connection_settings", lambda _: None)
    monkeypatch.setattr(maintenance, "open_job_database", lambda _: "database")
    monkeypatch.setattr(maintenance, "purge_history", purge)
    monkeypatch.setattr(maintenance, "reconcile", settle)
    return asked


class TestPurge:
    @pytest.mark.parametrize(
        ("older_than", "age"),
        [
            (timedelta(hours=36), timedelta(hours=36)),
            (45, timedelta(days=45)),
            ("7", timedelta(days=7)),
            ("0.5", timedelta(hours=12)),
            (0, timedelta(0)),
        ],
    )
    def test_an_age_is_a_timedelta_or_a_number_of_days(
        self, calls: list[dict[str, Any]], older_than: Any, age: timedelta
    ) -> None:
        purge = PurgeJobHistoryOperator(task_id="purge", older_than=older_than, job_name="Job1")
        before = datetime.now(timezone.utc)
        assert purge.execute(context()) == 2
        assert calls[0]["job_name"] == "Job1"
        assert before - age <= calls[0]["oldest"] <= datetime.now(timezone.utc) - age

    def test_without_a_word_it_is_45_days_of_all_jobs(self, calls: list[dict[str, Any]]) -> None:
        PurgeJobHistoryOperator(task_id="purge").execute(context())
        age = datetime.now(timezone.utc) - calls[0]["oldest"]
        assert timedelta(days=45) <= age < timedelta(days=45, minutes=1)
        assert calls[0]["job_name"] is None

    @pytest.mark.parametrize("older_than", ["", "soon", "nan", -1, timedelta(-1), "1e300"])
    def test_what_is_no_age_removes_nothing(self, calls: list[dict[str, Any]], older_than: Any) -> None:
        with pytest.raises(DefinitionError, match="it must be a timedelta or a number of days"):
            PurgeJobHistoryOperator(task_id="purge", older_than=older_than).execute(context())
        assert calls == []

    def test_the_number_may_come_from_the_dags_params(self) -> None:
        with DAG("maintenance", params={"days": 30}):
            purge = PurgeJobHistoryOperator(task_id="purge", older_than="{{ params.days }}")
        purge.render_template_fields({"params": {"days": 30}})
        assert purge.older_than == "30"


class TestReconcile:
    def test_it_counts_what_it_found(self, calls: list[dict[str, Any]]) -> None:
        reconcile = ReconcileExecutionsOperator(task_id="reconcile", expiry_seconds=60, job_execution_id=str(RUN))
        assert reconcile.execute(context()) == {"settled": 2, "running": 1, "unanswered": 1}
        assert calls == [{"job_execution_id": RUN, "expiry_seconds": 60, "settle_unanswered": False}]

    def test_the_lines_say_what_and_why(self, calls: list[dict[str, Any]]) -> None:
        assert maintenance.reconcile(None, None).lines() == [  # type: ignore[attr-defined, arg-type]
            "s/d0 was left behind: Failed",
            "step 2 was left behind: Failed",
            "s/d1 still runs the script of a lost process",
            "s/d1 could not be asked: no route",
        ]

    def test_all_runs_are_looked_at_when_none_is_named(self, calls: list[dict[str, Any]]) -> None:
        ReconcileExecutionsOperator(task_id="reconcile").execute(context())
        assert (calls[0]["job_execution_id"], calls[0]["expiry_seconds"]) == (None, 120)
