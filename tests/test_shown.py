"""
Client certificates in real handshakes: who shows one, who shows none, and who shows too much.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import gcd
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, ObjectIdentifier, UnrecognizedExtension
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.trial.unittest import SynchronousTestCase

from securehub.network import tls
from securehub.network.shown import MAX_SHOWN, certificate_of
from securehub.peer import PeerCertificate
from tests.authenticator import Identity, identity
from tests.certificates import make_certificate
from tests.test_tls import Handshake
from tests.times import BEGIN
from tests.world import PASSWORD, World

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)


def client_context(version: int, shown: Identity | None = None, *chain: X509) -> SSL.Context:
    """How a client connects, with a certificate or without."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if shown is not None:
        context.use_certificate(X509.from_cryptography(shown.certificate))
        context.use_privatekey(PKey.from_cryptography_key(shown.key))
    for each in chain:
        context.add_extra_chain_cert(each)
    return context


def heavy(count: int) -> X509:
    """A certificate of so many bytes and some more, which nobody needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    filling = UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"x" * count)
    unsigned = CertificateBuilder().subject_name(Name([])).issuer_name(Name([])).public_key(key.public_key()).serial_number(1)
    dated = unsigned.not_valid_before(datetime(2026, 1, 1)).not_valid_after(datetime(2036, 1, 1))
    return X509.from_cryptography(dated.add_extension(filling, False).sign(key, hashes.SHA256()))


def certified(
    key: rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey,
    signer: rsa.RSAPrivateKey | dsa.DSAPrivateKey,
    name: str = "somebody",
) -> X509:
    """A certificate for a key, which says that somebody has signed it."""
    subject, issuer = (Name([NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, "somebody"))
    unsigned = CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(1)
    dated = unsigned.not_valid_before(datetime(2026, 1, 1)).not_valid_after(datetime(2036, 1, 1))
    return X509.from_cryptography(dated.sign(signer, hashes.SHA256()))


def with_exponent_of_all_bits(key: rsa.RSAPrivateKey) -> rsa.RSAPrivateKey:
    """A key with the same modulus, with which it is quick to sign, and takes long to check."""
    known = key.private_numbers()
    p, q, secret = known.p, known.q, 3
    phi = (p - 1) * (q - 1)
    while gcd(secret, phi) > 1:
        secret += 2
    public = rsa.RSAPublicNumbers(pow(secret, -1, phi), p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, secret, secret % (p - 1), secret % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


class CertificateTests(SynchronousTestCase):
    """A client certificate is asked for, none is required, and any is taken."""

    def setUp(self) -> None:
        self.server = tls.ServerTLS(*make_certificate(Path(self.mktemp())))
        self.world = World()
        self.addCleanup(lambda: [call.cancel() for call in self.world.time.getDelayedCalls()])
        self.alice = identity("alice", BEGIN)

    def shake(self, context: SSL.Context, session: SSL.Session | None = None) -> Handshake:
        return Handshake(self.world, self.server, context, session).run()

    def seen(self, handshake: Handshake) -> PeerCertificate | None:
        """What the hub sees of the peer."""
        return certificate_of(handshake.protocol.wrappedProtocol)

    def ask(self, handshake: Handshake, *lines: str) -> list[str]:
        handshake.received = b""
        handshake.send("".join(f"{line}\n" for line in lines).encode())
        return handshake.received.decode().splitlines()

    def test_shown(self) -> None:
        """The hub knows it by what anybody computes from it, and knows its dates."""
        for version in VERSIONS:
            handshake = self.shake(client_context(version, self.alice))
            self.assertTrue(handshake.received.startswith(b"* SecureHub "), handshake.received)
            dates = self.alice.certificate.not_valid_before_utc, self.alice.certificate.not_valid_after_utc
            self.assertEqual(self.seen(handshake), (self.alice.fingerprint, *dates))

    def test_none(self) -> None:
        """A client without one is served as before."""
        for version in VERSIONS:
            handshake = self.shake(client_context(version))
            self.assertIsNone(self.seen(handshake))
            self.assertEqual(self.ask(handshake, "PING hello"), ["OK hello"])

    def test_not_good_now(self) -> None:
        """One whose time is over, or has not come, is no obstacle for the connection; and none for a login by password."""
        self.world.member("alice")
        for begins in (datetime(2001, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)):
            handshake = self.shake(client_context(SSL.TLS1_3_VERSION, identity("old", begins)))
            self.assertEqual(self.ask(handshake, f"LOGIN alice {PASSWORD}")[0].split()[0], "OK")
            self.assertTrue(self.ask(handshake, "auth.cert_add")[0].startswith("ERR conflict the certificate is good from"))

    def test_logging_in(self) -> None:
        """From registering to a login without a password, over real TLS."""
        for version in VERSIONS:
            context = client_context(version, identity("a machine", BEGIN))
            name = f"member{version}"
            answers = self.ask(self.shake(context), f"CREATE {name} {PASSWORD}", "auth.cert_add")
            self.assertTrue(answers[1].startswith("OK Registered "), answers)
            self.assertTrue(self.ask(self.shake(context), f"LOGIN {name}")[0].startswith("OK Welcome back"))
            self.assertEqual(self.ask(self.shake(client_context(version)), f"LOGIN {name}"), ["* Password:"])

    def test_resumed(self) -> None:
        """A TLS session that is resumed has the certificate of its first handshake, or still none."""
        for version in VERSIONS:
            for shown in (self.alice, None):
                full: list[int] = []
                context = client_context(version, shown)
                # The hub's certificate is looked at in full handshakes alone.
                context.set_verify(SSL.VERIFY_PEER, lambda *_, full=full: bool(full.append(1)) or True)
                first = self.shake(context)
                session = first.client.get_session()
                seen, count = self.seen(first), len(full)
                again = self.shake(context, session)
                self.assertEqual(self.ask(again, "PING hello"), ["OK hello"])
                self.assertEqual(len(full), count, "it was not resumed")
                self.assertEqual(self.seen(again), seen)
                self.assertEqual(seen is None, shown is None)

    def test_ended(self) -> None:
        """Whoever asks after the end learns nothing, and nothing breaks."""
        handshake = self.shake(client_context(SSL.TLS1_3_VERSION, self.alice))
        session = handshake.protocol.wrappedProtocol.wrappedProtocol.session
        self.assertEqual(session.certificate().fingerprint, self.alice.fingerprint)
        self.ask(handshake, "QUIT")
        session.lost()
        self.assertIsNone(session.certificate())

    def test_chain(self) -> None:
        """What comes with it does not matter, as long as it is little."""
        handshake = self.shake(client_context(SSL.TLS1_3_VERSION, self.alice, heavy(100), heavy(200)))
        seen = self.seen(handshake)
        assert seen is not None
        self.assertEqual(seen.fingerprint, self.alice.fingerprint)
        self.assertEqual(self.ask(handshake, "PING"), ["OK"])

    def test_too_much(self) -> None:
        """TLS keeps a chain as long as its connection, so nobody may leave 100 KB here."""
        for version in VERSIONS:
            handshake = self.shake(client_context(version, self.alice, heavy(MAX_SHOWN)))
            said = handshake.received.decode().splitlines()[-1]
            self.assertTrue(said.startswith("* Bye: your client certificate"), said)
            self.assertTrue(handshake.failed)

    def test_slow_keys(self) -> None:
        """A key under which it takes long to check a signature ends the handshake, so that no stranger buys 10 ms with 3 KiB."""
        quick = rsa.generate_private_key(65537, 2048)
        slow = with_exponent_of_all_bits(quick)
        for version in VERSIONS:
            for key, served in ((quick, True), (slow, False)):
                context = SSL.Context(SSL.TLS_CLIENT_METHOD)
                context.set_max_proto_version(version)
                context.use_certificate(certified(key.public_key(), quick))
                context.use_privatekey(PKey.from_cryptography_key(key))
                handshake = self.shake(context)
                self.assertEqual((handshake.received.startswith(b"* SecureHub "), handshake.failed), (served, not served))

    def test_slow_keys_of_issuers(self) -> None:
        """Nor does one that has signed the client's, as that signature is checked, too; be it because it is too long."""
        quick = rsa.generate_private_key(65537, 2048)
        slow = with_exponent_of_all_bits(quick).public_key()
        long = rsa.RSAPublicNumbers(65537, 2 ** (tls.MAX_RSA_BITS + 1) - 1).public_key()
        leaf = Identity(certified(self.alice.key.public_key(), quick, "alice").to_cryptography(), self.alice.key)
        for issuer, failed in ((quick.public_key(), False), (slow, True), (long, True)):
            self.assertEqual(self.shake(client_context(SSL.TLS1_3_VERSION, leaf, certified(issuer, quick))).failed, failed)

    def test_long_keys_of_dsa(self) -> None:
        """Likewise of the other kind whose keys may have as many bits as somebody likes."""
        # Longer ones take seconds to make; of themselves both sides take none so short.
        anything = b"DEFAULT:@SECLEVEL=0"
        self.server.context.set_cipher_list(anything)
        signer = dsa.generate_private_key(1024)
        for most, failed in ((1024, False), (1023, True)):
            self.patch(tls, "MAX_DSA_BITS", most)
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_cipher_list(anything)
            context.use_certificate(certified(self.alice.key.public_key(), signer, "alice"))
            context.use_privatekey(PKey.from_cryptography_key(self.alice.key))
            context.add_extra_chain_cert(certified(signer.public_key(), signer))
            self.assertEqual(self.shake(context).failed, failed)

    def test_nothing_kept_of_those_who_left(self) -> None:
        """A server's own cache of sessions would keep what they had shown; tickets are kept by the clients."""
        self.assertEqual(self.server.context.get_session_cache_mode(), SSL.SESS_CACHE_OFF)
