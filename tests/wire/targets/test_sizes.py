"""Asking a server how large its databases are, with the real driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import ScriptError
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.sizes import list_sizes, sizes_of

FILL = "INSERT INTO filled VALUES " + ", ".join(["(REPLICATE(N'x', 4000))"] * 100)


@pytest.fixture
def two(server: Any, new_database: Callable[[], str]) -> tuple[str, str]:
    """A small and a larger database."""
    small, large = new_database(), new_database()
    server.execute("CREATE TABLE filled (filler nvarchar(4000))", large)
    for _ in range(5):
        server.execute(FILL, large)
    return small, large


@pytest.mark.sandbox_only
@pytest.mark.parametrize("missing", [None, "sys.resource_stats"])
def test_the_larger_one_is_larger_by_either_view(
    server: Any, sandbox: Any, two: tuple[str, str], missing: str | None
) -> None:
    if missing:
        sandbox.add_fault("error", number=208, severity=16, text="no view", containing=missing)
    with closing(server.connect()) as connection:
        sizes = list_sizes(connection)
    small, large = (sizes[name.lower()] for name in two)
    assert small > 0
    assert large > small + 1


def test_a_server_that_tells_neither_is_no_reason_not_to_run(server: Any, two: tuple[str, str]) -> None:
    warnings: list[str] = []
    targets = [Target(server.name, name) for name in (*two, "not there")]
    sizes = sizes_of(targets, lambda name: connect(server.settings, name, "master"), warnings.append)
    assert len(warnings) == 1
    assert sizes.keys() <= {target.key for target in targets[:2]}


@pytest.mark.sandbox_only
def test_a_refusal_is_an_error_of_the_server(server: Any, sandbox: Any) -> None:
    for view in ("sys.resource_stats", "sys.master_files"):
        sandbox.add_fault("error", number=229, severity=14, text="denied", containing=view)
    with closing(server.connect()) as connection, pytest.raises(ScriptError, match="denied"):
        list_sizes(connection)
