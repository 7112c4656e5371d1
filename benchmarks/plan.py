"""What is measured: scripts x sizes x variants, how often, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "LIMITS",
    "LONG",
    "MOST_TASKS",
    "SCRIPTS",
    "SIZES",
    "VARIANTS",
    "Cell",
    "Chunks",
    "chunks_of",
    "default_repetitions",
    "expected_seconds",
    "order",
    "width_of",
]

#: Ten seconds show what the short scripts cannot: what waits for a server holds no worker when it is deferred.
LONG = "10 s"
SCRIPTS: Mapping[str, str] = {
    "no-op": "SELECT 1;",
    "100 ms": "WAITFOR DELAY '00:00:00.100';",
    LONG: "WAITFOR DELAY '00:00:10';",
}
SIZES = (10, 100, 1_000, 5_000)

#: Each variant, as the page calls it.
VARIANTS: Mapping[str, str] = {
    "limit": "the servers' own limit",
    "bare": "(a) bare pyodbc",
    "expand": "(b) SQLExecuteQueryOperator.expand",
    "defer": "Airflow's own limit: tasks that defer and run nothing",
    "defer_wide": "the same with 100 slots",
    "deferrable": "(c) one task a database, deferred",
    "tier": "(c) with the 100 slots of the smallest tier",
    "worker": "(d) one task a database, in workers",
    "chunks": "(e) chunks",
}

#: No ways to run scripts, but what nothing can be ahead of: the servers, and Airflow for tasks that defer.
LIMITS = frozenset({"limit", "defer", "defer_wide"})
#: Measured only when all is asked for: Airflow takes its time for each task, so these runs take many minutes each on
#: two cores, or hours, and tell nothing more than those on fewer databases, or those with more slots.
_LONGEST = frozenset(
    {
        *((variant, 1_000) for variant in ("deferrable", "defer")),
        *((variant, 5_000) for variant in ("expand", "deferrable", "tier", "worker", "defer", "defer_wide")),
    }
)
_LONG_SIZE = 100
_LONG_VARIANTS = frozenset({"bare", "expand", "tier"})
#: JA100, the smallest tier of Azure Elastic Jobs: deferred, a script holds a slot and no worker.
_TIER_WIDTH = 100
_WIDE = frozenset({"tier", "defer_wide"})
#: Tasks of a step, whatever ``targets_per_task`` says.
MOST_TASKS = 1_000
_CHUNKS_AT_A_TIME = 2


@dataclass(frozen=True)
class Cell:
    """One thing to measure.

    :param script: a key of :data:`SCRIPTS`.
    :param size: databases.
    :param variant: a key of :data:`VARIANTS`.
    :param repetition: from 1.
    """

    script: str
    size: int
    variant: str
    repetition: int

    @property
    def name(self) -> str:
        """As an id of a DAG."""
        return f"{self.variant}_{self.script.replace(' ', '').replace('-', '')}_{self.size}"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Chunks:
    """How an elastic job is divided into tasks.

    :param targets_per_task: as :class:`ElasticJob` takes it.
    :param chunk_parallelism: the same.
    """

    targets_per_task: int | None = None
    chunk_parallelism: int | None = None


def chunks_of(variant: str, size: int, width: int) -> Chunks:
    """Return how a variant divides a fleet into tasks, so that as many scripts run at a time as the width says.

    :param variant: a key of :data:`VARIANTS`.
    :param size: databases.
    :param width: scripts at a time.
    """
    if variant == "chunks":
        at_a_time = min(_CHUNKS_AT_A_TIME, width)
        return Chunks(-(-size // at_a_time), width // at_a_time)
    # Asked for one target a task, a step makes 1,000 tasks of as few targets as possible, one script at a time in each.
    return Chunks(1, 1) if size > MOST_TASKS else Chunks()


def width_of(variant: str, width: int) -> int:
    """Return how many scripts run at a time.

    :param variant: a key of :data:`VARIANTS`.
    :param width: of all that are not said to be wider.
    """
    return _TIER_WIDTH if variant in _WIDE else width


def default_repetitions(script: str, variant: str, size: int, repetitions: int, *, full: bool = False) -> int:
    """Return how often a cell is measured.

    :param script: a key of :data:`SCRIPTS`.
    :param variant: a key of :data:`VARIANTS`.
    :param size: databases.
    :param repetitions: of cells that do not take longest.
    :param full: of those, too.
    """
    if script == LONG and (variant not in _LONG_VARIANTS or size != _LONG_SIZE):
        return 0
    return repetitions if full or (variant, size) not in _LONGEST else 0


def order(
    scripts: Iterable[str], sizes: Iterable[int], variants: Sequence[str], repetitions: int, *, full: bool = False
) -> Iterator[Cell]:
    """Yield all cells, so that what is compared is measured side by side, and small fleets come first.

    A repetition of all cells of all variants comes before the next one. Each begins with another variant.

    :param scripts: keys of :data:`SCRIPTS`.
    :param sizes: databases.
    :param variants: keys of :data:`VARIANTS`.
    :param repetitions: of each cell, but see :func:`default_repetitions`.
    :param full: no cell is left out.
    """
    scripts, sizes = list(scripts), sorted(sizes)
    for repetition in range(1, repetitions + 1):
        turned = [*variants[repetition % len(variants) :], *variants[: repetition % len(variants)]]
        for size in sizes:
            for script in scripts:
                for variant in turned:
                    if repetition <= default_repetitions(script, variant, size, repetitions, full=full):
                        yield Cell(script, size, variant, repetition)


def expected_seconds(cell: Cell, measured: Iterable[Mapping[str, Any]]) -> float | None:
    """Return how long a cell will take by the largest of its kind that was measured and is not larger.

    What Airflow takes before the first script and after the last is counted once, the time between by the targets.

    :param cell: to be measured.
    :param measured: cells as they are kept.
    """
    alike = [one for one in measured if one["variant"] == cell.variant and one["script"] == cell.script]
    smaller = [one for one in alike if one["size"] <= cell.size]
    if not smaller:
        return None
    size = max(one["size"] for one in smaller)
    guesses: list[float] = [
        one["wall_seconds"] + one["running_seconds"] * (cell.size / size - 1) for one in smaller if one["size"] == size
    ]
    return sum(guesses) / len(guesses)
