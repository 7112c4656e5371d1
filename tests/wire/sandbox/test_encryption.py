"""What makes Microsoft's driver accept the sandbox's certificate; each client is a process, trust is read once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.wire.sandbox.conftest import NAME, Scripted

pytestmark = pytest.mark.sandbox_only

CLIENT = "import pyodbc, sys; print(pyodbc.connect(sys.argv[1], timeout=20).execute('SELECT 1').fetchval())"


def connect(scripted: Scripted, *, trusting: bool, **options: str) -> str:
    """Connect from another process; what it printed, or what it failed with."""
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    if trusting:
        environment["SSL_CERT_FILE"] = scripted.client.certificate
    text = scripted.client.connection_string(**{"TrustServerCertificate": "no", **options})
    command = [sys.executable, "-c", CLIENT, text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def test_verified_by_the_name_of_the_logical_server(scripted: Scripted) -> None:
    assert connect(scripted, trusting=True, HostNameInCertificate=NAME) == "1"


def test_verified_by_localhost(scripted: Scripted) -> None:
    server = f"tcp:localhost,{scripted.client.port()}"
    assert connect(scripted, trusting=True, Server=server) == "1"


def test_another_name_is_refused(scripted: Scripted) -> None:
    said = connect(scripted, trusting=True, HostNameInCertificate="other.database.windows.net")
    assert "subject name does not match host name" in said


def test_an_unknown_authority_is_refused(scripted: Scripted) -> None:
    said = connect(scripted, trusting=False, HostNameInCertificate=NAME)
    assert "certificate verify failed" in said


@pytest.mark.parametrize("encrypt", ["yes", "no"])
def test_trusted_unseen(scripted: Scripted, encrypt: str) -> None:
    assert connect(scripted, trusting=False, TrustServerCertificate="yes", Encrypt=encrypt) == "1"


def test_strict_with_the_servers_own_certificate(scripted: Scripted) -> None:
    assert scripted.sandbox.certificates is not None
    certificate = str(scripted.sandbox.certificates.server)
    assert connect(scripted, trusting=False, Encrypt="strict", ServerCertificate=certificate) == "1"


def test_strict_verified_by_name(scripted: Scripted) -> None:
    assert connect(scripted, trusting=True, Encrypt="strict", HostNameInCertificate=NAME) == "1"
    said = connect(scripted, trusting=False, Encrypt="strict", HostNameInCertificate=NAME)
    assert "certificate verify failed" in said
