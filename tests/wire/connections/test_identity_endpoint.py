"""Tokens of a local identity endpoint and directory, through the real azure-identity, to sessions by the driver."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import (
    Authentication,
    DefaultCredential,
    ManagedIdentity,
    ServicePrincipal,
    WorkloadIdentity,
)
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import LoginFailedError
from tests.identity_endpoint import SYSTEM_ASSIGNED, TENANT, IdentityEndpoint
from tests.wire.conftest import TokenClock

_SECRET = f"secret-{uuid.uuid4()}"
IDENTITIES: tuple[Callable[[str], Authentication], ...] = (
    lambda name: ManagedIdentity(client_id=name),
    lambda name: ServicePrincipal(client_id=name, tenant_id=TENANT, client_secret=_SECRET),
    lambda name: WorkloadIdentity(client_id=name, tenant_id=TENANT),
    lambda name: DefaultCredential(client_id=name, tenant_id=TENANT),
)
_NAMES = ("managed identity", "service principal", "workload identity", "default")
of_each_kind = pytest.mark.parametrize("identity", IDENTITIES, ids=_NAMES)


def failures(settings: Any, server: Any, threads: int) -> list[LoginFailedError]:
    """Connect from many threads at once; all must fail to log in."""

    def attempt(_: int) -> LoginFailedError:
        with pytest.raises(LoginFailedError) as caught:
            connect(settings, server.name, "master").close()
        return caught.value

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(attempt, range(threads)))


def who(settings: Any, server: Any) -> str:
    with closing(connect(settings, server.name, "master")) as connection:
        return str(connection.execute("SELECT SUSER_SNAME()").fetchval())


class TestRequests:
    def test_a_user_assigned_identity_is_asked_for_by_its_client_id(self, identity_endpoint: IdentityEndpoint) -> None:
        client_id = str(uuid.uuid4())
        assert ManagedIdentity(client_id=client_id).access_token().text == identity_endpoint.tokens[0]
        (request,) = identity_endpoint.requests
        assert request.client_id == client_id
        assert request.given["resource"] == "https://database.windows.net"

    def test_a_system_assigned_identity_is_asked_for_without_one(self, identity_endpoint: IdentityEndpoint) -> None:
        ManagedIdentity(token_scope="https://other.example/.default").access_token()
        (request,) = identity_endpoint.requests
        assert (request.client_id, request.given["resource"]) == (SYSTEM_ASSIGNED, "https://other.example")

    def test_a_service_principal_shows_its_secret(self, identity_endpoint: IdentityEndpoint) -> None:
        ServicePrincipal(client_id="app", tenant_id=TENANT, client_secret=_SECRET).access_token()
        (request,) = identity_endpoint.requests
        assert (request.client_id, request.given["client_secret"]) == ("app", _SECRET)

    def test_a_workload_identity_shows_the_token_of_its_service_account(
        self, identity_endpoint: IdentityEndpoint
    ) -> None:
        WorkloadIdentity(client_id="app", tenant_id=TENANT).access_token()
        (request,) = identity_endpoint.requests
        assert request.given["client_assertion"].startswith("assertion-")


@pytest.mark.sandbox_only
class TestSessions:
    @of_each_kind
    def test_its_token_opens_a_session(
        self, accepted: IdentityEndpoint, server: Any, identity: Callable[[str], Authentication]
    ) -> None:
        name = str(uuid.uuid4())
        settings = replace(server.settings, authentication=identity(name))
        assert [who(settings, server), who(settings, server)] == [name, name]
        assert len(accepted.requests) == 1

    def test_five_hundred_logins_of_four_identities_at_once_ask_once_for_each(
        self, accepted: IdentityEndpoint, server: Any
    ) -> None:
        settings = [
            replace(server.settings, authentication=identity(f"{name} {uuid.uuid4()}"))
            for name, identity in zip(_NAMES, IDENTITIES, strict=True)
        ]
        with ThreadPoolExecutor(40) as threads:
            users = list(threads.map(lambda number: who(settings[number % 4], server), range(500)))
        assert {name: users.count(name) for name in set(users)} == dict.fromkeys(
            (one.authentication.client_id for one in settings), 125
        )
        assert sorted(request.client_id for request in accepted.requests) == sorted(set(users))

    @of_each_kind
    def test_a_token_that_expires_between_two_logins_is_renewed(
        self,
        accepted: IdentityEndpoint,
        server: Any,
        sandbox: Any,
        token_clock: TokenClock,
        identity: Callable[[str], Authentication],
    ) -> None:
        accepted.lifetime = 600
        settings = replace(server.settings, authentication=identity("renewed"))
        assert who(settings, server) == "renewed"
        token_clock.ahead = 301  # within the five minutes before its end
        assert who(settings, server) == "renewed"
        sandbox.expire_token(accepted.tokens[0], server=server.name)
        assert who(settings, server) == "renewed"
        assert len(accepted.requests) == 2

    def test_a_token_that_the_server_takes_for_expired_is_replaced_once_for_all(
        self, accepted: IdentityEndpoint, server: Any, sandbox: Any, token_clock: TokenClock
    ) -> None:
        settings = replace(server.settings, authentication=ManagedIdentity(client_id="replaced"))
        who(settings, server)
        token_clock.ahead = 61
        sandbox.expire_token(accepted.tokens[0], server=server.name)
        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(lambda _: who(settings, server), range(10))) == ["replaced"] * 10
        assert len(accepted.requests) == 2

    def test_a_new_token_that_is_refused_is_not_asked_for_again(
        self, identity_endpoint: IdentityEndpoint, server: Any, token_clock: TokenClock
    ) -> None:
        settings = replace(server.settings, authentication=ManagedIdentity(client_id="unknown"))
        assert {error.number for error in failures(settings, server, 10)} == {18456}
        assert len(identity_endpoint.requests) == 1
        token_clock.ahead = 61
        assert {error.number for error in failures(settings, server, 10)} == {18456}
        assert len(identity_endpoint.requests) == 2

    def test_a_session_outlives_its_token(self, accepted: IdentityEndpoint, server: Any, sandbox: Any) -> None:
        settings = replace(server.settings, authentication=ManagedIdentity(client_id="long"))
        with closing(connect(settings, server.name, "master")) as connection:
            sandbox.expire_token(accepted.tokens[0], server=server.name)
            assert connection.execute("SELECT SUSER_SNAME()").fetchval() == "long"


class TestRefusals:
    """Whatever the endpoint does, one thread asks, the library repeats it a few times, and all are told the same."""

    @pytest.fixture(params=["throttled", "down", "broken"])
    def failing(self, request: pytest.FixtureRequest, identity_endpoint: IdentityEndpoint) -> IdentityEndpoint:
        if request.param == "throttled":
            identity_endpoint.refusal = (
                429,
                {"Retry-After": "1"},
                {"error": "too_many", "error_description": "slow down"},
            )
        elif request.param == "broken":
            identity_endpoint.refusal = (400, {}, {"error": "invalid_client"})
        identity_endpoint.is_down = request.param == "down"
        return identity_endpoint

    @pytest.mark.parametrize("identity", IDENTITIES[:2], ids=_NAMES[:2])
    def test_a_hundred_logins_at_once_are_one_failure(
        self,
        failing: IdentityEndpoint,
        server: Any,
        token_clock: TokenClock,
        identity: Callable[[str], Authentication],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        settings = replace(server.settings, authentication=identity("nobody"))
        errors = failures(settings, server, 100)
        asked = len(failing.requests)
        assert 1 <= asked <= 8  # the library's own repetitions
        assert {str(error) for error in errors} == {str(errors[0])}
        assert f"cannot connect to {server.name}/master: no access token for" in str(errors[0])
        assert settings.authentication.advice in str(errors[0])
        failures(settings, server, 5)
        assert len(failing.requests) == asked
        shown = "".join(traceback.format_exception(errors[0])) + caplog.text
        assert [secret for secret in (_SECRET, failing.header) if secret in shown] == []

    @pytest.mark.sandbox_only
    def test_it_goes_on_when_the_endpoint_is_back(
        self, accepted: IdentityEndpoint, server: Any, token_clock: TokenClock
    ) -> None:
        accepted.refusal = (400, {}, {"error": "invalid_request"})
        settings = replace(server.settings, authentication=ManagedIdentity(client_id="back"))
        failures(settings, server, 3)
        accepted.refusal = None
        token_clock.ahead = 11
        assert who(settings, server) == "back"

    @pytest.mark.sandbox_only
    def test_a_good_token_is_used_on_while_the_endpoint_is_away(
        self, accepted: IdentityEndpoint, server: Any, token_clock: TokenClock
    ) -> None:
        accepted.lifetime = 600
        settings = replace(server.settings, authentication=ManagedIdentity(client_id="on"))
        who(settings, server)
        accepted.refusal = (400, {}, {"error": "invalid_request"})
        token_clock.ahead = 400
        with ThreadPoolExecutor(10) as threads:
            assert set(threads.map(lambda _: who(settings, server), range(10))) == {"on"}
        assert len(accepted.requests) == 2


@pytest.mark.sandbox_only
def test_no_token_is_in_any_log(
    accepted: IdentityEndpoint, server: Any, caplog: pytest.LogCaptureFixture, token_clock: TokenClock
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, identity in zip(_NAMES, IDENTITIES, strict=True):
        who(replace(server.settings, authentication=identity(name)), server)
    assert len(accepted.tokens) == 4
    hidden = [*accepted.tokens, _SECRET, accepted.header]
    assert [secret for secret in hidden if secret in caplog.text] == []
    assert caplog.text  # the libraries did say something
