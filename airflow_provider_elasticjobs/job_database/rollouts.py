"""Rollouts: which wave a target belongs to, when it may begin, and when too many failures stop the handing out.

Failures are counted from the rows, each time that an attempt is about to begin: there is no counter that could be
wrong. Whoever begins an attempt, and whoever ends one badly, writes the step's row of ``rollout_waves`` (wave 0) first,
in the transaction that changes the target's row. So one happens after the other: once the failure that uses up the
budget is written, no attempt begins. It is a write and not a lock hint, because not every engine knows hints; it comes
before those of ``place_locks`` and of the target's own row, so that nobody waits in a circle.

An attempt of a process that was lost is what runs already: the one that takes over from it begins all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claiming import END_TIME
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import Claim, RegisteredTarget, StepStart, step_execution_id
from airflow_provider_elasticjobs.job_database.sentences import DOUBT, rollout_sentence
from airflow_provider_elasticjobs.job_database.settling import DECLARATIONS, SETTLE
from airflow_provider_elasticjobs.model.rollout import Rollout

__all__ = [
    "ASK_BUDGET",
    "ASK_BUDGET_BEFORE_WAVE",
    "ASK_TURN",
    "DECLARE_ROLLOUT",
    "LEAVE_OUT",
    "LOCK_ROLLOUT",
    "register_rollout",
    "renew_budget",
    "seconds_to_wait",
    "stop_if_used_up",
]

#: Variables of the fragments; ``@run`` and ``@step`` are declared elsewhere. ``@stopped`` is why nothing more begins.
DECLARE_ROLLOUT = "DECLARE @stopped nvarchar(600), @wait int, @not_before datetime2(7), @spread int;"

_STEP_WAVES = "w.job_execution_id = @run AND w.step_id = @step"
_TARGET_ROWS = "job_execution_id = @run AND step_id = @step AND target_type = 'SqlDatabase'"
_IS_BAD = "lifecycle IN ('Failed', 'TimedOut')"

#: Takes the lock of the step's rollout, in a transaction. What happens after it has a time after it.
LOCK_ROLLOUT = """
    UPDATE jobs_internal.rollout_waves SET flag = 1 - flag
    WHERE job_execution_id = @run AND step_id = @step AND wave = 0;
    SET @now = SYSUTCDATETIME();"""


def _ask_budget(also: str = "") -> str:
    return f"""
    SET @stopped = NULL;
    SELECT TOP (1) @stopped = CONCAT(x.failed, N' of ', x.target_count, N' databases',
        CASE WHEN x.wave > 0 THEN CONCAT(N' of wave ', x.wave) ELSE N'' END,
        N' failed and at most ', x.max_failures, N' may')
    FROM (SELECT w.wave, w.target_count, w.max_failures, COUNT(*) AS failed
        FROM jobs_internal.rollout_waves AS w
        INNER JOIN jobs_internal.rollout_waves AS s
            ON s.job_execution_id = w.job_execution_id AND s.step_id = w.step_id AND s.wave = 0
        INNER JOIN jobs_internal.executions AS e
            ON e.job_execution_id = w.job_execution_id AND e.step_id = w.step_id AND (w.wave = 0 OR e.wave = w.wave)
        WHERE {_STEP_WAVES} AND e.wave IS NOT NULL AND e.{_IS_BAD}
            AND e.round = s.round AND e.end_time >= s.counted_since {also}
        GROUP BY w.wave, w.target_count, w.max_failures) AS x
    WHERE x.failed > x.max_failures
    ORDER BY x.wave;
"""


#: Sets ``@stopped`` to what has used up the budget of the step, or of one of its waves; NULL if nothing has.
ASK_BUDGET = _ask_budget()
#: The same, before ``@wave`` begins: its targets, and those after it, count only if a task had come to them.
ASK_BUDGET_BEFORE_WAVE = _ask_budget("AND (e.wave < @wave OR e.airflow_try_number IS NOT NULL)")

#: Sets ``@cause`` and ``@wait`` (milliseconds) if the row ``@execution`` has never begun and its time has not come.
ASK_TURN = """
    SELECT @not_before = DATEADD(millisecond, e.start_delay_milliseconds, w.begin_time), @spread = w.spread_milliseconds
    FROM jobs_internal.executions AS e
    INNER JOIN jobs_internal.rollout_waves AS w
        ON w.job_execution_id = e.job_execution_id AND w.step_id = e.step_id AND w.wave = e.wave
    WHERE e.execution_id = @execution AND e.lifecycle = 'Created' AND e.start_delay_milliseconds > 0;
    IF @not_before > @now
    BEGIN
        SET @wait = DATEDIFF(millisecond, @now, @not_before) + 1;
        SET @cause = CONCAT(N'Waiting until ', CONVERT(nvarchar(19), @not_before, 120),
            N' UTC: the starts are spread over ', @spread / 1000, N' s.');
    END;
