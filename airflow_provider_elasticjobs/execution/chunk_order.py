"""What has to be known to run one script on a chunk of databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.model.chunks import TargetChunk

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.job_database.chunks import ChunkRow

__all__ = ["ChunkOrder"]


@dataclass(frozen=True)
class ChunkOrder:
    """One script for the databases of a chunk; plain JSON both ways, so that it can be a trigger's argument.

    :param chunk: the databases, which are read from the job database when the work begins.
    :param pattern: an order like those of its databases; its row and its database stand for none.
    :param at_once: how many scripts run at a time.
    """

    chunk: TargetChunk
    pattern: TargetOrder
    at_once: int = 1

    def for_row(self, row: ChunkRow) -> TargetOrder:
        """Return the order of one of the databases."""
        return replace(self.pattern, execution_id=row.execution_id, target=row.target)

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain JSON."""
        return {"chunk": self.chunk.to_json(), "pattern": self.pattern.to_json(), "at_once": self.at_once}

    @staticmethod
    def is_json(data: Mapping[str, Any]) -> bool:
        """Return whether plain JSON is the order of a chunk, and not of a single target."""
        return "chunk" in data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ChunkOrder:
        """Rebuild an order from :meth:`to_json`'s form.

        :raises KeyError: if a field is missing.
        """
        return cls(TargetChunk.from_json(data["chunk"]), TargetOrder.from_json(data["pattern"]), data["at_once"])
