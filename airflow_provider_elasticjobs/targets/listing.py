"""What a shard map, a query or an earlier run lists: databases by name, each perhaps with parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from airflow_provider_elasticjobs.model.targets import ListedMember, Target

__all__ = ["ListMember", "Listed"]


@dataclass(frozen=True)
class Listed:
    """One database of a list.

    :param target: the database, with its parameters.
    :param state_desc: ``ONLINE``, or what keeps it from being run on.
    """

    target: Target
    state_desc: str = "ONLINE"


#: What the resolver calls, once for each such member.
ListMember = Callable[[ListedMember], Sequence[Listed]]
