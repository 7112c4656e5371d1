from __future__ import annotations

import os
import subprocess
import sys

import psutil

from benchmarks.memory import MemorySampler


def test_the_median_of_each_quarter() -> None:
    sampler = MemorySampler({"here": os.getpid()})
    values = [90.0, 80.0, 85.0, 100.0, 180.0, 101.0, 102.0, 103.0, 150.0, 99.0, 98.0, 100.0]
    sampler.samples["here"] = [(float(second), mib) for second, mib in enumerate(values)]
    quarters = {"quarter_1": 85.0, "quarter_2": 101.0, "quarter_3": 103.0, "quarter_4": 99.0}
    assert sampler.summary() == {"here": {"first": 90.0, **quarters, "peak": 180.0}}


def test_a_child_that_comes_later_changes_nothing() -> None:
    with MemorySampler({"here": os.getpid()}, seconds=0.01) as sampler:
        child = subprocess.Popen(
            [sys.executable, "-c", "held = bytes(range(256)) * 400_000; print(1, flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdout
        child.stdout.readline()
        assert psutil.Process(child.pid).memory_info().rss > 90 * 1024 * 1024
    child.communicate(b"\n")
    found = sampler.summary()["here"]
    assert found["peak"] - found["first"] < 50
