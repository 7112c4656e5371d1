from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.watch import ProcessWatch, Watched

#: A process with one below it; both hold memory, the lower one burns a second of CPU time and is awaited when told.
PROGRAM = """
import subprocess, sys
burn = "import time\\nkept = bytearray(b'x') * 60_000_000\\nwhile time.process_time() < 0.6: pass\\nprint()\\ninput()"
below = subprocess.Popen([sys.executable, "-u", "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
below.stdout.readline()
print("ready", flush=True)
input()
below.communicate("end\\n")
print("awaited", flush=True)
input()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def test_own_and_below_are_told_apart_also_when_the_lower_one_has_ended(process: subprocess.Popen[str]) -> None:
    own, below = Watched([process.pid], below=False), Watched([process.pid], own=False)
    everything = Watched([process.pid])
    assert below.cpu_seconds() >= 0.5 > own.cpu_seconds()
    assert everything.mebibytes() >= below.mebibytes() > own.mebibytes()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("end\n")
    process.stdin.flush()
    assert process.stdout.readline() == "awaited\n"
    assert below.cpu_seconds() >= 0.5 > own.cpu_seconds()
    assert everything.cpu_seconds() >= 0.5


def test_time_counts_from_the_beginning_and_memory_at_its_peak(process: subprocess.Popen[str]) -> None:
    with ProcessWatch({"other": Watched([process.pid]), "own": Watched([os.getpid()])}) as watch:
        sum(range(3_000_000))
    assert watch.cpu_seconds["own"] > 0
    assert watch.cpu_seconds["other"] < 0.5
    assert watch.peak_mib["other"] > 57


def test_a_process_that_is_gone_counts_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert Watched([ended.pid]).cpu_seconds() == 0
    assert Watched([ended.pid]).mebibytes() == 0
