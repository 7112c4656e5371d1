from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import Session
from airflow_provider_elasticjobs.job_database.downgrade import losses_of
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep


class _Answer:
    def __init__(self, found: int) -> None:
        self.found = found


class Counting(Session):
    """A session that answers each count with the next number, and keeps what was counted."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)
        self.counted: list[str] = []

    def run(self, batch: Batch, /, rows: Any = (), **values: object) -> list[Any]:
        self.counted += re.findall(r"FROM (.*);", batch.bind(rows, **values).sql)
        return [_Answer(self._numbers.pop(0))]


def step(undo: str | None) -> SchemaStep:
    return SchemaStep(1, "x", "", undo)


def test_tables_and_columns_that_go_are_counted_once() -> None:
    session = Counting(7, 2)
    losses = losses_of(
        session,
        [
            step("drop table jobs_internal.a;\nGO\nDROP TABLE jobs_internal.schema_versions;"),
            step("ALTER TABLE jobs_internal.b DROP COLUMN c;\nGO\nALTER TABLE jobs_internal.a DROP COLUMN d;"),
        ],
    )
    assert session.counted == ["jobs_internal.a WHERE 1 = 1", "jobs_internal.b WHERE c IS NOT NULL"]
    assert [str(loss) for loss in losses] == ["7 row(s) of jobs_internal.a", "2 row(s) of jobs_internal.b.c"]


def test_a_column_with_a_default_says_something_where_it_has_another_value() -> None:
    session = Counting(0, 1)
    script = (
        "ALTER TABLE jobs_internal.a ADD b int NOT NULL CONSTRAINT DF_b DEFAULT 0;\nGO\n"
        "ALTER TABLE jobs_internal.a ADD c nvarchar(9) NOT NULL CONSTRAINT DF_c DEFAULT (N'x y');"
    )
    undo = "ALTER TABLE jobs_internal.a DROP COLUMN b;\nGO\nALTER TABLE jobs_internal.a DROP COLUMN c;"
    assert [str(loss) for loss in losses_of(session, [SchemaStep(1, "x", script, undo)])] == [
        "1 row(s) of jobs_internal.a.c"
    ]
    assert session.counted == ["jobs_internal.a WHERE b <> 0", "jobs_internal.a WHERE c <> N'x y'"]


def test_what_is_empty_is_no_loss() -> None:
    assert losses_of(Counting(0), [step("DROP TABLE jobs_internal.a;")]) == []


@pytest.mark.parametrize(
    "undo", [None, "-- DROP TABLE jobs.x", "DROP VIEW jobs.x;", "ALTER TABLE jobs.x DROP CONSTRAINT y;"]
)
def test_what_holds_no_rows_is_no_loss(undo: str | None) -> None:
    assert losses_of(Counting(), [step(undo)]) == []
