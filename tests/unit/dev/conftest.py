from __future__ import annotations

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something that another process does; fails when it does not come."""

    def wait(condition: Callable[[], object], timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not true within {timeout} s")
            time.sleep(0.02)

    return wait
