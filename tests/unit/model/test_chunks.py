from __future__ import annotations

import json
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.model.chunks import MOST_CHUNKS, MOST_SINGLE_TARGETS, TargetChunk, chunk_size

RUN = UUID(int=7)


class TestSize:
    @pytest.mark.parametrize(
        ("count", "size"), [(0, None), (1, None), (1_000, None), (1_001, 6), (1_200, 6), (1_201, 7), (5_000, 25)]
    )
    def test_above_a_thousand_a_task_takes_several(self, count: int, size: int | None) -> None:
        assert chunk_size(count, None) == size

    @pytest.mark.parametrize(("count", "size"), [(3, 50), (1_000, 50), (50_000, 50), (50_001, 51)])
    def test_the_author_may_say_how_many_as_long_as_airflow_maps_that_many_tasks(self, count: int, size: int) -> None:
        assert chunk_size(count, 50) == size

    @pytest.mark.parametrize("count", range(1_001, 100_000, 997))
    @pytest.mark.parametrize("targets_per_task", [None, 1, 10])
    def test_there_are_never_more_tasks_than_airflow_maps(self, count: int, targets_per_task: int | None) -> None:
        size = chunk_size(count, targets_per_task)
        assert size is not None
        most = MOST_CHUNKS if targets_per_task is None else MOST_SINGLE_TARGETS
        assert len(TargetChunk.all_of(RUN, 1, count, size)) <= most


class TestChunks:
    @pytest.mark.parametrize(("count", "size"), [(0, 5), (1, 5), (5, 5), (6, 5), (5_000, 7)])
    def test_they_hold_every_target_once_in_order(self, count: int, size: int) -> None:
        chunks = TargetChunk.all_of(RUN, 2, count, size)
        assert [place for chunk in chunks for place in range(chunk.first, chunk.last + 1)] == [*range(1, count + 1)]
        assert all(1 <= chunk.last - chunk.first + 1 <= size for chunk in chunks)
        assert {(chunk.job_execution_id, chunk.step_id, chunk.of) for chunk in chunks} <= {(RUN, 2, count)}

    def test_those_of_a_later_wave_count_from_its_first_target(self) -> None:
        first, last = TargetChunk.all_of(RUN, 1, 5, 3, before=10)
        assert [(chunk.first, chunk.last) for chunk in (first, last)] == [(11, 13), (14, 15)]
        assert [first.label, last.label] == ["targets 1-3 of 5", "targets 4-5 of 5"]
        assert TargetChunk.from_json(last.to_json()) == last

    def test_they_are_plain_json_that_no_single_target_looks_like(self) -> None:
        (*_, last) = TargetChunk.all_of(RUN, 1, 120, 50)
        plain = json.loads(json.dumps(last.to_json()))
        assert TargetChunk.from_json(plain) == last
        assert plain["chunk"] == last.label == "targets 101-120 of 120"
        assert TargetChunk.is_json(plain)
        assert not TargetChunk.is_json({"server": "s", "database": "d", "execution_id": str(RUN)})
