"""Connections that break, and servers that refuse: four points in time, four outcomes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import (
    OutcomeUnknownError,
    ScriptCancelledError,
    ScriptError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.errors import is_transient_error
from airflow_provider_elasticjobs.tsql.odbc import connection_is_alive
from airflow_provider_elasticjobs.tsql.run import ScriptRun

pytestmark = pytest.mark.sandbox_only


@pytest.fixture
def database(sandbox_database: Callable[..., str], server: Any) -> str:
    name = sandbox_database()
    server.execute("CREATE TABLE t(a int NOT NULL)", name)
    return name


def run(server: Any, database: str, script: str) -> Any:
    with closing(server.connect(database)) as connection:
        return ScriptRun(connection, split_batches(script), server=server.name, database=database).run()


def rows(server: Any, database: str) -> int:
    ((count,),) = server.execute("SELECT COUNT(*) FROM t", database)
    return int(count)


_INSERT = "INSERT t VALUES (1) -- work"


@pytest.mark.parametrize(("kind", "done"), [("dropped_before", 0), ("dropped_after", 1)])
def test_a_link_that_breaks_once_the_batch_is_sent_leaves_the_outcome_unknown(
    sandbox: Any, server: Any, database: str, kind: str, done: int
) -> None:
    sandbox.add_fault(kind, database=database, containing="-- work")
    with pytest.raises(OutcomeUnknownError, match="may have run") as caught:
        run(server, database, _INSERT)
    assert caught.value.number is None  # the transport's number is nobody's error number
    assert (caught.value.server, caught.value.database) == (server.name, database)
    assert is_transient_error(caught.value)
    assert rows(server, database) == done


def test_a_link_that_breaks_while_rows_are_read_leaves_the_outcome_unknown(
    sandbox: Any, server: Any, database: str
) -> None:
    server.execute("INSERT t VALUES (1), (2), (3), (4)", database)
    sandbox.add_fault("dropped_while_reading", database=database, containing="-- work", rows=2)
    with pytest.raises(OutcomeUnknownError):
        run(server, database, "SELECT a FROM t -- work")


def test_a_link_that_is_already_broken_is_found_before_anything_is_sent(
    sandbox: Any, server: Any, database: str
) -> None:
    with closing(server.connect(database)) as connection:
        sandbox.add_fault("dropped_before", database=database, containing="-- break")
        with pytest.raises(OutcomeUnknownError):
            ScriptRun(connection, split_batches("SELECT 1 AS a -- break")).run()
        assert not connection_is_alive(connection)
        with pytest.raises(ServerUnreachableError, match="before the script was sent"):
            ScriptRun(connection, split_batches(_INSERT)).run()
    assert rows(server, database) == 0


def test_the_batch_that_was_lost_is_named(sandbox: Any, server: Any, database: str) -> None:
    sandbox.add_fault("dropped_after", database=database, containing="-- second")
    with pytest.raises(OutcomeUnknownError, match=r"batch 2 of 3 \(from line 3\)"):
        run(server, database, f"{_INSERT}\nGO\nSELECT 1 AS a -- second\nGO\n{_INSERT}")
    assert rows(server, database) == 1


def test_a_deadlock_victim_is_a_transient_refusal(sandbox: Any, server: Any, database: str) -> None:
    sandbox.add_fault("deadlock", database=database, containing="-- work")
    with pytest.raises(ScriptError) as caught:
        run(server, database, _INSERT)
    assert caught.value.number == 1205
    assert is_transient_error(caught.value)
    assert rows(server, database) == 0


def test_a_refusal_that_also_closes_the_link_keeps_its_number(sandbox: Any, server: Any, database: str) -> None:
    sandbox.add_fault("throttled", database=database, containing="-- work")
    with pytest.raises(ScriptError) as caught:
        run(server, database, _INSERT)
    assert caught.value.number == 40501


@pytest.mark.parametrize("severity", [11, 16, 19, 20, 25])
def test_any_severity_from_eleven_is_an_error_with_its_number(
    sandbox: Any, server: Any, database: str, severity: int
) -> None:
    sandbox.add_fault("error", database=database, containing="-- work", number=4711, severity=severity, text="no")
    with pytest.raises(ScriptError, match=f"Msg 4711, Level {severity}") as caught:
        run(server, database, _INSERT)
    assert caught.value.number == 4711


def test_a_slow_start_can_be_cancelled(sandbox: Any, server: Any, database: str) -> None:
    sandbox.add_fault("slow", database=database, containing="-- work", seconds=60)
    with closing(server.connect(database)) as connection:
        script = ScriptRun(connection, split_batches(_INSERT))
        threading.Thread(target=script.cancel, kwargs={"patience": 20}).start()
        with pytest.raises(ScriptCancelledError):
            script.run()
    assert rows(server, database) == 0
