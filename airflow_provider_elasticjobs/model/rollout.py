"""How a step reaches its targets: in waves, with a budget of failures, spread in time. Elastic Jobs has none of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from math import floor
from typing import Any

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["Rollout", "Wave"]

#: Longest spread that can be stored: int milliseconds.
_MAXIMUM_SPREAD = 2_147_483
#: Most waves: each is tasks of its own in the grid.
_MOST_WAVES = 20
_KINDS = ("count", "ratio", "names", "pattern")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _share(ratio: float, whole: int) -> int:
    """Return the whole part of a share; ``0.29`` of 100 is 29, whatever binary fractions make of it."""
    return floor(Fraction(str(ratio)) * whole)


@dataclass(frozen=True, kw_only=True)
class Wave:
    """Some of a step's targets, which are handed out before the rest; exactly one of the arguments says which.

    :param count: so many of the targets that no earlier wave took, 1 or more.
    :param ratio: this share of all targets, above 0 and below 1; at least one target as long as there is any.
    :param names: the databases with these names, as ``database`` or ``server/database``, without letter case; names
        that are not among the targets are not an error.
    :param pattern: the databases whose name fits, without letter case: ``*`` stands for any text, ``?`` for one
        character, ``[ab]`` for one of several.
    :raises DefinitionError: if none or several are given, or one is out of its range.
    """

    count: int | None = None
    ratio: float | None = None
    names: Sequence[str] | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        self._require(len(given) == 1, f"give exactly one of {', '.join(_KINDS)}")
        if self.names is not None:
            names = () if isinstance(self.names, str) else tuple(self.names)
            usable = bool(names) and all(isinstance(name, str) and name for name in names)
            self._require(usable, "names must be a list of 'database' or 'server/database'")
            object.__setattr__(self, "names", names)
        self._require(self.count is None or _is_whole(self.count, 1), "count must be 1 or more")
        self._require(
            self.ratio is None or (_is_number(self.ratio) and 0 < self.ratio < 1), "ratio must be above 0 and below 1"
        )
        self._require(
            self.pattern is None or (isinstance(self.pattern, str) and bool(self.pattern)),
            "pattern must be a non-empty text",
        )

    def _require(self, holds: bool, rule: str) -> None:
        if not holds:
            raise DefinitionError(f"Wave: {rule} ({self!r})")

    def size(self, targets: int) -> int | None:
        """Return how many targets a wave by number takes; None for one by name.

        :param targets: number of all the step's targets.
        """
        if self.ratio is not None:
            return max(1, _share(self.ratio, targets))
        return self.count

    def to_json(self) -> dict[str, Any]:
        """Return the wave as plain JSON: its one argument."""
        if self.names is not None:
            return {"names": list(self.names)}
        return {kind: getattr(self, kind) for kind in _KINDS if getattr(self, kind) is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Wave:
        """Rebuild a wave from :meth:`to_json`'s form.

        :raises DefinitionError: if a field is unknown or out of its range.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise DefinitionError(f"Wave: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """How a step reaches its targets: canaries first, no further than its failures allow, not all at once.

    :param waves: the waves that come before the rest, one after another; a wave begins when every target of the one
        before has ended. The targets that no wave takes are the last wave.
    :param max_failures: failed databases that the whole step may have; one more stops the rollout. None for no limit.
    :param max_failure_ratio: share of **a wave's** databases that may fail, from 0 up to below 1; so a canary that
        fails stops the rollout, however many databases there are. None for no limit.
    :param spread: seconds (or timedelta) over which the starts of a wave are spread evenly; 0 for all at once.
    :param largest_first: hand out the largest databases of a wave first, by the size that their server tells.
    :raises DefinitionError: if a value is out of its range.
    """

    waves: Sequence[Wave] = ()
    max_failures: int | None = None
    max_failure_ratio: float | None = None
    spread: float | timedelta = field(default=0)
    largest_first: bool = False

    def __post_init__(self) -> None:
        waves = tuple(self.waves) if isinstance(self.waves, Iterable) else ()
        ratio = self.max_failure_ratio
        self._require(
            isinstance(self.waves, Iterable) and all(isinstance(wave, Wave) for wave in waves),
            "waves must be a list of Wave",
        )
        self._require(len(waves) <= _MOST_WAVES, f"there may be {_MOST_WAVES} waves at most")
        self._require(self.max_failures is None or _is_whole(self.max_failures, 0), "max_failures must be 0 or more")
        self._require(
            ratio is None or (_is_number(ratio) and 0 <= ratio < 1), "max_failure_ratio must be from 0 to below 1"
        )
        spread = self.spread.total_seconds() if isinstance(self.spread, timedelta) else self.spread
        self._require(
            _is_number(spread) and 0 <= spread <= _MAXIMUM_SPREAD,
            f"spread must be 0 to {_MAXIMUM_SPREAD} seconds or a timedelta",
        )
        self._require(isinstance(self.largest_first, bool), "largest_first must be True or False")
        object.__setattr__(self, "waves", waves)
        object.__setattr__(self, "spread", spread)

    def _require(self, holds: bool, rule: str) -> None:
        if not holds:
            raise DefinitionError(f"Rollout: {rule} ({self!r})")

    @property
    def spread_seconds(self) -> float:
        """The spread in seconds."""
        return self.spread.total_seconds() if isinstance(self.spread, timedelta) else self.spread

    def wave_budget(self, targets: int) -> int | None:
        """Return how many of a wave's targets may fail; None for no limit of its own.

        :param targets: number of the wave's targets.
        """
        return None if self.max_failure_ratio is None else _share(self.max_failure_ratio, targets)

    def to_json(self) -> dict[str, Any]:
        """Return the rollout as plain JSON."""
        return {
            "waves": [wave.to_json() for wave in self.waves],
            "max_failures": self.max_failures,
            "max_failure_ratio": self.max_failure_ratio,
            "spread": self.spread_seconds,
            "largest_first": self.largest_first,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rollout:
        """Rebuild a rollout from :meth:`to_json`'s form.

        :raises DefinitionError: if a field is unknown or out of its range.
        """
        fields = dict(data)
        try:
            return cls(waves=tuple(Wave.from_json(wave) for wave in fields.pop("waves", ())), **fields)
        except TypeError as error:
            raise DefinitionError(f"Rollout: {error}") from error
