from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.results import OtherMachineError, RawData, read


def test_each_measurement_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "raw.json"
    raw = RawData(path, {"cores": 2}, {"width": 16}, resume=False)
    assert read(path) is None
    raw.add({"n": 1})
    raw.add({"n": 2})
    assert json.loads(path.read_text()) == {
        "environment": {"cores": 2},
        "options": {"width": 16},
        "cells": [{"n": 1}, {"n": 2}],
        "broken": [],
    }
    assert [one.name for one in path.parent.iterdir()] == ["raw.json"]


def test_what_came_to_nothing_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "raw.json"
    RawData(path, {}, {}, resume=False).add_broken({"size": 10}, "too slow")
    continued = RawData(path, {}, {}, resume=True)
    assert (continued.cells, continued.broken) == ([], [{"size": 10, "reason": "too slow"}])


def test_a_run_is_continued_or_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "raw.json"
    RawData(path, {"cores": 2}, {}, resume=False).add({"n": 1})
    assert RawData(path, {"cores": 2}, {}, resume=True).cells == [{"n": 1}]
    assert RawData(path, {"cores": 2}, {}, resume=False).cells == []


@pytest.mark.parametrize(("environment", "options"), [({"cores": 4}, {"width": 16}), ({"cores": 2}, {"width": 8})])
def test_what_was_measured_elsewhere_is_not_continued(
    tmp_path: Path, environment: dict[str, int], options: dict[str, int]
) -> None:
    path = tmp_path / "raw.json"
    RawData(path, {"cores": 2}, {"width": 16}, resume=False).add({"n": 1})
    with pytest.raises(OtherMachineError, match=r"another (cores|width)"):
        RawData(path, environment, options, resume=True)
