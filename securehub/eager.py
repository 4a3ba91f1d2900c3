"""
Writes that go to the socket at once.

Twisted's TCP transport takes what is written, asks the reactor to say when the socket can take it, and writes it then: two system calls
and a turn of the reactor for what could nearly always be written at once. This stands between the TCP transport and TLS and tries that
first; only what the socket does not take waits in the way of Twisted (docs/decisions/0004-eager-writes.md).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import implementer


@implementer(IPullProducer)
class EagerTransport(ProtocolWrapper):
    """
    A transport that writes at once, around one that has C{writeSomeData}; around any other, it just passes everything on.

    While something waits, it is the TCP transport's pull producer, and the producer above is paused: so that one knows the moment at
    which the socket is full, and not only the one at which 64 KiB more are waiting.
    """

    def makeConnection(self, transport: Any) -> None:
        self._waiting: list[bytes] = []
        self._registered = False
        self._producer: Any = None
        self._write_some = getattr(transport, "writeSomeData", None)
        super().makeConnection(transport)
        # What comes in is nothing to us.
        self.dataReceived = self.wrappedProtocol.dataReceived  # type: ignore[method-assign]

    def write(self, data: bytes) -> None:
        if self._waiting or self._registered:
            self._waiting.append(data)
            return
        transport = self.transport
        if self._write_some is None or not transport.connected or transport.disconnecting:
            transport.write(data)
            return
        written = self._write_some(data)
        if written.__class__ is not int:
            # The connection is lost. Twisted's own write finds that out again, in its own way.
            written = 0
        if written < len(data):
            self._wait(data[written:])

    def writeSequence(self, chunks: Any) -> None:
        self.write(b"".join(chunks))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Only push producers come here: TLS makes one of whatever is registered with it."""
        assert streaming
        self._producer = producer
        if self._registered:
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def loseConnection(self) -> None:
        self.disconnecting = True
        if not self._registered:
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        self._waiting.clear()
        self.transport.abortConnection()

    def resumeProducing(self) -> None:
        """The socket has taken all that the TCP transport had; called by that."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self.transport.write(b"".join(waiting))
            return
        self._registered = False
        self.transport.unregisterProducer()
        if self.disconnecting:
            self.transport.loseConnection()
        elif self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._waiting.clear()
        if self._producer is not None:
            self._producer.stopProducing()

    def connectionLost(self, reason: Any) -> None:
        self._waiting.clear()
        super().connectionLost(reason)

    def _wait(self, rest: bytes) -> None:
        self._waiting.append(rest)
        self._registered = True
        if self._producer is not None:
            self._producer.pauseProducing()
        # This calls resumeProducing at once, which hands the rest to Twisted.
        self.transport.registerProducer(self, False)


class EagerFactory(WrappingFactory):
    """Puts an L{EagerTransport} in front of each connection."""

    protocol = EagerTransport
    noisy = False
