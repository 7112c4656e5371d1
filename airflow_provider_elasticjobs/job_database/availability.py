"""What the row of an attempt in progress says while its database is waited for."""

from __future__ import annotations

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import FENCE
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Claim
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import target_message

__all__ = ["note_waiting"]

_NOTE = Batch(
    f"""
UPDATE jobs_internal.executions
SET waiting_cause = @cause, waiting_time = CASE WHEN @cause IS NULL THEN NULL ELSE @now END, last_message = @message
WHERE {FENCE} AND lifecycle = 'InProgress';
""",
    execution="uniqueidentifier",
    claim="uniqueidentifier",
    cause="nvarchar(600)",
    message="nvarchar(max)",
)


def note_waiting(db: JobDatabase, claim: Claim, cause: str | None) -> None:
    """Write down what an attempt in progress waits for, as ``waiting_cause`` and ``last_message``.

    :param db: the job database.
    :param claim: the claim on the row; nothing is written if it was lost.
    :param cause: the sentence; None when the waiting is over.
    """
    target = claim.target
    begun = target_message(Lifecycle.IN_PROGRESS, claim.step_id, target.server_name, target.database_name)
    db.run(
        _NOTE, execution=claim.execution_id, claim=claim.claim_id, cause=cause and cause[:600], message=cause or begun
    )
