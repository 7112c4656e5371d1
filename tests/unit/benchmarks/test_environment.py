from __future__ import annotations

import os
import socket

from benchmarks.environment import environment, load


def test_versions_and_hardware_without_a_name_of_the_machine() -> None:
    found = environment()
    assert found["cores"] == os.cpu_count()
    assert str(found["apache-airflow"]).startswith("3.")
    assert str(found["memory_gib"]).isdigit()
    assert found["cpu"]
    assert socket.gethostname() not in str(found.values())


def test_load() -> None:
    assert load() >= 0
