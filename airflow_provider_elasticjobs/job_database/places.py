"""Places: how many databases of one elastic pool, and of one server, a step of a run works on at a time.

A place is no row of its own: an attempt in progress holds one, as long as the process that began it is heard of. So the
end of an attempt gives its place back, the places of a killed process come back when its heartbeat is old, and nothing
can leak.

Before an attempt of a step with a cap begins, those who hold places of its pool and its server are counted: first
without a lock, because most who ask find all taken, and then again after a write to the server's and the pool's row of
``place_locks``, which lets one at a time count and begin. It is a write and not a lock hint, because not every engine
knows hints; the server's row comes first, so that nobody waits in a circle; and the rows are in a table of their own,
because those of executions are locked by others in other orders.

An attempt of a step with a rollout also waits for its time, and does not begin once too many targets have failed, which
:mod:`.rollouts` asks for in the same batch.

Those who wait write down for what, and when they last asked. A free place goes to the lowest ordinal of those who wait
for the same and have asked lately; who waits for a pool does not hold up who waits for a server only.
"""

from __future__ import annotations

from airflow_provider_elasticjobs.job_database.attempts import BEGIN_ATTEMPT
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import FENCE, IS_CANCELLED
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import AlreadyFinished, AttemptStart, Claim
from airflow_provider_elasticjobs.job_database.rollouts import (
    ASK_BUDGET,
    ASK_TURN,
    DECLARE_ROLLOUT,
    LOCK_ROLLOUT,
    stop_if_used_up,
)
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import waiting_for_pool, waiting_for_server

__all__ = ["QUEUE_SECONDS", "begin_with_place", "begun", "may_begin", "note_waiting", "waiting_causes"]

#: Seconds after which one who has stopped asking for a place holds up nobody any more.
QUEUE_SECONDS = 10


def begun(attempt: str = "@attempt", message: str = "@message") -> str:
    """Return the assignments of a row whose attempt begins.

    :param attempt: expression of the attempt's number.
    :param message: expression of the row's message.
    """
    return f"""lifecycle = 'InProgress', start_time = COALESCE(start_time, @now), next_attempt_start_time = NULL,
    current_attempts = {attempt}, current_attempt_start_time = @now, last_message = {message},
    outcome = NULL, error_number = NULL, waiting_cause = NULL, waiting_time = NULL"""


def may_begin(fence: str = FENCE, attempt: str = "@attempt") -> str:
    """Return the condition on a row whose attempt may begin: the run goes on, and this attempt has not begun.

    :param fence: condition that the row belongs to its claim.
    :param attempt: expression of the attempt's number.
    """
    return f"""{fence} AND NOT {IS_CANCELLED}
    AND (lifecycle IN ('Created', 'WaitingForRetry') OR (lifecycle = 'InProgress' AND current_attempts < {attempt}))"""


_HOLDS = "e.lifecycle = 'InProgress' AND (e.current_attempt_start_time >= @cutoff OR a.heartbeat_time >= @cutoff)"
_IS_OTHER = "e.execution_id <> @execution"
_IN_POOL = "e.target_elastic_pool_name = @pool"


def _count(condition: str) -> str:
    return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


def _ahead(cause: str) -> str:
    return _count(
        f"{_IS_OTHER} AND e.waiting_cause = {cause} AND e.waiting_time >= @asked_since AND e.target_ordinal < @ordinal"
    )


#: Sets ``@cause`` to what keeps the attempt from beginning; NULL if nothing does, or if it has its place already.
_ASK = f"""
    SELECT @own = {_count(f"e.execution_id = @execution AND {_HOLDS}")},
        @pool_taken = {_count(f"{_IS_OTHER} AND {_IN_POOL} AND {_HOLDS}")} + {_ahead("@pool_cause")},
        @server_taken = {_count(f"{_IS_OTHER} AND {_HOLDS}")} + {_ahead("@server_cause")}
    FROM jobs_internal.executions AS e
    LEFT JOIN jobs_internal.agents AS a ON a.agent_id = e.place_agent_id
    WHERE e.job_execution_id = @run AND e.step_id = @step AND e.target_type = 'SqlDatabase' AND e.is_active = 1
        AND e.target_server_name = @server;
    SET @cause = CASE
        WHEN @own > 0 THEN NULL
        WHEN @pool_taken >= @pool_cap THEN @pool_cause
        WHEN @server_taken >= @server_cap THEN @server_cause
        END;
"""


def _lock(cap: str, pool: str) -> str:
    where = f"server_name = @server AND elastic_pool_name = {pool}"
    return f"""
    IF {cap} IS NOT NULL
        UPDATE jobs_internal.place_locks SET flag = 1 - flag WHERE {where};"""


def _ensure_lock(cap: str, pool: str) -> str:
    where = f"server_name = @server AND elastic_pool_name = {pool}"
    return f"""
    IF {cap} IS NOT NULL
        INSERT INTO jobs_internal.place_locks (server_name, elastic_pool_name, flag)
        SELECT @server, {pool}, 0 WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.place_locks WHERE {where});"""


