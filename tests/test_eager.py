"""
Writes that go to the socket at once.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from securehub.network.eager import EagerFactory, EagerTransport


class MemorySocket:
    """
    A TCP transport of Twisted's, as far as it matters here.

    @ivar room: bytes that the socket takes before it is full; -1 if it is broken.
    @ivar sent: what the socket took.
    @ivar buffered: what the transport keeps for later.
    """

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.sent = b""
        self.buffered = b""
        self.connected = True
        self.disconnecting = False
        self.aborted = False
        self.reading = True
        self.producer: Any = None

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    @property
    def socket(self) -> MemorySocket:
        return self

    def send(self, data: bytes) -> int:
        if self.room < 0:
            raise ConnectionResetError
        if not self.room:
            raise BlockingIOError
        taken, self.room = data[: self.room], max(0, self.room - len(data))
        self.sent += taken
        return len(taken)

    def write(self, data: bytes) -> None:
        self.buffered += data

    def drain(self, room: int = 1000) -> None:
        """The socket has room again, and the reactor says so: all that is kept is written, and the producer asked for more."""
        self.sent += self.buffered
        self.buffered = b""
        self.room = room
        if self.producer is not None:
            self.producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert self.producer is None and not streaming
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.aborted = True


class Noting(Protocol):
    """What is above."""

    def __init__(self) -> None:
        self.received = b""
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.reason = reason


class NotingProducer:
    """A push producer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class EagerTests(SynchronousTestCase):
    """Nothing is lost, nothing comes twice, and the order stays, however little the socket takes."""

    def connect(self, socket: Any) -> tuple[EagerTransport, Noting]:
        protocol = EagerFactory(Factory.forProtocol(Noting)).buildProtocol(None)
        assert isinstance(protocol, EagerTransport)
        protocol.makeConnection(socket)
        assert isinstance(protocol.wrappedProtocol, Noting)
        return protocol, protocol.wrappedProtocol

    def test_at_once(self) -> None:
        socket = MemorySocket()
        eager, _ = self.connect(socket)
        eager.write(b"abc")
        eager.writeSequence([b"d", b"e"])
        self.assertEqual((socket.sent, socket.buffered), (b"abcde", b""))

    def test_what_the_socket_does_not_take(self) -> None:
        """It goes the way that everything goes in Twisted, and what comes behind it waits for it."""
        socket = MemorySocket(room=2)
        eager, _ = self.connect(socket)
        eager.write(b"abc")
        eager.write(b"de")
        self.assertEqual((socket.sent, socket.buffered), (b"ab", b"c"))
        socket.drain()
        socket.drain()
        eager.write(b"f")
        self.assertEqual(socket.sent + socket.buffered, b"abcdef")
        socket.drain()
        eager.write(b"g")
        self.assertEqual((socket.sent, socket.producer), (b"abcdefg", None))

    def test_every_size(self) -> None:
        """Whatever the socket takes at a time."""
        for room in range(8):
            socket = MemorySocket(room=room)
            eager, _ = self.connect(socket)
            for place in range(0, 20, 2):
                eager.write(b"abcdefghijklmnopqrst"[place : place + 2])
                if place % 3 == 0:
                    socket.drain(room)
            for _ in range(20):
                socket.drain(room)
            self.assertEqual(socket.sent, b"abcdefghijklmnopqrst", room)

    def test_producer(self) -> None:
        """It knows the moment at which the socket is full, and that at which it is not."""
        socket = MemorySocket(room=2)
        eager, _ = self.connect(socket)
        producer = NotingProducer()
        eager.registerProducer(producer, True)
        eager.write(b"abc")
        self.assertEqual(producer.told, ["pause"])
        socket.drain()
        self.assertEqual(producer.told, ["pause", "resume"])
        eager.unregisterProducer()
        socket.room = 0
        eager.write(b"d")
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_a_producer_that_comes_when_it_is_full(self) -> None:
        socket = MemorySocket(room=0)
        eager, _ = self.connect(socket)
        eager.write(b"a")
        producer = NotingProducer()
        eager.registerProducer(producer, True)
        self.assertEqual(producer.told, ["pause"])

    def test_reading(self) -> None:
        """To pause and resume the transport is about what comes in; what goes out has its own way."""
        socket = MemorySocket(room=1)
        eager, _ = self.connect(socket)
        for content in (b"a", b"bc", b"d"):
            eager.write(content)
            eager.pauseProducing()
            self.assertFalse(socket.reading)
            eager.resumeProducing()
            self.assertTrue(socket.reading)
        socket.drain()
        socket.drain()
        socket.drain()
        self.assertEqual((socket.sent, socket.producer), (b"abcd", None))

    def test_lose_while_it_is_full(self) -> None:
        """From then on nothing is read, as with any transport; TLS, which has ended, would keep all that comes."""
        socket = MemorySocket(room=1)
        eager, _ = self.connect(socket)
        eager.write(b"ab")
        eager.loseConnection()
        self.assertFalse(socket.reading)
        eager.resumeProducing()
        self.assertFalse(socket.reading)

    def test_lose(self) -> None:
        """After all is written."""
        socket = MemorySocket(room=1)
        eager, _ = self.connect(socket)
        eager.write(b"ab")
        eager.write(b"c")
        eager.loseConnection()
        self.assertFalse(socket.disconnecting)
        socket.drain()
        socket.drain()
        self.assertEqual((socket.sent, socket.disconnecting), (b"abc", True))
        other = MemorySocket()
        self.connect(other)[0].loseConnection()
        self.assertTrue(other.disconnecting)

    def test_abort(self) -> None:
        """At once, whatever waits."""
        socket = MemorySocket(room=0)
        eager, _ = self.connect(socket)
        eager.write(b"a")
        eager.write(b"b")
        eager.abortConnection()
        self.assertTrue(socket.aborted)
        socket.drain()
        self.assertNotIn(b"b", socket.sent)

    def test_a_broken_socket(self) -> None:
        """Twisted finds that out again, in its own way; nothing is raised."""
        socket = MemorySocket(room=-1)
        eager, noting = self.connect(socket)
        eager.write(b"a")
        self.assertEqual(socket.buffered, b"a")
        eager.connectionLost(Failure(ConnectionAborted()))
        assert noting.reason is not None
        self.assertIsNotNone(noting.reason.check(ConnectionAborted))

    def test_lost_while_something_waits(self) -> None:
        """The producer above is told to stop."""
        socket = MemorySocket(room=0)
        eager, _ = self.connect(socket)
        producer = NotingProducer()
        eager.registerProducer(producer, True)
        eager.write(b"a")
        socket.producer.stopProducing()
        eager.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(producer.told, ["pause", "stop"])

    def test_any_other_transport(self) -> None:
        """Just passes everything on."""
        transport = StringTransport()
        eager, noting = self.connect(transport)
        eager.write(b"abc")
        eager.dataReceived(b"def")
        self.assertEqual((transport.value(), noting.received), (b"abc", b"def"))
        eager.loseConnection()
        self.assertTrue(transport.disconnecting)
