"""Microsoft Entra identities in runs: how many tokens they cost, renewal, and several identities in one group."""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import azure.identity
import pytest

from airflow_provider_elasticjobs.authentication import ManagedIdentity, SqlLogin, WorkloadIdentity
from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.targets import SqlDatabase, Target, TargetGroup
from airflow_provider_elasticjobs.sandbox.certificate import write_certificates
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.targets.enumerate import ServerDatabases
from airflow_provider_elasticjobs.targets.resolve import resolve
from tests.wire.conftest import LiveServer
from tests.wire.connections.conftest import Endpoint

pytestmark = pytest.mark.sandbox_only

TARGETS = 500
WHO = "SELECT SUSER_SNAME()"


def told_by(settings: ConnectionSettings, server: str, database: str = "master") -> str:
    with closing(connector(settings)(server, database, None)) as connection:
        return str(connection.execute(WHO).fetchval())


def managed(server: LiveServer) -> ConnectionSettings:
    """Return settings with an identity that no other test has asked for."""
    return replace(server.settings, authentication=ManagedIdentity(client_id=str(uuid.uuid4())))


def test_five_hundred_targets_cost_one_token(endpoint: Endpoint, sandbox: SandboxClient, server: LiveServer) -> None:
    sandbox.set_token(endpoint.token, "the_identity", server=server.name)
    settings = managed(server)
    with ThreadPoolExecutor(16) as threads:
        users = list(threads.map(lambda _: told_by(settings, server.name), range(TARGETS)))
    assert users == ["the_identity"] * TARGETS
    assert len(endpoint.requests) == 1


def test_a_token_that_expires_in_a_run_is_renewed(
    endpoint: Endpoint, sandbox: SandboxClient, server: LiveServer
) -> None:
    first = endpoint.token
    sandbox.set_token(first, "before", server=server.name)
    endpoint.lifetime = 1
    settings = managed(server)
    with closing(connector(settings)(server.name, "master", None)) as connection:
        expired = time.time() + 2
        sandbox.expire_token(first, server=server.name)
        endpoint.token, endpoint.lifetime = f"token-{uuid.uuid4()}", 7200
        sandbox.set_token(endpoint.token, "after", server=server.name)
        while time.time() < expired:
            # A session stays the one that it was, with the token that opened it.
            assert connection.execute(WHO).fetchval() == "before"
        assert [told_by(settings, server.name) for _ in range(3)] == ["after"] * 3
    assert len(endpoint.requests) == 2


def test_one_group_holds_several_identities(
    endpoint: Endpoint, sandbox: SandboxClient, server: LiveServer, new_database: Callable[[], str]
) -> None:
    sandbox.set_token(endpoint.token, "the_identity", server=server.name)
    assert isinstance(server.settings.authentication, SqlLogin)
    settings = {"entra": managed(server), None: server.settings}
    databases = [new_database() for _ in range(3)]
    group = TargetGroup(
        "mixed",
        [SqlDatabase(server.name, name, conn_id="entra" if name != databases[1] else None) for name in databases],
    )
    targets = resolve(group, lambda *_: ServerDatabases(())).targets

    def user(target: Target) -> str:
        return told_by(settings[target.conn_id], target.server_name, target.database_name)

    assert {target.database_name: user(target) for target in targets} == {
        databases[0]: "the_identity",
        databases[1]: server.settings.authentication.login,
        databases[2]: "the_identity",
    }
    assert len(endpoint.requests) == 1


class Authority:
    """A token authority that exchanges a workload's assertion, over TLS as azure-identity insists."""

    def __init__(self, folder: Path) -> None:
        self.token = f"token-{uuid.uuid4()}"
        self.exchanges: list[dict[str, list[str]]] = []
        self.certificates = write_certificates(folder, ["localhost"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates.server, self.certificates.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tenant = self.path.split("/")[1]
                place = f"{authority.url}/{tenant}"
                self._answer(
                    {"token_endpoint": f"{place}/token", "authorization_endpoint": f"{place}/x", "issuer": place}
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                authority.exchanges.append(parse_qs(body.decode()))
                self._answer({"access_token": authority.token, "expires_in": 7200, "token_type": "Bearer"})

            def _answer(self, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                return

        return Handler


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Authority]:
    with closing(Authority(tmp_path)) as made:
        (tmp_path / "assertion").write_text("the assertion of a pod")
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", made.url)
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "assertion"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.certificates.authority))
        # Microsoft's list of clouds cannot be asked here, and this authority is not on it.
        known = partial(azure.identity.WorkloadIdentityCredential, disable_instance_discovery=True)
        monkeypatch.setattr(azure.identity, "WorkloadIdentityCredential", known)
        yield made


def test_a_workload_exchanges_its_assertion_once(
    authority: Authority, sandbox: SandboxClient, server: LiveServer
) -> None:
    client_id, tenant_id = str(uuid.uuid4()), str(uuid.uuid4())
    sandbox.set_token(authority.token, "the_workload", server=server.name)
    identity = WorkloadIdentity(client_id=client_id, tenant_id=tenant_id)
    settings = replace(server.settings, authentication=identity)
    with ThreadPoolExecutor(8) as threads:
        users = set(threads.map(lambda _: told_by(settings, server.name), range(16)))
    assert users == {"the_workload"}
    (exchange,) = authority.exchanges
    assert exchange["client_assertion"] == ["the assertion of a pod"]
    assert exchange["client_id"] == [client_id]
    assert exchange["scope"] == ["https://database.windows.net/.default"]
