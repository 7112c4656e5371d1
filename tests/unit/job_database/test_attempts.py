from __future__ import annotations

from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.attempts import MESSAGE_TYPES, MOST_MESSAGES, message_rows
from airflow_provider_elasticjobs.job_database.records import AttemptMessage


def test_what_is_kept_of_an_attempt_fits_in_each_write_that_ends_one() -> None:
    batches = [executions._WAIT, *executions._FINISH.values()]
    assert min(batch.rows_at_once for batch in batches) >= MOST_MESSAGES


def test_messages_are_numbered_rows() -> None:
    rows = message_rows([AttemptMessage("message", "a", 0, 1, 2, 3, "p"), AttemptMessage("row count", "b", rows=7)])
    assert rows == [
        (1, "message", 0, 1, 2, 3, "p", None, "a"),
        (2, "row count", None, None, None, None, None, 7, "b"),
    ]
    assert {len(row) for row in rows} == {len(MESSAGE_TYPES)}
