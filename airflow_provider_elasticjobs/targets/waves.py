"""Dividing a step's targets into the waves of its rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["into_waves"]


def into_waves(
    targets: Sequence[Target], rollout: Rollout, sizes: Mapping[tuple[str, str], float] | None = None
) -> list[list[Target]]:
    """Return the targets of each wave, in the order to hand them out; the last list are those that no wave takes.

    A wave takes from what the earlier ones left: one by number the first in the order given, one by name or pattern all
    that fit. A wave may come out empty. Sizes do not decide which wave a target belongs to, only its place in it.

    :param targets: the step's targets, in their order.
    :param rollout: the step's rollout.
    :param sizes: what ``largest_first`` sorts by, for each :attr:`Target.key`; targets without a size come last.
    :return: one list more than the rollout has waves.
    """
    left, waves = list(targets), []
    for wave in rollout.waves:
        taken = _taken(wave, left, len(targets))
        keys = {target.key for target in taken}
        left = [target for target in left if target.key not in keys]
        waves.append(taken)
    return [_in_order(wave, rollout, sizes or {}) for wave in (*waves, left)]


def _taken(wave: Wave, left: list[Target], all_targets: int) -> list[Target]:
    size = wave.size(all_targets)
    if size is not None:
        return left[:size]
    if wave.names is not None:
        names = {name.casefold() for name in wave.names}
        return [target for target in left if not names.isdisjoint(_names(target))]
    pattern = (wave.pattern or "").casefold()
    return [target for target in left if fnmatchcase(target.database_name.casefold(), pattern)]


def _names(target: Target) -> tuple[str, str]:
    return target.database_name.casefold(), target.label.casefold()


def _in_order(wave: list[Target], rollout: Rollout, sizes: Mapping[tuple[str, str], float]) -> list[Target]:
    if not rollout.largest_first:
        return wave
    return sorted(wave, key=lambda target: -sizes.get(target.key, -1.0))
