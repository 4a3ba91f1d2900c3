"""
Presence: who is connected, and what they say about it.

Who is connected is no record: it is found by who listens. Changes gather for some seconds, and only what is different after them is told:
so somebody who changes the connection is not told of at all, and a hub that starts does not tell everybody of everybody. Rooms with many
members are not told; there, one asks with NAMES or WHO.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from securehub.reply import Reply, Roster, Row
from securehub.services.chat import events
from securehub.services.chat.events import room_channel
from securehub.services.chat.records import Room, Rooms, Status
from securehub.store.transaction import ReadTransaction, Store, Transaction
from securehub.switchboard import Switchboard, member

_log = Logger()

_CHANNEL = member("")

AT_ONCE = 100
"""Members whose changes are told in one turn of the reactor."""

MOST_TOLD = 1_000
"""
How many listen to what is told in one turn, up to the member who goes beyond. A hundred members with a hundred rooms of a hundred each have
a million, which takes 90 ms.
"""


class State(NamedTuple):
    """How somebody is there."""

    online: bool
    away: bool
    text: str


class WhoRow(Row, frozen=True):
    """Somebody who is connected."""

    username: str
    away: bool
    text: str


class StatusReply(Reply, frozen=True):
    """What you say in your status."""

    username: str
    away: bool
    text: str

    def status(self) -> str:
        return f"You are {'away' if self.away else 'here'}{f': {self.text}' if self.text else '.'}"


def status_of(tx: ReadTransaction, username: str) -> StatusReply:
    """What somebody says about being there."""
    found = tx.get(Status, username) or Status()
    return StatusReply(username, found.away, found.text)


def set_status(tx: Transaction, username: str, text: str | None, away: bool | None) -> StatusReply:
    """
    Say something about being there.

    @param text: None leaves it as it is.
    @param away: likewise.
    """
    found = tx.get(Status, username) or Status()
    status = Status(found.text if text is None else text, found.away if away is None else away)
    if status != found:
        tx.put(username, status)
    return StatusReply(username, status.away, status.text)


def who(tx: ReadTransaction, online: Sequence[str], *, limit: int, after: str) -> Roster[WhoRow]:
    """
    Those who are connected, by name.

    @param online: their names.
    """
    found = (status_of(tx, name) for name in sorted(online) if name > after)
    return Roster.up_to(limit, (WhoRow(each.username, each.away, each.text) for each in found))


def state_and_rooms(tx: ReadTransaction, username: str, online: bool, told_members: int) -> tuple[State, list[str]]:
    """
    How somebody is there, and the channels of the rooms that are told of it.

    @param told_members: rooms with more members are not.
    """
    found = status_of(tx, username)
    rooms = (tx.get(Rooms, username) or Rooms(())).rooms
    few = [room_channel(room) for room in rooms if tx.fetch(Room, room).members <= told_members]
    return State(online, online and found.away, found.text if online else ""), few


class Presence:
    """
    Knows who is connected, and tells of changes.

    @param seconds: for which changes gather.
    @param told_members: rooms with more members are not told.
    """

    def __init__(self, switchboard: Switchboard, store: Store, reactor: IReactorTime, seconds: float, told_members: int) -> None:
        self._switchboard = switchboard
        self._store = store
        self._reactor = reactor
        self._seconds = seconds
        self._told_members = told_members
        self._online: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        # None where nobody knows what was told last.
        self._told: dict[str, State | None] = {}
        switchboard.watchers.append(self._watch)

    @property
    def online(self) -> list[str]:
        """The names of those who are connected."""
        return list(self._online)

    def changed(self, username: str) -> None:
        """Somebody came or went, or says something else about it."""
        if not self._changed:
            self._reactor.callLater(self._seconds, self._tell_soon)
        self._changed[username] = None

    def _watch(self, channel: str, listened: bool) -> None:
        if not channel.startswith(_CHANNEL):
            return
        username = channel.removeprefix(_CHANNEL)
        if listened:
            self._online[username] = None
        else:
            self._online.pop(username, None)
        self.changed(username)

    def _tell_soon(self) -> None:
        Deferred.fromCoroutine(self._tell()).addErrback(lambda failure: _log.failure("Who is there could not be told", failure))

    async def _tell(self) -> None:
        """Tell of some who have changed, and of the others in the next turn."""
        told = 0
        try:
            for username in list(islice(self._changed, AT_ONCE)):
                del self._changed[username]
                told += await self._tell_of(username)
                if told >= MOST_TOLD:
                    break
        finally:
            # After a fault, too: nobody else begins this while somebody is left.
            if self._changed:
                self._reactor.callLater(0, self._tell_soon)

    async def _tell_of(self, username: str) -> int:
        """
        @return: how many listen to the rooms that were told.
        """
        state, rooms = await self._store.read(state_and_rooms, username, username in self._online, self._told_members)
        if state == self._told.get(username, State(False, False, "")):
            return 0
        if state.online:
            self._told[username] = state
        else:
            self._told.pop(username, None)
        told = events.Presence(username, *state)
        return self._switchboard.announce(told, *rooms, but=member(username), lost=partial(self._tell_again, username))

    def _tell_again(self, username: str) -> None:
        self._told[username] = None
        self.changed(username)
