"""The README's figures: a block between two markers, made from the raw data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.method import paragraph
from benchmarks.plan import LIMITS, SCRIPTS, VARIANTS
from benchmarks.statistics import Table
from benchmarks.tables import markdown_table, rate, wall

__all__ = ["BEGIN", "END", "with_figures"]

BEGIN = "<!-- figures: begin; written by python -m benchmarks.page -->"
END = "<!-- figures: end -->"
_SIZES = (100, 1_000, 5_000)
_SCRIPT = "no-op"


def with_figures(text: str, matrix: Mapping[str, Any] | None, small: Mapping[str, Any] | None) -> str:
    """Return the README with the figures of the raw data between its markers.

    :param text: the README.
    :param matrix: raw data of the matrix; without it the README stays as it is.
    :param small: raw data of the small measurements.
    :raises ValueError: if it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the README has no place for the figures")
    return f"{before}{BEGIN}\n{_figures(matrix, small)}\n{END}{after}" if matrix else text


def _figures(matrix: Mapping[str, Any], small: Mapping[str, Any] | None) -> str:
    table = Table(matrix["cells"])
    script = _SCRIPT if _SCRIPT in table.scripts else table.scripts[0]
    sizes = [size for size in _SIZES if size in table.sizes]
    rows = []
    for variant, name in VARIANTS.items():
        if variant in LIMITS:
            continue
        cells = []
        for size in sizes:
            seconds, speed = (table.sample(script, size, variant, of) for of in (wall, rate))
            cells.append(f"{seconds.mean:,.0f} s, {speed.mean:,.1f}/s" if seconds and speed else None)
        rows.append((name, *cells))
    machine, options = matrix["environment"], matrix["options"]
    text = paragraph(
        f"The script `{SCRIPTS[script]}`, {options['width']} at a time where no other number is said, everything on",
        f"one machine with {machine['cores']} cores:",
        "wall time of the run, and scripts a second once running.",
    )
    more = paragraph(
        _held(small),
        "How this was measured, with deviations, CPU time, memory, and what was aimed at and missed:",
        "[docs/benchmarks.md](docs/benchmarks.md).",
    )
    return f"{text}\n\n{markdown_table(('', *(f'{size:,} databases' for size in sizes)), rows)}\n\n{more}"


def _held(small: Mapping[str, Any] | None) -> str:
    held = [cell for cell in (small or {"cells": ()})["cells"] if cell["name"] == "at_once"]
    if not held:
        return ""
    most = max(cell["mib_above_idle"] for cell in held)
    return f"One process that runs {held[0]['scripts']} scripts at once takes {most:,.0f} MiB more than an idle one."
