"""A managed identity's token, from an identity endpoint over HTTP, through azure-identity, to a session."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_elasticjobs.authentication import ManagedIdentity
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import LoginFailedError

_HEADER = "made-up-header"


class Endpoint:
    """An identity endpoint as Azure App Service has it, on a port of this machine."""

    def __init__(self) -> None:
        self.requests: list[dict[str, list[str]]] = []
        self.token = f"token-{uuid.uuid4()}"
        self.refusing = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/msi/token"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoint.requests.append(parse_qs(urlsplit(self.path).query))
                assert self.headers["X-IDENTITY-HEADER"] == _HEADER
                answer = {
                    "access_token": endpoint.token,
                    "expires_on": str(int(time.time()) + 7200),
                    "resource": "https://database.windows.net/",
                    "token_type": "Bearer",
                }
                body = json.dumps({"error": "no such identity"} if endpoint.refusing else answer).encode()
                self.send_response(400 if endpoint.refusing else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                return

        return Handler


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with closing(Endpoint()) as made:
        monkeypatch.setenv("IDENTITY_ENDPOINT", made.url)
        monkeypatch.setenv("IDENTITY_HEADER", _HEADER)
        for name in ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield made


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
    assert _HEADER not in str(caught.value)


@pytest.mark.sandbox_only
def test_its_token_opens_a_session(endpoint: Endpoint, sandbox: Any, server: Any) -> None:
    sandbox.set_token(endpoint.token, "the_identity", server=server.name)
    settings = replace(server.settings, authentication=ManagedIdentity(client_id=str(uuid.uuid4())))
    with closing(connect(settings, server.name, "master")) as connection:
        assert connection.execute("SELECT SUSER_SNAME()").fetchval() == "the_identity"
    with closing(connect(settings, server.name, "master")) as connection:
        assert connection.execute("SELECT 1").fetchval() == 1
    assert len(endpoint.requests) == 1
