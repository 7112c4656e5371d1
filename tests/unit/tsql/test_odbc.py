from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DriverNotFoundError, ServerUnreachableError
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.odbc import (
    StatementHandle,
    cancel_statement,
    close_statement,
    connection_is_alive,
)
from airflow_provider_elasticjobs.tsql.results import ScriptResult
from airflow_provider_elasticjobs.tsql.run import ScriptRun


@pytest.mark.parametrize(
    "cursor", [SimpleNamespace(), SimpleNamespace(hstmt=None), SimpleNamespace(hstmt=ctypes.c_void_p())]
)
def test_a_pyodbc_without_handles_is_refused_by_version(cursor: Any) -> None:
    with pytest.raises(DriverNotFoundError, match=r"pyodbc 5\.5"):
        StatementHandle(cursor)


def test_a_closed_connection_is_not_alive() -> None:
    assert not connection_is_alive(SimpleNamespace(closed=True))


def test_a_closed_connection_is_found_before_anything_is_sent() -> None:
    run = ScriptRun(SimpleNamespace(closed=True), split_batches("SELECT 1"), server="s", database="d")
    with pytest.raises(ServerUnreachableError, match="s/d was lost before the script was sent"):
        run.run()


def test_an_empty_script_needs_no_connection() -> None:
    assert ScriptRun(SimpleNamespace(closed=True), []).run() == ScriptResult()


@pytest.mark.parametrize("act", [cancel_statement, close_statement])
def test_cancel_and_close_of_a_lost_connection_are_quiet_and_defects_are_not(act: Any) -> None:
    import pyodbc  # noqa: PLC0415 - only this test needs it

    def fail(error: Exception) -> Any:
        def method() -> None:
            raise error

        return SimpleNamespace(cancel=method, close=method)

    act(fail(pyodbc.OperationalError("08S01", "gone")))
    with pytest.raises(ZeroDivisionError):
        act(fail(ZeroDivisionError()))
