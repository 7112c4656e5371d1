from __future__ import annotations

import pytest

from benchmarks.statistics import Table
from benchmarks.tables import (
    cost_table,
    markdown_table,
    memory_table,
    overhead_milliseconds,
    ratio_table,
    round_trip_table,
    speed_table,
)
from tests.unit.benchmarks.cells import cell

TABLE = Table([cell("bare", 2.0), cell("chunks", 4.0), cell("chunks", 6.0, repetition=2)])


def test_a_table_in_markdown() -> None:
    assert markdown_table(("a", "b"), [("x", 1), (None, 2)]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n| - | 2 |"


def test_overhead_is_the_wall_time_beyond_bare() -> None:
    found = overhead_milliseconds(TABLE, "no-op", 100, "chunks")
    assert found is not None
    assert found.values == pytest.approx((20.0, 40.0))
    assert overhead_milliseconds(TABLE, "no-op", 100, "worker") is None


def test_speed() -> None:
    lines = speed_table(TABLE, "no-op").splitlines()
    assert lines[2] == "| 100 | (a) bare pyodbc | 1 | 2.00 | 1.00 | 100 | - |"
    assert lines[3].startswith("| 100 | (e) chunks | 2 | 5.00 ± 1.41 | 2.50 ± 0.71 |")


def test_ratios_tell_how_often() -> None:
    assert "| no-op | (e)/(a), rate once running | 0.500 (n 1) |" in ratio_table(TABLE)


def test_cpu_time_of_a_target_with_its_sum() -> None:
    assert cost_table(TABLE, "no-op").splitlines()[2] == "| 100 | (a) bare pyodbc | 10.0 | 20.0 | 30.0 |"


def test_memory() -> None:
    assert memory_table(TABLE, "no-op").splitlines()[2] == "| 100 | (a) bare pyodbc | 30 |"


def test_round_trips_of_this_package_alone() -> None:
    lines = round_trip_table(TABLE, "no-op").splitlines()
    assert lines[2:] == ["| 100 | (e) chunks | 3.20 ± 0.00 | 4.00 ± 0.00 |"]


def test_a_server_that_counts_nothing_has_no_round_trips() -> None:
    table = Table([cell("chunks", 4.0, job_database=None)])
    assert round_trip_table(table, "no-op").splitlines()[2] == "| 100 | (e) chunks | - | - |"
