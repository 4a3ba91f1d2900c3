"""
TLS: the certificate that is made, and which handshakes come to an end.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from securehub import tls
from tests.world import World

NOW = datetime(2026, 11, 19, 18, 2, tzinfo=UTC)

FORWARD_SECRET = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""What TLS 1.2 may use with a certificate like ours."""


class CertificateTests(SynchronousTestCase):
    """A key that nobody else can read, made once."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.certificate, self.key = self.directory / "certificate.pem", self.directory / "key.pem"

    def test_made(self) -> None:
        tls.make_certificate(self.certificate, self.key, now=NOW)
        made = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        key = made.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual(key.curve.name, "secp256r1")
        self.assertLess(made.not_valid_before_utc, NOW)
        self.assertGreater(made.not_valid_after_utc, NOW + timedelta(days=3000))
        self.assertEqual(sorted(path.name for path in self.directory.iterdir()), ["certificate.pem", "key.pem"])

    def test_modes(self) -> None:
        """Whatever the umask of the moment."""
        tls.make_certificate(self.certificate, self.key, now=NOW)
        for path in (self.certificate, self.key):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_made_once(self) -> None:
        """Members trust the fingerprint that they have seen."""
        tls.make_certificate(self.certificate, self.key, now=NOW)
        before = (self.certificate.read_bytes(), self.key.read_bytes())
        tls.make_certificate(self.certificate, self.key, now=NOW)
        self.assertEqual((self.certificate.read_bytes(), self.key.read_bytes()), before)

    def test_fingerprint(self) -> None:
        """As openssl shows it."""
        tls.make_certificate(self.certificate, self.key, now=NOW)
        shown = tls.fingerprint(self.certificate)
        self.assertRegex(shown, r"^([0-9A-F]{2}:){31}[0-9A-F]{2}$")

    def test_files_that_do_not_belong_together(self) -> None:
        tls.make_certificate(self.certificate, self.key, now=NOW)
        other = self.directory / "other.pem"
        tls.make_certificate(self.directory / "certificate2.pem", other, now=NOW)
        self.assertRaises(SSL.Error, tls.make_context, self.certificate, other)


class SocketTransport(StringTransport):
    """
    A TCP transport, as far as TLS and what is before it use one.

    @ivar room: bytes that go out at once, each time.
    """

    connected = True
    room = 65_536

    def writeSomeData(self, data: bytes) -> int:
        self.write(data[: self.room])
        return min(self.room, len(data))


class Handshake:
    """
    A client with pyOpenSSL, in memory, before a hub's port.

    @param session: one of TLS that is to be resumed.

    @ivar received: what came, decrypted.
    @ivar failed: whether a handshake came to a bad end, on either side.
    """

    def __init__(self, world: World, server: tls.ServerTLS, context: SSL.Context, session: SSL.Session | None = None) -> None:
        self.world = world
        self.transport = SocketTransport()
        self.transport.abortConnection = self._ended
        self.transport.loseConnection = self._ended
        self.protocol = tls.wrap(server, world.hub.members_door).buildProtocol(None)
        assert self.protocol is not None
        self.protocol.makeConnection(self.transport)
        self.client = SSL.Connection(context, None)
        if session is not None:
            self.client.set_session(session)
        self.client.set_connect_state()
        self.received = b""
        self.failed = False
        self._on_the_way = b""

    def run(self) -> Handshake:
        """Carry bytes to and fro until nobody has anything to say."""
        for _ in range(20):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error:
                self.failed = True
            self._to_hub()
            self._to_client()
            self.world.settle()
        return self

    def send(self, data: bytes) -> None:
        for begin in range(0, len(data), 10_000):
            self.client.sendall(data[begin : begin + 10_000])
            self.run()

    def _to_hub(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            self._on_the_way += self.client.bio_read(65_536)
        if self._on_the_way and self.transport.producerState == "producing":
            data, self._on_the_way = self._on_the_way, b""
            self.protocol.dataReceived(data)

    def _to_client(self) -> None:
        data = self.transport.value()
        self.transport.clear()
        if data:
            self.client.bio_write(data)
        try:
            self.received += self.client.recv(65_536)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.failed = True

    def _ended(self) -> None:
        self.failed = True


class HandshakeTests(SynchronousTestCase):
    """TLS 1.2 or newer, good ciphers, and our own protocol or none."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate, key = directory / "certificate.pem", directory / "key.pem"
        tls.make_certificate(certificate, key, now=NOW)
        self.server = tls.ServerTLS(certificate, key)
        # The transport shows a peer of another machine, and what is tried here is more than strangers may ask for.
        self.world = World(stranger_requests=10_000)

    def shake(self, *versions: int, alpn: list[bytes] | None = None, ciphers: bytes | None = None) -> Handshake:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if versions:
            context.set_min_proto_version(versions[0])
            context.set_max_proto_version(versions[-1])
        # Old versions are not to fail because of our own side's caution.
        context.set_cipher_list(ciphers or b"ALL:@SECLEVEL=0")
        if alpn is not None:
            context.set_alpn_protos(alpn)
        handshake = Handshake(self.world, self.server, context).run()
        # A hub's own timers must not outlive the test.
        self.addCleanup(lambda: [call.cancel() for call in self.world.time.getDelayedCalls()])
        return handshake

    def test_versions(self) -> None:
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            handshake = self.shake(version)
            self.assertEqual(handshake.client.get_protocol_version_name(), name)
            self.assertTrue(handshake.received.startswith(b"* SecureHub "), handshake.received)

    def test_old_versions(self) -> None:
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            handshake = self.shake(version)
            self.assertTrue(handshake.failed)
            self.assertEqual(handshake.received, b"")

    def test_spoken_over_it(self) -> None:
        handshake = self.shake()
        handshake.received = b""
        handshake.send(b"PING hel")
        handshake.send(b"lo\n")
        self.assertEqual(handshake.received, b"OK hello\n")

    def test_pipelined(self) -> None:
        """Reading stops and goes on again, many times, and every request is answered."""
        handshake = self.shake()
        handshake.received = b""
        handshake.send(b"".join(b"PING %d\n" % number for number in range(3_000)))
        for _ in range(20):
            handshake.run()
        self.assertEqual(handshake.received, b"".join(b"OK %d\n" % number for number in range(3_000)))

    def test_nothing_before_the_handshake(self) -> None:
        """Not a byte of the greeting is kept for somebody who may never come."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        handshake = Handshake(self.world, self.server, context)
        self.world.settle()
        self.assertEqual(handshake.transport.value(), b"")
        self.world.elapse(11)
        self.assertTrue(handshake.failed)

    def test_alpn(self) -> None:
        """None, or our own, among whatever others."""
        for offers in (None, [b"securehub/1"], [b"h2", b"securehub/1"]):
            handshake = self.shake(alpn=offers)
            self.assertTrue(handshake.received.startswith(b"* SecureHub "), offers)
            self.assertEqual(handshake.client.get_alpn_proto_negotiated(), b"securehub/1" if offers else b"")

    def test_other_offers(self) -> None:
        """They end the handshake: who asks for a web page must not be answered with lines."""
        for offers in ([b"h2"], [b"http/1.1", b"h2"], [b"securehub/2"], [b"SECUREHUB/1"]):
            for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                handshake = self.shake(version, alpn=offers)
                self.assertTrue(handshake.failed, offers)
                self.assertEqual(handshake.received, b"", offers)

    def test_ciphers(self) -> None:
        """Each that a client can offer alone, of TLS 1.2: those with forward secrecy and authenticated encryption are taken, no others."""
        probe = SSL.Connection(self._with_ciphers(b"ALL:@SECLEVEL=0"), None)
        taken = set()
        for name in probe.get_cipher_list():
            if name.startswith("TLS_"):
                continue
            handshake = self.shake(SSL.TLS1_2_VERSION, ciphers=name.encode() + b":@SECLEVEL=0")
            if handshake.received:
                taken.add(name)
        self.assertEqual(taken, FORWARD_SECRET)

    def test_a_new_certificate(self) -> None:
        """Put in place while the hub runs: new connections see it, and those that are open live on."""
        directory = Path(self.mktemp())
        directory.mkdir()
        certificate, key = directory / "certificate.pem", directory / "key.pem"
        tls.make_certificate(certificate, key, now=NOW)
        before = self.shake()
        self.server.context = tls.make_context(certificate, key)
        after = self.shake()
        seen = [each.client.get_peer_certificate(as_cryptography=True) for each in (before, after)]
        self.assertEqual(seen[1], x509.load_pem_x509_certificate(certificate.read_bytes()))
        self.assertNotEqual(seen[0], seen[1])
        before.received = b""
        before.send(b"PING here\n")
        self.assertEqual(before.received, b"OK here\n")

    def test_goodbye(self) -> None:
        """After QUIT the client is told properly that no more will come."""
        handshake = self.shake()
        handshake.send(b"QUIT\n")
        self.assertIn(b"OK\n", handshake.received)
        self.assertTrue(handshake.client.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def _with_ciphers(self, ciphers: bytes) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(ciphers)
        return context
