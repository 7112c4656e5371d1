"""The writer's part for a chunk: which of its targets a task works on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import CLAIM_TYPES, IS_NEWER, claim_values
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Agent, AirflowRef
from airflow_provider_elasticjobs.job_database.reopening import reopen
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_WORKER
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["ChunkRow", "begin_chunk"]

_ROWS = """job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase'
        AND round = @round AND target_ordinal BETWEEN @first AND @last"""

#: What was skipped without an attempt, because a rollout was stopped, is still to be done.
_IS_BAD = "(lifecycle NOT IN ('Succeeded', 'SucceededWithSkipped', 'Skipped') OR current_attempts = 0)"

#: All that will be repeated begin anew in one transaction: what a lost process had not come to is still to be done.
_BEGIN = Batch(
    f"""
DECLARE @step_row uniqueidentifier, @round int, @bad int;
SELECT @step_row = execution_id, @round = round
FROM jobs_internal.executions WHERE job_execution_id = @run AND step_id = @step AND target_type = 'TargetGroup';
SELECT @bad = COUNT(*) FROM jobs_internal.executions WHERE {_ROWS} AND {_IS_BAD};
{reopen(_ROWS, f"{IS_NEWER} AND (@bad = 0 OR {_IS_BAD})")}
SELECT execution_id, lifecycle, last_message,
    target_server_name, target_database_name, target_elastic_pool_name, conn_id
FROM jobs_internal.executions WHERE {_ROWS}
ORDER BY target_ordinal, execution_id;
""",
    run="uniqueidentifier",
    step="int",
    first="int",
    last="int",
    waiting="nvarchar(max)",
    **CLAIM_TYPES,
)


@dataclass(frozen=True)
class ChunkRow:
    """A target of a chunk, and its row's state when the task came to it.

    :param execution_id: the row.
    :param target: the database.
    :param lifecycle: the row's.
    :param message: the row's.
    """

    execution_id: UUID
    target: Target
    lifecycle: Lifecycle
    message: str


def begin_chunk(db: JobDatabase, chunk: TargetChunk, airflow: AirflowRef, agent: Agent) -> list[ChunkRow]:
    """Return the rows of a chunk's targets in their order; those that have to be done are active.

    A task that was cleared since, or a later try, begins anew what had not ended well. Only where everything had, a
    cleared task begins all anew: clearing what is green means to repeat it.

    :param db: the job database.
    :param chunk: the targets.
    :param airflow: the task.
    :param agent: the process that will run the scripts.
    :raises JobDatabaseError: if there are no such rows.
    """
    rows = db.run(
        _BEGIN,
        run=chunk.job_execution_id,
        step=chunk.step_id,
        first=chunk.first,
        last=chunk.last,
        waiting=WAITING_FOR_WORKER,
        **claim_values(uuid4(), agent, airflow),
    )
    if not rows:
        raise JobDatabaseError(
            f"no {chunk.label} in step {chunk.step_id} of run {chunk.job_execution_id} (was its history purged?)",
            server=db.server,
            database=db.database,
        )
    return [ChunkRow(UUID(str(row[0])), Target(*row[3:]), Lifecycle(row[1]), row[2] or "") for row in rows]