def _begin(ask_turn: str = "", ask_budget: str = "", lock_rollout: str = "") -> Batch:
    return Batch(
        f"""
DECLARE @run uniqueidentifier, @step int, @ordinal int, @agent uniqueidentifier, @cause nvarchar(600);
DECLARE @own int, @pool_taken int, @server_taken int, @state nvarchar(50);
{DECLARE_ROLLOUT}
DECLARE @cutoff datetime2(7) = DATEADD(millisecond, -@expiry, @now);
DECLARE @asked_since datetime2(7) = DATEADD(second, -{QUEUE_SECONDS}, @now);
SELECT @run = job_execution_id, @step = step_id, @ordinal = target_ordinal, @agent = agent_id, @state = lifecycle
FROM jobs_internal.executions WHERE execution_id = @execution;
{ask_turn}
IF @cause IS NULL
BEGIN
{_ASK}
END;
IF @cause IS NULL
BEGIN
{_ensure_lock("@server_cap", "N''")}
{_ensure_lock("@pool_cap", "@pool")}
    BEGIN TRANSACTION;
{lock_rollout}
{_lock("@server_cap", "N''")}
{_lock("@pool_cap", "@pool")}
{ask_budget}
{_ASK}
    IF @cause IS NULL AND @stopped IS NULL
    BEGIN
        UPDATE jobs_internal.executions SET {begun()}, place_agent_id = @agent WHERE {may_begin()};
{BEGIN_ATTEMPT}
    END;
    COMMIT TRANSACTION;
END;
IF @cause IS NOT NULL
    UPDATE jobs_internal.executions
    SET waiting_cause = @cause, waiting_time = @now,
        last_message = CASE WHEN lifecycle = 'Created' THEN @cause ELSE last_message END
    WHERE {may_begin()};
SELECT CASE WHEN @cause IS NULL AND @stopped IS NULL
        AND lifecycle = 'InProgress' AND current_attempts = @attempt AND claim_id = @claim
        THEN 1 ELSE 0 END AS begun,
    CASE WHEN {IS_CANCELLED} THEN 1 ELSE 0 END AS cancelled,
    CASE WHEN claim_id = @claim AND is_active = 1 THEN @cause END AS cause, @wait AS wait,
    CASE WHEN claim_id = @claim AND is_active = 1 THEN @stopped END AS stopped,
    CASE WHEN claim_id = @claim AND is_active = 0 AND NOT {IS_CANCELLED} THEN lifecycle END AS ended, last_message
FROM jobs_internal.executions WHERE execution_id = @execution;
""",
        execution="uniqueidentifier",
        claim="uniqueidentifier",
        attempt="int",
        message="nvarchar(max)",
        server="nvarchar(256)",
        pool="nvarchar(128)",
        pool_cap="int",
        pool_cause="nvarchar(600)",
        server_cap="int",
        server_cause="nvarchar(600)",
        expiry="int",
    )


_BEGIN = _begin()
#: What a lost process had begun is begun again whatever the budget says: it may be running already.
_BEGIN_IN_ROLLOUT = _begin(ASK_TURN, f"IF @state <> 'InProgress'\nBEGIN\n{ASK_BUDGET}\nEND;", LOCK_ROLLOUT)


def waiting_causes(claim: Claim) -> tuple[str | None, str | None]:
    """Return what a row may have to wait for: the sentence of its elastic pool, and of its server; None if not capped.

    Rows that wait for the same places have the same sentence, by which they are counted.
    """
    server, pool = claim.target.server_name, claim.target.elastic_pool_name
    of_pool, of_server = claim.max_parallelism, claim.max_parallelism_per_server
    return (
        waiting_for_pool(of_pool, pool, server) if of_pool is not None and pool else None,
        waiting_for_server(of_server, server) if of_server is not None else None,
    )


def begin_with_place(
    db: JobDatabase, claim: Claim, attempt: int, message: str, *, expiry_seconds: float
) -> AttemptStart:
    """Begin an attempt if its elastic pool and its server have a place for it, else say what it waits for.

    In a rollout it also waits for its time, and does not begin after too many others have failed: then its row ends.

    :param db: the job database.
    :param claim: the claim on the row, of a step with a cap or a rollout.
    :param attempt: the attempt that is to begin.
    :param message: the row's message once it has begun.
    :param expiry_seconds: age of a heartbeat from which its process's places are free.
    :return: whether it may run; if it has to wait, asking again now and then keeps its turn.
    """
    pool_cause, server_cause = waiting_causes(claim)
    rows = db.run(
        _BEGIN if claim.wave is None else _BEGIN_IN_ROLLOUT,
        execution=claim.execution_id,
        claim=claim.claim_id,
        attempt=attempt,
        message=message,
        server=claim.target.server_name,
        pool=claim.target.elastic_pool_name,
        pool_cap=None if pool_cause is None else claim.max_parallelism,
        pool_cause=pool_cause,
        server_cap=claim.max_parallelism_per_server,
        server_cause=server_cause,
        expiry=round(expiry_seconds * 1000),
    )
    if not rows:
        return AttemptStart(begun=False, cancelled=False)
    row = rows[0]
    if row.stopped is not None and stop_if_used_up(db, claim) is not None:
        # The row has ended now, and the next question is answered with that.
        return begin_with_place(db, claim, attempt, message, expiry_seconds=expiry_seconds)
    return AttemptStart(
        bool(row.begun),
        bool(row.cancelled),
        row.cause or row.stopped,
        None if row.wait is None else row.wait / 1000,
        None if row.ended is None else AlreadyFinished(Lifecycle(row.ended), row.last_message),
    )


_NOTE = Batch(
    f"""
UPDATE jobs_internal.executions SET waiting_cause = @cause, waiting_time = @now
WHERE {FENCE} AND lifecycle = 'InProgress';
""",
    execution="uniqueidentifier",
    claim="uniqueidentifier",
    cause="nvarchar(600)",
)


def note_waiting(db: JobDatabase, claim: Claim, cause: str | None) -> None:
    """Write down what an attempt that has begun waits for, as ``jobs_ext.waiting_targets`` shows it.

    :param db: the job database.
    :param claim: the claim on the row.
    :param cause: a sentence; None if it goes on.
    """
    db.run(_NOTE, execution=claim.execution_id, claim=claim.claim_id, cause=cause)
