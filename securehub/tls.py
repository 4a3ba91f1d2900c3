"""
The certificate, and TLS as this hub speaks it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from securehub.eager import EagerFactory

ALPN = b"securehub/1"

# Forward secrecy and authenticated encryption only; the defaults would offer CBC and CCM besides. TLS 1.3 has none but good ones.
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"

DAYS = 3650
"""A certificate that no CA has signed is trusted by its fingerprint, so it is made to stay."""

_RELEASE_BUFFERS = 0x10  # SSL_MODE_RELEASE_BUFFERS of openssl/ssl.h: an idle connection keeps no buffers


class NoSharedProtocol(SSL.Error):
    """The client offered protocols by ALPN, and ours is not among them."""


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    Makes the server's side of TLS connections.

    @ivar context: taken for each new connection; another may be put in its place while the hub runs, and open connections live on.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = make_context(certificate, key)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self.context)


def make_context(certificate: Path, key: Path) -> SSL.Context:
    """
    TLS 1.2 or newer, with a certificate chain and its key from files.

    @raise SSL.Error: they cannot be read, or do not belong together.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(_RELEASE_BUFFERS)
    # A client certificate is asked for and not required. Who signed it is nobody's business, as members log in with those that they have
    # registered: so of a chain that comes with it as little as possible is looked at (100 signatures took 40 ms).
    context.set_verify(SSL.VERIFY_PEER, _accept)
    context.set_verify_depth(0)
    # Without an id every resumed session with VERIFY_PEER would end as an internal error. Sessions are resumed by tickets, which clients
    # keep: OpenSSL's own cache would keep 20,480 sessions here, each with all that a stranger has shown as a chain (0.8 MB).
    context.set_session_id(b"securehub")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    context.check_privatekey()
    context.set_alpn_select_callback(_select_protocol)
    return context


def wrap(tls: ServerTLS, factory: IProtocolFactory) -> EagerFactory:
    """
    A factory that speaks TLS in front of another.

    Twisted's own gathering of small writes is left out: the gate writes once a turn, and gathering would only put it off.
    """
    wrapped = TLSMemoryBIOFactory(tls, False, factory)
    wrapped.protocol = TLSMemoryBIOProtocol
    return EagerFactory(wrapped)


def make_certificate(certificate: Path, key: Path, *, now: datetime | None = None) -> None:
    """
    Make a self-signed ECDSA P-256 certificate and its key (mode 0600), unless they are there.
    """
    if certificate.exists() and key.exists():
        return
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SecureHub")])
    begin = (now or datetime.now(UTC)) - timedelta(minutes=5)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    _write_private(key, private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    _write_private(certificate, signed.public_bytes(encoding))


def fingerprint(certificate: Path) -> str:
    """The SHA-256 fingerprint of a certificate file, as openssl shows it: pairs of digits with colons."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def _accept(*_: object) -> bool:
    return True


def _select_protocol(_: SSL.Connection, offered: Sequence[bytes]) -> bytes:
    if ALPN in offered:
        return ALPN
    # Raised inside of OpenSSL's callback, this ends the handshake with the alert no_application_protocol.
    raise NoSharedProtocol([("securehub", "alpn", f"none of {list(offered)!r} is spoken here")])
