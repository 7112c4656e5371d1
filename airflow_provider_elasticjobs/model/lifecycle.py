"""The ten lifecycles of an execution, their legal transitions, and how children settle a parent (reference 3.1)."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

__all__ = ["TRANSITIONS", "Lifecycle", "combine"]


class Lifecycle(str, Enum):
    """State of a job, step or target execution, spelled as in ``jobs.job_executions.lifecycle``."""

    CREATED = "Created"
    IN_PROGRESS = "InProgress"
    WAITING_FOR_CHILD_JOB_EXECUTIONS = "WaitingForChildJobExecutions"
    WAITING_FOR_RETRY = "WaitingForRetry"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_WITH_SKIPPED = "SucceededWithSkipped"
    SKIPPED = "Skipped"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    CANCELED = "Canceled"

    @property
    def is_active(self) -> bool:
        """Whether the execution is still to end: ``is_active = 1`` in the view."""
        return self in _ACTIVE

    @property
    def is_good(self) -> bool:
        """Whether the execution ended without a failure: what lets the next step begin."""
        return self in _GOOD

    def __str__(self) -> str:
        return self.value


_L = Lifecycle
_ACTIVE = frozenset({_L.CREATED, _L.IN_PROGRESS, _L.WAITING_FOR_CHILD_JOB_EXECUTIONS, _L.WAITING_FOR_RETRY})
_GOOD = frozenset({_L.SUCCEEDED, _L.SUCCEEDED_WITH_SKIPPED, _L.SKIPPED})
_TERMINAL = frozenset(set(Lifecycle) - _ACTIVE)

#: From each lifecycle to those that may follow (reference 3.1, "Transitions"). A terminal one is left only by a
#: deliberate re-run (a cleared task), which begins a new round of the same row in ``Created``.
TRANSITIONS: dict[Lifecycle, frozenset[Lifecycle]] = {
    _L.CREATED: frozenset({_L.IN_PROGRESS}) | _TERMINAL,
    _L.IN_PROGRESS: frozenset({_L.WAITING_FOR_CHILD_JOB_EXECUTIONS, _L.WAITING_FOR_RETRY}) | _TERMINAL,
    _L.WAITING_FOR_CHILD_JOB_EXECUTIONS: _TERMINAL,
    _L.WAITING_FOR_RETRY: frozenset({_L.IN_PROGRESS, _L.FAILED, _L.TIMED_OUT, _L.CANCELED}),
    **{terminal: frozenset() for terminal in _TERMINAL},
}


def combine(children: Collection[Lifecycle], *, cancelled: bool = False) -> Lifecycle:
    """Return the terminal lifecycle of a parent whose children have all ended.

    :param children: the children's lifecycles; empty for a step that had nothing to do.
    :param cancelled: whether the whole run was asked to stop.
    :raises ValueError: if a child is still active.

    The order is: a cancelled run, ``Failed``, ``TimedOut``, ``Canceled``, all skipped, some skipped, ``Succeeded``
    (reference 3.1; the place of ``Failed`` before ``TimedOut`` is our decision, the reference leaves it open).
    """
    present = set(children)
    if any(child.is_active for child in present):
        raise ValueError("a parent cannot be settled while a child is active")
    if cancelled:
        return Lifecycle.CANCELED
    for bad in (Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED):
        if bad in present:
            return bad
    if present == {Lifecycle.SKIPPED}:
        return Lifecycle.SKIPPED
    if present & {Lifecycle.SKIPPED, Lifecycle.SUCCEEDED_WITH_SKIPPED}:
        return Lifecycle.SUCCEEDED_WITH_SKIPPED
    return Lifecycle.SUCCEEDED
