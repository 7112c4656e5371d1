"""Processes that run scripts, their heartbeat, and what a lost one leaves behind."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.attempts import LOST, lose_attempts
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Agent, Leftover, LostScript
from airflow_provider_elasticjobs.job_database.sentences import DOUBT, step_sentence, target_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import NEVER_BEGUN
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["DEFAULT_EXPIRY", "heartbeat", "lost_scripts", "retire", "settle_leftovers"]

#: Seconds after its last heartbeat until a process counts as lost: longer than Airflow takes to restart a triggerer.
DEFAULT_EXPIRY = 120.0

#: A row that waited was ended by the request itself; who holds it learns it for a while, so as not to wait on.
_HEARTBEAT = Batch(
    """
UPDATE jobs_internal.agents SET heartbeat_time = @now WHERE agent_id = @agent;
INSERT INTO jobs_internal.agents (agent_id, host_name, process_id, start_time, heartbeat_time)
SELECT @agent, @host, @process, @now, @now
WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.agents WHERE agent_id = @agent);
SELECT e.job_execution_id
FROM jobs_internal.executions AS e
INNER JOIN jobs_internal.job_cancellations AS c ON c.job_execution_id = e.job_execution_id
WHERE e.agent_id = @agent AND e.is_active = 1
UNION
SELECT c.job_execution_id
FROM jobs_internal.job_cancellations AS c
WHERE c.request_time >= DATEADD(second, -60, @now) AND EXISTS (SELECT 1 FROM jobs_internal.executions AS e
    WHERE e.job_execution_id = c.job_execution_id AND e.agent_id = @agent);
""",
    agent="uniqueidentifier",
    host="nvarchar(256)",
    process="int",
)


def heartbeat(db: JobDatabase, agent: Agent) -> list[UUID]:
    """Renew the lease of all of a process's claims; send it every few seconds.

    :param db: the job database.
    :param agent: the process.
    :return: the runs that were asked to stop: those that this process still has active rows of, and those asked in
        the last minute that it had rows of.
    """
    rows = db.run(_HEARTBEAT, agent=agent.agent_id, host=agent.host_name[:256], process=agent.process_id)
    return [UUID(str(row.job_execution_id)) for row in rows]


_HAS_NOTHING = """NOT EXISTS (SELECT 1 FROM jobs_internal.executions
        WHERE agent_id = jobs_internal.agents.agent_id AND is_active = 1)"""

_RETIRE = Batch(
    f"DELETE FROM jobs_internal.agents WHERE agent_id = @agent AND {_HAS_NOTHING};", agent="uniqueidentifier"
)


def retire(db: JobDatabase, agent: Agent) -> None:
    """Forget a process that ends, or has nothing to do for now.

    A process that leaves active rows for another to take over is kept, so that they are not taken for left behind
    before its last heartbeat is old.
    """
    db.run(_RETIRE, agent=agent.agent_id)


#: A claim is alive while its agent's heartbeat, or the claim itself, is young.
_IS_LEFT = """(@run IS NULL OR job_execution_id = @run) AND is_active = 1
    AND (claim_time IS NULL OR claim_time < @cutoff)
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.agents AS a
        WHERE a.agent_id = jobs_internal.executions.agent_id AND a.heartbeat_time >= @cutoff)"""

_LOST_SCRIPTS = Batch(
    f"""
DECLARE @cutoff datetime2(7) = DATEADD(millisecond, -@expiry, @now);
SELECT TOP (@most) x.execution_id, x.claim_id, x.job_execution_id, x.job_id, x.step_id, s.step_name,
    x.target_server_name, x.target_database_name, x.target_elastic_pool_name,
    COALESCE(x.conn_id, s.credential_name) AS conn_id
FROM jobs_internal.executions AS x
INNER JOIN jobs_internal.job_steps AS s
    ON s.job_id = x.job_id AND s.job_version = x.job_version AND s.step_id = x.step_id
WHERE x.execution_id IN (SELECT execution_id FROM jobs_internal.executions
    WHERE target_type = 'SqlDatabase' AND lifecycle = 'InProgress' AND {_IS_LEFT})
