"""The order in which targets are offered: pools and servers take turns, so that no busy one holds up the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest

from airflow_provider_elasticjobs.model.targets import Target

__all__ = ["interleave"]


def interleave(targets: Iterable[Target]) -> list[Target]:
    """Return the targets with elastic pools and servers in turns, each in order of database name.

    A waiting target of a pool that is at its ``max_parallelism`` then stands beside targets that could run.

    :param targets: any number, in any order; the result depends on the set only.
    """
    lanes: dict[tuple[str, str], list[Target]] = defaultdict(list)
    for target in sorted(targets, key=lambda each: each.key):
        lanes[target.server_name.casefold(), (target.elastic_pool_name or "").casefold()].append(target)
    rounds = zip_longest(*(lanes[lane] for lane in sorted(lanes)))
    return [target for turn in rounds for target in turn if target is not None]
