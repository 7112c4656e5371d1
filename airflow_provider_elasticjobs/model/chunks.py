"""Chunks: the targets of a step that one task works on, where there are too many for a task each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

__all__ = ["MOST_CHUNKS", "MOST_SINGLE_TARGETS", "TargetChunk", "chunk_size"]

#: Databases that are one task each: below ``[core] max_map_length``, which is 1,024.
MOST_SINGLE_TARGETS = 1_000

#: Tasks that more databases than that are divided into, unless the author says how many a task takes. With 715 tasks
#: one loop of the scheduler took 24 s on a busy machine (docs/chunks.md).
MOST_CHUNKS = 200


@dataclass(frozen=True)
class TargetChunk:
    """Some of a step's targets in one run, by their places in the step's order.

    :param job_execution_id: the run.
    :param step_id: the step.
    :param first: place of the first target, from 1.
    :param last: place of the last target.
    :param of: how many targets the step has, or the wave of it that they belong to.
    :param before: how many targets of the step come before that wave.
    """

    job_execution_id: UUID
    step_id: int
    first: int
    last: int
    of: int
    before: int = 0

    @property
    def label(self) -> str:
        """``targets 1-50 of 5000``, as the grid shows it."""
        return f"targets {self.first - self.before}-{self.last - self.before} of {self.of}"

    def to_json(self) -> dict[str, Any]:
        """Return the chunk as plain JSON."""
        return {**asdict(self), "job_execution_id": str(self.job_execution_id), "chunk": self.label}

    @staticmethod
    def is_json(data: Mapping[str, Any]) -> bool:
        """Return whether plain JSON is a chunk's, and not a single target's."""
        return "chunk" in data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetChunk:
        """Rebuild a chunk from :meth:`to_json`'s form.

        :raises KeyError: if a field is missing.
        """
        places = (data[name] for name in ("step_id", "first", "last", "of", "before"))
        return cls(UUID(data["job_execution_id"]), *places)

    @classmethod
    def all_of(
        cls, job_execution_id: UUID, step_id: int, count: int, size: int, *, before: int = 0
    ) -> list[TargetChunk]:
        """Return the chunks of a step's or a wave's targets, each of ``size`` but the last, which may be smaller.

        :param job_execution_id: the run.
        :param step_id: the step.
        :param count: how many targets there are.
        :param size: targets of a chunk.
        :param before: how many targets of the step come before them.
        """
        last = before + count
        firsts = range(before + 1, last + 1, size)
        return [cls(job_execution_id, step_id, first, min(first + size - 1, last), count, before) for first in firsts]


def chunk_size(count: int, targets_per_task: int | None) -> int | None:
    """Return how many targets a task takes; None where each is a task of its own.

    :param count: how many targets the step has.
    :param targets_per_task: what the author asks for; by default single tasks, and above 1,000 targets as few a task
        as make 200 tasks. More are taken if there would be more than 1,000 tasks otherwise.
    """
    if targets_per_task is None:
        return None if count <= MOST_SINGLE_TARGETS else -(-count // MOST_CHUNKS)
    return max(targets_per_task, -(-count // MOST_SINGLE_TARGETS))
