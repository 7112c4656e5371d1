"""The expressions give the sentences of ``model.messages``; run by SQLite, whose functions they share."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from airflow_provider_elasticjobs.job_database.sentences import job_sentence, step_sentence, target_sentence
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import job_message, step_message, target_message

ENDED = [lifecycle for lifecycle in Lifecycle if not lifecycle.is_active]


def _evaluate(expression: str, **columns: object) -> str:
    plain = re.sub(r"\bN'", "'", expression).replace("nvarchar(10)", "text")
    names = ", ".join(f":{name} AS {name}" for name in columns) or "1 AS one"
    with closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.execute(f"SELECT {plain} FROM (SELECT {names})", columns).fetchone()[0])


@pytest.mark.parametrize("lifecycle", ENDED)
def test_step_and_job(lifecycle: Lifecycle) -> None:
    columns = {"lifecycle": lifecycle.value, "step_id": 12}
    assert _evaluate(step_sentence("lifecycle", "step_id"), **columns) == step_message(lifecycle, 12)
    assert _evaluate(job_sentence("lifecycle"), lifecycle=lifecycle.value) == job_message(lifecycle)


@pytest.mark.parametrize("lifecycle", [Lifecycle.CANCELED, Lifecycle.FAILED])
def test_target(lifecycle: Lifecycle) -> None:
    columns = {"step_id": 3, "target_server_name": "s'1", "target_database_name": "d{server}"}
    expected = target_message(lifecycle, 3, "s'1", "d{server}")
    assert _evaluate(target_sentence(lifecycle), **columns) == expected
    assert _evaluate(target_sentence(lifecycle, suffix=" It's over."), **columns) == expected + " It's over."
