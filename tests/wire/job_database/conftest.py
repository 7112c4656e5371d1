"""The job database of these tests, whose rows must never break a rule."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.job_database.procedures import Procedures


@pytest.fixture
def db(installed: JobDatabase) -> Iterator[JobDatabase]:
    """The installed job database; after the test no row in it breaks a rule."""
    yield installed
    assert broken_invariants(installed) == []


@pytest.fixture
def sql(installed: JobDatabase, server: LiveServer) -> Iterator[Procedures]:
    """A SQL client's connection to the job database; a test that makes runs asks for ``db`` too."""
    connection = server.connect(installed.database)
    yield Procedures(connection)
    connection.close()
