"""The raw data: one JSON file for each program, rewritten after each measurement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "OtherMachineError", "RawData", "read"]

#: What is committed, and what the page is made of.
RESULTS = Path(__file__).parent / "results"


class OtherMachineError(Exception):
    """Measurements of another machine, or with other versions, cannot be continued here."""


class RawData:
    """Measurements of one kind, with what they were made on.

    :param path: the file.
    :param environment: versions and hardware.
    :param options: of the program, as far as they decide what is measured.
    :param resume: go on with the measurements that the file holds, instead of beginning anew.
    :raises OtherMachineError: if those were made on something else, or with other options.
    """

    def __init__(self, path: Path, environment: Mapping[str, Any], options: Mapping[str, Any], *, resume: bool) -> None:
        self._path = path
        self._head = {"environment": dict(environment), "options": dict(options)}
        self.cells: list[dict[str, Any]] = []
        #: Measurements that came to nothing, and why.
        self.broken: list[dict[str, Any]] = []
        if resume and (kept := read(path)) is not None:
            for part, now in self._head.items():
                other = sorted(name for name in {*now, *kept[part]} if now.get(name) != kept[part].get(name))
                if other:
                    raise OtherMachineError(f"{path.name} was made with another {', '.join(other)}")
            self.cells, self.broken = kept["cells"], kept["broken"]

    def add(self, cell: Mapping[str, Any]) -> None:
        """Keep a measurement."""
        self.cells.append(dict(cell))
        self._write()

    def add_broken(self, cell: Mapping[str, Any], reason: str) -> None:
        """Keep that a measurement came to nothing: the page tells it."""
        self.broken.append({**cell, "reason": reason})
        self._write()

    def _write(self) -> None:
        write(self._path, {**self._head, "cells": self.cells, "broken": self.broken})


def read(path: Path) -> dict[str, Any] | None:
    """Return what a file holds, None if there is none."""
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(path: Path, data: Mapping[str, Any]) -> None:
    """Replace a file as a whole, so that a program that is broken off leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    partial.rename(path)
