"""The rules of a job database's rows, as queries: none of them may ever find anything."""

from __future__ import annotations

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

_ACTIVE = "('Created', 'InProgress', 'WaitingForChildJobExecutions', 'WaitingForRetry')"
_ALL = f"{_ACTIVE[:-1]}, 'Succeeded', 'SucceededWithSkipped', 'Skipped', 'Failed', 'TimedOut', 'Canceled')"
_CHILDREN = "c.job_execution_id = p.job_execution_id AND c.step_id = p.step_id AND c.target_type = 'SqlDatabase'"
_STEPS = "c.job_execution_id = p.job_execution_id AND c.target_type = 'TargetGroup'"

#: Rule (reference 3.1, 3.2) to a condition on a row ``p`` of ``jobs.job_executions`` that breaks it.
RULES = {
    "a lifecycle is one of the ten": f"p.lifecycle NOT IN {_ALL}",
    "is_active says whether the lifecycle is active": (
        f"(p.is_active = 1 AND p.lifecycle NOT IN {_ACTIVE}) OR (p.is_active = 0 AND p.lifecycle IN {_ACTIVE})"
    ),
    "start_time is NULL if and only if Created": (
        "(p.start_time IS NULL AND p.lifecycle <> 'Created') OR (p.start_time IS NOT NULL AND p.lifecycle = 'Created')"
    ),
    "end_time is NULL if and only if active": (
        "(p.end_time IS NULL AND p.is_active = 0) OR (p.end_time IS NOT NULL AND p.is_active = 1)"
    ),
    "next_attempt_start_time is set if and only if WaitingForRetry": (
        "(p.next_attempt_start_time IS NULL AND p.lifecycle = 'WaitingForRetry')"
        " OR (p.next_attempt_start_time IS NOT NULL AND p.lifecycle <> 'WaitingForRetry')"
    ),
    "times follow each other": "p.start_time < p.create_time OR p.end_time < p.start_time",
    "every row has a message": "p.last_message IS NULL OR p.last_message = N''",
    "a job row has no step, target, attempt": (
        "p.step_id IS NULL AND (p.target_type IS NOT NULL OR p.target_id IS NOT NULL OR p.current_attempts <> 0"
        " OR p.current_attempt_start_time IS NOT NULL OR p.step_name IS NOT NULL OR p.target_group_name IS NOT NULL)"
    ),
    "a step row names its group": (
        "p.target_type = 'TargetGroup' AND (p.target_id IS NULL OR p.target_group_name IS NULL OR p.step_name IS NULL"
        " OR p.current_attempts < 1 OR p.target_server_name IS NOT NULL)"
    ),
    "a target row names its database": (
        "p.target_type = 'SqlDatabase' AND (p.target_server_name IS NULL OR p.target_database_name IS NULL"
        " OR p.step_name IS NULL OR p.target_group_name IS NULL)"
    ),
    "a target row's attempts have a start": (
        "p.target_type = 'SqlDatabase' AND ((p.current_attempts = 0 AND p.current_attempt_start_time IS NOT NULL)"
        " OR (p.current_attempts > 0 AND p.current_attempt_start_time IS NULL))"
    ),
    "a row in progress has an attempt": (
        "p.target_type = 'SqlDatabase' AND p.lifecycle IN ('InProgress', 'WaitingForRetry', 'Succeeded', 'TimedOut')"
        " AND p.current_attempts = 0"
    ),
    "every run has one job row": (
        "(SELECT COUNT(*) FROM jobs.job_executions AS c"
        " WHERE c.job_execution_id = p.job_execution_id AND c.step_id IS NULL) <> 1"
    ),
    "every target row has one step row": (
        "p.target_type = 'SqlDatabase' AND (SELECT COUNT(*) FROM jobs.job_executions AS c"
        " WHERE c.job_execution_id = p.job_execution_id AND c.step_id = p.step_id"
        " AND c.target_type = 'TargetGroup') <> 1"
    ),
    "an ended parent has no active child": (
        "p.is_active = 0 AND ((p.target_type = 'TargetGroup' AND EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_CHILDREN} AND c.is_active = 1))"
        " OR (p.step_id IS NULL AND EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_STEPS} AND c.is_active = 1)))"
    ),
    "a waiting step has an active child": (
        "p.target_type = 'TargetGroup' AND p.lifecycle = 'WaitingForChildJobExecutions' AND NOT EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_CHILDREN} AND c.is_active = 1)"
    ),
    "a succeeded step has no bad child": (
        "p.target_type = 'TargetGroup' AND p.lifecycle IN ('Succeeded', 'SucceededWithSkipped', 'Skipped') AND EXISTS"
        " (SELECT 1 FROM jobs_internal.executions AS c INNER JOIN jobs_internal.executions AS s"
        " ON s.job_execution_id = c.job_execution_id AND s.step_id = c.step_id AND s.target_type = 'TargetGroup'"
        f" WHERE {_CHILDREN} AND c.round = s.round AND c.lifecycle NOT IN ('Succeeded', 'Skipped'))"
    ),
    "a succeeded job has no bad step": (
        "p.step_id IS NULL AND p.lifecycle IN ('Succeeded', 'SucceededWithSkipped', 'Skipped') AND EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_STEPS}"
        " AND c.lifecycle NOT IN ('Succeeded', 'SucceededWithSkipped', 'Skipped'))"
    ),
    "a job with a bad step has ended": (
        "p.step_id IS NULL AND p.is_active = 1 AND NOT EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_STEPS} AND c.is_active = 1) AND EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_STEPS}"
        " AND c.lifecycle IN ('Failed', 'TimedOut', 'Canceled'))"
    ),
    "a run whose last step has ended has ended": (
        "p.step_id IS NULL AND p.is_active = 1 AND NOT EXISTS"
        f" (SELECT 1 FROM jobs.job_executions AS c WHERE {_STEPS} AND c.is_active = 1) AND EXISTS"
        " (SELECT 1 FROM jobs_internal.executions AS c"
        f" WHERE {_STEPS} AND c.is_outdated = 0 AND c.step_id ="
        " (SELECT MAX(s.step_id) FROM jobs.jobstep_versions AS s"
        " WHERE s.job_id = p.job_id AND s.job_version = p.job_version))"
    ),
}

