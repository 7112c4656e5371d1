# ruff: noqa: E501 - one case a line
"""Several sessions: locks, cancelling, databases, logins, rights."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError
from airflow_provider_elasticjobs.sandbox.engine.interface import Cancelled, LoginRefused
from airflow_provider_elasticjobs.sandbox.engine.server import LogicalServer
from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession
from tests.unit.sandbox.engine.conftest import Answer

Open = Callable[..., EngineSession]
Ask = Callable[..., Answer]
LOCK = "DECLARE @r int; EXEC @r = sp_getapplock 'x', '{}', 'Session', {}; SELECT @r"


def test_application_locks_exclude_and_end_with_the_session(open_session: Open, ask_session: Ask) -> None:
    one, two = open_session(), open_session()
    assert ask_session(one, LOCK.format("Exclusive", 0)).value == 0
    assert ask_session(two, LOCK.format("Shared", 0)).value == -1
    assert ask_session(two, "SELECT APPLOCK_TEST('public', 'x', 'Shared', 'Session')").value == 0
    assert ask_session(two, "SELECT COUNT(*) FROM sys.dm_tran_locks WHERE resource_type = 'APPLICATION'").value == 1
    one.close()
    assert ask_session(two, LOCK.format("Exclusive", 0)).value == 0


def test_shared_locks_live_together(open_session: Open, ask_session: Ask) -> None:
    one, two = open_session(), open_session()
    assert [ask_session(each, LOCK.format("Shared", 0)).value for each in (one, two)] == [0, 0]


def test_a_transaction_lock_ends_with_the_transaction(open_session: Open, ask_session: Ask) -> None:
    one, two = open_session(), open_session()
    ask_session(one, "BEGIN TRAN; EXEC sp_getapplock 'x', 'Exclusive'")
    assert ask_session(two, LOCK.format("Exclusive", 0)).value == -1
    ask_session(one, "COMMIT")
    assert ask_session(two, LOCK.format("Exclusive", 0)).value == 0


def test_who_gets_a_transactions_lock_sees_what_it_has_committed(
    server: LogicalServer, open_session: Open, ask_session: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = open_session(), open_session()
    release, seen = server.locks.release_all, []

    def look_and_release(session: EngineSession, owner: str | None = None) -> None:
        seen.append(ask_session(two, "SELECT COUNT(*) FROM t").value)
        release(session, owner)

    ask_session(one, "CREATE TABLE t (a int)")
    ask_session(one, "BEGIN TRAN; EXEC sp_getapplock 'x', 'Exclusive'; INSERT t VALUES (1)")
    monkeypatch.setattr(server.locks, "release_all", look_and_release)
    ask_session(one, "COMMIT")
    assert seen == [1]


def test_a_lock_not_held_cannot_be_released(open_session: Open, ask_session: Ask) -> None:
    assert ask_session(open_session(), "EXEC sp_releaseapplock 'x', 'Session'").numbers == [1223]


@pytest.mark.parametrize(
    "sql", ["WAITFOR DELAY '01:00'", "WHILE 1 = 1 SET NOCOUNT ON", LOCK.format("Exclusive", -1), "UPDATE t SET a = 2",
            "WITH c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c"]
)  # fmt: skip
def test_cancel_ends_what_runs(open_session: Open, ask_session: Ask, sql: str) -> None:
    holder, session = open_session(), open_session()
    ask_session(holder, "CREATE TABLE t (a int)")
    ask_session(holder, LOCK.format("Exclusive", 0) + "; BEGIN TRAN; INSERT t VALUES (1)")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask_session, session, sql)
        while not (session.running and (session.waiting or "WAITFOR" not in sql)):
            threading.Event().wait(0.01)
        while not running.done():
            session.cancel()
            threading.Event().wait(0.05)
        with pytest.raises(Cancelled):
            running.result(20)
    assert ask_session(session, "SELECT 5").value == 5


def test_a_writer_waits_for_another_at_most_lock_timeout(open_session: Open, ask_session: Ask) -> None:
    one, two = open_session(), open_session()
    ask_session(one, "CREATE TABLE t (a int); BEGIN TRAN; INSERT t VALUES (1)")
    assert ask_session(two, "SELECT COUNT(*) FROM t").value == 0
    assert ask_session(two, "SET LOCK_TIMEOUT 50; INSERT t VALUES (2)").numbers == [1222]
    assert ask_session(two, "SET LOCK_TIMEOUT -1; SELECT @@LOCK_TIMEOUT").value == -1
    ask_session(one, "COMMIT")
    assert ask_session(two, "INSERT t VALUES (2); SELECT COUNT(*) FROM t").value == 2


def test_many_sessions_count_up_together(open_session: Open, ask_session: Ask) -> None:
    sessions = [open_session() for _ in range(40)]
    ask_session(sessions[0], "CREATE TABLE t (a int); INSERT t VALUES (0)")
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda each: ask_session(each, "UPDATE t SET a = a + 1"), sessions))
    assert [answer.errors for answer in answers] == [[]] * 40
    assert ask_session(sessions[0], "SELECT a FROM t").value == 40


def test_databases_of_the_server(server: LogicalServer, open_session: Open, ask_session: Ask) -> None:
    master = open_session("master")
    ask_session(master, "CREATE DATABASE [more] (SERVICE_OBJECTIVE = ELASTIC_POOL(name = pool1))")
    server.create_database("asleep", state="RESTORING")
    assert ask_session(master, "SELECT name, state_desc FROM sys.databases ORDER BY database_id").rows == [
        ["master", "ONLINE"], ["shop", "ONLINE"], ["more", "ONLINE"], ["asleep", "RESTORING"],
    ]  # fmt: skip
    pools = "SELECT d.name FROM sys.databases d JOIN sys.database_service_objectives o ON o.database_id = d.database_id WHERE o.elastic_pool_name = 'POOL1' ORDER BY d.name"
    assert ask_session(master, pools).rows == [["more"], ["shop"]]
    assert ask_session(master, "CREATE DATABASE shop").numbers == [1801]
    ask_session(master, "DROP DATABASE more")
    assert ask_session(master, "DROP DATABASE more").numbers == [3701]
    assert server.find_database("more") is None
    assert ask_session(open_session(), "SELECT name FROM sys.databases").rows == [["master"], ["shop"]]


@pytest.mark.parametrize("database", ["nowhere", "asleep"])
def test_a_database_that_cannot_be_opened_is_4060(server: LogicalServer, open_session: Open, database: str) -> None:
    server.create_database("asleep", state="OFFLINE")
    with pytest.raises(LoginRefused) as refused:
        open_session(database)
    assert refused.value.message.number == 4060


def test_a_wrong_password_is_18456_without_the_password(server: LogicalServer) -> None:
    with pytest.raises(LoginRefused) as refused:
        server.check_password("admin", "wrong-word")
    assert (refused.value.message.number, "wrong-word" in str(refused.value)) == (18456, False)
    server.check_password("ADMIN", "secret")


def test_a_reader_reads_and_does_no_more(server: LogicalServer, open_session: Open, ask_session: Ask) -> None:
    admin = open_session()
    for sql in (
        "CREATE SCHEMA jobs", "CREATE TABLE jobs.t (a int); CREATE TABLE dbo.u (a int)",
        "CREATE ROLE jobs_reader; GRANT SELECT ON SCHEMA::jobs TO jobs_reader",
        "CREATE USER reader WITH PASSWORD = 'pw'; ALTER ROLE jobs_reader ADD MEMBER reader",
    ):  # fmt: skip
        assert ask_session(admin, sql).errors == []
    reader = open_session(login="reader")
    assert ask_session(reader, "SELECT COUNT(*) FROM jobs.t").value == 0
    for sql, number in (("SELECT * FROM dbo.u", 229), ("DELETE jobs.t", 229), ("CREATE TABLE x (a int)", 262)):
        assert ask_session(reader, sql).numbers == [number]
    assert ask_session(reader, "SELECT IS_ROLEMEMBER('jobs_reader'), USER_NAME()").rows == [[1, "reader"]]


def test_who_makes_a_schema_owns_it_and_what_is_in_it(open_session: Open, ask_session: Ask) -> None:
    admin = open_session()
    for sql in (
        "CREATE SCHEMA theirs", "CREATE TABLE theirs.t (a int)", "CREATE USER maker WITH PASSWORD = 'pw'",
        "GRANT CREATE SCHEMA TO maker; GRANT CREATE TABLE TO maker; GRANT CREATE ROLE TO maker",
    ):  # fmt: skip
        assert ask_session(admin, sql).errors == []
    maker = open_session(login="maker")
    for sql in (
        "CREATE SCHEMA own", "CREATE TABLE own.t (a int); INSERT own.t VALUES (1)", "CREATE INDEX i ON own.t (a)",
        "CREATE ROLE readers; GRANT SELECT ON SCHEMA::own TO readers", "ALTER TABLE own.t ADD b int; DROP TABLE own.t",
    ):  # fmt: skip
        assert ask_session(maker, sql).errors == []
    for sql, number in (
        ("CREATE TABLE theirs.u (a int)", 2760), ("CREATE VIEW own.v AS SELECT 1 AS a", 262), ("DROP TABLE theirs.t", 262),
        ("GRANT SELECT ON SCHEMA::theirs TO readers", 15151), ("DROP ROLE readers", 15151), ("SELECT * FROM theirs.t", 229),
    ):  # fmt: skip
        assert ask_session(maker, sql).numbers == [number], sql
    ask_session(admin, "CREATE USER nobody WITH PASSWORD = 'pw'")
    assert ask_session(open_session(login="nobody"), "CREATE ROLE r").numbers == [15247]


def test_rights_can_be_asked_for(open_session: Open, ask_session: Ask) -> None:
    admin = open_session()
    for sql in (
        "CREATE SCHEMA jobs", "CREATE TABLE jobs.t (a int)", "CREATE PROCEDURE jobs.p AS SELECT 1",
        "CREATE USER one WITH PASSWORD = 'pw'; CREATE USER two WITH PASSWORD = 'pw'; CREATE USER three WITH PASSWORD = 'pw'",
        "GRANT SELECT, EXECUTE ON SCHEMA::jobs TO one; DENY SELECT ON jobs.t TO one; GRANT CREATE VIEW TO one",
        "ALTER ROLE db_ddladmin ADD MEMBER two; ALTER ROLE db_datareader ADD MEMBER two; ALTER ROLE db_owner ADD MEMBER three",
    ):  # fmt: skip
        assert ask_session(admin, sql).errors == []
    asked = ", ".join(
        f"HAS_PERMS_BY_NAME({what})" for what in (
            "DB_NAME(), 'DATABASE', 'CREATE VIEW'", "NULL, 'DATABASE', 'CREATE ROLE'", "'jobs', 'SCHEMA', 'SELECT'",
            "'jobs', 'SCHEMA', 'ALTER'", "'[jobs].[t]', 'OBJECT', 'SELECT'", "'jobs.p', 'OBJECT', 'EXECUTE'",
            "'nowhere', 'SCHEMA', 'SELECT'", "'jobs.nothing', 'OBJECT', 'SELECT'",
        )
    )  # fmt: skip
    answers = {
        login: ask_session(open_session(login=login), f"SELECT {asked}").rows[0] for login in ("one", "two", "three")
    }
    assert answers == {
        "one": [1, 0, 1, 0, 0, 1, None, None], "two": [1, 0, 1, 1, 1, 0, None, None], "three": [1, 1, 1, 1, 1, 1, None, None],
    }  # fmt: skip


def test_reset_returns_to_the_state_after_login(open_session: Open, ask_session: Ask) -> None:
    session = open_session()
    ask_session(
        session, "CREATE TABLE t (a int); CREATE TABLE #x (a int); SET NOCOUNT ON; BEGIN TRAN; INSERT t VALUES (1)"
    )
    session.reset()
    assert ask_session(session, "SELECT COUNT(*), @@TRANCOUNT FROM t").rows == [[0, 0]]
    assert ask_session(session, "SELECT * FROM #x").numbers == [208]


def test_what_others_run_can_be_seen(open_session: Open, ask_session: Ask) -> None:
    watcher, worker = open_session("master"), open_session()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask_session, worker, "WAITFOR DELAY '00:05'")
        while not worker.waiting:
            threading.Event().wait(0.01)
        found = ask_session(
            watcher,
            "SELECT s.program_name, r.status, r.command FROM sys.dm_exec_requests r JOIN sys.dm_exec_sessions s"
            " ON s.session_id = r.session_id WHERE r.database_id = DB_ID('shop')",
        ).rows
        worker.cancel()
        with pytest.raises(Cancelled):
            running.result(20)
    assert found == [["tests", "suspended", "WAITFOR"]]


def test_a_name_that_is_taken(server: LogicalServer) -> None:
    with pytest.raises(SqlError, match="already exists"):
        server.create_database("SHOP")
