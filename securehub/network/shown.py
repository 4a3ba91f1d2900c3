"""
The certificates that a peer has shown. Nothing is kept here: TLS has them, and they are read when somebody asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate

from securehub.peer import PeerCertificate

MAX_SHOWN = 16 * 1024
"""Bytes of a certificate and of the chain that came with it. TLS keeps all of it as long as the connection lives."""


def certificate_of(transport: Any) -> PeerCertificate | None:
    """
    The certificate that the peer of a connection has shown; None if there is none, or none whose dates can be read.

    That of a resumed TLS session is the one of its first handshake.
    """
    found = _shown(transport)
    if found is None:
        return None
    try:
        return PeerCertificate(found.digest("sha256").decode(), _instant(found.get_notBefore()), _instant(found.get_notAfter()))
    except ValueError:
        return None


def shows_too_much(transport: Any) -> bool:
    """Whether the certificates that the peer has shown take more memory than one connection should."""
    found = _shown(transport)
    if found is None:
        return False
    chain = transport.getHandle().get_peer_cert_chain() or ()
    return sum(len(dump_certificate(FILETYPE_ASN1, each)) for each in (found, *chain)) > MAX_SHOWN


def _shown(transport: Any) -> Any:
    return transport.getPeerCertificate() if hasattr(transport, "getPeerCertificate") else None


def _instant(time: bytes | None) -> datetime:
    """A time of ASN.1 as OpenSSL gives it: C{20261119180200Z}."""
    return datetime.strptime((time or b"").decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
