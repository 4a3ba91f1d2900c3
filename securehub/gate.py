"""
The gate: nothing leaves the hub that a crash could still take back.

Every output notes the journal position at which it was made, and leaves when the store says that this position is settled. Because
positions only go forward, the outputs of a connection keep their order by themselves.

The outputs of one connection in one turn of the reactor leave in one write, and everything that need not wait leaves together at the end of
the turn. That, more than anything else, decides the throughput of the hub: a sleeping peer is woken once, not at every write.

At one position, replies leave before the events for listeners.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from securehub.peer import PeerCertificate
from securehub.store.journal import Position

_log = Logger()


class Outlet(Protocol):
    """
    Where the outputs of a connection go.

    @ivar queued: bytes that wait for the peer to read.
    """

    @property
    def queued(self) -> int: ...

    def release(self, content: bytes, event_bytes: int) -> None:
        """
        Write answers to the peer, and the events that leave with them.

        @param event_bytes: how many of the bytes belong to events.
        """

    def tell(self, events: bytes) -> None:
        """Write events alone."""

    def cut(self) -> None:
        """Close the connection without an answer, because what the answer waited for is lost."""

    def certificate(self) -> PeerCertificate | None:
        """The certificates that the peer has shown."""


class _Nowhere:
    """Replaces the outlet of a connection that is lost."""

    queued = 0

    def release(self, content: bytes, event_bytes: int) -> None:
        """Nobody is there."""

    def tell(self, events: bytes) -> None:
        """Nobody hears it."""

    def cut(self) -> None:
        """It is."""

    def certificate(self) -> PeerCertificate | None:
        return None


NOWHERE: Outlet = _Nowhere()


class Told(Protocol):
    """Events for listeners that wait for one position."""

    def release(self) -> None:
        """Give them to the listeners, who pass them on by L{Outbox.deliver}."""

    def lose(self) -> None:
        """They are undone."""


class _Then:
    """Calls back instead of telling anybody."""

    __slots__ = ("lose", "release")

    def __init__(self, release: Callable[[], None], lose: Callable[[], None]) -> None:
        self.release = release
        self.lose = lose


def _nothing() -> None:
    """Nobody wants to know."""


class _Held:
    """
    What one connection has waiting for one position.

    @ivar events: how many of the chunks are events, which nobody asked for.
    """

    __slots__ = ("chunks", "event_bytes", "events", "outbox")

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.chunks: list[bytes] = []
        self.events = 0
        self.event_bytes = 0


class Outbox:
    """
    The outputs of one connection on their way to the gate.

    @ivar waiting: how many replies the gate keeps back; a connection with many is read no further.
    @ivar waiting_bytes: the bytes that the gate keeps back only for this connection.
    """

    __slots__ = ("_answers", "_gate", "_held", "_leaving", "_position", "_reply_bytes", "outlet", "waiting", "waiting_bytes")

    def __init__(self, gate: Gate, outlet: Outlet) -> None:
        self._gate = gate
        self._held: _Held | None = None
        self._position: Position | None = None
        self._leaving: list[bytes] = []
        self._answers = False
        self._reply_bytes = 0
        self.outlet = outlet
        self.waiting = 0
        self.waiting_bytes = 0

    def reply(self, chunk: bytes) -> None:
        """Answer a request, with one chunk of whole lines; an empty one waits, too."""
        held = self._held
        if held is None or self._position is not self._gate.position:
            held = self._hold()
        held.chunks.append(chunk)
        self.waiting += 1
        self.waiting_bytes += len(chunk)

    def event(self, chunk: bytes) -> None:
        """Send an event, with one chunk of whole lines."""
        held = self._held
        if held is None or self._position is not self._gate.position:
            held = self._hold()
        held.chunks.append(chunk)
        held.events += 1
        held.event_bytes += len(chunk)
        self.waiting_bytes += len(chunk)

    def deliver(self, events: bytes) -> None:
        """Send events that have settled. Only while the gate lets something out: it then writes all that leaves."""
        leaving = self._leaving
        if not leaving:
            self._gate.leaving.append(self)
        leaving.append(events)

    def then(self, settled: Callable[[], None]) -> None:
        """Call back when the newest reply has left; if it is lost, so is the connection."""
        self._gate.then(settled=settled)

    def release(self, held: _Held) -> None:
        """Let out what has settled."""
        if self._held is held:
            # The position refers to this, too: such a cycle would keep in memory everything that the group has written and replaced.
            self._held = self._position = None
        chunks = held.chunks
        content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.waiting -= len(chunks) - held.events
        self.waiting_bytes -= len(content)
        if len(chunks) > held.events:
            self._answers = True
            self._reply_bytes += len(content) - held.event_bytes
        self._leaving.append(content)
        self._gate.leaving.append(self)

    def write(self) -> None:
        """Give all that leaves now to the outlet."""
        leaving = self._leaving
        content = leaving[0] if len(leaving) == 1 else b"".join(leaving)
        leaving.clear()
        if self._answers:
            event_bytes = len(content) - self._reply_bytes
            self._answers, self._reply_bytes = False, 0
            self.outlet.release(content, event_bytes)
        else:
            self.outlet.tell(content)

    def lose(self, held: _Held) -> None:
        """
        The commits that these outputs depended on are undone. If there were replies, the connection is cut, and the client asks again;
        events of others are just dropped.
        """
        if self._held is held:
            self._held = self._position = None
        if len(held.chunks) > held.events:
            self.outlet.cut()
        else:
            self.waiting_bytes -= held.event_bytes

    def close(self) -> None:
        """The connection is lost: whatever is still let out goes nowhere, and nothing here refers to the connection any more."""
        self.outlet = NOWHERE

    def _hold(self) -> _Held:
        self._position = position = self._gate.position
        self._held = held = _Held(self)
        self._gate.hold(held, position)
        return held


class Gate:
    """
    Keeps outputs back until the store has settled them.

    @ivar position: what outputs made now have to wait for; kept up to date by the store.
    @ivar leaving: while something is let out, the outboxes that have a part in it.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._now: list[_Held] = []
        self._told_now: list[Told] = []
        self.position: Position | None = None
        self.leaving: list[Outbox] = []

    def hold(self, held: _Held, position: Position | None) -> None:
        """Keep back what one connection has waiting."""
        if position is not None:
            position.waiting.append(held)
            return
        self._flush_soon()
        self._now.append(held)

    def tell(self, told: Told, position: Position | None) -> None:
        """Keep back events for listeners."""
        if position is not None:
            position.told.append(told)
            return
        self._flush_soon()
        self._told_now.append(told)

    def then(self, *, settled: Callable[[], None] = _nothing, lost: Callable[[], None] = _nothing) -> None:
        """Call back, after everything that was told up to now, when that is settled, or when it is undone."""
        self.tell(_Then(settled, lost), self.position)

    def flush(self) -> None:
        """Let out what waits only for the end of this turn."""
        if self._now or self._told_now:
            now, self._now = self._now, []
            told, self._told_now = self._told_now, []
            self._release(now, told)

    def settled(self, position: Position) -> None:
        """The store has synced up to here."""
        self.flush()
        self._release(position.waiting, position.told)

    def lost(self, position: Position) -> None:
        """What was done up to here has been undone, and no output that depends on it may leave."""
        self.flush()
        for held in position.waiting:
            held.outbox.lose(held)
        for told in position.told:
            told.lose()

    def _flush_soon(self) -> None:
        if not self._now and not self._told_now:
            self._reactor.callLater(0, self.flush)

    def _release(self, waiting: list[_Held], told: list[Told]) -> None:
        for held in waiting:
            held.outbox.release(held)
        for each in told:
            try:
                each.release()
            except Exception:
                _log.failure("An event failed to be told")
        leaving, self.leaving = self.leaving, []
        for outbox in leaving:
            try:
                outbox.write()
            except Exception:
                # One broken connection must not hold up the others.
                _log.failure("A connection failed to take its output")
