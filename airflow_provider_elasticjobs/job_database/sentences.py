"""The sentences of ``last_message`` as T-SQL expressions, for statements that end rows they have not read."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import (
    EARLIER_UNKNOWN,
    job_message,
    rollout_skipped,
    step_message,
    target_message,
    trial_message,
)

__all__ = ["DOUBT", "job_sentence", "planned_sentence", "rollout_sentence", "step_sentence", "target_sentence"]

_STEP = 987654321
_PARENTS = {each for each in Lifecycle if not each.is_active} | {Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS}
_SERVER, _DATABASE, _REASON = "{server}", "{database}", "{reason}"


def _literal(text: str) -> str:
    return "N'" + text.replace("'", "''") + "'"


#: What follows the sentence of a target row that does not end well after an attempt whose outcome nobody knows.
DOUBT = f"CASE WHEN lost_attempt = 1 THEN {_literal(' ' + EARLIER_UNKNOWN)} ELSE N'' END"


def _numbered(text: str, step: str) -> str:
    """Return an expression for a sentence in which the step's number is that of ``step``."""
    return f"REPLACE({_literal(text)}, N'{_STEP}', CAST({step} AS nvarchar(10)))"


def target_sentence(lifecycle: Lifecycle, *, suffix: str = "") -> str:
    """Return the expression of a target row's sentence, from the row's own columns.

    :param lifecycle: the lifecycle that the row gets.
    :param suffix: text that follows the sentence.
    """
    return _of_target(target_message(lifecycle, _STEP, _SERVER, _DATABASE) + suffix)


def rollout_sentence(reason: str) -> str:
    """Return the expression of the sentence of a target row that a stopped rollout leaves out.

    :param reason: expression of the reason.
    """
    return f"REPLACE({_of_target(rollout_skipped(_STEP, _SERVER, _DATABASE, _REASON))}, N'{_REASON}', {reason})"


def planned_sentence() -> str:
    """Return the expression of the sentence of a target row that was only planned, from the row's own columns."""
    return _of_target(trial_message("plan", _STEP, _SERVER, _DATABASE))


def _of_target(text: str) -> str:
    named = f"REPLACE({_numbered(text, 'step_id')}, N'{_SERVER}', target_server_name)"
    return f"REPLACE({named}, N'{_DATABASE}', target_database_name)"


def _by_lifecycle(lifecycle: str, sentence: Callable[[Lifecycle], str]) -> str:
    cases = " ".join(f"WHEN '{each}' THEN {sentence(each)}" for each in Lifecycle if each in _PARENTS)
    return f"CASE {lifecycle} {cases} END"


def step_sentence(lifecycle: str, step: str) -> str:
    """Return the expression of a step row's sentence.

    :param lifecycle: expression of the lifecycle that the row gets: a terminal one, or waiting for children.
    :param step: expression of the step's id.
    """
    return _by_lifecycle(lifecycle, lambda each: _numbered(step_message(each, _STEP), step))


def job_sentence(lifecycle: str) -> str:
    """Return the expression of a job row's sentence; ``lifecycle`` as for :func:`step_sentence`."""
    return _by_lifecycle(lifecycle, lambda each: _literal(job_message(each)))
