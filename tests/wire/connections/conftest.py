"""An identity endpoint of this machine."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

HEADER = "made-up-header"


class Endpoint:
    """An identity endpoint as Azure App Service has it, on a port of this machine."""

    def __init__(self) -> None:
        self.requests: list[dict[str, list[str]]] = []
        self.token = f"token-{uuid.uuid4()}"
        self.lifetime = 7200
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
                assert self.headers["X-IDENTITY-HEADER"] == HEADER
                answer = {
                    "access_token": endpoint.token,
                    "expires_on": str(int(time.time()) + endpoint.lifetime),
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
        monkeypatch.setenv("IDENTITY_HEADER", HEADER)
        for name in ("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield made
