from __future__ import annotations

from datetime import datetime
from uuid import UUID

from airflow_provider_elasticjobs.model.identifiers import job_execution_id, target_execution_id, work_id

RUN = job_execution_id("dag", "scheduled__2026-01-01", "Job1")


def test_the_same_run_has_the_same_id_in_every_process_and_version() -> None:
    assert job_execution_id("dag", "scheduled__2026-01-01", "Job1") == RUN
    # A literal: were it to change, runs in flight would lose their rows at an upgrade.
    assert UUID("1e93ab31-e562-5f98-b733-8683984df833") == RUN


def test_parts_do_not_run_together() -> None:
    assert job_execution_id("a", "bc", "d") != job_execution_id("ab", "c", "d")


def test_targets_differ_by_run_step_and_database_but_not_by_letter_case() -> None:
    first = target_execution_id(RUN, 1, "Server", "Db")
    assert first == target_execution_id(RUN, 1, "SERVER", "db")
    others = {target_execution_id(RUN, 2, "Server", "Db"), target_execution_id(RUN, 1, "Server", "Db2")}
    assert first not in others
    assert len(others) == 2


def test_a_row_that_begins_anew_or_is_made_anew_is_other_work() -> None:
    made = datetime(2026, 11, 21, 6, 30, 0, 123456)  # noqa: DTZ001 as the job database gives it
    first = work_id(RUN, made, 0)
    assert first == work_id(RUN, made, 0)
    others = {work_id(RUN, made, 1), work_id(RUN, made.replace(microsecond=123457), 0), work_id(UUID(int=9), made, 0)}
    assert len(others - {first}) == 3
