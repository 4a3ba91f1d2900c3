"""
The hub's own certificate authority: a CA in the state directory, which signs the certificate that the daemon shows.

Clients trust the CA, once. So the certificate may be short-lived, be renewed and get other names, and clients need not notice. The CA's key
lies beside the certificate's, readable by the same user: a thief of one has both, so a renewal keeps the certificate's key. So each renewal
is one file, which is replaced at once (docs/decisions/0042-own-authority.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA, CA_KEY = "ca.pem", "ca-key.pem"
CERTIFICATE, KEY = "certificate.pem", "key.pem"

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""Names for which every certificate is good, so that clients on this machine can connect, whatever else it is called."""

CA_DAYS = 3650
"""Every client has to be given a new CA when the old one ends, so a CA lasts long."""

DAYS = 90
RENEW_DAYS = 30
"""A certificate is renewed with a third of its time left, as is usual with ACME: a hub that was off for weeks, or could not write for
days, is still in time."""

SKEW = timedelta(hours=1)
"""How far a client's clock may be behind ours when a certificate is new."""

_PEM = serialization.Encoding.PEM

PrivateKey = ec.EllipticCurvePrivateKey


class CannotIssue(Exception):
    """No certificate can be made from what is in the state directory; the text says why."""


class Files(Protocol):
    """
    Where the files are; L{securehub.store.files.RealDirectory}.
    """

    path: Path

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Put a whole file under its name, with mode 0600, or leave what was there."""


class Authority:
    """
    The CA of one state directory, and the certificate that it signs.

    @param names: of the hub, besides L{LOCAL_NAMES}: host names and addresses.
    """

    def __init__(self, files: Files, names: Sequence[str]) -> None:
        self._files = files
        self._names = tuple(dict.fromkeys((*LOCAL_NAMES, *names)))

    def renew(self, now: datetime) -> bool:
        """
        Make what is missing, and renew what is about to end or is for other names.

        A certificate that is not of this CA is left alone: somebody has put it there, or an older SecureHub which had no CA has made it.

        @return: whether the certificate has been made anew.

        @raise CannotIssue: something is missing that cannot be made without losing what clients trust, or a file is damaged.
        @raise OSError: the files cannot be read or written.
        """
        certificate = read(self._files.path / CERTIFICATE)
        ca = read(self._files.path / CA)
        if certificate is not None and (ca is None or not is_issued_by(certificate, ca)):
            return False
        key = self._key(KEY)
        if certificate is not None and self._is_good(certificate, key, now):
            return False
        ca_key = self._ca_key(ca)
        if ca is None:
            ca = make_ca(ca_key, now)
            self._files.write(CA, [ca.public_bytes(_PEM)])
        issued = issue(ca, ca_key, key.public_key(), self._names, now)
        # Without the CA: clients that trust it have it, and to others it would prove nothing.
        self._files.write(CERTIFICATE, [issued.public_bytes(_PEM)])
        return True

    def _is_good(self, certificate: x509.Certificate, key: PrivateKey, now: datetime) -> bool:
        return (
            certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS)
            and names_of(certificate) == sorted(self._names)
            and certificate.public_key() == key.public_key()
        )

    def _key(self, name: str) -> PrivateKey:
        """A private key that is there, or else a new one."""
        path = self._files.path / name
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            self._files.write(name, [key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())])
            return key
        try:
            found = serialization.load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise CannotIssue(f"{path} is no private key in PEM form without a passphrase, or is damaged") from None
        if not isinstance(found, PrivateKey):
            raise CannotIssue(f"{path} is not a key that SecureHub has made")
        return found

    def _ca_key(self, ca: x509.Certificate | None) -> PrivateKey:
        path = self._files.path / CA_KEY
        if ca is not None and not path.exists():
            raise CannotIssue(f"{path} is missing, so {self._files.path / CA}, which clients trust, can sign no certificate")
        key = self._key(CA_KEY)
        if ca is not None and ca.public_key() != key.public_key():
            raise CannotIssue(f"{path} is not the key of {self._files.path / CA}")
        return key


def make_ca(key: PrivateKey, now: datetime) -> x509.Certificate:
    """A CA that may sign certificates of servers, but no further CA."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # The CAs of two hubs must not have the same name: a client that trusts both would look up the wrong one.
    name = _name(f"SecureHub CA {identifier.digest[:4].hex().upper()}")
    return (
        _builder(name, name, key.public_key(), now, now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def issue(
    ca: x509.Certificate, ca_key: PrivateKey, key: ec.EllipticCurvePublicKey, names: Sequence[str], now: datetime
) -> x509.Certificate:
    """
    A certificate for a server of these names, which does not outlive its CA.

    @raise CannotIssue: the CA has ended.
    """
    end = min(now + timedelta(days=DAYS), ca.not_valid_after_utc)
    if end <= now:
        raise CannotIssue(f"the CA has ended on {ca.not_valid_after_utc:%Y-%m-%d}")
    public = [_general_name(name) for name in names]
    return (
        _builder(_name(names[0]), ca.subject, key, now, end)
        .add_extension(x509.SubjectAlternativeName(public), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a certificate is good for, sorted."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return sorted([*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(end)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])  # RFC 5280: ub-common-name is 64


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def read(path: Path) -> x509.Certificate | None:
    """
    The first certificate of a file; None if there is no file.

    @raise CannotIssue: it is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        raise CannotIssue(f"{path} is no certificate in PEM form, or is damaged") from None


def is_issued_by(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether a CA has signed a certificate."""
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
