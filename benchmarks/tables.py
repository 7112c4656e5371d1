"""The matrix as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.plan import VARIANTS
from benchmarks.statistics import Sample, Table, number

__all__ = [
    "cost_table",
    "markdown_table",
    "memory_table",
    "overhead_milliseconds",
    "per_target",
    "rate",
    "ratio_table",
    "round_trip_table",
    "speed_table",
    "wall",
]

_Cell = Mapping[str, Any]
NOT_MEASURED = "-"
_MILLISECONDS = 1000


def wall(cell: _Cell) -> float:
    """Seconds from the request for the run to the run's end."""
    return float(cell["wall_seconds"])


def running(cell: _Cell) -> float:
    """Seconds from the beginning of the first script to the end of the last."""
    return float(cell["running_seconds"])


def rate(cell: _Cell) -> float:
    """Targets a second once running."""
    return float(cell["size"]) / running(cell)


def per_target(cell: _Cell) -> float:
    """Milliseconds for a target once running."""
    return running(cell) / float(cell["size"]) * _MILLISECONDS


def overhead_milliseconds(table: Table, script: str, size: int, variant: str) -> Sample | None:
    """Return by how many milliseconds a target takes more wall time than with bare pyodbc in the same repetition."""
    mine = table.sample(script, size, variant, wall)
    bare = table.sample(script, size, "bare", wall)
    if mine is None or bare is None:
        return None
    return Sample(tuple((value - bare.mean) / size * _MILLISECONDS for value in mine.values))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1) -> str:
    """Return a table in Markdown.

    :param head: its columns.
    :param rows: its rows; None is shown as not measured.
    :param texts: how many columns hold text and stand at the left; the others are numbers.
    """
    marks = ["---" if place < texts else "---:" for place in range(len(head))]
    lines = [head, marks, *([NOT_MEASURED if one is None else str(one) for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured(table: Table, script: str) -> Iterator[tuple[int, str, str]]:
    """Yield size, variant and the variant's name of all that was measured, in the order of the page."""
    for size in table.sizes:
        for variant, name in VARIANTS.items():
            if table.sample(script, size, variant, wall):
                yield size, variant, name


def speed_table(table: Table, script: str) -> str:
    """Return wall time, rate and overhead of a script in all variants."""
    rows = []
    for size, variant, name in _measured(table, script):
        seconds, while_running, a_second = (table.sample(script, size, variant, of) for of in (wall, running, rate))
        is_compared = variant not in {"bare", "limit"}
        overhead = overhead_milliseconds(table, script, size, variant) if is_compared else None
        n = seconds.n if seconds else None
        rows.append((f"{size:,}", name, n, seconds, while_running, a_second, overhead))
    head = ("Databases", "How", "n", "Wall, s", "Once running, s", "Targets/s once running", "Overhead a target, ms")
    return markdown_table(head, rows, texts=2)


def ratio_table(table: Table) -> str:
    """Return the ratios that decide."""
    pairs = {
        "(e)/(a), rate once running": (("chunks", "bare"), rate),
        "(c)/(b), wall time": (("deferrable", "expand"), wall),
        "(c) with 100 slots/(b), wall time": (("tier", "expand"), wall),
        "(c) with 100 slots/(b), rate once running": (("tier", "expand"), rate),
        "tasks that only defer/(b), wall time": (("defer", "expand"), wall),
        "the same with 100 slots": (("defer_wide", "expand"), wall),
        "(d)/(b), wall time": (("worker", "expand"), wall),
    }
    rows = []
    for script in table.scripts:
        for name, (variants, quantity) in pairs.items():
            found = [table.ratio(script, size, variants, quantity) for size in table.sizes]
            if any(found):
                rows.append((script, name, *(None if one is None else f"{one} (n {one.n})" for one in found)))
    return markdown_table(("Script", "Ratio", *(f"{size:,}" for size in table.sizes)), rows, texts=2)


def cost_table(table: Table, script: str) -> str:
    """Return the CPU time of each process, in milliseconds for a target."""
    return _by_process(
        table, script, "cpu_seconds", lambda value, size: number(value / size * _MILLISECONDS), with_sum=True
    )


def memory_table(table: Table, script: str) -> str:
    """Return the peak memory of each process, in MiB."""
    return _by_process(table, script, "peak_mib", lambda value, _: f"{value:,.0f}")


def _by_process(
    table: Table, script: str, field: str, show: Callable[[float, int], str], *, with_sum: bool = False
) -> str:
    names = table.names(field)
    rows = []
    for size, variant, name in _measured(table, script):
        samples = [table.sample(script, size, variant, _part(field, one)) for one in names]
        shown = [None if one is None else show(one.mean, size) for one in samples]
        total = [show(sum(one.mean for one in samples if one), size)] if with_sum else []
        rows.append((f"{size:,}", name, *shown, *total))
    return markdown_table(("Databases", "How", *names, *(["all"] if with_sum else [])), rows, texts=2)


def _part(field: str, name: str) -> Callable[[_Cell], float | None]:
    return lambda cell: cell[field].get(name)


def _batches(cell: _Cell) -> float | None:
    counted = cell["job_database"]
    return float(counted["batches"]) / float(cell["size"]) if counted else None


def _logins(cell: _Cell) -> float | None:
    counted = cell["job_database"]
    return float(counted["logins"]) if counted else None


def round_trip_table(table: Table, script: str) -> str:
    """Return the batches that the job database answered for a target, and the logins of the whole run."""
    rows = [
        (f"{size:,}", name, *(table.sample(script, size, variant, one) for one in (_batches, _logins)))
        for size, variant, name in _measured(table, script)
        if variant in {"deferrable", "tier", "worker", "chunks"}
    ]
    return markdown_table(("Databases", "How", "Batches a target", "Logins of the run"), rows, texts=2)
