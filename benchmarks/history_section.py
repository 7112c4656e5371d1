"""The page's section on a large history, from the raw results alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["section"]

_INTRODUCTION = """## A history of {executions:,} rows

`python -m benchmarks.history` fills a job database with {executions:,} rows of `jobs.job_executions` over 45 days,
{targets:,} of them of targets, with {attempts:,} attempts and {messages:,} messages. Then it asks
the sixteen monitoring queries, writes, and purges. {date}; {cores} cores for the server and the client together;
Python {python}, pyodbc {pyodbc}; server: {engine}.

SQL Server itself was not at hand: this is T-SQL on PostgreSQL's planner. The indexes
([what each is for](job_database.md#history-and-its-size)) are chosen for SQL Server alike: the same columns are sought
there, a filter is one that a literal in the view or the query implies, and its column is in the index. How long it
takes there is to be measured: `--server` names one.

### Monitoring queries

Each {samples} times after a first one, all rows read by the client; milliseconds.
"""


def section(raw: Mapping[str, Any]) -> str:
    """Return the section as Markdown.

    :param raw: what ``benchmarks/results/history.json`` holds.
    """
    first = next(iter(raw["queries"].values()))
    return "\n".join(
        [
            _INTRODUCTION.format(**raw["rows"], **raw["machine"], **raw, samples=first["samples"]),
            _table(f"| Query | Rows | First | {_HEAD} |", [_asked(raw, "queries", name) for name in raw["queries"]]),
            _slowest(raw),
            "### The package's own questions\n",
            _table(f"| | {_HEAD} |", [_asked(raw, "readers", name) for name in raw["readers"]]),
            _writers(raw),
            _purge(raw),
        ]
    )


_HEAD = "Mean | sd | Longest | Mean without the indexes"


def _asked(raw: Mapping[str, Any], kind: str, name: str) -> str:
    one = raw[kind][name]
    size = f" {one['rows']:,} | {_ms(one['first'])} |" if "rows" in one else ""
    before = _ms(raw["without_indexes"][kind][name]["mean"])
    return f"| {name} |{size} {_ms(one['mean'])} | {_ms(one['sd'])} | {_ms(one['max'])} | {before} |"


def _slowest(raw: Mapping[str, Any]) -> str:
    name, one = max(raw["queries"].items(), key=lambda item: item[1]["max"])
    return (
        f"The slowest is *{name}*: {_ms(one['max'])} ms for {one['rows']:,} rows. A query without any condition reads"
        " all of the history, and takes as long as that takes. Making the indexes took"
        f" {raw['index_seconds']:.0f} s at this size.\n"
    )


def _writers(raw: Mapping[str, Any]) -> str:
    ways = [raw["writers_empty"], raw["writers"], raw["without_indexes"]["writers"]]
    rows = [
        f"| {call} | " + " | ".join(_mean_and_most(way["calls"][call]) for way in ways) + " |"
        for call in raw["writers"]["calls"]
    ]
    rows.append(f"| targets a second by {ways[0]['threads']} writers |" + "".join(f" {_rate(way)} | |" for way in ways))
    return (
        "### Writing\n\n"
        "One target after the other, in an empty job database and in the full one, with the indexes and without;"
        " milliseconds, the last row apart.\n\n"
    ) + _table("| | Empty: mean | 95 % below | Full: mean | 95 % below | Without: mean | 95 % below |", rows)


def _mean_and_most(call: Mapping[str, Any]) -> str:
    return f"{_ms(call['mean'])} | {_ms(call['p95']) if call['samples'] > 1 else ''}"


def _rate(writers: Mapping[str, Any]) -> str:
    rate = writers["targets_per_second"]
    return f"{rate['mean']:.0f} (sd {rate['sd']:.0f})"


_CALLS = ("claim", "begin", "finish")


def _purge(raw: Mapping[str, Any]) -> str:
    purge, full = raw["purge"], raw["writers"]
    names = {
        "procedure": "`jobs.sp_purge_jobhistory`, one job",
        "package": "`PurgeJobHistoryOperator`",
        "package_while_written": f"the same, beside {full['threads']} writers",
    }
    rows = [
        f"| {title} | {purge[name]['rows']:,} | {purge[name]['seconds']:.1f} | {purge[name]['rows_per_second']:,} |"
        f" {_batch(purge[name])} |"
        for name, title in names.items()
    ]
    busy = purge["package_while_written"]
    calls = [
        f"| {call} | {_ms(busy['calls'][call]['mean'])} | {_ms(busy['calls'][call]['p95'])} |"
        f" {_ms(busy['calls'][call]['max'])} |"
        for call in _CALLS
    ]
    rate = full["targets_per_second"]["mean"]
    noticed = sum(busy["calls"][call]["mean"] for call in _CALLS)
    return (
        "### Purging\n\n"
        "Rows are those of `jobs.job_executions`; their attempts and messages go with them. Beside"
        f" {full['threads']} writers that do nothing else, the purge removes"
        f" {busy['rows_per_second'] / rate:.0f} times as many rows a second as they make when they are alone. A target"
        f" takes each of them {_ms(full['threads'] / rate)} ms when they are alone, and {_ms(noticed)} ms during the"
        " purge.\n\n"
        + _table("| | Rows | Seconds | Rows a second | Longest batch, ms |", rows)
        + f"\nWhat {full['threads']} writers notice of it; milliseconds:\n\n"
        + _table("| | Mean | 95 % below | Longest |", calls)
    )


def _batch(one: Mapping[str, Any]) -> str:
    return _ms(one["batches"]["max"]) if "batches" in one else ""


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def _table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "| --- |" + " ---: |" * (columns - 1), *rows]) + "\n"
