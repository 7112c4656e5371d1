"""A managed identity's token, from an identity endpoint over HTTP, through azure-identity, to a session."""

from __future__ import annotations

import threading
import uuid
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import ManagedIdentity
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import LoginFailedError
from tests.wire.connections.conftest import HEADER, Endpoint


def test_a_user_assigned_identity_is_asked_for_once_by_its_client_id(endpoint: Endpoint) -> None:
    client_id = str(uuid.uuid4())
    identity = ManagedIdentity(client_id=client_id)
    threads = [threading.Thread(target=identity.access_token) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert identity.access_token() == endpoint.token
    (request,) = endpoint.requests
    assert request["client_id"] == [client_id]
    assert request["resource"] == ["https://database.windows.net"]


def test_a_system_assigned_identity_is_asked_for_without_a_client_id(endpoint: Endpoint) -> None:
    identity = ManagedIdentity(token_scope=f"https://{uuid.uuid4()}.example/.default")
    assert identity.access_token() == endpoint.token
    assert "client_id" not in endpoint.requests[0]


def test_a_refusal_of_the_endpoint_is_a_failed_login(endpoint: Endpoint) -> None:
    endpoint.refusing = True
    with pytest.raises(LoginFailedError, match="managed identity") as caught:
        ManagedIdentity(client_id=str(uuid.uuid4())).access_token()
    assert HEADER not in str(caught.value)


@pytest.mark.sandbox_only
def test_its_token_opens_a_session(endpoint: Endpoint, sandbox: Any, server: Any) -> None:
    sandbox.set_token(endpoint.token, "the_identity", server=server.name)
    settings = replace(server.settings, authentication=ManagedIdentity(client_id=str(uuid.uuid4())))
    with closing(connect(settings, server.name, "master")) as connection:
        assert connection.execute("SELECT SUSER_SNAME()").fetchval() == "the_identity"
    with closing(connect(settings, server.name, "master")) as connection:
        assert connection.execute("SELECT 1").fetchval() == 1
    assert len(endpoint.requests) == 1
