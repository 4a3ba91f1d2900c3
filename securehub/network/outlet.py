"""
The way out of a connection: what the gate has released goes to the transport, as fast as the peer reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

_log = Logger()

CLOSING_SECONDS = 5.0
"""How long a peer that does not read may keep a connection which we have closed."""


@implementer(IPushProducer)
class TransportOutlet:
    """
    Writes to a transport while it accepts more, and queues while it does not.

    The limit is for events that pile up before a peer that does not read. Replies are not counted: while the peer does not read, neither do
    we, so there can be no more of them than were asked for, however long they are.

    @param limit: bytes of events that may wait.
    @param ready: called when the transport takes more again.

    @ivar paused: whether the transport is full, or gone.
    """

    def __init__(self, transport: Any, reactor: IReactorTime, *, limit: int, ready: Callable[[], None], peer: str) -> None:
        self._transport = transport
        self._reactor = reactor
        self._limit = limit
        self._ready: Callable[[], None] | None = ready
        self._peer = peer
        # Each with the number of its bytes that are events.
        self._queue: deque[tuple[bytes, int]] = deque()
        self._event_bytes = 0
        self._closing: IDelayedCall | None = None
        self._lost = False
        self.paused = False
        transport.registerProducer(self, True)

    @property
    def queued(self) -> int:
        """Bytes that wait here."""
        return sum(len(content) for content, _ in self._queue)

    def release(self, content: bytes, event_bytes: int) -> None:
        if self.paused:
            self._wait(content, event_bytes)
        elif content:
            self._transport.write(content)

    def tell(self, events: bytes) -> None:
        if self.paused:
            self._wait(events, len(events))
        else:
            self._transport.write(events)

    def _wait(self, content: bytes, event_bytes: int) -> None:
        if self._lost or not content:
            return
        self._queue.append((content, event_bytes))
        self._event_bytes += event_bytes
        if self._event_bytes > self._limit:
            _log.warn("slow-reader: {peer} has {waiting} bytes of events waiting, and is cut.", peer=self._peer, waiting=self._event_bytes)
            self.cut()

    def cut(self) -> None:
        """Close at once; what waits is dropped."""
        self._queue.clear()
        self._event_bytes = 0
        if not self._lost:
            self._transport.abortConnection()

    def lost(self) -> None:
        """
        The connection is gone; whatever still comes is dropped.

        The transport refers to this as its producer, so this must not refer to the transport: only the collector frees cycles, and it
        hardly ever looks at old objects.
        """
        self._lost = self.paused = True
        self._queue.clear()
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        self._transport = self._ready = self._closing = None

    def close(self) -> None:
        """Close when all has been written, or the peer has had its time to read it."""
        if self._closing is not None or self._lost:
            return
        self._closing = self._reactor.callLater(CLOSING_SECONDS, self.cut)
        if not self._queue:
            self._finish()

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        if self._lost:
            return
        self.paused = False
        # Writing may fill the transport again, which calls pauseProducing in the middle of this.
        while self._queue and not self.paused:
            content, event_bytes = self._queue.popleft()
            self._event_bytes -= event_bytes
            self._transport.write(content)
        if self.paused:
            return
        if self._closing is not None:
            self._finish()
        elif self._ready is not None:
            self._ready()

    def stopProducing(self) -> None:
        self._queue.clear()

    def _finish(self) -> None:
        # A transport with a producer never closes.
        self._transport.unregisterProducer()
        self._transport.loseConnection()
