from __future__ import annotations

import pytest

from benchmarks.statistics import Sample, Table, number
from benchmarks.tables import rate, wall
from tests.unit.benchmarks.cells import cell


class TestSample:
    def test_mean_and_deviation_of_a_sample(self) -> None:
        sample = Sample((2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0))
        assert (sample.n, sample.mean) == (8, 5.0)
        assert sample.deviation == pytest.approx(2.13809, abs=1e-5)

    def test_a_single_value_has_no_deviation(self) -> None:
        assert Sample((3.0,)).deviation is None
        assert str(Sample((3.0,))) == "3.00"

    def test_the_deviation_has_as_many_decimals_as_the_mean(self) -> None:
        assert str(Sample((120.0, 121.0))) == "120 ± 1"
        assert str(Sample((1.0, 1.02))) == "1.01 ± 0.01"


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (9.876, "9.88"), (0.01234, "0.012"), (0, "0.000")]
)
def test_three_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


class TestTable:
    def test_a_sample_of_all_repetitions(self) -> None:
        table = Table([cell("bare", 2.0), cell("bare", 4.0, repetition=2), cell("chunks", 99.0)])
        sample = table.sample("no-op", 100, "bare", wall)
        assert sample is not None
        assert sample.values == (2.0, 4.0)

    def test_what_was_not_measured_is_none(self) -> None:
        table = Table([cell("bare", 2.0)])
        assert table.sample("no-op", 10, "bare", wall) is None
        assert table.sample("no-op", 100, "bare", lambda _: None) is None
        assert table.ratio("no-op", 100, ("chunks", "bare"), rate) is None

    def test_ratios_are_of_the_same_repetition(self) -> None:
        table = Table(
            [
                cell("bare", 2.0),
                cell("bare", 3.0, repetition=2),
                cell("chunks", 4.0),
                cell("chunks", 3.0, repetition=2),
                cell("chunks", 1.0, repetition=3),
            ]
        )
        found = table.ratio("no-op", 100, ("chunks", "bare"), rate)
        assert found is not None
        assert found.values == pytest.approx((0.5, 1.0))

    def test_names_of_processes_come_in_the_order_of_their_appearance(self) -> None:
        table = Table([cell("bare", 1.0), cell("worker", 1.0, cpu_seconds={"workers": 1.0, "client": 1.0})])
        assert table.names("cpu_seconds") == ["client", "target servers", "workers"]
