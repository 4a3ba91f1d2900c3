"""Events: what listeners are told, after the commit that an event belongs to."""

from __future__ import annotations

from typing import ClassVar

import msgspec

MAX_EVENT = 16 * 1024
"""The most bytes of an event. It has all that its receiver needs; lists belong in replies."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """
    The base of all events; the fields are the params of the notification.

    @cvar method: its name in the JSON form, C{ledger.received}.
    """

    method: ClassVar[str]

    @property
    def series(self) -> str | None:
        """
        The numbered series that it belongs to, if any. A session that is catching up with a series hears nothing newer of it until it is
        done.
        """
        return None

    def text(self) -> str:
        """What a person reads, without the C{* } in front; may have several lines."""
        raise NotImplementedError


class Bye(Event, frozen=True):
    """The hub ends the connection."""

    method = "hub.bye"
    reason: str

    def text(self) -> str:
        return f"Bye: {self.reason}"


class ToOthers(Event, frozen=True):
    """
    An event for all listeners but one: the session whose command caused it has the reply. It has no C{method}, because the event inside is
    sent.

    @ivar session: the number of that session.
    """

    session: int
    event: Event

    def text(self) -> str:
        return self.event.text()


class Tune(Event, frozen=True):
    """
    A commit has changed what a member hears. Announced on the member's own channel, it makes those who listen there hear another channel as
    well, or no longer, from this very commit on. It has no C{method}, because it is never sent.
    """

    channel: str
    on: bool

    def text(self) -> str:
        return f"{self.channel} {'on' if self.on else 'off'}"


class End(Event, frozen=True):
    """
    A commit has ended sessions: some of a member's, or the one of a connection. It is announced like any event, but the sessions that it
    means hear L{Bye}, and are then closed. It has no C{method}, because it is never sent.

    @ivar family: which login has ended; None for all that listen.
    @ivar spared: the token of the one session that goes on nevertheless.
    """

    reason: str
    family: str | None = None
    spared: bytes | None = None

    def means(self, family: str | None, token: bytes | None) -> bool:
        """
        @param family: of a session's login.
        @param token: the digest of the token that this session was given.
        """
        return (self.family is None or family == self.family) and (self.spared is None or token != self.spared)

    def text(self) -> str:
        return self.reason