ORDER BY x.claim_time, x.execution_id;
""",
    run="uniqueidentifier",
    expiry="int",
    most="int",
)


def lost_scripts(
    db: JobDatabase,
    job_execution_id: UUID | None = None,
    *,
    expiry_seconds: float = DEFAULT_EXPIRY,
    most: int = 1000,
) -> list[LostScript]:
    """Return the scripts in progress whose process is lost, the longest lost first.

    :param db: the job database.
    :param job_execution_id: the run to look at; all runs by default.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost.
    :param most: how many at most.
    """
    rows = db.run(_LOST_SCRIPTS, run=job_execution_id, expiry=round(expiry_seconds * 1000), most=most)
    return [
        LostScript(
            UUID(str(row.execution_id)),
            UUID(str(row.claim_id)),
            UUID(str(row.job_execution_id)),
            UUID(str(row.job_id)),
            row.step_id,
            row.step_name,
            Target(*row[6:]),
        )
        for row in rows
    ]


#: A row in progress may be one of those only whose script is known to have ended.
_MAY_END = """(lifecycle = 'WaitingForRetry' OR (lifecycle = 'Created' AND @with_created = 1)
        OR (lifecycle = 'InProgress'
            AND (@ended IS NULL OR CHARINDEX(LOWER(CAST(claim_id AS nvarchar(36))), @ended) > 0)))"""

_IS_SWEPT = """execution_id IN (SELECT execution_id FROM @left) AND EXISTS (SELECT 1
            FROM jobs_internal.executions AS e
            WHERE e.execution_id = jobs_internal.attempts.execution_id AND e.claim_id = @sweep)"""

#: A step that is to begin anew counts again as it is if nobody has come to it: when nobody can, or for that long.
_IS_ABANDONED = """is_outdated = 1 AND target_type = 'TargetGroup'
    AND job_execution_id IN (SELECT j.execution_id FROM jobs_internal.executions AS j
        WHERE j.is_active = 1 AND j.step_id IS NULL AND (@run IS NULL OR j.execution_id = @run))
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS o
        WHERE o.job_execution_id = jobs_internal.executions.job_execution_id AND o.step_id IS NOT NULL
            AND (o.is_active = 1 OR (o.end_time >= @cutoff AND @with_created = 0)))"""

#: The last answer names the runs that may be without anything active to settle them: not those whose targets are being
#: evaluated, nor those that nobody has begun, of which there may be many.
_SWEEP = Batch(
    f"""
DECLARE @cutoff datetime2(7) = DATEADD(millisecond, -@expiry, @now);
DECLARE @left TABLE (execution_id uniqueidentifier NOT NULL PRIMARY KEY);
INSERT INTO @left (execution_id) SELECT execution_id FROM jobs_internal.executions
WHERE target_type = 'SqlDatabase' AND {_IS_LEFT} AND {_MAY_END};
BEGIN TRANSACTION;
UPDATE jobs_internal.executions
SET lifecycle = CASE WHEN EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
            WHERE c.job_execution_id = jobs_internal.executions.job_execution_id) THEN 'Canceled' ELSE 'Failed' END,
    is_active = 0, start_time = COALESCE(start_time, @now), end_time = @now, next_attempt_start_time = NULL,
    outcome = CASE WHEN lifecycle = 'InProgress' OR lost_attempt = 1 THEN 'unknown'
        WHEN lifecycle = 'Created' THEN 'failed' ELSE outcome END,
    last_message = CASE WHEN lifecycle = 'InProgress' THEN {target_sentence(Lifecycle.FAILED, suffix=" " + LOST)}
        WHEN lifecycle = 'Created' THEN {target_sentence(Lifecycle.FAILED, suffix=NEVER_BEGUN)}
        ELSE last_message + {DOUBT} END,
    waiting_cause = NULL, claim_id = @sweep, settled_by = @sweep
WHERE execution_id IN (SELECT execution_id FROM @left) AND {_IS_LEFT} AND {_MAY_END};
{lose_attempts(_IS_SWEPT)}
COMMIT TRANSACTION;
UPDATE jobs_internal.executions
SET lifecycle = CASE WHEN EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
            WHERE c.job_execution_id = jobs_internal.executions.job_execution_id) THEN 'Canceled' ELSE 'Failed' END,
    is_active = 0, end_time = @now, next_attempt_start_time = NULL, outcome = 'failed',
    last_message = {step_sentence("'Failed'", "step_id")} + N' The process that evaluated its targets has ended.',
    claim_id = @sweep, settled_by = @sweep
