"""One group, worked on by an identity of its own for each database, over the end of their tokens."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import (
    Authentication,
    ManagedIdentity,
    ServicePrincipal,
    WorkloadIdentity,
)
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from tests.identity_endpoint import TENANT, IdentityEndpoint
from tests.wire.conftest import LiveServer, TokenClock
from tests.wire.execution.conftest import Run

SECRET = "a-client-secret-of-this-test"
COMES_AGAIN = """
IF OBJECT_ID('dbo.Seen') IS NULL
BEGIN
    CREATE TABLE dbo.Seen (by_whom nvarchar(128));
    THROW 50001, 'come again', 1;
END;
INSERT INTO dbo.Seen VALUES (SUSER_SNAME());
"""


@pytest.fixture
def identities(server: LiveServer) -> dict[str, Authentication]:
    """An identity of each kind, by the name that the server knows it by."""
    login: Any = server.settings.authentication
    return {
        login.login: login,
        "managed": ManagedIdentity(client_id="managed"),
        "principal": ServicePrincipal(client_id="principal", tenant_id=TENANT, client_secret=SECRET),
        "workload": WorkloadIdentity(client_id="workload", tenant_id=TENANT),
    }


@pytest.fixture
def before_attempt(
    accepted: IdentityEndpoint, token_clock: TokenClock, sandbox: Any, server: LiveServer
) -> Callable[[int], None]:
    """Before a second attempt every token comes to its last five minutes, and the server refuses it already."""

    def age(attempt: int) -> None:
        token_clock.ahead = accepted.lifetime - 299 if attempt > 1 else 0
        for token in accepted.tokens if attempt > 1 else ():
            sandbox.expire_token(token, server=server.name)

    return age


@pytest.mark.sandbox_only
def test_each_works_on_its_database_and_renews_a_token_that_ends_between_two_attempts(
    new_run: Callable[..., Run],
    server: LiveServer,
    accepted: IdentityEndpoint,
    before_attempt: Callable[[int], None],
    identities: dict[str, Authentication],
) -> None:
    run = new_run(COMES_AGAIN, databases=len(identities))
    opened: list[str] = []

    def connector_of(identity: Authentication) -> Callable[..., pyodbc.Connection]:
        def connect_again(name: str, database: str, application_name: str | None = None) -> pyodbc.Connection:
            opened.append(database)
            before_attempt(opened.count(database))
            settings = replace(server.settings, authentication=identity)
            return connect(settings, name, database, application_name=application_name)

        return connect_again

    for database, (name, identity) in zip(run.databases, identities.items(), strict=True):
        assert run.execution(database, connect=connector_of(identity)).run().lifecycle is Lifecycle.SUCCEEDED
        assert run.target(database).current_attempts == 2
        assert server.execute("SELECT by_whom FROM dbo.Seen;", database) == [(name,)]
    asked = [request.client_id for request in accepted.requests]
    assert sorted(asked) == ["managed", "managed", "principal", "principal", "workload", "workload"]


def test_what_is_recorded_of_a_refused_identity_holds_no_secret(
    new_run: Callable[..., Run], server: LiveServer, identity_endpoint: IdentityEndpoint
) -> None:
    identity_endpoint.refusal = (401, {}, {"error": "invalid_client", "error_description": f"{SECRET} is wrong"})
    run = new_run("SELECT 1;")
    principal = ServicePrincipal(client_id="principal", tenant_id=TENANT, client_secret=SECRET)
    settings = replace(server.settings, authentication=principal)
    result = run.execution(connect=lambda *where: connect(settings, *where[:2])).run()
    assert result.lifecycle is Lifecycle.FAILED
    assert "no access token for service principal 'principal'" in run.target().last_message
    rows = run.job_database.run(Batch("SELECT * FROM jobs_internal.executions;"))
    assert SECRET not in f"{run.log} {result} {[tuple(row) for row in rows]}"
    with pytest.raises(Exception, match="is wrong") as caught:
        connect(settings, server.name, "master")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert len(identity_endpoint.requests) <= 4
