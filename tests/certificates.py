"""
Certificates for tests, in files.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.authenticator import identity
from tests.times import BEGIN

# Of a curve that no TLS library takes any more, as openssl still makes it.
ODD_CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIIBITCB7KADAgECAhQ0HOC7IGIvC0ewMkdI9K9uo+P+TzAKBggqhkjOPQQDAjAM
MQowCAYDVQQDDAF4MB4XDTI2MTEyMjA0NTAwM1oXDTI3MDMwMjA0NTAwM1owDDEK
MAgGA1UEAwwBeDAyMBAGByqGSM49AgEGBSuBBAAGAx4ABC1RN02Z1L+WFl2D+tfJ
zPVK/0Hs7elN9ksVqCajUzBRMB0GA1UdDgQWBBQJe99XBOpYtM2jpVBilimLAAqn
zTAfBgNVHSMEGDAWgBQJe99XBOpYtM2jpVBilimLAAqnzTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCAyQAMCECDwDWRDjNPU+CpAV3RL30EwIOJiRs+K6zmYnR
qcDA0vc=
-----END CERTIFICATE-----
"""
ODD_KEY = b"""\
-----BEGIN EC PRIVATE KEY-----
MD4CAQEEDoJC21oNEO4lU/a07PmAoAcGBSuBBAAGoSADHgAELVE3TZnUv5YWXYP6
18nM9Ur/Qezt6U32SxWoJg==
-----END EC PRIVATE KEY-----
"""


def make_certificate(
    directory: Path, *, name: str = "SecureHub", begin: datetime = BEGIN, days: int = 3650, password: bytes | None = None
) -> tuple[Path, Path]:
    """
    A self-signed certificate and its key, as SecureHub 0.1 made them.

    @param password: of the key; none if it is None.

    @return: the paths of both.
    """
    directory.mkdir(parents=True, exist_ok=True)
    names, constraints = x509.SubjectAlternativeName([x509.DNSName("localhost")]), x509.BasicConstraints(ca=False, path_length=None)
    signed, private = identity(name, begin, days, [(names, False), (constraints, True)])
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    key.write_bytes(private.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption))
    key.chmod(0o600)
    certificate.write_bytes(signed.public_bytes(pem))
    return certificate, key
