from __future__ import annotations

import os

from benchmarks.memory import MemorySampler


def test_what_goes_up_and_down_is_no_growth() -> None:
    sampler = MemorySampler({"here": os.getpid()})
    values = [90.0, 100.0, 140.0, 100.0, 101.0, 180.0, 150.0, 100.0]
    sampler.samples["here"] = [(float(second), mib) for second, mib in enumerate(values)]
    quarters = {"quarter_1": 90.0, "quarter_2": 100.0, "quarter_3": 101.0, "quarter_4": 100.0}
    assert sampler.summary() == {"here": {"first": 90.0, **quarters, "peak": 180.0}}
