from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.history import RESULTS, section


@pytest.fixture(scope="module")
def raw() -> Any:
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_a_million_rows_were_measured_and_each_query_takes_less_than_a_second(raw: Any) -> None:
    assert raw["rows"]["executions"] >= 1_000_000
    assert {name.split()[0] for name in raw["queries"]} == {str(number) for number in range(1, 17)}
    assert [name for name, one in raw["queries"].items() if one["samples"] < 5 or one["max"] >= 1] == []


def test_the_purge_is_faster_than_the_writers(raw: Any) -> None:
    assert raw["purge"]["package_while_written"]["rows_per_second"] > raw["writers"]["targets_per_second"]["max"]


def test_the_section_shows_all_that_was_measured(raw: Any) -> None:
    text = section(raw)
    for kind in ("queries", "readers"):
        for name, one in raw[kind].items():
            (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} |"))
            assert f"{one['mean'] * 1000:,.1f}"[:3] in line
    assert raw["engine"] in text


def test_what_is_shown_comes_from_what_was_measured(raw: Any) -> None:
    slow = raw["queries"] | {"7 everything of a run": raw["queries"]["7 everything of a run"] | {"max": 4.321}}
    assert "The slowest is *7 everything of a run*: 4,321 ms" in section({**raw, "queries": slow})
