"""The numbered steps of the schema, as files: what each does, and what undoes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

__all__ = ["SchemaStep", "schema_steps"]

_GO = re.compile(r"^[ \t]*GO[ \t]*$", re.IGNORECASE | re.MULTILINE)
_IRREVERSIBLE = re.compile(r"^--[ \t]*Irreversible:[ \t]*(\S.*)$", re.MULTILINE)
_UNDO = ".down.sql"
_AS_IN = re.compile(r"^-- As in (?P<version>\d+): (?P<object>CREATE \w+ \S+)$")


@dataclass(frozen=True)
class SchemaStep:
    """One numbered file of ``schema/``, ``NNN_name.sql``, and the file that undoes it, ``NNN_name.down.sql``.

    A step that cannot be undone says so, and why, in a comment line ``-- Irreversible: reason``. A batch of an undo
    file that is only the comment ``-- As in 008: CREATE PROCEDURE name`` stands for that batch of an earlier step.

    :param version: the schema's version once the step is applied.
    :param name: the file's name without its ending.
    :param script: what applies the step.
    :param undo: what takes it back; None if there is no such file.
    """

    version: int
    name: str
    script: str
    undo: str | None = None

    @property
    def batches(self) -> list[str]:
        """The batches that apply it, separated by ``GO`` on a line of its own."""
        return _batches(self.script)

    @property
    def undo_batches(self) -> list[str]:
        """The batches that take it back; none if it cannot be undone."""
        return _batches(self.undo or "")

    @property
    def irreversible(self) -> str | None:
        """Why it cannot be undone; None if its script does not say that it cannot."""
        declared = _IRREVERSIBLE.search(self.script)
        return declared.group(1).strip() if declared else None


def schema_steps() -> list[SchemaStep]:
    """Return the steps that this package knows, in order."""
    folder = files(__package__) / "schema"
    scripts = {
        entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".sql")
    }
    names = sorted(name.removesuffix(".sql") for name in scripts if not name.endswith(_UNDO))
    steps = [SchemaStep(int(name[:3]), name, scripts[f"{name}.sql"], scripts.get(name + _UNDO)) for name in names]
    return [replace(step, undo=step.undo and _with_earlier_batches(step.undo, steps)) for step in steps]


def _with_earlier_batches(undo: str, steps: Sequence[SchemaStep]) -> str:
    return "\nGO\n".join(_earlier_batch(batch, steps) for batch in _batches(undo))


def _earlier_batch(batch: str, steps: Sequence[SchemaStep]) -> str:
    reference = _AS_IN.match(batch)
    if reference is None:
        return batch
    step = next(step for step in steps if step.version == int(reference["version"]))
    return next(each for each in step.batches if re.search(rf"^{re.escape(reference['object'])}\s", each, re.MULTILINE))


def _batches(script: str) -> list[str]:
    return [batch.strip() for batch in _GO.split(script) if batch.strip()]
