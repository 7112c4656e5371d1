from __future__ import annotations

from tests.wire.reliability import page
from tests.wire.reliability.scenarios import MODES, SCENARIOS, VARIANTS


def test_the_page_shows_what_was_recorded() -> None:
    assert page.written() == page.table(page.recorded())


def test_what_was_recorded_is_every_scenario_and_no_other() -> None:
    found = {(one["scenario"], one["variant"], one["mode"]) for one in page.recorded()}
    assert found == {(each.name, variant, mode) for each in SCENARIOS for variant in VARIANTS for mode in MODES}
