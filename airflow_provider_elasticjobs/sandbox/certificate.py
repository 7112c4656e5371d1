"""The certificates of a sandbox: an authority of its own and one server certificate, made anew at every start.

How a client of Microsoft's ODBC Driver 18 on Linux comes to trust them, with ``Encrypt=yes``:

* ``TrustServerCertificate=yes``: the connection is encrypted, nothing is verified.
* ``TrustServerCertificate=no`` and the environment variable ``SSL_CERT_FILE`` naming ``ca.pem`` before the process
  first connects: chain and name are verified. The driver compares DNS names only: with ``Server=tcp:localhost,<port>``
  nothing more is needed, with ``Server=tcp:127.0.0.1,<port>`` add ``HostNameInCertificate=<logical server name>``.
* ``Encrypt=strict`` with ``ServerCertificate=<path of server.pem>``: exactly this certificate is accepted, whatever
  the trust store says. With ``Encrypt=yes`` the driver ignores ``ServerCertificate``.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 30
BACKDATED = dt.timedelta(hours=1)
STRICT_PROTOCOL = "tds/8.0"


@dataclass(frozen=True)
class CertificateFiles:
    """Where the certificates lie.

    :param authority: the authority's certificate, which a client trusts
    :param server: the server's certificate
    :param key: the server's private key, readable by its owner only
    """

    authority: Path
    server: Path
    key: Path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("Elastic Jobs sandbox authority")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _server(
    names: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in (*names, "localhost")]
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_name(names[0]), authority.subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issued_by, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def write_certificates(folder: Path, names: Sequence[str]) -> CertificateFiles:
    """Make an authority and a server certificate and write them.

    :param folder: existing folder
    :param names: host names that the server certificate holds, at least one
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(authority_key)
    files = CertificateFiles(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    server = _server(names, key, authority, authority_key)
    files.server.write_bytes(server.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def server_context(files: CertificateFiles, *, strict: bool) -> ssl.SSLContext:
    """The server's TLS context.

    :param strict: for TDS 8, where TLS comes first; otherwise the handshake travels in PRELOGIN packets, which only
        works up to TLS 1.2
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server, files.key)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if strict:
        context.set_alpn_protocols([STRICT_PROTOCOL])
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
