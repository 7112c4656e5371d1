from __future__ import annotations

import re
from pathlib import Path

from tests.wire.reliability import page
from tests.wire.reliability.scenarios import MODES, SCENARIOS, VARIANTS


def test_the_page_shows_what_was_recorded() -> None:
    assert page.written() == page.table(page.recorded())


def test_what_was_recorded_is_every_scenario_and_no_other() -> None:
    found = {(one["scenario"], one["variant"], one["mode"]) for one in page.recorded()}
    assert found == {(each.name, variant, mode) for each in SCENARIOS for variant in VARIANTS for mode in MODES}


def test_the_tests_with_a_whole_airflow_that_it_names_are_there() -> None:
    named = set(re.findall(r"\| `(test_\w+|Test\w+)` \|$", page.PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    folder = Path(__file__).parents[2] / "airflow"
    known = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    assert len(named) >= 8
    assert [name for name in named if not re.search(rf"^(def|class) {name}\b", known, re.MULTILINE)] == []