"""


def renew_budget(rows: str) -> str:
    """Return T-SQL by which a target that is cleared after it had not succeeded begins a new budget.

    What failed before counts no more.

    :param rows: the rows that are about to begin anew.
    """
    return f"""
    UPDATE jobs_internal.rollout_waves SET counted_since = @now
    WHERE job_execution_id = @run AND step_id = @step AND wave = 0
        AND EXISTS (SELECT 1 FROM jobs_internal.executions AS e
            WHERE {rows} AND e.lifecycle <> 'Succeeded'
                AND e.airflow_clear_number < @clear AND e.end_time >= jobs_internal.rollout_waves.counted_since);"""


#: Ends what waits: ``Skipped`` what has never begun, ``Failed`` with the error of its last attempt what has.
LEAVE_OUT = f"""
    UPDATE jobs_internal.executions
    SET lifecycle = 'Skipped', is_active = 0, start_time = @now, end_time = @now, outcome = 'skipped',
        waiting_cause = NULL, last_message = {{skipped}}
    WHERE {_TARGET_ROWS} AND wave IS NOT NULL AND lifecycle = 'Created' AND is_active = 1;
    UPDATE jobs_internal.executions
    SET lifecycle = 'Failed', is_active = 0, end_time = {END_TIME}, next_attempt_start_time = NULL,
        waiting_cause = NULL, outcome = CASE WHEN lost_attempt = 1 THEN 'unknown' ELSE outcome END,
        last_message = CONCAT(last_message, N' No further attempt: the rollout was stopped, ', @stopped, N'.',
            {DOUBT})
    WHERE {_TARGET_ROWS} AND wave IS NOT NULL AND lifecycle = 'WaitingForRetry' AND is_active = 1;
""".format(skipped=rollout_sentence("@stopped"))

_STOP = Batch(
    f"""
{DECLARATIONS}
{DECLARE_ROLLOUT}
SET @run = @job_run;
SET @step = @step_number;
SET @settler = @claim;
{ASK_BUDGET}
IF @stopped IS NOT NULL
BEGIN
    BEGIN TRANSACTION;
{LOCK_ROLLOUT}
{ASK_BUDGET}
    IF @stopped IS NOT NULL
    BEGIN
{LEAVE_OUT}
    END;
    COMMIT TRANSACTION;
{SETTLE}
END;
SELECT @stopped AS stopped;
""",
    job_run="uniqueidentifier",
    step_number="int",
    claim="uniqueidentifier",
)


def stop_if_used_up(db: JobDatabase, claim: Claim) -> str | None:
    """End what waits in the claim's step if more targets have failed than may.

    What has never begun ends ``Skipped``; what waits for a retry ends ``Failed`` with its last error; what runs goes
    on.

    :param db: the job database.
    :param claim: a claim on one of the step's targets.
    :return: how many failed and how many may, if that is too many; else None.
    """
    rows = db.run(_STOP, job_run=claim.job_execution_id, step_number=claim.step_id, claim=claim.claim_id)
    stopped: str | None = rows[0].stopped
    return stopped


_TURN = Batch(
    f"""
DECLARE @cause nvarchar(600);
{DECLARE_ROLLOUT}
{ASK_TURN}
IF @cause IS NOT NULL
    UPDATE jobs_internal.executions SET waiting_cause = @cause, waiting_time = @now, last_message = @cause
    WHERE execution_id = @execution AND lifecycle = 'Created';
SELECT @wait AS wait;
""",
    execution="uniqueidentifier",
)


def seconds_to_wait(db: JobDatabase, execution_id: UUID) -> float:
    """Return how long a target has to wait before its script may begin, and write down that it waits.

    :param db: the job database.
    :param execution_id: the target's row.
    :return: seconds; 0 if its time has come, the starts are not spread, or the row waits no more.
    """
    return float(db.run(_TURN, execution=execution_id)[0].wait or 0) / 1000


_WAVES = Batch(
    """
DECLARE @round int;
SELECT @round = round FROM jobs_internal.executions WHERE execution_id = @step_row;
BEGIN TRANSACTION;
DELETE FROM jobs_internal.rollout_waves WHERE job_execution_id = @job_run AND step_id = @step_number;
INSERT INTO jobs_internal.rollout_waves (job_execution_id, step_id, wave, target_count, max_failures,
    spread_milliseconds, begin_time, counted_since, round, flag)
SELECT @job_run, @step_number, v.wave, v.target_count, NULLIF(v.max_failures, -1),
    @spread, CASE WHEN v.wave = 1 THEN @now END, @now, @round, 0
FROM ({rows}) AS v (wave, target_count, max_failures);
COMMIT TRANSACTION;
""",
    rows=("int", "int", "int"),
    job_run="uniqueidentifier",
    step_number="int",
    step_row="uniqueidentifier",
    spread="int",
)

_PLACE = Batch(
    """
UPDATE e SET wave = v.wave, start_delay_milliseconds = v.delay
FROM jobs_internal.executions AS e
INNER JOIN ({rows}) AS v (execution_id, wave, delay) ON v.execution_id = e.execution_id;
""",
    rows=("uniqueidentifier", "int", "int"),
)


def register_rollout(db: JobDatabase, step: StepStart, rollout: Rollout, targets: Sequence[RegisteredTarget]) -> None:
    """Write down the waves of a step whose targets were registered, and each target's place in them.

    :param db: the job database.
    :param step: the step, begun.
    :param rollout: its rollout.
    :param targets: its targets with their waves, in their order.
    """
    waves = [[target for target in targets if target.wave == wave] for wave in range(1, len(rollout.waves) + 2)]
    counts = [(0, len(targets), _or_none(rollout.max_failures))]
    counts += [(number, len(wave), _or_none(rollout.wave_budget(len(wave)))) for number, wave in enumerate(waves, 1)]
    run, number, spread = step.job_execution_id, step.step_id, round(rollout.spread_seconds * 1000)
    db.run(_WAVES, counts, job_run=run, step_number=number, step_row=step_execution_id(run, number), spread=spread)
    places = [
        (target.execution_id, target.wave, spread * index // len(wave))
        for wave in waves
        for index, target in enumerate(wave)
    ]
    for first in range(0, len(places), _PLACE.rows_at_once):
        db.run(_PLACE, places[first : first + _PLACE.rows_at_once])


def _or_none(budget: int | None) -> int:
    # A parameter that is NULL in every row has no type for some engines.
    return -1 if budget is None else budget
