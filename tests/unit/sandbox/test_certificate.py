from __future__ import annotations

import ssl
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from airflow_provider_elasticjobs.sandbox.certificate import CertificateFiles, server_context, write_certificates


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return write_certificates(tmp_path, ["one.example", "two.example"])


def shake_hands(files: CertificateFiles, name: str, *, strict: bool) -> ssl.SSLObject:
    """A handshake in memory with a client that trusts the authority and expects this name."""
    trust = ssl.create_default_context(cafile=str(files.authority))
    trust.set_alpn_protocols(["tds/8.0"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context(files, strict=strict).wrap_bio(to_server, to_client, server_side=True)
    client = trust.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
                waiting.remove(side)
    assert not waiting
    return client


@pytest.mark.parametrize("name", ["one.example", "two.example", "localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_accepts_every_name(files: CertificateFiles, name: str) -> None:
    assert shake_hands(files, name, strict=False).version() == "TLSv1.2"


def test_another_name_is_refused(files: CertificateFiles) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="other"):
        shake_hands(files, "other.example", strict=False)


def test_strict_connections_agree_on_tds_8(files: CertificateFiles) -> None:
    client = shake_hands(files, "one.example", strict=True)
    assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", "tds/8.0")


def test_the_key_is_for_its_owner_only(files: CertificateFiles) -> None:
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_every_start_has_an_authority_of_its_own(files: CertificateFiles, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    again = write_certificates(other, ["one.example"])
    first, second = (x509.load_pem_x509_certificate(one.authority.read_bytes()) for one in (files, again))
    assert first.public_key() != second.public_key()
