from __future__ import annotations

import os
import subprocess
import sys

import psutil

from benchmarks.memory import MemorySampler


def started_child(code: str) -> subprocess.Popen[bytes]:
    """Return a process that has run some code, and waits for a line."""
    program = [sys.executable, "-c", f"{code}; print(1, flush=True); input()"]
    child = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    return child


def test_the_median_of_each_quarter() -> None:
    sampler = MemorySampler({"here": os.getpid()})
    values = [90.0, 80.0, 85.0, 100.0, 180.0, 101.0, 102.0, 103.0, 150.0, 99.0, 98.0, 100.0]
    sampler.samples["here"] = [(float(second), mib) for second, mib in enumerate(values)]
    quarters = {"quarter_1": 85.0, "quarter_2": 101.0, "quarter_3": 103.0, "quarter_4": 99.0}
    assert sampler.summary() == {"here": {"first": 90.0, **quarters, "peak": 180.0}}


def test_a_child_that_comes_later_changes_nothing() -> None:
    with MemorySampler({"here": os.getpid()}, seconds=0.01) as sampler:
        child = started_child("held = bytes(range(256)) * 400_000")
        assert psutil.Process(child.pid).memory_info().rss > 90 * 1024 * 1024
    child.communicate(b"\n")
    found = sampler.summary()["here"]
    assert found["peak"] - found["first"] < 50


def test_descendants_of_one_that_counts_alone_do_not_count() -> None:
    child = started_child("pass")
    pid = os.getpid()
    with MemorySampler({"alone": pid, "all": pid}, alone={"alone"}) as sampler:
        pass
    child.communicate(b"\n")
    found = sampler.summary()
    assert found["alone"]["first"] < found["all"]["first"]
