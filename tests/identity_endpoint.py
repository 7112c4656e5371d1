"""A local stand-in for what gives out access tokens: a machine's identity endpoint, and the directory.

The identity endpoint is App Service's, over HTTP: ``IDENTITY_ENDPOINT`` and ``IDENTITY_HEADER`` lead the real
``azure-identity`` to it. The directory is over HTTPS, and a federation server's, whose tenant is always ``adfs``: it is
the one that the library does not look up in the public cloud first. ``AZURE_AUTHORITY_HOST`` and ``REQUESTS_CA_BUNDLE``
lead to it.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from airflow_provider_elasticjobs.sandbox.certificate import CertificateFiles, write_certificates

#: The one tenant of a federation server.
TENANT = "adfs"
SYSTEM_ASSIGNED = "system-assigned"


@dataclass(frozen=True)
class TokenRequest:
    """What a client asked for.

    :param client_id: the identity; :data:`SYSTEM_ASSIGNED` where none was named.
    :param given: every other field, by name.
    """

    client_id: str
    given: dict[str, str]


class IdentityEndpoint:
    """Gives out a new token for each request, and keeps the requests.

    :param folder: where the directory's certificates go.
    :param lifetime: seconds until a token expires.
    :param issued: told each token and the identity that it is for, before it is given out.
    :param make: makes a token for an identity; by default one that no other is like.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lifetime: int = 7200,
        issued: Callable[[str, str], None] = lambda token, client_id: None,
        make: Callable[[str], str] | None = None,
    ) -> None:
        self.header = f"header-{uuid4()}"
        self.requests: list[TokenRequest] = []
        self.tokens: list[str] = []
        self.lifetime = lifetime
        #: What is answered in place of a token: a status, its headers and body; None for a token.
        self.refusal: tuple[int, dict[str, str], dict[str, Any]] | None = None
        #: Whether connections are closed without an answer.
        self.is_down = False
        numbers = itertools.count(1)
        self._make = make or (lambda client_id: f"token-{next(numbers)}-of-{client_id}-{uuid4()}")
        self.issued = issued
        self._certificates = write_certificates(folder, ["directory.example"])
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._identity = _serve(handler)
        self._directory = _serve(handler, self._certificates)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead ``azure-identity`` here; what it finds by other ways is not named."""
        federated = self._certificates.authority.with_name("federated-token")
        federated.write_text(f"assertion-{self.header}", encoding="utf-8")
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._identity.server_port}/msi/token",
            "IDENTITY_HEADER": self.header,
            "AZURE_AUTHORITY_HOST": f"https://localhost:{self._directory.server_port}",
            "AZURE_FEDERATED_TOKEN_FILE": str(federated),
            "REQUESTS_CA_BUNDLE": str(self._certificates.authority),
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def close(self) -> None:
        """Stop answering."""
        for server in (self._identity, self._directory):
            server.shutdown()
            server.server_close()

    def answer(self, client_id: str, given: dict[str, str]) -> dict[str, Any]:
        """Return the answer that gives an identity a new token."""
        token = self._make(client_id)
        self.issued(token, client_id)
        self.tokens.append(token)
        return {
            "access_token": token,
            "expires_in": self.lifetime,
            "expires_on": str(int(time.time()) + self.lifetime),
            "resource": given.get("resource", ""),
            "token_type": "Bearer",
        }


def _serve(handler: type[BaseHTTPRequestHandler], certificates: CertificateFiles | None = None) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    endpoint: IdentityEndpoint

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/openid-configuration"):
            base = f"https://{self.headers['Host']}/{TENANT}/oauth2"
            self._answer(200, {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"})
        elif self.headers["X-IDENTITY-HEADER"] != self.endpoint.header:
            self._answer(401, {"error": "no identity header"})
        else:
            self._token(parts.query)

    def do_POST(self) -> None:
        self._token(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _token(self, query: str) -> None:
        given = {name: values[0] for name, values in parse_qs(query).items()}
        client_id = given.pop("client_id", SYSTEM_ASSIGNED)
        self.endpoint.requests.append(TokenRequest(client_id, given))
        if self.endpoint.is_down:
            self.close_connection = True
        elif self.endpoint.refusal is not None:
            status, headers, body = self.endpoint.refusal
            self._answer(status, body, headers)
        else:
            self._answer(200, self.endpoint.answer(client_id, given))

    def _answer(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        return
