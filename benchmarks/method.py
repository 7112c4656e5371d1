"""How the matrix is measured, in words: part of the page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from benchmarks.plan import MOST_TASKS, SCRIPTS, chunks_of, default_repetitions
from benchmarks.statistics import Table

__all__ = ["method", "paragraph"]

_WIDTH = 120
_USUAL = 5

_WAYS = """\
- **the servers' own limit**: four processes of bare clients press the servers together, each as wide as (a). They share
  the machine with the servers.
- **(a)** bare pyodbc: a thread pool in one process. It logs in, runs the script, reads the results and closes.
- **(b)** what one would write with Airflow's own operators: a task lists the databases of a server, and
  `SQLExecuteQueryOperator.partial(...).expand(hook_params=...)` over the odbc provider runs the script
  (`benchmarks/dags/matrix/expand.py`). No row tells what ran; there are no locks, no messages, no attempts that are
  kept. It shares the Airflow, and so profits from what this package loads ahead there (`[elasticjobs] preload`).
- **Airflow's own limit**: the same mapped tasks, each of which does nothing but defer to a trigger of Airflow's own
  that ends it at once (`benchmarks/dags/matrix/defer.py`). Nothing that defers can be ahead of it: a triggerer takes
  new triggers, and tells of those that have ended, once a second.
- **(c)** `ElasticJob`, one task a database, deferred to the triggerer; once as wide as the others, and once with a pool
  of 100 slots, as many as the smallest tier of Azure Elastic Jobs (JA100) has. Workers are as many as for the others.
- **(d)** the same with `deferrable=False`, in workers.
- **(e)** `ElasticJob` with `targets_per_task`: chunks."""

_WORDS = """\
- **Wall**: from the request for the run to its end, by Airflow's own times; of bare clients, the time in the pool.
- **Once running**: from the beginning of the first script to the end of the last. For (c), (d) and (e) these are the
  attempts' rows in the job database, for (b) the times of Airflow's mapped tasks, which begin a little before their
  script, as their process starts.
- **Overhead a target**: the wall time beyond the mean of (a)'s, divided by the databases.
- **Memory** is looked at every two seconds (PSS: what processes share is divided among them), **CPU time** is the
  kernel's count, of ended processes too. Airflow is up while bare clients are measured, and does nothing; its own
  database forgets each run that was measured, the job database keeps the rows of all."""


def paragraph(*sentences: str) -> str:
    """Return sentences as the lines of a paragraph; empty ones are left out."""
    text = " ".join(sentence for sentence in sentences if sentence)
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def method(raw: Mapping[str, Any]) -> str:
    """Return what was measured, and how.

    :param raw: the matrix.
    """
    table = Table(raw["cells"])
    scripts = " and ".join(f"{name} (`{SCRIPTS[name]}`)" for name in table.scripts)
    parts = [
        "## How it is measured",
        paragraph(
            f"The scripts are {scripts}.",
            _width(table, raw["options"]["width"]),
            "Each DAG has a file of its own.",
            _servers(raw["options"]),
            "Airflow keeps its state in SQLite, and everything shares one machine.",
            "`[core] max_map_length` is raised to 10,000 (from 1,024), which (b) needs for 5,000 databases.",
        ),
        _WAYS,
        paragraph(
            f"An `ElasticJob` never makes more than {MOST_TASKS:,} tasks of a step: (c) and (d) on 5,000 databases are"
            " 1,000 tasks of five, one script at a time in each."
        ),
        _WORDS,
        paragraph(
            "All ways take turns within each repetition, and each repetition begins with another one. Before all that,",
            "a run of each way is made that is not counted.",
            _left_out(table),
        ),
    ]
    return "\n\n".join(parts)


def _width(table: Table, width: int) -> str:
    chunks = {size: chunks_of("chunks", size, width) for size in table.sizes}
    sizes = ", ".join(f"{one.targets_per_task:,} of {size:,}" for size, one in chunks.items())
    parallelism = max(one.chunk_parallelism or 1 for one in chunks.values())
    return (
        f"**{width} scripts run at a time** in every way but (c) with the slots of a tier: threads of (a); slots of"
        f" a pool, with as many workers (LocalExecutor, `parallelism` {width}), in (b), (c) and (d);"
        f" {width // parallelism} chunks at a time with {parallelism} scripts each in (e), whose `targets_per_task` is"
        f" {sizes}."
    )


def _servers(options: Mapping[str, Any]) -> str:
    if options["engine"] != "sandbox":
        return "Targets and job database are databases of one server."
    return (
        f"The targets are on sandboxes (stand-ins for SQL Server, in Python) in {options['processes']} processes, the"
        " job database is on one in another."
    )


def _left_out(table: Table) -> str:
    letters = {
        "expand": "(b)",
        "deferrable": "(c) as wide as the others",
        "tier": "(c) with 100 slots",
        "worker": "(d)",
    }
    left: dict[int, list[str]] = {}
    for size in table.sizes:
        for variant, letter in letters.items():
            if not default_repetitions(table.scripts[0], variant, size, _USUAL):
                left.setdefault(size, []).append(letter)
    if not left:
        return ""
    told = "; ".join(f"{', '.join(found)} on {size:,} databases" for size, found in left.items())
    return (
        f"Without options all is measured {_USUAL} times, but not what takes many minutes for each run on this machine:"
        f" {told}. The column n says how often it was."
    )