_COLUMNS = "p.job_execution_id, p.step_id, p.target_database_name, p.lifecycle, p.last_message"
_QUERIES = {
    rule: f"SELECT {_COLUMNS} FROM jobs.job_executions AS p WHERE {condition};" for rule, condition in RULES.items()
} | {
    "a database is a target of a step once": """
SELECT job_execution_id, step_id, target_server_name, target_database_name
FROM jobs.job_executions WHERE target_type = 'SqlDatabase'
GROUP BY job_execution_id, step_id, target_server_name, target_database_name HAVING COUNT(*) > 1;
""",
    "a rollout whose budget is used up begins nothing": """
SELECT p.job_execution_id, p.step_id, p.target_database_name, p.wave, p.current_attempt_start_time
FROM jobs_internal.executions AS p
INNER JOIN jobs_internal.rollout_waves AS s
    ON s.job_execution_id = p.job_execution_id AND s.step_id = p.step_id AND s.wave = 0 AND s.round = p.round
INNER JOIN jobs_internal.rollout_waves AS w
    ON w.job_execution_id = p.job_execution_id AND w.step_id = p.step_id
WHERE p.target_type = 'SqlDatabase' AND p.current_attempts = 1 AND (SELECT COUNT(*) FROM jobs_internal.executions AS f
    WHERE f.job_execution_id = p.job_execution_id AND f.step_id = p.step_id AND f.round = p.round
        AND f.target_type = 'SqlDatabase' AND (w.wave = 0 OR f.wave = w.wave) AND f.lifecycle IN ('Failed', 'TimedOut')
        AND f.end_time >= s.counted_since AND f.end_time < p.current_attempt_start_time) > w.max_failures;
""",
    "a wave begins when nothing of the earlier ones is active": """
SELECT p.job_execution_id, p.step_id, p.target_database_name, p.wave, e.target_database_name
FROM jobs_internal.executions AS p
INNER JOIN jobs_internal.rollout_waves AS w
    ON w.job_execution_id = p.job_execution_id AND w.step_id = p.step_id AND w.wave = p.wave AND w.round = p.round
INNER JOIN jobs_internal.executions AS e
    ON e.job_execution_id = p.job_execution_id AND e.step_id = p.step_id AND e.round = p.round AND e.wave < p.wave
WHERE p.current_attempts = 1 AND e.current_attempts = 1 AND e.start_time < w.begin_time
    AND (e.end_time > p.start_time OR e.end_time IS NULL);
""",
    "attempts are numbered from 1 without a gap": """
SELECT a.execution_id, a.rerun, MAX(a.attempt) FROM jobs_internal.attempts AS a
GROUP BY a.execution_id, a.rerun HAVING MIN(a.attempt) <> 1 OR MAX(a.attempt) <> COUNT(*);
""",
    "a row's attempts are all written down": """
SELECT e.execution_id, e.lifecycle, e.current_attempts FROM jobs_internal.executions AS e
WHERE e.target_type = 'SqlDatabase' AND e.current_attempts <> (SELECT COUNT(*) FROM jobs_internal.attempts AS a
    WHERE a.execution_id = e.execution_id AND a.rerun = e.rerun);
""",
    "an attempt has a row": """
SELECT a.execution_id, a.rerun, a.attempt FROM jobs_internal.attempts AS a
WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.executions AS e
    WHERE e.execution_id = a.execution_id AND e.target_type = 'SqlDatabase' AND e.rerun >= a.rerun);
""",
    "the last attempt of a row in progress is open, and no other": """
SELECT e.execution_id, e.lifecycle, a.rerun, a.attempt, a.outcome
FROM jobs_internal.attempts AS a INNER JOIN jobs_internal.executions AS e ON e.execution_id = a.execution_id
WHERE (a.end_time IS NULL AND NOT (e.lifecycle = 'InProgress' AND a.rerun = e.rerun AND a.attempt = e.current_attempts))
    OR (a.end_time IS NOT NULL AND e.lifecycle = 'InProgress' AND a.rerun = e.rerun AND a.attempt = e.current_attempts);
""",
    "a row has the outcome of the attempt that it waits after, or ended with, unless an earlier one is unknown": """
SELECT e.execution_id, e.lifecycle, e.outcome, a.attempt, a.outcome
FROM jobs_internal.attempts AS a INNER JOIN jobs_internal.executions AS e ON e.execution_id = a.execution_id
WHERE a.rerun = e.rerun AND a.attempt = e.current_attempts
    AND (e.lifecycle IN ('WaitingForRetry', 'Succeeded') OR e.end_time = a.end_time)
    AND ((e.outcome <> a.outcome AND NOT (e.outcome = 'unknown' AND EXISTS (SELECT 1 FROM jobs_internal.attempts AS b
            WHERE b.execution_id = a.execution_id AND b.rerun = a.rerun AND b.attempt < a.attempt
                AND b.outcome = 'unknown'))) OR COALESCE(e.error_number, 0) <> COALESCE(a.error_number, 0)
        OR (a.outcome <> 'unknown' AND e.last_message <> a.message));
""",
    "attempts follow each other": """
SELECT a.execution_id, a.rerun, a.attempt, a.start_time, a.end_time FROM jobs_internal.attempts AS a
WHERE a.end_time < a.start_time OR EXISTS (SELECT 1 FROM jobs_internal.attempts AS b
    WHERE b.execution_id = a.execution_id AND b.rerun = a.rerun AND b.attempt > a.attempt
        AND b.start_time < COALESCE(a.end_time, b.end_time));
""",
    "messages are numbered from 1 without a gap, and belong to an attempt that has ended": """
SELECT m.execution_id, m.rerun, m.attempt, COUNT(*) FROM jobs_internal.messages AS m
LEFT JOIN jobs_internal.attempts AS a
    ON a.execution_id = m.execution_id AND a.rerun = m.rerun AND a.attempt = m.attempt
GROUP BY m.execution_id, m.rerun, m.attempt, a.end_time
HAVING MIN(m.ordinal) <> 1 OR MAX(m.ordinal) <> COUNT(*) OR a.end_time IS NULL;
""",
    "what has ended waits for nothing": """
SELECT job_execution_id, step_id, target_database_name, lifecycle, waiting_cause
FROM jobs_internal.executions WHERE waiting_cause IS NOT NULL AND (is_active = 0 OR target_type <> 'SqlDatabase');
""",
}


def broken_invariants(db: JobDatabase) -> list[str]:
    """Return a line for each rule that some row breaks, with the first such row; empty when all is well."""
    broken = []
    for rule, query in _QUERIES.items():
        rows = db.run(Batch(query))
        if rows:
            broken.append(f"{rule}: {len(rows)} row(s), first {tuple(rows[0])}")
    return broken
