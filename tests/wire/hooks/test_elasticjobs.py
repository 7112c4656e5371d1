"""The hook as an Airflow engineer uses it, with the real driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from airflow.models import Connection

from airflow_provider_elasticjobs.exceptions import ScriptError
from airflow_provider_elasticjobs.hooks.elasticjobs import ElasticJobsHook
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.run import ScriptRun


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str], server: Any) -> str:
    name = new_database()
    server.execute("CREATE TABLE t(a int NOT NULL)", name)
    return name


@pytest.fixture
def make_hook(server: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ElasticJobsHook]:
    def make(conn_type: str = "elasticjobs", password: str | None = None, **options: Any) -> ElasticJobsHook:
        identity, address = server.settings.authentication, server.settings.address_of(server.name)
        connection = Connection(
            conn_id="tenants",
            conn_type=conn_type,
            host=server.name,
            login=identity.login,
            password=password or identity.password,
            extra={
                "trust_server_certificate": True,
                "host_map": f"{server.name} = {address.host},{address.port}",
            },
        )
        monkeypatch.setattr(ElasticJobsHook, "get_connection", classmethod(lambda cls, conn_id: connection))
        return ElasticJobsHook(elasticjobs_conn_id="tenants", **options)

    return make


@pytest.mark.parametrize("conn_type", ["elasticjobs", "mssql", "odbc"])
def test_each_connection_type_connects(
    make_hook: Callable[..., ElasticJobsHook], conn_type: str, database: str
) -> None:
    hook = make_hook(conn_type, database=database)
    assert hook.get_first("SELECT DB_NAME()")[0] == database


def test_server_and_database_are_arguments(
    make_hook: Callable[..., ElasticJobsHook], server: Any, database: str
) -> None:
    with closing(make_hook().connect(server.name, database, "elasticjobs hook")) as connection:
        assert tuple(connection.execute("SELECT DB_NAME(), APP_NAME()").fetchone()) == (database, "elasticjobs hook")


def test_run_and_get_records_work_with_parameters(make_hook: Callable[..., ElasticJobsHook], database: str) -> None:
    hook = make_hook(database=database)
    hook.run("DELETE FROM t", autocommit=True)
    hook.run("INSERT INTO t(a) VALUES (?)", parameters=(5,))
    assert [tuple(row) for row in hook.get_records("SELECT a FROM t WHERE a = ?", parameters=(5,))] == [(5,)]


def test_insert_rows_works(make_hook: Callable[..., ElasticJobsHook], database: str) -> None:
    hook = make_hook(database=database)
    hook.run("DELETE FROM t", autocommit=True)
    hook.insert_rows("t", [(1,), (2,)], target_fields=["a"])
    assert hook.get_first("SELECT COUNT(*) FROM t")[0] == 2


def test_sqlalchemy_connects_through_the_hook(make_hook: Callable[..., ElasticJobsHook], database: str) -> None:
    engine = make_hook(database=database).get_sqlalchemy_engine()
    with closing(engine.raw_connection()) as connection:
        assert connection.cursor().execute("SELECT DB_NAME()").fetchone()[0] == database
    assert "PWD" not in str(engine.url)
    engine.dispose()


def test_the_button_answers_who_one_is(make_hook: Callable[..., ElasticJobsHook], database: str) -> None:
    worked, text = make_hook(database=database).test_connection()
    assert worked
    assert text.startswith("Connected to ")
    assert f"/{database} as " in text


def test_the_button_answers_what_is_wrong(make_hook: Callable[..., ElasticJobsHook], server: Any) -> None:
    worked, text = make_hook(password="wrong-secret").test_connection()
    assert not worked
    assert f"{server.name}/master" in text
    assert "login failed" in text
    assert "wrong-secret" not in text


def test_a_script_runs_on_a_connection_of_the_hook(make_hook: Callable[..., ElasticJobsHook], database: str) -> None:
    with closing(make_hook().connect(database=database)) as connection, pytest.raises(ScriptError, match="8134"):
        ScriptRun(connection, split_batches("SELECT 1 AS a; SELECT 1/0")).run()
