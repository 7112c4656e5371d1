"""The sentences of ``last_message``, by level and lifecycle (reference 3.3)."""

from __future__ import annotations

from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

__all__ = [
    "EARLIER_UNKNOWN",
    "NEVER_BEGUN",
    "WAITING_FOR_LOST_ATTEMPT",
    "WAITING_FOR_WORKER",
    "job_message",
    "nothing_to_do",
    "rollout_skipped",
    "step_message",
    "target_committed",
    "target_gone",
    "target_message",
    "trial_message",
    "waiting_for_database",
    "waiting_for_pool",
    "waiting_for_server",
]

_L = Lifecycle

WAITING_FOR_WORKER = "Waiting for an available worker."
#: Follows the sentence of a target that nobody has begun, and nobody will.
NEVER_BEGUN = " It was never begun."
#: Follows the message of a target that did not end well, after an attempt whose outcome nobody knows.
EARLIER_UNKNOWN = "Whether an earlier attempt took effect is unknown."
WAITING_FOR_LOST_ATTEMPT = "Waiting for an attempt that was lost to end on the server."

_TARGET_VERBS: dict[Lifecycle, str] = {
    _L.CREATED: "is waiting to execute on",
    _L.IN_PROGRESS: "started execution on",
    _L.WAITING_FOR_RETRY: "is waiting to retry execution on",
    _L.SUCCEEDED: "succeeded execution on",
    _L.FAILED: "failed execution on",
    _L.CANCELED: "canceled execution on",
    _L.TIMED_OUT: "timed out execution on",
    _L.SKIPPED: "skipped execution, because an earlier execution of this job is still running, on",
}

_STEP_PHRASES: dict[Lifecycle, str] = {
    _L.CREATED: "is preparing targets",
    _L.IN_PROGRESS: "is evaluating targets",
    _L.WAITING_FOR_CHILD_JOB_EXECUTIONS: "is waiting for execution on targets",
    _L.WAITING_FOR_RETRY: "is waiting to retry evaluating targets",
    _L.SUCCEEDED: "succeeded",
    _L.SUCCEEDED_WITH_SKIPPED: "succeeded, with execution skipped on some targets",
    _L.SKIPPED: "skipped execution on targets",
    _L.FAILED: "failed",
    _L.TIMED_OUT: "timed out",
    _L.CANCELED: "canceled",
}

_JOB_MESSAGES: dict[Lifecycle, str] = {
    _L.CREATED: "Job execution is created.",
    _L.IN_PROGRESS: "Job execution is in progress.",
    _L.WAITING_FOR_CHILD_JOB_EXECUTIONS: "Job execution is waiting for its steps.",
    _L.WAITING_FOR_RETRY: "Job execution is waiting to retry.",
    _L.SUCCEEDED: "Job execution succeeded.",
    _L.SUCCEEDED_WITH_SKIPPED: "Job execution succeeded, with some steps or targets skipped.",
    _L.SKIPPED: "Job execution skipped all of its work.",
    _L.FAILED: "Job execution failed.",
    _L.TIMED_OUT: "Job execution timed out.",
    _L.CANCELED: "Job execution canceled.",
}


def target_message(lifecycle: Lifecycle, step_id: int, server_name: str, database_name: str) -> str:
    """Return the sentence of a target row: ``Step 1 succeeded execution on target (server 's', database 'd').``"""
    verb = _TARGET_VERBS[lifecycle]
    return f"Step {step_id} {verb} target (server '{server_name}', database '{database_name}')."


def step_message(lifecycle: Lifecycle, step_id: int) -> str:
    """Return the sentence of a step row."""
    return f"Step {step_id} {_STEP_PHRASES[lifecycle]}."


def job_message(lifecycle: Lifecycle) -> str:
    """Return the sentence of a job row."""
    return _JOB_MESSAGES[lifecycle]


def nothing_to_do(step_id: int, target_group_name: str) -> str:
    """Return the sentence of a step whose target group holds no database at the moment, and of its job."""
    return f"Step {step_id} succeeded: target group '{target_group_name}' holds no databases, there was nothing to do."


_TRIALS = {
    "plan": "was planned, and nothing was sent to",
    "parse": "was parsed, and not run, by",
    "rollback": "was tried, and rolled back, on",
}


def trial_message(trial: str, step_id: int, server_name: str, database_name: str, found: str = "") -> str:
    """Return the sentence of a target row that was only tried.

    :param trial: ``plan``, ``parse`` or ``rollback``.
    :param found: what the trial found, from its colon on.
    """
    target = f"target (server '{server_name}', database '{database_name}')"
    return f"Step {step_id} {_TRIALS[trial]} {target}{found}."


def waiting_for_pool(max_parallelism: int, elastic_pool_name: str, server_name: str) -> str:
    """Return the sentence of a target that waits until its elastic pool has a place for it."""
    return f"Waiting for {_places(max_parallelism)} of elastic pool '{elastic_pool_name}' on server '{server_name}'."


def waiting_for_server(max_parallelism_per_server: int, server_name: str) -> str:
    """Return the sentence of a target that waits until its server has a place for it."""
    return f"Waiting for {_places(max_parallelism_per_server)} of server '{server_name}'."


def waiting_for_database(server_name: str, database_name: str, error_number: int | None) -> str:
    """Return the sentence of a target that waits until its server lets anybody into its database again."""
    answered = "" if error_number is None else f", which answers error {error_number}"
    return f"Waiting for database '{database_name}' on server '{server_name}'{answered}."


def target_gone(step_id: int, server_name: str, database_name: str) -> str:
    """Return the sentence of a target that was dropped after its group had been resolved; it is ``Skipped``."""
    target = f"target (server '{server_name}', database '{database_name}')"
    return f"Step {step_id} skipped execution, because the database is not on the server any more, on {target}."


def target_committed(step_id: int, server_name: str, database_name: str) -> str:
    """Return the sentence of a target whose answer was lost, and whose marker says that its script committed."""
    sentence = target_message(Lifecycle.SUCCEEDED, step_id, server_name, database_name)
    return f"{sentence} The answer was lost; the marker in the database says that the transaction has committed."


def rollout_skipped(step_id: int, server_name: str, database_name: str, reason: str) -> str:
    """Return the sentence of a target that is not begun, because its rollout was stopped.

    :param reason: how many failed, and how many may.
    """
    target = f"target (server '{server_name}', database '{database_name}')"
    return f"Step {step_id} skipped execution on {target}: the rollout was stopped, {reason}."


def _places(number: int) -> str:
    return "the only place" if number == 1 else f"one of {number} places"
