"""
Writes that go to the socket at once.

Twisted's TCP transport takes what is written, asks the reactor to say when the socket can take it, and writes it then: two system calls and
a turn of the reactor for what could nearly always be written at once. This stands between the TCP transport and TLS, and tries the socket
first; only what the socket does not take goes Twisted's way (docs/decisions/0004-eager-writes.md).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer


class EagerTransport(ProtocolWrapper):
    """
    A transport that writes at once, around one that has a C{socket}; around any other, it just passes everything on.

    While something waits, the producer above is paused. So it learns at once that the socket is full, and not only when 64 KiB more are
    waiting.
    """

    transport: Any

    def makeConnection(self, transport: Any) -> None:
        self._rest: _Rest | None = None
        self._producer: Any = None
        self._send = getattr(getattr(transport, "socket", None), "send", None)
        super().makeConnection(transport)
        # What comes in does not concern us.
        self.dataReceived = self.wrappedProtocol.dataReceived  # type: ignore[method-assign]

    def write(self, data: bytes) -> None:
        if self._rest is not None:
            self._rest.chunks.append(data)
            return
        transport = self.transport
        if self._send is None or not transport.connected or transport.disconnecting:
            transport.write(data)
            return
        try:
            written = self._send(data)
        except OSError:
            # The socket is full, or the connection is lost; Twisted's own write finds out which.
            written = 0
        if written < len(data):
            self._wait(data[written:])

    def writeSequence(self, chunks: Any) -> None:
        self.write(b"".join(chunks))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Only push producers come here: TLS makes one of whatever is registered with it."""
        assert streaming
        self._producer = producer
        if self._rest is not None:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self._rest is None:
            self.transport.loseConnection()
        else:
            # As that will do. TLS may have ended, and would keep whatever still comes.
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            self.transport.resumeProducing()

    def abortConnection(self) -> None:
        self.forget()
        self.transport.abortConnection()

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self._send = None
        self.forget()
        super().connectionLost(reason)
        # These refer back to us; without them everything of the connection is freed at once.
        del self.dataReceived
        self._rest = self._producer = None

    def forget(self) -> None:
        """What waits will never be written."""
        if self._rest is not None:
            self._rest.chunks.clear()

    def stop(self) -> None:
        """The connection is lost while something waits."""
        self.forget()
        if self._producer is not None:
            self._producer.stopProducing()

    def drained(self) -> None:
        """The socket has taken all that waited."""
        self._rest = None
        self.transport.unregisterProducer()
        if self.disconnecting:
            self.transport.loseConnection()
        elif self._producer is not None:
            self._producer.resumeProducing()

    def _wait(self, rest: bytes) -> None:
        self._rest = _Rest(self, rest)
        if self._producer is not None:
            self._producer.pauseProducing()
        # This asks for the rest at once.
        self.transport.registerProducer(self._rest, False)


@implementer(IPullProducer)
class _Rest:
    """
    What the socket has not taken yet, as the TCP transport's pull producer.

    Not the eager transport itself: C{resumeProducing} of a transport is called by those who read from it, and means something else.
    """

    def __init__(self, eager: EagerTransport, rest: bytes) -> None:
        self._eager = eager
        self.chunks = [rest]

    def resumeProducing(self) -> None:
        if self.chunks:
            chunks, self.chunks = self.chunks, []
            self._eager.transport.write(b"".join(chunks))
        else:
            self._eager.drained()

    def stopProducing(self) -> None:
        self._eager.stop()


class EagerFactory(WrappingFactory):
    """Puts an L{EagerTransport} in front of each connection."""

    protocol = EagerTransport
    noisy = False
