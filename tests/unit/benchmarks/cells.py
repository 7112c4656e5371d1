"""Raw data as the programs keep it, made up."""

from __future__ import annotations

from typing import Any


def cell(variant: str, wall: float, **other: Any) -> dict[str, Any]:
    """A cell of the matrix that ran half of its wall time."""
    return {
        "script": "no-op",
        "size": 100,
        "variant": variant,
        "repetition": 1,
        "date": "2026-01-02 03:04",
        "load": 0.5,
        "wall_seconds": wall,
        "running_seconds": wall / 2,
        "tasks": 100,
        "cpu_seconds": {"client": 1.0, "target servers": 2.0},
        "peak_mib": {"client": 30.4},
        "job_database": {"batches": 320, "logins": 4},
        **other,
    }


def matrix(*cells: dict[str, Any]) -> dict[str, Any]:
    """A whole file of the matrix."""
    options = {"width": 16, "processes": 2, "engine": "sandbox"}
    return {"environment": {"python": "3.11.7", "cores": 2}, "options": options, "cells": list(cells), "broken": []}


def small(*cells: dict[str, Any]) -> dict[str, Any]:
    """A whole file of the small measurements."""
    common = {"repetition": 1, "date": "2026-01-02 03:05", "load": 0.25}
    return {
        "environment": {"python": "3.11.7", "os": "Debian"},
        "options": {},
        "cells": [{**common, **c} for c in cells],
    }
