"""
The events that a session does not hear yet, because an answer comes before them.

They are settled, so nothing can undo them any more. But a command may be running whose answer comes first, and an answer that was given may
still be waiting for the disk. So each event waits behind one answer, either the one to come or one on its way, and is sent when that has
left; never before an event that settled earlier, and never in the middle of a line that is sent in parts.
"""

from __future__ import annotations

from collections import deque

from securehub.gate import Outbox


class _Behind:
    """
    What comes behind one answer.

    @ivar events: each with the series that it belongs to.
    @ivar in_parts: whether the answer is a line that is sent in parts, each as soon as it has settled.
    """

    __slots__ = ("events", "in_parts")

    def __init__(self) -> None:
        self.events: list[tuple[bytes, str | None]] = []
        self.in_parts = False


class EventQueue:
    """
    What one session has still to hear once it is answered.

    @ivar waiting: whether there is something that later events must not overtake.
    """

    __slots__ = ("_given", "_outbox", "_to_come", "waiting")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._given: deque[_Behind] = deque()
        self._to_come = _Behind()
        self.waiting = False

    def add(self, events: bytes, series: str | None, *, answering: bool) -> None:
        """
        Let events wait.

        @param answering: whether they wait for the answer that is still to come; if not, for the last one that was given, and something is
            L{waiting} for it already.
        """
        behind = self._to_come if answering else self._given[-1]
        behind.events.append((events, series))
        self.waiting = True

    def drop(self, series: str) -> None:
        """Forget the events of a series; they are sent in another way."""
        for behind in (*self._given, self._to_come):
            behind.events = [each for each in behind.events if each[1] != series]

    def line_begun(self) -> None:
        """The first part of the answer to come is given."""
        self._to_come.in_parts = self.waiting = True

    def answered(self) -> None:
        """The answer to come is given; what waits behind it goes on once it has left."""
        self._given.append(self._to_come)
        self._to_come = _Behind()
        self._outbox.then(self._left)

    def finish(self) -> None:
        """Send everything that waits, behind all the answers; only goodbye comes after it."""
        for behind in (*self._given, self._to_come):
            for events, _ in behind.events:
                self._outbox.event(events)
        self.clear()

    def clear(self) -> None:
        """Forget all that waits; the session hears nothing more."""
        self._given.clear()
        self._to_come = _Behind()
        self.waiting = False

    def _left(self) -> None:
        """The first of the answers has left."""
        if not self._given:
            return
        behind = self._given.popleft()
        if any(each.in_parts for each in (*self._given, self._to_come)):
            # Some of those parts may have left with it.
            (self._given[0] if self._given else self._to_come).events[:0] = behind.events
        else:
            for events, _ in behind.events:
                self._outbox.deliver(events)
            self.waiting = bool(self._given or self._to_come.events)
