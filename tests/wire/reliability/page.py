"""The table of ``docs/reliability.md``, as the recorded results make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.wire.reliability.scenarios import MODES, SCENARIOS, VARIANTS

DOCS = Path(__file__).parents[3] / "docs"
PAGE, RECORD = DOCS / "reliability.md", DOCS / "reliability.json"
BEGIN, END = "<!-- matrix: begin (written by `make reliability`) -->\n", "<!-- matrix: end -->\n"

_TIMES = {0: "never", 1: "once", 2: "twice"}
_HEAD = (
    "| What goes wrong | Step | Mode | The script reached the server | Its work took effect | The row says |"
    " Attempts |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


def table(results: list[dict[str, Any]]) -> str:
    """Return the matrix; where the modes do not differ, a row stands for both."""
    found = {(one["scenario"], one["variant"], one["mode"]): one for one in results}
    lines = []
    for scenario in SCENARIOS:
        for variant in VARIANTS:
            cells = {mode: _cells(found[scenario.name, variant, mode]) for mode in MODES}
            modes = {"both": cells[MODES[0]]} if len(set(cells.values())) == 1 else cells
            lines += [f"| {scenario.name} | {variant} | {mode} | {text} |\n" for mode, text in modes.items()]
    return _HEAD + "".join(lines)


def _cells(one: dict[str, Any]) -> str:
    done = (_TIMES[one["sent"]], _TIMES[one["committed"]])
    return " | ".join((*done, f"`{one['lifecycle']}`, {one['outcome']}", str(one["attempts"])))


def written() -> str:
    """Return the table that the page has now."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def recorded() -> list[dict[str, Any]]:
    """Return the results that the page was made from."""
    found: list[dict[str, Any]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def write(results: list[dict[str, Any]]) -> None:
    """Record the results, and write the page's table anew."""
    RECORD.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + table(results) + END + rest.split(END)[1], encoding="utf-8")
