"""What is made to go wrong, and what each kind of step comes to then."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["MODES", "SCENARIOS", "VARIANTS", "Expected", "Scenario"]

MODES = ("deferrable", "worker")

#: Kinds of step, by their arguments.
VARIANTS: dict[str, dict[str, Any]] = {
    "idempotent": {},
    "not idempotent": {"idempotent": False},
    "transaction": {"idempotent": False, "transaction": True},
}

WORK = "INSERT INTO work VALUES (1); SELECT a FROM numbers; /* the work */"
SLOW_WORK = "INSERT INTO work VALUES (1); IF EXISTS (SELECT * FROM pace) WAITFOR DELAY '00:02:00'; /* the work */"
TIMED_WORK = "INSERT INTO work VALUES (1); WAITFOR DELAY '00:02:00'; /* the work */"
SHORT_WORK = "INSERT INTO work VALUES (1); WAITFOR DELAY '00:00:02'; /* the work */"
FAILING_WORK = (
    "IF EXISTS (SELECT * FROM pace) WAITFOR DELAY '00:00:03'; THROW 50001, 'as every attempt', 1; /* the work */"
)


class Expected(NamedTuple):
    """What a cell comes to.

    :param lifecycle: what the row says.
    :param outcome: what it says that the server did.
    :param attempts: how many it counts.
    :param sent: how often the script reached the server.
    :param committed: how often its work took effect.
    """

    lifecycle: str
    outcome: str
    attempts: int
    sent: int
    committed: int


@dataclass(frozen=True, eq=False)
class Scenario:
    """One thing that goes wrong.

    :param name: as the page calls it.
    :param expected: for each of :data:`VARIANTS`, in their order; one stands for all.
    :param command: the script.
    :param fault: kind of the sandbox's fault, if it is one.
    :param details: of the fault.
    :param act: what the test does beside it: ``kill``, ``job_database_away``, ``password`` or ``drop``.
    :param arguments: of the operator.
    """

    name: str
    expected: tuple[Expected, ...]
    command: str = WORK
    fault: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    act: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def of(self, variant: str) -> Expected:
        """Return what is expected of a kind of step."""
        return self.expected[list(VARIANTS).index(variant) if len(self.expected) > 1 else 0]


_ONCE = Expected("Succeeded", "succeeded", 1, 1, 1)
_AGAIN = Expected("Succeeded", "succeeded", 2, 2, 1)
_UNREACHED = Expected("Succeeded", "succeeded", 2, 1, 1)
_TWICE = Expected("Succeeded", "succeeded", 2, 2, 2)

SCENARIOS = (
    Scenario("target away at connect", (_UNREACHED,), fault="login_dropped"),
    Scenario("database paused or failing over", (_ONCE,), fault="database_unavailable", details={"times": 2}),
    Scenario(
        "target lost before the script is sent",
        (_UNREACHED,),
        fault="dropped_before",
        details={"containing": "sp_getapplock"},
    ),
    Scenario(
        "target lost after the script is sent, nothing done",
        (_AGAIN, Expected("Failed", "unknown", 1, 1, 0), _AGAIN),
        fault="dropped_before",
        details={"containing": "the work"},
    ),
    Scenario(
        "target lost after the commit",
        (_TWICE, Expected("Failed", "unknown", 1, 1, 1), _ONCE),
        fault="dropped_after",
        details={"containing": "the work"},
    ),
    Scenario(
        "target lost while rows are read",
        (_TWICE, Expected("Failed", "unknown", 1, 1, 1), _AGAIN),
        fault="dropped_while_reading",
        details={"containing": "the work", "rows": 1},
    ),
    Scenario("deadlock", (_AGAIN,), fault="deadlock", details={"containing": "the work"}),
    Scenario("throttled", (_AGAIN,), fault="throttled", details={"containing": "the work"}),
    Scenario(
        "wrong password halfway",
        (Expected("Failed", "failed", 3, 1, 0),),
        command=FAILING_WORK,
        act="password",
    ),
    Scenario("database dropped", (Expected("Skipped", "skipped", 1, 0, 0),), act="drop"),
    Scenario(
        "step_timeout",
        (
            Expected("TimedOut", "timed_out", 1, 1, 1),
            Expected("TimedOut", "timed_out", 1, 1, 1),
            Expected("TimedOut", "timed_out", 1, 1, 0),
        ),
        command=TIMED_WORK,
        arguments={"step_timeout": 2},
    ),
    Scenario("job database away while the script runs", (_ONCE,), command=SHORT_WORK, act="job_database_away"),
    Scenario(
        "killed worker or triggerer",
        (_TWICE, Expected("Failed", "unknown", 2, 1, 1), _AGAIN),
        command=SLOW_WORK,
        act="kill",
    ),
)
