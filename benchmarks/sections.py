"""The sections of the page of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.method import paragraph
from benchmarks.plan import VARIANTS
from benchmarks.statistics import Sample, Table
from benchmarks.tables import cost_table, markdown_table, memory_table, ratio_table, round_trip_table, speed_table

__all__ = ["INTRODUCTION", "machines", "matrix", "small"]

INTRODUCTION = """\
# Benchmarks

What it costs to run a script on a fleet, by this package and by what one would do without it, side by side on the same
machine. `make bench` measures it and writes this page; the history of a million rows, which tells something on a real
engine only, it measures where `ELASTICJOBS_TEST_SERVER` names one. The raw data is in `benchmarks/results/`. Do not
edit the page: `python -m benchmarks.page` writes it from the raw data alone. Each figure is a mean ± its standard
deviation; n is how often it was measured, and `-` stands where nothing was."""


def matrix(raw: Mapping[str, Any], plot: str | None) -> list[str]:
    """Return the sections of the matrix.

    :param raw: the matrix.
    :param plot: the plot's path, as the page links it, if there is one.
    """
    table = Table(raw["cells"])
    broken = [f"- {_cell_name(one)}: {one['reason']}" for one in raw["broken"]]
    by_script = {
        "Speed": speed_table,
        "CPU time: milliseconds for a target, by process": cost_table,
        "Peak memory: MiB, by process": memory_table,
    }
    parts = [f"## Ratios\n\n{ratio_table(table)}"]
    if broken:
        parts.insert(0, "## Measurements that came to nothing\n\n" + "\n".join(broken))
    for title, make in by_script.items():
        parts += [f"## {title}"] if len(table.scripts) > 1 else []
        for script in table.scripts:
            head = f"### {script}" if len(table.scripts) > 1 else f"## {title}"
            parts.append(f"{head}\n\n{make(table, script)}")
    script = table.scripts[0]
    if table.names("job_database"):
        text = paragraph(
            f"All batches that it answered during the run ({script}), those of the resolving task, of heartbeats and",
            "of the questions whether to stop among them.",
        )
        parts.append(f"## Round trips to the job database\n\n{text}\n\n{round_trip_table(table, script)}")
    if plot:
        parts.append(f"## Growth\n\n![Milliseconds for a target once running, by the size of the fleet]({plot})")
    return parts


def _cell_name(cell: Mapping[str, Any]) -> str:
    return f"{VARIANTS[cell['variant']]}, {cell['script']}, {cell['size']:,} databases"


_TIMED = {
    "import": "import the package: what a DAG file needs, beyond Airflow itself",
    "parse": "parse a DAG file with an `ElasticJob` of five steps, beyond its imports",
    "resolve": "resolve 5,000 databases of one server",
    "register": "begin a step on 5,000 databases: its definition and a row for each",
}
_HELD = {
    "mib_above_idle": "memory above the idle process, MiB",
    "threads": "threads",
    "seconds_until_all_run": "until all run, s",
    "cores_while_they_run": "processor cores used while they run",
    "latest_loop_seconds_while_starting": "event loop late while they start, at most, s",
    "latest_loop_seconds_while_they_run": "event loop late while they run, at most, s",
    "latest_loop_seconds_while_stopping": "event loop late while they are stopped, at most, s",
    "seconds_until_all_are_stopped": "until all are stopped, s",
    "most_at_once_by_the_servers": "at once, as the servers count",
}


_ONE_RUN = {
    "seconds": "the run, s",
    "targets_per_second": "databases a second, all of the run counted",
    "tasks": "tasks that ran scripts",
    "longest_scheduler_loop_seconds": "longest loop of the scheduler, s",
    "scheduler_mib_second_quarter": "the scheduler's memory (RSS, without its workers) in the second quarter, MiB",
    "scheduler_mib_last_quarter": "the same in the last quarter",
    "triggerer_mib_second_quarter": "the triggerer's memory in the second quarter, MiB",
    "triggerer_mib_last_quarter": "the same in the last quarter",
}


def small(raw: Mapping[str, Any]) -> str:
    """Return the section of the small measurements.

    :param raw: theirs.
    """
    parts = []
    timed = [(text, *_row(raw, name, "seconds")) for name, text in _TIMED.items()]
    if rows := [row for row in timed if row[1]]:
        parts.append(f"## Without a run\n\n{markdown_table(('What', 'n', 'Seconds'), rows)}")
    held = _found(raw, "at_once", _HELD)
    if held:
        text = paragraph(
            "The package's triggers in the event loop of one process, as a triggerer runs them, without the rest of",
            "Airflow; the servers are four sandboxes (`benchmarks/at_once.py`). All are begun at the same moment, held",
            "and stopped.",
        )
        parts.append(f"## 800 scripts at once\n\n{text}\n\n{held}")
    run = _found(raw, "one_run", _ONE_RUN)
    if run:
        text = paragraph(
            "An `ElasticJob` whose author said nothing of chunks, on 5,000 databases of two servers, with the slots of",
            "JA100; a no-op script, a whole Airflow with the scheduler's debug log (`benchmarks/one_run.py`).",
        )
        parts.append(f"## 5,000 databases in one run\n\n{text}\n\n{run}")
    return "\n\n".join(parts)


def _found(raw: Mapping[str, Any], name: str, fields: Mapping[str, str]) -> str:
    """Return the table of what a measurement found, empty if it was not made."""
    rows = [(text, *_row(raw, name, field)) for field, text in fields.items()]
    measured = [row for row in rows if row[1]]
    return markdown_table(("What", "n", "Found"), measured) if measured else ""


def _row(raw: Mapping[str, Any], name: str, field: str) -> tuple[int, Sample | None]:
    values = tuple(float(cell[field]) for cell in raw["cells"] if cell["name"] == name and field in cell)
    return len(values), Sample(values) if values else None


def machines(found: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return on what everything was measured.

    :param found: raw data by the name of its file.
    """
    measured = {name: raw for name, raw in found.items() if raw}
    fields = dict.fromkeys(field for raw in measured.values() for field in raw["environment"])
    rows = [(field, *(raw["environment"].get(field) for raw in measured.values())) for field in fields]
    for field, of in (("measured", _dates), ("load before a measurement", _loads)):
        rows.append((field, *(of(raw) for raw in measured.values())))
    table = markdown_table(("", *(f"`{name}.json`" for name in measured)), rows, texts=1 + len(measured))
    return f"## On what\n\n{table}"


def _dates(raw: Mapping[str, Any]) -> str:
    dates = sorted(cell["date"] for cell in raw["cells"])
    return f"{dates[0]} to {dates[-1]} UTC"


def _loads(raw: Mapping[str, Any]) -> str:
    loads = [cell["load"] for cell in raw["cells"]]
    return f"{min(loads):.1f} to {max(loads):.1f}"
