from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import readme
from benchmarks.page import ROOT, generate
from benchmarks.results import RESULTS
from tests.unit.benchmarks.cells import cell, matrix, small

README = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    cells = (cell("bare", 2.0), cell("chunks", 4.0), cell("bare", 9.0, size=5_000))
    held = {"name": "at_once", "scripts": 800, "mib_above_idle": 272.4, "seconds_until_all_are_stopped": 3.0}
    held["latest_loop_seconds_while_they_run"] = 0.5
    write(tmp_path, "matrix", matrix(*cells))
    write(tmp_path, "small", small({"name": "resolve", "seconds": 0.5}, held))
    return tmp_path


def write(folder: Path, name: str, data: dict[str, Any]) -> None:
    (folder / f"{name}.json").write_text(json.dumps(data))


def texts(data: Any) -> Iterator[str]:
    """Every text in plain JSON that is no name of a field."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, (dict, list)):
        for value in data.values() if isinstance(data, dict) else data:
            yield from texts(value)


class TestCommitted:
    def test_pages_and_figures_are_what_the_raw_data_makes(self) -> None:
        made = generate(RESULTS, (ROOT / "README.md").read_text(encoding="utf-8"))
        stale = [name for name, text in made.items() if (ROOT / name).read_text(encoding="utf-8") != text]
        assert stale == [], "run python -m benchmarks.page"

    def test_the_raw_data_names_no_host_and_no_folder(self) -> None:
        told = {text for path in RESULTS.glob("*.json") for text in texts(json.loads(path.read_text(encoding="utf-8")))}
        assert told
        assert [text for text in told if text.startswith("/") or "localhost" in text or "127.0.0.1" in text] == []


class TestPage:
    def test_it_has_every_section_that_was_measured(self, results: Path) -> None:
        page = generate(results, README)["docs/benchmarks.md"]
        heads = [line for line in page.splitlines() if line.startswith("## ")]
        assert heads == [
            "## What is met, and what is not",
            "## How it is measured",
            "## Ratios",
            "## Speed",
            "## CPU time: milliseconds for a target, by process",
            "## Peak memory: MiB, by process",
            "## Round trips to the job database",
            "## Growth",
            "## Without a run",
            "## 800 scripts at once",
            "## On what",
        ]
        assert "\n4 of 4.\n" in page

    def test_it_tells_the_machine_and_the_load(self, results: Path) -> None:
        lines = generate(results, README)["docs/benchmarks.md"].splitlines()
        assert "| python | 3.11.7 | 3.11.7 |" in lines
        assert "| os | - | Debian |" in lines
        assert "| load before a measurement | 0.5 to 0.5 | 0.2 to 0.2 |" in lines

    def test_it_tells_what_came_to_nothing(self, results: Path) -> None:
        broken = {**cell("worker", 0.0), "reason": "too slow"}
        write(results, "matrix", {**matrix(cell("bare", 2.0)), "broken": [broken]})
        page = generate(results, README)["docs/benchmarks.md"]
        assert "- (d) one task a database, in workers, no-op, 100 databases: too slow" in page

    def test_fleets_that_the_plot_does_not_show_make_none(self, results: Path) -> None:
        write(results, "matrix", matrix(cell("bare", 2.0, size=10), cell("chunks", 4.0, size=10)))
        made = generate(results, README)
        assert "## Growth" not in made["docs/benchmarks.md"]
        assert "docs/images/benchmarks.svg" not in made

    def test_no_line_of_prose_is_too_long(self, results: Path) -> None:
        page = generate(results, README)["docs/benchmarks.md"]
        assert [line for line in page.splitlines() if len(line) > 120 and not line.startswith("|")] == []

    def test_without_raw_data_nothing_is_invented(self, tmp_path: Path) -> None:
        made = generate(tmp_path, README)
        assert made["README.md"] == README
        assert set(made) == {"docs/benchmarks.md", "README.md"}
        assert "0 of 0." in made["docs/benchmarks.md"]


class TestReadme:
    def test_only_what_is_between_the_markers_changes(self, results: Path) -> None:
        text = generate(results, README)["README.md"]
        assert text.startswith(f"before\n{readme.BEGIN}\n")
        assert text.endswith(f"{readme.END}\nafter\n")
        assert "old" not in text

    def test_the_figures(self, results: Path) -> None:
        text = generate(results, README)["README.md"]
        assert "|  | 100 databases | 5,000 databases |" in text
        assert "| (a) bare pyodbc | 2 s, 100.0/s | 9 s, 1,111.1/s |" in text
        assert "| (e) chunks | 4 s, 50.0/s | - |" in text
        assert "800 scripts at once takes 272 MiB more" in text

    def test_to_make_it_again_changes_nothing(self, results: Path) -> None:
        once = generate(results, README)["README.md"]
        assert generate(results, once)["README.md"] == once

    def test_a_readme_without_its_place_is_an_error(self, results: Path) -> None:
        with pytest.raises(ValueError, match="no place"):
            generate(results, "text")
