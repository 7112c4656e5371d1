"""The handles that pyodbc hands out, or keeps at known places."""

from __future__ import annotations

import sys

import pyodbc
import pytest

from airflow_provider_elasticjobs.tsql import odbc
from tests.wire.conftest import LiveServer


def test_the_known_places_hold_the_handles_that_newer_versions_hand_out(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = server.connect()
    cursor = connection.cursor()
    handed_out = (odbc._handle_value(connection, "hdbc"), odbc._handle_value(cursor, "hstmt"))
    monkeypatch.setattr(pyodbc, "version", "5.3.0")
    assert (odbc._handle_by_layout(connection, "hdbc"), odbc._handle_by_layout(cursor, "hstmt")) == handed_out
    cursor.close()
    connection.close()


def test_the_known_places_are_needed_for_python_3_10_alone() -> None:
    """When this fails, ``_handle_by_layout`` can go."""
    assert pyodbc.version.startswith("5.3.") == (sys.version_info < (3, 11))
