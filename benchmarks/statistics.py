"""Means, standard deviations and ratios of what was measured several times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Sample", "Table", "number"]

_MINUTE = 60


@dataclass(frozen=True)
class Sample:
    """Some measurements of the same thing.

    :param values: at least one.
    """

    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Their arithmetic mean."""
        return math.fsum(self.values) / self.n

    @property
    def deviation(self) -> float | None:
        """Their standard deviation (of a sample, with n - 1), None for a single one."""
        if self.n == 1:
            return None
        return math.sqrt(math.fsum((value - self.mean) ** 2 for value in self.values) / (self.n - 1))

    def __str__(self) -> str:
        if self.deviation is None:
            return number(self.mean)
        return f"{number(self.mean)} ± {number(self.deviation, like=self.mean)}"


def number(value: float, *, like: float | None = None) -> str:
    """Return a number with three digits that mean something, and thousands separated.

    :param value: the number.
    :param like: take as many decimals as for this one.
    """
    size = abs(value if like is None else like)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"


class Table:
    """The cells of a matrix, by what was measured.

    :param cells: as they are kept.
    """

    def __init__(self, cells: Iterable[Mapping[str, Any]]) -> None:
        self._cells: dict[tuple[str, int, str], dict[int, Mapping[str, Any]]] = {}
        for cell in cells:
            self._cells.setdefault((cell["script"], cell["size"], cell["variant"]), {})[cell["repetition"]] = cell

    @property
    def sizes(self) -> list[int]:
        """The sizes of the fleets, smallest first."""
        return sorted({size for _, size, _ in self._cells})

    @property
    def scripts(self) -> list[str]:
        """The scripts, in the order in which they were first measured."""
        return list(dict.fromkeys(script for script, _, _ in self._cells))

    def sample(
        self, script: str, size: int, variant: str, of: Callable[[Mapping[str, Any]], float | None]
    ) -> Sample | None:
        """Return what a quantity came to in all repetitions, None if it was not measured.

        :param script: of the cell.
        :param size: of the cell.
        :param variant: of the cell.
        :param of: the quantity; None where a cell does not have it.
        """
        found = [of(cell) for _, cell in sorted(self._cells.get((script, size, variant), {}).items())]
        values = tuple(value for value in found if value is not None)
        return Sample(values) if values else None

    def ratio(
        self, script: str, size: int, variants: tuple[str, str], of: Callable[[Mapping[str, Any]], float]
    ) -> Sample | None:
        """Return a quantity of one variant divided by that of another, pair by pair of the same repetition.

        :param script: of the cells.
        :param size: of the cells.
        :param variants: above and below the line.
        :param of: the quantity.
        """
        above, below = (self._cells.get((script, size, variant), {}) for variant in variants)
        values = tuple(of(above[one]) / of(below[one]) for one in sorted(above) if one in below)
        return Sample(values) if values else None

    def names(self, field: str) -> list[str]:
        """Return what a field with several named numbers names anywhere, in the order of its first appearance.

        :param field: such as ``cpu_seconds``.
        """
        cells = (cell for found in self._cells.values() for cell in found.values())
        return list(dict.fromkeys(name for cell in cells for name in cell[field]))
