"""
Connections, as an admin sees and ends them, and what is said to all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from securehub.event import End, Event
from securehub.refusals import NotFound
from securehub.reply import Listing, Reply, Row
from securehub.session import Session
from securehub.store.transaction import Transaction
from securehub.switchboard import EVERYBODY, connection


class ConnectionRow(Row, frozen=True):
    """
    An open connection.

    @ivar username: who is logged in; null if nobody is.
    @ivar since: when it was ready.
    @ivar queued: bytes that wait for the disk, or for the peer to read.
    """

    connection: int
    address: str
    username: str | None
    since: datetime
    queued: int


class Disconnected(Reply, frozen=True):
    """A connection that was ended."""

    connection: int
    address: str
    username: str | None

    def status(self) -> str:
        return f"Connection {self.connection} ({self.username or 'nobody'} from {self.address}) is ended."


class Announcement(Event, frozen=True):
    """An admin tells something to everybody who is logged in."""

    method = "hub.announcement"

    text_: str = msgspec.field(name="text")

    def text(self) -> str:
        return f"Announcement: {self.text_}" if "\n" not in self.text_ else f"Announcement:\n{self.text_}"


class Found(NamedTuple):
    """A connection that is there, as a rule is told of it."""

    address: str
    username: str | None


def listed(sessions: Mapping[int, Session], *, limit: int, before: int | None) -> Listing[ConnectionRow]:
    """
    The connections, newest first.

    @param before: only those with a smaller number.
    """
    numbers = sorted((number for number in sessions if before is None or number < before), reverse=True)
    return Listing.up_to(limit, (_row(sessions[number]) for number in numbers))


def find(sessions: Mapping[int, Session], number: int) -> Found | None:
    session = sessions.get(number)
    return Found(session.address, session.user) if session is not None and not session.leaving else None


def disconnect(tx: Transaction, number: int, found: Found | None, reason: str) -> Disconnected:
    """
    End a connection, telling it why.

    @raise NotFound: there is no such connection.
    """
    if found is None:
        raise NotFound(f"there is no connection {number}; admin.connections lists them")
    tx.announce(connection(number), End(reason or "an admin has ended this connection."))
    return Disconnected(number, found.address, found.username)


def announce(tx: Transaction, text: str) -> None:
    """Tell all who are logged in."""
    tx.announce(EVERYBODY, Announcement(text))


def _row(session: Session) -> ConnectionRow:
    return ConnectionRow(session.number, session.address, session.user, session.since, session.queued)
