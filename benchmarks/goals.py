"""What was aimed at, and what was found: each goal is judged by the raw data alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.statistics import Sample, Table
from benchmarks.tables import per_target, rate, wall

__all__ = ["Goal", "goals", "matrix_goals", "small_goals"]

_CHUNKS_TO_BARE = 0.6
_RESOLVE_SECONDS = 2.0
_IMPORT_SECONDS = 0.2
_PARSE_SECONDS = 0.05
_MOST_MIB = 600.0
_LATEST_LOOP_SECONDS = 1.0
_STOP_SECONDS = 10.0
_LATEST_SCHEDULER_SECONDS = 10.0
_FLAT_MEMORY = 1.1
#: Sizes from which on a run is not mostly Airflow's beginning and end.
_LARGE = 1_000
#: What Airflow alone takes for tasks as many and as wide that defer.
_LIMITS = {"deferrable": "defer", "tier": "defer_wide"}
_FLAT_SIZES = (100, 1_000, 5_000)
_FLAT = 1.5


@dataclass(frozen=True)
class Goal:
    """One thing that was aimed at.

    :param text: what was aimed at.
    :param found: what was measured.
    :param is_met: whether that is good enough, by the mean.
    """

    text: str
    found: str
    is_met: bool


def goals(matrix: Mapping[str, Any] | None, small: Mapping[str, Any] | None) -> list[Goal]:
    """Return every goal that something was measured for.

    :param matrix: raw data of the matrix.
    :param small: raw data of the small measurements.
    """
    found = list(matrix_goals(Table(matrix["cells"]))) if matrix else []
    return [*found, *(small_goals(small["cells"]) if small else ())]


def matrix_goals(table: Table) -> Iterator[Goal]:
    """Yield the goals of the matrix.

    :param table: its cells.
    """
    for script in table.scripts:
        for size in (size for size in table.sizes if size >= _LARGE):
            ratio = table.ratio(script, size, ("chunks", "bare"), rate)
            if ratio:
                text = f"(e) at least {_CHUNKS_TO_BARE} of (a)'s rate once running, {script}, {size:,} databases"
                yield Goal(text, _with_n(ratio), ratio.mean >= _CHUNKS_TO_BARE)
    for script in table.scripts:
        for size in table.sizes:
            for variant, slots in (("deferrable", ""), ("tier", " with 100 slots")):
                pair = (variant, "expand")
                if ratio := table.ratio(script, size, pair, wall):
                    text = f"(c){slots} ahead of (b) in wall time, {script}, {size:,} databases"
                    least = table.ratio(script, size, (_LIMITS[variant], "expand"), wall)
                    bound = f"; tasks that only defer {_with_n(least)}" if least else ""
                    yield Goal(text, f"(c)/(b) {_with_n(ratio)}{bound}", ratio.mean < 1)
                if ratio := table.ratio(script, size, pair, rate):
                    text = f"(c){slots} ahead of (b) in rate once running, {script}, {size:,} databases"
                    yield Goal(text, f"(c)/(b) {_with_n(ratio)}", ratio.mean > 1)
    for script in table.scripts:
        yield from _flatness(table, script)


def _flatness(table: Table, script: str) -> Iterator[Goal]:
    for variant, name in (("chunks", "(e)"), ("deferrable", "(c)"), ("tier", "(c) with 100 slots")):
        means = _means(table, script, variant)
        if len(means) > 1:
            factor = _factor(means)
            sizes = ", ".join(f"{size:,}" for size in means)
            text = f"{name} costs a target the same at {sizes} databases, within a factor of {_FLAT}, {script}"
            limit = _means(table, script, _LIMITS[variant]) if variant in _LIMITS else {}
            bound = f"; tasks that only defer {_factor(limit):.2f}" if limit.keys() == means.keys() else ""
            yield Goal(text, f"factor {factor:.2f}{bound}", factor <= _FLAT)


def _means(table: Table, script: str, variant: str) -> dict[int, float]:
    samples = {size: table.sample(script, size, variant, per_target) for size in _FLAT_SIZES}
    return {size: sample.mean for size, sample in samples.items() if sample}


def _factor(means: Mapping[int, float]) -> float:
    return max(means.values()) / min(means.values())


def small_goals(cells: Sequence[Mapping[str, Any]]) -> Iterator[Goal]:
    """Yield the goals of the small measurements.

    :param cells: as they are kept.
    """

    def sample(name: str, of: Callable[[Mapping[str, Any]], float]) -> Sample | None:
        values = tuple(of(cell) for cell in cells if cell["name"] == name)
        return Sample(values) if values else None

    timed = {
        "resolve": ("resolving 5,000 databases of one server", _RESOLVE_SECONDS),
        "import": ("importing the package, beyond Airflow itself", _IMPORT_SECONDS),
        "parse": ("parsing a DAG file with an `ElasticJob` of five steps, beyond its imports", _PARSE_SECONDS),
    }
    for name, (text, most) in timed.items():
        if found := sample(name, lambda cell: float(cell["seconds"])):
            yield Goal(f"{text}: under {most:g} s", f"{_with_n(found)} s", found.mean < most)
    held = {
        "at most 600 MiB above an idle process": (lambda cell: float(cell["mib_above_idle"]), _MOST_MIB, "MiB"),
        "the event loop never late by more than a second": (_latest_loop, _LATEST_LOOP_SECONDS, "s"),
        "all stopped within ten seconds": (
            lambda cell: float(cell["seconds_until_all_are_stopped"]),
            _STOP_SECONDS,
            "s",
        ),
    }
    for text, (of, most, unit) in held.items():
        if found := sample("at_once", of):
            yield Goal(f"800 scripts at once: {text}", f"{_with_n(found)} {unit}", max(found.values) <= most)

    if found := sample("one_run", lambda cell: float(cell["longest_scheduler_loop_seconds"])):
        text = "5,000 databases in one run: no loop of the scheduler above ten seconds"
        yield Goal(text, f"{_with_n(found)} s", max(found.values) <= _LATEST_SCHEDULER_SECONDS)
    if found := sample("one_run", _growth):
        text = f"5,000 databases in one run: flat memory, within a factor of {_FLAT_MEMORY}"
        yield Goal(text, f"factor {_with_n(found)}", max(found.values) <= _FLAT_MEMORY)


def _growth(cell: Mapping[str, Any]) -> float:
    """By how much the triggerer or the scheduler grew from the run's second quarter to its last."""
    return max(
        float(cell[f"{process}_mib_last_quarter"]) / float(cell[f"{process}_mib_second_quarter"])
        for process in ("scheduler", "triggerer")
    )


def _latest_loop(cell: Mapping[str, Any]) -> float:
    return max(float(value) for name, value in cell.items() if name.startswith("latest_loop_seconds"))


def _with_n(sample: Sample) -> str:
    return f"{sample} (n {sample.n})"
