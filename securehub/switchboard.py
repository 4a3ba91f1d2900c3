"""
Who hears which events.

A channel is a name; sessions listen to it. An event is encoded once for each form that somebody listens in, and never once for each
listener.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from securehub.event import MAX_EVENT, Bye, End, Event
from securehub.wire import jsonrpc, text


class Listener(Protocol):
    """
    Who can listen.

    @ivar speaks_json: the form in which it hears.
    """

    speaks_json: bool

    def hear(self, event: bytes) -> None: ...


class Ending(Listener, Protocol):
    """Whoever listens to a channel on which sessions are ended: a member's, or a connection's."""

    def is_meant(self, end: End) -> bool: ...

    def part(self, bye: bytes) -> None:
        """Be ended."""


EVERYBODY = "everybody"
"""The channel of all sessions that are logged in as a member."""


def member(username: str) -> str:
    """The channel of all sessions of a member."""
    return f"member/{username}"


def connection(number: int) -> str:
    """The channel of one connection, whoever it is."""
    return f"connection/{number}"


def encode(event: Event, json: bool) -> bytes:
    """An event as it goes over the wire, with its line end."""
    form = jsonrpc.notification(event.method, event) + b"\n" if json else text.event(event.text())
    assert len(form) <= MAX_EVENT, f"{event.method}: {len(form)} bytes"
    return form


Prepared = list[tuple[Listener, bytes]]


class Switchboard:
    """Channels and those who listen to them."""

    def __init__(self) -> None:
        # Dicts, not sets: the order in which listeners came is the order in which they are told, so that runs repeat.
        self._channels: dict[str, dict[Listener, None]] = {}

    def listen(self, channel: str, listener: Listener) -> None:
        self._channels.setdefault(channel, {})[listener] = None

    def leave(self, channel: str, listener: Listener) -> None:
        """Hear no more from a channel; not to have listened is no error."""
        listeners = self._channels.get(channel)
        if listeners is not None:
            listeners.pop(listener, None)
            if not listeners:
                del self._channels[channel]

    def listeners(self, channel: str) -> list[Listener]:
        return list(self._channels.get(channel, ()))

    def prepare(self, announced: Sequence[tuple[str, Event]]) -> Prepared:
        """Encode events for all who listen now."""
        prepared: Prepared = []
        for channel, event in announced:
            listeners = self._channels.get(channel)
            if not listeners:
                continue
            if event.__class__ is End:
                prepared += _partings(event, listeners)  # type: ignore[arg-type]
                continue
            as_json = as_text = None
            for listener in listeners:
                if listener.speaks_json:
                    form = as_json = as_json or encode(event, True)
                else:
                    form = as_text = as_text or encode(event, False)
                prepared.append((listener, form))
        return prepared

    def deliver(self, prepared: Prepared) -> None:
        """Hand out what was prepared in the same turn."""
        for listener, form in prepared:
            listener.hear(form)


class _Parting:
    """A listener who hears goodbye."""

    __slots__ = ("hear", "speaks_json")

    def __init__(self, listener: Ending) -> None:
        self.speaks_json = listener.speaks_json
        self.hear = listener.part


def _partings(end: End, listeners: Iterable[Ending]) -> Prepared:
    bye = Bye(end.reason)
    return [(_Parting(each), encode(bye, each.speaks_json)) for each in listeners if each.is_meant(end)]
