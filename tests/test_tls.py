"""
TLS: which handshakes come to an end, and what outlives them.
"""

from __future__ import annotations

import contextlib
import gc
import hmac
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securehub.network import tls
from securehub.network.outlet import CLOSING_SECONDS
from securehub.network.protocol import HTTP
from tests.certificates import make_certificate
from tests.world import World, site

FORWARD_SECRET = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""What TLS 1.2 may use with a certificate like ours."""


class SocketTransport(StringTransport):
    """
    A TCP transport, as far as TLS and what is before it use one.

    @ivar room: bytes that go out at once, each time.
    """

    connected = True
    room = 65_536

    @property
    def socket(self) -> SocketTransport:
        return self

    def send(self, data: bytes) -> int:
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
            self.to_hub()
            self._to_client()
            self.world.settle()
        return self

    def send(self, data: bytes) -> None:
        for begin in range(0, len(data), 10_000):
            self.client.sendall(data[begin : begin + 10_000])
            self.run()

    def to_hub(self) -> None:
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
        self.server_files = make_certificate(directory)
        self.server = tls.ServerTLS(*self.server_files)
        # The transport shows a peer of another machine, and what is tried here is more than strangers may ask for.
        self.world = World(stranger_requests=10_000)
        self.world.member("alice").ask("QUIT")

    def test_options(self) -> None:
        """What no handshake shows: neither compression nor new handshakes in the middle, and no buffers for the idle."""
        context = self.server.context
        wanted = SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION
        self.assertEqual(context.set_options(0) & wanted, wanted)
        self.assertTrue(context.set_mode(0) & 0x10)  # SSL_MODE_RELEASE_BUFFERS

    def shake(
        self,
        *versions: int,
        alpn: list[bytes] | None = None,
        ciphers: bytes | None = None,
        after: Handshake | None = None,
        curve: ec.EllipticCurve | None = None,
        secrets: list[bytes] | None = None,
    ) -> Handshake:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD) if after is None else after.client.get_context()
        if after is None:
            if versions:
                context.set_min_proto_version(versions[0])
                context.set_max_proto_version(versions[-1])
            # Old versions are not to fail because of our own side's caution.
            context.set_cipher_list(ciphers or b"ALL:@SECLEVEL=0")
            if curve is not None:
                context.set_tmp_ecdh(curve)
            if alpn is not None:
                context.set_alpn_protos(alpn)
            if secrets is not None:
                context.set_keylog_callback(lambda _, line: secrets.append(line))
        handshake = Handshake(self.world, self.server, context, after and after.client.get_session()).run()
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

    def test_http(self) -> None:
        """Where there is a page it is offered, behind our own protocol; and what is agreed on is spoken."""
        if site() is None:
            raise SkipTest("the web page needs an extra: pip install 'securehub[web]'")
        self.server = tls.ServerTLS(self.server_files[0], self.server_files[1], (tls.ALPN, HTTP))
        for offers, spoken in (([b"h2", b"http/1.1"], HTTP), ([b"http/1.1", b"securehub/1"], tls.ALPN), (None, b""), ([b"h2"], None)):
            handshake = self.shake(alpn=offers)
            self.assertEqual(handshake.failed, spoken is None)
            if spoken is None:
                continue
            self.assertEqual(handshake.client.get_alpn_proto_negotiated(), spoken)
            self.assertEqual(handshake.received.startswith(b"* SecureHub "), spoken != HTTP)
            handshake.received = b""
            handshake.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" if spoken == HTTP else b"PING\n")
            self.assertTrue(handshake.received.startswith(b"HTTP/1.1 200 " if spoken == HTTP else b"OK\n"), handshake.received)

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

    def test_key_exchanges(self) -> None:
        """Those that are quick and good; a client cannot choose one that costs the hub six times as much."""
        for curve, taken in ((ec.SECP256R1(), True), (ec.SECP384R1(), True), (ec.SECP521R1(), False)):
            handshake = self.shake(SSL.TLS1_3_VERSION, curve=curve)
            self.assertEqual(bool(handshake.received), taken, curve)

    def test_an_older_openssl(self) -> None:
        """One that does not know the best key exchange takes the next line, and nothing of that is felt later."""
        self.patch(tls, "GROUPS", (b"nonsense:X25519", *tls.GROUPS[1:]))
        self.server.use(self.server.identity)
        self.assertTrue(self.shake().received)
        self.assertFalse(self.shake(SSL.TLS1_3_VERSION, curve=ec.SECP521R1()).received)
        self.patch(tls, "GROUPS", (b"nonsense",))
        self.assertRaises(tls.BadCertificate, self.server.use, self.server.identity)
        self.assertTrue(self.shake().received)

    def test_a_new_certificate(self) -> None:
        """Put in place while the hub runs: new connections see it, and those that are open live on."""
        directory = Path(self.mktemp())
        directory.mkdir()
        identity = tls.Identity.load(*make_certificate(directory))
        before = self.shake()
        self.server.use(identity)
        after = self.shake()
        seen = [each.client.get_peer_certificate(as_cryptography=True) for each in (before, after)]
        self.assertEqual(seen[1], identity.certificate)
        self.assertNotEqual(seen[0], seen[1])
        before.received = b""
        before.send(b"PING here\n")
        self.assertEqual(before.received, b"OK here\n")

    def test_resumed(self) -> None:
        """A ticket spares a part of the handshake and nothing else: whoever comes back with one is nobody until they log in again."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            first = self.shake(version)
            first.send(b"LOGIN alice correct-horse-battery\nWHOAMI\n")
            self.assertIn(b"username  alice", first.received)
            again = self.shake(version, after=first)
            self.assertTrue(_was_resumed(again.client))
            again.send(b"WHOAMI\n")
            self.assertIn(b"username  -", again.received)

    def test_resumed_after_a_reload(self) -> None:
        """The keys of tickets are of one context, so with another certificate everybody shakes hands anew, and sees it."""
        directory = Path(self.mktemp())
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            first = self.shake(version)
            self.server.use(tls.Identity.load(*make_certificate(directory)))
            again = self.shake(version, after=first)
            self.assertFalse(_was_resumed(again.client))
            self.assertTrue(again.received.startswith(b"* SecureHub "))

    def test_handshakes_without_end(self) -> None:
        """
        A client of TLS 1.2 that wants one after the other is as good as gone. OpenSSL would warn it as often as it asks, and keep the
        warnings that it does not read.
        """
        handshake = self.shake(SSL.TLS1_2_VERSION, ciphers=b"ECDHE-ECDSA-AES128-GCM-SHA256")
        self._ask_in_vain(handshake, b"".join(_wishes(handshake.client)))

    def test_keys_without_end(self) -> None:
        """So is one of TLS 1.3 that wants new keys all the time, which it would get."""
        secrets: list[bytes] = []
        handshake = self.shake(SSL.TLS1_3_VERSION, secrets=secrets)
        (secret,) = [bytes.fromhex(each.split()[2].decode()) for each in secrets if each.startswith(b"CLIENT_TRAFFIC_SECRET_0 ")]
        self._ask_in_vain(handshake, b"".join(_key_updates(secret)))

    def _ask_in_vain(self, handshake: Handshake, asked: bytes) -> None:
        handshake.protocol.dataReceived(asked)
        self.world.settle()
        self.assertTrue(handshake.failed)
        self.assertLess(len(handshake.transport.value()), 10_000)

    def test_goodbye(self) -> None:
        """After QUIT the client is told properly that no more will come."""
        handshake = self.shake()
        handshake.send(b"QUIT\n")
        self.assertIn(b"OK\n", handshake.received)
        self.assertTrue(handshake.client.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    def test_goodbye_of_the_client(self) -> None:
        """It has said all, but still listens, as socat and many a program do: it gets its answers, and then our goodbye."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            handshake = self.shake(version)
            handshake.client.sendall(b"LOGIN alice correct-horse-battery\nPING one\nJOIN lobby\nPING last")
            handshake.client.shutdown()
            handshake.run()
            answers = handshake.received.splitlines()[1:]
            self.assertEqual(
                [each.split()[:2] for each in answers], [[b"OK", b"Welcome"], [b"OK", b"one"], [b"OK", b"lobby"], [b"OK", b"last"]]
            )
            self.assertTrue(handshake.client.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
            self.assertTrue(handshake.failed)

    def test_nothing_is_read_behind_a_goodbye(self) -> None:
        """Whoever goes on sending would fill the memory: OpenSSL keeps what it does not read."""
        handshake = self.shake()
        handshake.client.sendall(b"LOGIN alice\n")
        handshake.client.shutdown()
        handshake.to_hub()
        self.assertEqual(handshake.transport.producerState, "paused")
        handshake.protocol.wrappedProtocol.resumeProducing()
        self.assertEqual(handshake.transport.producerState, "paused")

    def test_gone(self) -> None:
        """
        A connection that is lost is forgotten at once, in whatever way it was lost.

        With its buffers it takes tens of KiB, and the collector, which would find a cycle, looks at what is old hardly ever.
        """
        ways = (
            self._lose,
            self._shut_down,
            self._hear_of_a_commit,
            self._let_wait,
            self._end_in_the_handshake,
            self._be_refused,
            self._be_asked,
            self._answer_badly,
            self._be_verified,
            self._be_cut,
        )
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for lose in ways:
            kept = lose()
            # What the loss has put off, and timers; the longest is that of presence.
            self.world.settle()
            self.world.elapse(11)
            self.assertEqual([ref() for ref in kept if ref() is not None], [], lose.__name__)

    def _lose(self) -> list[weakref.ref[Any]]:
        """The client is gone without a goodbye."""
        handshake = self.shake()
        handshake.send(b"LOGIN alice correct-horse-battery\nJOIN lobby since=0\nSAY lobby hello\n")
        return self._lost(handshake)

    def _shut_down(self) -> list[weakref.ref[Any]]:
        """The client says goodbye."""
        handshake = self.shake()
        handshake.send(b"PING\n")
        handshake.client.shutdown()
        handshake.run()
        return self._lost(handshake)

    def _hear_of_a_commit(self) -> list[weakref.ref[Any]]:
        """What the client was told last hung on a commit."""
        handshake = self.shake()
        handshake.send(b'LOGIN alice correct-horse-battery\n{"jsonrpc":"2.0","method":"chat.join","params":["lobby"]}\n')
        return self._lost(handshake)

    def _let_wait(self) -> list[weakref.ref[Any]]:
        """The client does not read."""
        handshake = self.shake()
        handshake.transport.room = 10
        handshake.send(b"HELP\n" * 20)
        return self._lost(handshake)

    def _be_refused(self) -> list[weakref.ref[Any]]:
        """What the client has asked for is refused, in either form."""
        handshake = self.shake()
        handshake.send(b'BALANCE\n{"jsonrpc":"2.0","id":1,"method":"ledger.balance"}\n[1,{"jsonrpc":"2.0","method":"x"}]\n')
        return self._lost(handshake)

    def _be_asked(self) -> list[weakref.ref[Any]]:
        """The client is asked for a password."""
        handshake = self.shake()
        handshake.send(b"LOGIN alice\n")
        return self._lost(handshake)

    def _answer_badly(self) -> list[weakref.ref[Any]]:
        """The client has said something that no line may be when it was asked."""
        handshake = self.shake()
        handshake.send(b"LOGIN alice\n\xff\n")
        return self._lost(handshake)

    def _be_verified(self) -> list[weakref.ref[Any]]:
        """The client's password waits to be hashed."""
        self.world.hashing_waits = True
        handshake = self.shake()
        handshake.send(b"LOGIN alice correct-horse-battery\n")
        kept = self._lost(handshake)
        self.world.hashing_waits = False
        return kept

    def _be_cut(self) -> list[weakref.ref[Any]]:
        """The client has said goodbye and does not read what it is answered."""
        handshake = self.shake()
        handshake.transport.room = 10
        handshake.send(b"HELP\nQUIT\n")
        self.world.elapse(CLOSING_SECONDS)
        self.assertTrue(handshake.failed)
        return self._lost(handshake)

    def _end_in_the_handshake(self) -> list[weakref.ref[Any]]:
        """What the client sends is no TLS at all."""
        handshake = Handshake(self.world, self.server, SSL.Context(SSL.TLS_CLIENT_METHOD))
        kept = self._parts(handshake)
        handshake.protocol.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
        handshake.protocol.connectionLost(Failure(ConnectionLost()))
        vars(handshake).clear()
        return kept

    def _lost(self, handshake: Handshake) -> list[weakref.ref[Any]]:
        kept = self._parts(handshake)
        if handshake.transport.producer is not None:
            # As Twisted's TCP transport does before it says so.
            handshake.transport.producer.stopProducing()
            handshake.transport.unregisterProducer()
        handshake.protocol.connectionLost(Failure(ConnectionLost()))
        # The test's own cycle.
        vars(handshake).clear()
        return kept

    def _parts(self, handshake: Handshake) -> list[weakref.ref[Any]]:
        """What there is of a connection."""
        eager: Any = handshake.protocol
        secure = eager.wrappedProtocol
        protocol = secure.wrappedProtocol
        parts = [eager, secure, secure._tlsConnection, protocol, protocol.session, protocol.outlet]
        return [weakref.ref(each) for each in parts if each is not None]

    def _with_ciphers(self, ciphers: bytes) -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(ciphers)
        return context


def _was_resumed(connection: SSL.Connection) -> bool:
    # pyOpenSSL has no name for it.
    return bool(SSL._lib.SSL_session_reused(connection._ssl))


def _wishes(client: SSL.Connection) -> Iterator[bytes]:
    """Records of TLS 1.2 in which a client that speaks AES128-GCM-SHA256 begins other handshakes; OpenSSL itself sends no such."""
    secret, seed = client.master_key() or b"", b"key expansion" + (client.server_random() or b"") + (client.client_random() or b"")
    block, last = b"", seed
    while len(block) < 40:
        last = hmac.digest(secret, last, "sha256")
        block += hmac.digest(secret, last + seed, "sha256")
    hello = b"\x01\x00\x00\x00" * 10
    # The one with the number 0 has ended the handshake.
    for number in range(1, 1_000):
        nonce = number.to_bytes(8, "big")
        sealed = nonce + AESGCM(block[:16]).encrypt(block[32:36] + nonce, hello, nonce + b"\x16\x03\x03" + len(hello).to_bytes(2, "big"))
        yield b"\x16\x03\x03" + len(sealed).to_bytes(2, "big") + sealed


def _key_updates(secret: bytes) -> Iterator[bytes]:
    """Records of TLS 1.3 in which a client that speaks AES-256-GCM wants new keys, each under those of the one before."""

    def derived(label: bytes, length: int) -> bytes:
        about = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\x00"
        return hmac.digest(secret, about + b"\x01", "sha384")[:length]

    for _ in range(1_000):
        update = b"\x18\x00\x00\x01\x01\x16"
        head = b"\x17\x03\x03" + (len(update) + 16).to_bytes(2, "big")
        yield head + AESGCM(derived(b"key", 32)).encrypt(derived(b"iv", 12), update, head)
        secret = derived(b"traffic upd", 48)
