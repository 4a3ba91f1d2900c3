"""
What a member has beside a password: an app that shows one-time codes, and client certificates.

The codes are computed here from the RFCs alone, so that the hub's are compared with somebody else's.
"""

from __future__ import annotations

import hmac
from base64 import b32decode
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha1
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def code(secret: str, at: datetime) -> str:
    """
    The code that an app shows at a moment (RFC 4226, section 5.3; RFC 6238, section 4.2).

    @param secret: in base32.
    """
    counter = int(at.timestamp()) // 30
    digest = hmac.digest(b32decode(secret), counter.to_bytes(8), sha1)
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4]) & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


class Identity(NamedTuple):
    """A certificate that nobody but its owner has signed, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    def pem(self) -> tuple[bytes, bytes]:
        """The certificate and the key, as files have them."""
        return self.certificate.public_bytes(Encoding.PEM), self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def identity(name: str, begins: datetime, days: int = 365, extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()) -> Identity:
    """
    Make a certificate.

    @param extensions: each with whether it is critical.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    owner = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(owner)
        .issuer_name(owner)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Identity(builder.sign(key, hashes.SHA256()), key)
