"""Attempts and what their scripts said, as T-SQL within the transaction that changes their row.

An attempt begins with the row's change to ``InProgress`` and ends with the row's next change. So a row in progress has
exactly one open attempt, its last. One that is open when another claim's write comes was lost with its process: it ends
``unknown`` then, whatever that write says of the row.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_elasticjobs.job_database.claiming import END_TIME
from airflow_provider_elasticjobs.job_database.records import AttemptMessage

__all__ = [
    "BEGIN_ATTEMPT",
    "END_ATTEMPT",
    "LOSE_ATTEMPT",
    "LOST",
    "MESSAGE_TYPES",
    "MOST_MESSAGES",
    "OUTCOME",
    "lose_attempts",
    "message_rows",
]

#: How many messages of an attempt the write that ends it takes, within an engine's 2,100 arguments.
MOST_MESSAGES = 201

#: What is said of an attempt that was lost with its process.
LOST = "The process that ran it ended without an answer: whether the script took effect is unknown."

_OPEN = "execution_id = @execution AND end_time IS NULL"


def lose_attempts(whose: str) -> str:
    """Return the statement that ends open attempts whose process is lost.

    :param whose: condition on their rows.
    """
    return f"""UPDATE jobs_internal.attempts SET end_time = {END_TIME}, outcome = 'unknown', message = N'{LOST}'
        WHERE end_time IS NULL AND {whose};"""


#: Ends the open attempt of the row ``@execution``.
LOSE_ATTEMPT = lose_attempts("execution_id = @execution")

#: Follows the update that begins attempt ``@attempt`` of ``@execution``.
BEGIN_ATTEMPT = f"""
    IF @@ROWCOUNT > 0
    BEGIN
        IF @attempt > 1
            {LOSE_ATTEMPT}
        INSERT INTO jobs_internal.attempts (execution_id, rerun, attempt, claim_id, start_time,
            airflow_dag_id, airflow_run_id, airflow_task_id, airflow_map_index, airflow_try_number)
        SELECT execution_id, rerun, @attempt, claim_id, @now,
            airflow_dag_id, airflow_run_id, airflow_task_id, airflow_map_index, airflow_try_number
        FROM jobs_internal.executions WHERE execution_id = @execution;
    END;
"""

#: The outcome of a row that is written: ``@outcome``, unless it holds an attempt that somebody else has lost.
OUTCOME = f"""CASE WHEN EXISTS (SELECT 1 FROM jobs_internal.attempts WHERE {_OPEN} AND claim_id <> @claim)
        THEN 'unknown' ELSE @outcome END"""

#: Follows the update that ends the attempt of ``@execution`` or the whole row; the batch has :data:`MESSAGE_TYPES`.
END_ATTEMPT = f"""
    IF @@ROWCOUNT > 0
    BEGIN
        INSERT INTO jobs_internal.messages (execution_id, rerun, attempt, ordinal, kind, number, severity, state, line,
            procedure_name, row_count, text)
        SELECT a.execution_id, a.rerun, a.attempt, v.ordinal, v.kind, v.number, v.severity, v.state, v.line,
            v.procedure_name, v.row_count, v.text
        FROM ({{rows}}) AS v (ordinal, kind, number, severity, state, line, procedure_name, row_count, text)
        CROSS JOIN jobs_internal.attempts AS a
        WHERE a.execution_id = @execution AND a.end_time IS NULL AND a.claim_id = @claim;
        UPDATE jobs_internal.attempts
        SET end_time = @now, outcome = CASE WHEN claim_id = @claim THEN @outcome ELSE 'unknown' END,
            error_number = CASE WHEN claim_id = @claim THEN @error_number END,
            message = CASE WHEN claim_id = @claim THEN @message ELSE N'{LOST}' END
        WHERE {_OPEN};
    END;
"""

#: Types of the columns of a message.
MESSAGE_TYPES = ("int", "nvarchar(20)", *["int"] * 4, "nvarchar(128)", "bigint", "nvarchar(4000)")


def message_rows(messages: Sequence[AttemptMessage]) -> list[tuple[object, ...]]:
    """Return the messages of an attempt as rows of :data:`MESSAGE_TYPES`, numbered from 1."""
    return [
        (
            ordinal,
            one.kind,
            one.number,
            one.severity,
            one.state,
            one.line,
            one.procedure,
            one.rows,
            one.text,
        )
        for ordinal, one in enumerate(messages, start=1)
    ]