WHERE target_type = 'TargetGroup' AND {_IS_LEFT}
    AND lifecycle IN ('InProgress', 'WaitingForRetry')
    AND (agent_id IS NOT NULL OR @with_created = 1 OR EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
        WHERE c.job_execution_id = jobs_internal.executions.job_execution_id));
UPDATE jobs_internal.executions SET is_outdated = 0 WHERE {_IS_ABANDONED};
DELETE FROM jobs_internal.agents WHERE heartbeat_time < @cutoff AND {_HAS_NOTHING};
SELECT execution_id, job_execution_id, step_id, target_server_name, target_database_name, lifecycle
FROM jobs_internal.executions WHERE settled_by = @sweep AND claim_id = @sweep
ORDER BY job_execution_id, step_id, target_ordinal;
SELECT e.job_execution_id, MAX(CASE WHEN s.is_active = 1 THEN s.step_id ELSE 0 END) AS step_id
FROM jobs_internal.executions AS e
LEFT JOIN jobs_internal.executions AS s
    ON s.job_execution_id = e.job_execution_id AND s.target_type = 'TargetGroup'
WHERE e.is_active = 1 AND e.step_id IS NULL AND (@run IS NULL OR e.job_execution_id = @run)
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS t
        WHERE t.job_execution_id = e.job_execution_id AND t.target_type = 'SqlDatabase' AND t.is_active = 1)
    AND NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS b
        WHERE b.job_execution_id = e.job_execution_id AND b.target_type = 'TargetGroup' AND b.is_active = 1
            AND b.lifecycle <> 'WaitingForChildJobExecutions')
    AND (e.lifecycle <> 'Created' OR EXISTS (SELECT 1 FROM jobs_internal.job_cancellations AS c
        WHERE c.job_execution_id = e.job_execution_id))
GROUP BY e.job_execution_id;
""",
    run="uniqueidentifier",
    sweep="uniqueidentifier",
    expiry="int",
    with_created="bit",
    ended="nvarchar(max)",
)

_SETTLE = Batch(
    f"""
{DECLARATIONS}
SET @run = @job_run;
SET @step = @step_number;
SET @settler = @sweep;
{SETTLE}
""",
    job_run="uniqueidentifier",
    step_number="int",
    sweep="uniqueidentifier",
)


def settle_leftovers(
    db: JobDatabase,
    job_execution_id: UUID | None = None,
    *,
    expiry_seconds: float = DEFAULT_EXPIRY,
    include_created: bool = False,
    ended_claims: Collection[UUID] | None = None,
) -> list[Leftover]:
    """End the rows that lost processes left active, ``Failed`` with an unknown outcome, and settle their parents.

    Also settles parents whose last child had ended, where the process died before it could settle them, and forgets
    lost processes that have nothing left.

    :param db: the job database.
    :param job_execution_id: the run to look at; all runs by default.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost.
    :param include_created: also end rows that nobody has begun (``Failed``, never begun); only right when Airflow has
        no task left that could begin them.
    :param ended_claims: claims of the lost scripts that the servers do not run any more: other rows in progress stay
        as they are; by default nobody is asked, and all end.
    :return: the rows ended; in a run that was asked to stop they are ``Canceled``.
    """
    sweep_id = uuid4()
    rows, parents = db.results(
        _SWEEP,
        run=job_execution_id,
        sweep=sweep_id,
        expiry=round(expiry_seconds * 1000),
        with_created=include_created,
        ended=None if ended_claims is None else " ".join(str(each).lower() for each in ended_claims),
    )
    for parent in parents:
        db.run(_SETTLE, job_run=parent.job_execution_id, step_number=parent.step_id, sweep=sweep_id)
    return [
        Leftover(
            UUID(str(row.execution_id)),
            UUID(str(row.job_execution_id)),
            row.step_id,
            row.target_server_name,
            row.target_database_name,
            Lifecycle(row.lifecycle),
        )
        for row in rows
    ]
