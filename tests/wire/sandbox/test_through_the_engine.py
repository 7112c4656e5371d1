"""The driver, the wire layer and the real engine together, in a process of its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.sandbox.pytest_plugin import JOB_SERVER, TENANT_SERVER, TOKEN
from tests.wire.sandbox.test_attention import until

pytestmark = pytest.mark.sandbox_only

CreateDatabase = Callable[..., str]


@pytest.fixture
def database(sandbox_database: CreateDatabase) -> str:
    return sandbox_database()


@pytest.mark.parametrize("fast", [False, True], ids=["row by row", "fast"])
def test_executemany(sandbox: SandboxClient, database: str, fast: bool) -> None:
    with closing(sandbox.connect(None, database)) as connection:
        connection.execute("CREATE TABLE t (id int, name nvarchar(50), price decimal(9, 2), raw varbinary(10))")
        rows = [(number, f"näme {number}", Decimal(number) / 4, bytes([number])) for number in range(50)]
        cursor = connection.cursor()
        cursor.fast_executemany = fast
        cursor.executemany("INSERT INTO t (id, name, price, raw) VALUES (?, ?, ?, ?)", rows)
        found = cursor.execute("SELECT id, name, price, raw FROM t ORDER BY id").fetchall()
        assert [tuple(row) for row in found] == rows


def test_null_parameters(sandbox: SandboxClient, database: str) -> None:
    with closing(sandbox.connect(None, database)) as connection:
        connection.execute("CREATE TABLE t (id int, name nvarchar(50), raw varbinary(10))")
        connection.execute("INSERT INTO t (id, name, raw) VALUES (?, ?, ?)", None, None, None)
        assert tuple(connection.execute("SELECT id, name, raw FROM t").fetchone() or ()) == (None, None, None)


def test_an_error_carries_the_servers_number(sandbox: SandboxClient, database: str) -> None:
    with (
        closing(sandbox.connect(None, database)) as connection,
        pytest.raises(pyodbc.ProgrammingError, match=r"Invalid object name 'nowhere'.*\(208\)"),
    ):
        connection.execute("SELECT * FROM nowhere")


def test_a_waitfor_is_stopped_on_the_server(sandbox: SandboxClient, database: str) -> None:
    with closing(sandbox.connect(None, database)) as connection:
        cursor = connection.cursor()

        def cancel() -> None:
            until(lambda: bool(sandbox.statements(database=database)))
            cursor.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(pyodbc.Error, match="HY008"):
            cursor.execute("WAITFOR DELAY '00:01:00'")
        thread.join()
        assert connection.execute("SELECT 1").fetchval() == 1
        first, _ = sandbox.statements(database=database)
        assert first["outcome"] == "cancelled"


def test_work_done_before_a_dropped_connection_is_there(sandbox: SandboxClient, database: str) -> None:
    connection = sandbox.connect(None, database)
    sandbox.add_fault("dropped_after", database=database, containing="create table")
    with pytest.raises(pyodbc.OperationalError, match="08S01"):
        connection.execute("CREATE TABLE t (id int)")
    with closing(sandbox.connect(None, database)) as again:
        assert again.execute("SELECT COUNT(*) FROM sys.tables WHERE name = 't'").fetchval() == 1


def test_a_deadlock_rolls_the_transaction_back(sandbox: SandboxClient, database: str) -> None:
    with closing(sandbox.connect(None, database)) as connection:
        connection.execute("CREATE TABLE t (id int)")
        connection.autocommit = False
        connection.execute("INSERT INTO t (id) VALUES (1)")
        sandbox.add_fault("deadlock", database=database)
        with pytest.raises(pyodbc.Error, match="1205"):
            connection.execute("INSERT INTO t (id) VALUES (2)")
        connection.rollback()
        assert connection.execute("SELECT COUNT(*) FROM t").fetchval() == 0
        connection.rollback()


def test_commit_and_rollback(sandbox: SandboxClient, database: str) -> None:
    with closing(sandbox.connect(None, database)) as connection:
        connection.execute("CREATE TABLE t (id int)")
        connection.autocommit = False
        connection.execute("INSERT INTO t (id) VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO t (id) VALUES (2)")
        connection.rollback()
        assert [row[0] for row in connection.execute("SELECT id FROM t").fetchall()] == [1]
        connection.rollback()


def test_databases_of_one_server_are_not_on_the_other(sandbox: SandboxClient, sandbox_database: CreateDatabase) -> None:
    name = sandbox_database(None, JOB_SERVER, elastic_pool="pool1")
    query = "SELECT COUNT(*) FROM sys.databases WHERE name = ?"
    counts = {}
    for server in (TENANT_SERVER, JOB_SERVER):
        with closing(sandbox.connect(server)) as connection:
            counts[server] = connection.execute(query, name).fetchval()
    assert counts == {TENANT_SERVER: 0, JOB_SERVER: 1}


def test_an_unknown_database_is_refused(sandbox: SandboxClient) -> None:
    with pytest.raises(pyodbc.Error, match="4060"):
        sandbox.connect(None, "no_such_database")


def test_a_login_by_token_reaches_the_engine(sandbox: SandboxClient, database: str) -> None:
    with closing(sandbox.connect_by_token(TOKEN, None, database)) as connection:
        assert connection.execute("SELECT DB_NAME()").fetchval() == database


STOPPABLE = (
    "SELECT 1",
    "WAITFOR DELAY '00:00:00.005'; SELECT 1",
    "DECLARE @i int = 0; WHILE @i < 300 SET @i += 1; SELECT @i",
    "WITH d AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 100) SELECT a.n FROM d AS a CROSS JOIN d AS b",
)


def test_a_cancel_at_any_moment_leaves_the_connection_usable(sandbox: SandboxClient, database: str) -> None:
    chance = random.Random(2026)
    with closing(sandbox.connect(None, database)) as connection:
        for _ in range(60):
            cursor = connection.cursor()
            timer = threading.Timer(chance.choice([0, 0.0005, 0.002, 0.008]), cursor.cancel)
            timer.start()
            try:
                cursor.execute(chance.choice(STOPPABLE)).fetchall()
            except pyodbc.Error as error:
                # HY010 is the driver's own: the cancel came between its calls.
                assert error.args[0] in ("HY008", "HY010"), error  # noqa: PT017 - it may also succeed
            timer.join()
            assert connection.execute("SELECT 42").fetchval() == 42
