from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from dev import demo_report
from dev.demo_fleet import EXCLUDED, EXPECTED_TABLES, JOBS_SERVER, POOLED, TENANTS, TENANTS_SERVER, Fleet
from dev.demo_report import HEADINGS, Reader, progress_line, table

NOON = dt.datetime(2026, 1, 1, 12)  # noqa: DTZ001 datetime2 knows no zone
CONNECTIONS = Fleet("pass word").connections("127.0.0.1", {TENANTS_SERVER: 1, JOBS_SERVER: 2})


class FakeConnection:
    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def execute(self, query: str) -> FakeConnection:
        return self

    def fetchall(self) -> list[Any]:
        return self._rows

    def close(self) -> None:
        pass


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> dict[str | None, list[Any]]:
    """What each database answers; without a name, the job database."""
    answers: dict[str | None, list[Any]] = {}

    def connect(settings: object, server: str | None, database: str | None, **_: object) -> FakeConnection:
        return FakeConnection(answers[database])

    monkeypatch.setattr(demo_report, "connect", connect)
    return answers


def tables(changed: Mapping[str, set[str]]) -> dict[str | None, list[Any]]:
    return {
        name: [(table,) for table in sorted(changed.get(name, expected))] for name, expected in EXPECTED_TABLES.items()
    }


def test_nothing_is_wrong_when_each_database_has_its_tables(rows: dict[str | None, list[Any]]) -> None:
    rows.update(tables({}))
    assert Reader(CONNECTIONS).wrong_tables() == []


@pytest.mark.parametrize(
    ("database", "found", "sentence"),
    [
        (EXCLUDED, {"Step1Table", "Step2Table"}, "database2 has Step1Table, Step2Table instead of Step1Table"),
        ("database1", {"Step1Table"}, "database1 has Step1Table instead of Step1Table, Step2Table"),
        ("database12", set(), "database12 has no table instead of Step1Table, Step2Table"),
    ],
)
def test_a_table_too_many_or_too_few_is_said(
    rows: dict[str | None, list[Any]], database: str, found: set[str], sentence: str
) -> None:
    rows.update(tables({database: found}))
    assert Reader(CONNECTIONS).wrong_tables() == [sentence]


def test_rows_as_texts(rows: dict[str | None, list[Any]]) -> None:
    later = NOON + dt.timedelta(seconds=1.25)
    rows[None] = [
        ("Job1", None, None, None, "Succeeded", 0, NOON, later, "Job executed successfully.\nmore"),
        ("Job1", "step1", TENANTS_SERVER, "database3", "InProgress", 1, NOON, None, None),
    ]
    assert Reader(CONNECTIONS).executions() == [
        ("Job1", "", "", "Succeeded", "0", "1.2", "Job executed successfully."),
        ("Job1", "step1", "tenants/database3", "InProgress", "1", "", ""),
    ]


def test_progress_counts_targets_by_step(rows: dict[str | None, list[Any]]) -> None:
    rows[None] = [("step1", "Succeeded", 12), ("step2", "Created", 4), ("step2", "InProgress", 7)]
    assert progress_line(Reader(CONNECTIONS).counts()) == "step1: 12 Succeeded; step2: 4 Created, 7 InProgress"
    assert progress_line([]) == "no target yet"


def test_a_table_has_columns_and_is_cut_at_the_width() -> None:
    text = table(("a", "bb"), [("long", "x"), ("s", "y" * 50)], width=12)
    assert text.splitlines() == ["a     bb", "----  ------", "long  x", "s     yyyyyy"]


def test_each_heading_has_a_text(rows: dict[str | None, list[Any]]) -> None:
    rows[None] = [("Job1", None, None, None, "Created", 0, None, None, None)]
    assert len(Reader(CONNECTIONS).executions()[0]) == len(HEADINGS)


def test_the_fleet_is_what_the_newcomer_was_promised() -> None:
    assert len(TENANTS) == 12
    assert len(POOLED) == 2
    assert set(TENANTS) > POOLED
    assert EXCLUDED in TENANTS
    assert TENANTS_SERVER != JOBS_SERVER


def test_the_connections_go_to_the_sandbox_and_verify_it() -> None:
    for fields in CONNECTIONS.values():
        assert fields["extra"] == {"host_map": {TENANTS_SERVER: "127.0.0.1,1", JOBS_SERVER: "127.0.0.1,2"}}
        assert fields["password"] == "pass word"
    assert CONNECTIONS["elasticjobs_job_database"]["schema"] == "jobdb"
