from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_elasticjobs.model.chunks import chunk_size
from benchmarks.plan import (
    LONG,
    MOST_TASKS,
    SCRIPTS,
    SIZES,
    VARIANTS,
    Cell,
    Chunks,
    chunks_of,
    expected_seconds,
    order,
    width_of,
)
from tests.unit.benchmarks.cells import cell


class TestOrder:
    def test_each_repetition_has_all_before_the_next(self) -> None:
        cells = list(order(SCRIPTS, (10, 100), tuple(VARIANTS), 3))
        assert [one.repetition for one in cells] == sorted(one.repetition for one in cells)
        assert len(set(cells)) == len(cells)
        assert Counter(one.script for one in cells) == {
            "no-op": 2 * len(VARIANTS) * 3,
            "100 ms": 2 * len(VARIANTS) * 3,
            LONG: 3 * 3,
        }

    def test_what_is_compared_is_side_by_side_and_begins_with_another_each_time(self) -> None:
        cells = list(order(["no-op"], [100, 10], ("bare", "chunks"), 2))
        assert [(one.size, one.variant) for one in cells] == [
            (10, "chunks"),
            (10, "bare"),
            (100, "chunks"),
            (100, "bare"),
            (10, "bare"),
            (10, "chunks"),
            (100, "bare"),
            (100, "chunks"),
        ]

    def test_what_takes_longest_is_left_out_unless_all_is_asked_for(self) -> None:
        def counted(*, full: bool) -> Counter[tuple[str, int]]:
            cells = order(["no-op"], SIZES, tuple(VARIANTS), 5, full=full)
            return Counter((one.variant, one.size) for one in cells)

        assert set(counted(full=True).values()) == {5}
        usual = counted(full=False)
        assert set(usual.values()) == {5}
        assert set(counted(full=True)) - set(usual) >= {("deferrable", 1_000), ("expand", 5_000)}


class TestLong:
    def test_it_is_compared_on_one_fleet_by_what_tells_something(self) -> None:
        cells = list(order([LONG], SIZES, tuple(VARIANTS), 1, full=True))
        assert {(one.size, one.variant) for one in cells} == {(100, "bare"), (100, "expand"), (100, "tier")}


def test_a_tier_has_its_own_width() -> None:
    wide = {"tier": 100, "defer_wide": 100}
    assert {variant: width_of(variant, 16) for variant in VARIANTS} == {**dict.fromkeys(VARIANTS, 16), **wide}


class TestChunks:
    @pytest.mark.parametrize("size", [100, 1_000, 5_000])
    def test_as_many_scripts_run_at_a_time_as_the_width_says(self, size: int) -> None:
        chunks = chunks_of("chunks", size, 16)
        assert chunks.targets_per_task is not None
        assert chunks.chunk_parallelism is not None
        at_a_time = 16 // chunks.chunk_parallelism
        assert at_a_time * chunks.chunk_parallelism == 16
        assert -(-size // chunks.targets_per_task) >= at_a_time
        assert chunks.targets_per_task >= chunks.chunk_parallelism

    def test_one_task_a_database_as_far_as_a_step_goes(self) -> None:
        assert chunks_of("deferrable", 1_000, 16) == Chunks(None, None)
        many = chunks_of("worker", 5_000, 16)
        assert chunk_size(5_000, many.targets_per_task) == 5_000 / MOST_TASKS

    def test_a_name_is_an_id_of_a_dag(self) -> None:
        assert Cell("100 ms", 10, "bare", 1).name == "bare_100ms_10"


class TestExpected:
    def test_what_comes_once_is_counted_once(self) -> None:
        measured = [cell("worker", 30.0, running_seconds=20.0), cell("worker", 3.0, size=10)]
        assert expected_seconds(Cell("no-op", 1_000, "worker", 1), measured) == 10 + 200

    def test_nothing_is_known_of_what_is_smaller_than_all_or_of_another_kind(self) -> None:
        assert expected_seconds(Cell("no-op", 10, "worker", 1), [cell("worker", 30.0)]) is None
        assert expected_seconds(Cell("no-op", 100, "bare", 1), [cell("worker", 30.0)]) is None
