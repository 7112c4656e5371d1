"""``python -m benchmarks.page``: docs/benchmarks.md, its plot and the README's figures, from the raw data alone."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import readme, sections
from benchmarks.goals import goals
from benchmarks.method import method
from benchmarks.plan import LIMITS, VARIANTS
from benchmarks.plot import line_plot
from benchmarks.results import RESULTS, read
from benchmarks.statistics import Table
from benchmarks.tables import markdown_table, per_target

__all__ = ["Pages", "generate", "main"]

ROOT = Path(__file__).parent.parent
_PLOT = "images/benchmarks.svg"
_PLOTTED_SIZES = (100, 1_000, 5_000)
_PLOTTED_SCRIPT = "no-op"

#: File name (relative to the project's folder) to text.
Pages = dict[str, str]


def generate(results: Path, readme_text: str) -> Pages:
    """Return every file that is made from the raw data, by its name within the project.

    :param results: folder of the raw data.
    :param readme_text: the README as it is; only what is between its markers changes.
    """
    matrix, small = read(results / "matrix.json"), read(results / "small.json")
    plot = _plot(Table(matrix["cells"])) if matrix else None
    pages = {"docs/benchmarks.md": _page(results, matrix, small, _PLOT if plot else None)}
    if plot:
        pages[f"docs/{_PLOT}"] = plot
    pages["README.md"] = readme.with_figures(readme_text, matrix, small)
    return pages


def _page(results: Path, matrix: Mapping[str, Any] | None, small: Mapping[str, Any] | None, plot: str | None) -> str:
    parts = [sections.INTRODUCTION, _goal_section(matrix, small)]
    if matrix:
        parts += [method(matrix), *sections.matrix(matrix, plot)]
    if small:
        parts.append(sections.small(small))
    if history := read(results / "history.json"):
        # Another program's measurements, and its own way to show them.
        parts.append(str(importlib.import_module("benchmarks.history").section(history)).strip())
    parts.append(sections.machines({"matrix": matrix, "small": small}))
    return "\n\n".join(parts) + "\n"


def _goal_section(matrix: Mapping[str, Any] | None, small: Mapping[str, Any] | None) -> str:
    found = goals(matrix, small)
    met = sum(goal.is_met for goal in found)
    rows = [(goal.text, goal.found, "yes" if goal.is_met else "**no**") for goal in found]
    table = markdown_table(("Aimed at", "Found", "Met"), rows, texts=3)
    return f"## What is met, and what is not\n\n{met} of {len(found)}.\n\n{table}"


def _plot(table: Table) -> str | None:
    """Return the plot of growth, or None if no fleet was measured that it shows."""
    series = {}
    ways = {variant: name for variant, name in VARIANTS.items() if variant not in LIMITS}
    for variant, name in ways.items():
        samples = {size: table.sample(_PLOTTED_SCRIPT, size, variant, per_target) for size in _PLOTTED_SIZES}
        series[name] = [(float(size), sample.mean) for size, sample in samples.items() if sample]
    title, labels = "Cost of a target, once running: a no-op script", ("databases", "milliseconds for a target")
    return line_plot(title, labels, series) if any(series.values()) else None


def main() -> int:
    """Write the files, or with ``--check`` only tell which of them are not what the raw data makes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the raw data")
    parser.add_argument("--check", action="store_true", help="write nothing; the exit code is 1 if something differs")
    options = parser.parse_args()
    stale = []
    for name, text in generate(options.results, (ROOT / "README.md").read_text(encoding="utf-8")).items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not options.check:
                path.write_text(text, encoding="utf-8")
    sys.stdout.write("".join(f"{name}\n" for name in stale))
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
