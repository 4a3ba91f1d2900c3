"""
Rooms: joining and leaving them, who is there, what they are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from securehub import members
from securehub.event import Event, ToOthers, Tune
from securehub.refusals import Conflict, Forbidden, LimitExceeded
from securehub.reply import Reply, Roster, Row, Sought, when
from securehub.services.blocks import refuse_blocked
from securehub.services.chat.events import Invited, Joined, Parted, Topic, room_channel
from securehub.services.chat.records import FOREVER, Charter, Guest, LastSaid, Room, Rooms, Sanction, Seat, guest_key, seat_key
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

MOST_LOOKED_AT = 10_000
"""Rooms, or members of one, for those that are to be listed; it takes 10 to 25 ms, in which nobody else is served."""


class Limits(msgspec.Struct, frozen=True):
    """
    Settings that joining has to know.

    @ivar rooms: that a member may be in.
    @ivar told_members: in rooms with more members, comings and goings are not told.
    """

    rooms: int
    told_members: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Limits:
        return cls(settings["rooms_per_member"], settings["told_members"])


class JoinedRoom(Reply, frozen=True):
    """
    A room that you are a member of.

    @ivar seq: the number of its newest message.
    @ivar members: how many there are.
    @ivar operator: whether you operate it.
    @ivar access: C{open} or C{invite}.
    @ivar slow: seconds to leave between two messages; 0 for none.
    @ivar keep_days: for how many days messages are kept; 0 for ever.
    """

    room: str
    seq: int
    topic: str
    members: int
    operator: bool = False
    access: str = "open"
    slow: int = 0
    keep_days: int = 0

    def status(self) -> str:
        members = counted(self.members, "member")
        topic = f" Topic: {self.topic}" if self.topic else ""
        slow = f" Leave {counted(self.slow, 'second')} between your messages." if self.slow else ""
        kept = f" Messages are kept for {counted(self.keep_days, 'day')}." if self.keep_days else ""
        said = f"its newest message is {self.seq}" if self.seq else "nothing has been said there yet"
        return f"{self.room} has {members}, and {said}.{slow}{kept}{topic}"


def counted(number: int, what: str) -> str:
    """So many of something, as people say it."""
    return f"1 {what}" if number == 1 else f"{number} {what}s"


class TopicReply(Reply, frozen=True):
    """What a room is about."""

    room: str
    topic: str

    def status(self) -> str:
        return f"Topic of {self.room}: {self.topic}" if self.topic else f"{self.room} has no topic."


class RoomRow(Row, frozen=True):
    """
    A room.

    @ivar joined: whether you are a member.
    @ivar operator: whether you operate it.
    @ivar unread: messages that you have not read.
    @ivar access: C{open} or C{invite}.
    """

    room: str
    members: int
    joined: bool
    operator: bool
    unread: int
    access: str
    topic: str


class NameRow(Row, frozen=True):
    """
    A member of a room.

    @ivar operator: whether they operate it.
    @ivar online: whether they are connected.
    @ivar muted: whether they are muted.
    """

    username: str
    operator: bool
    online: bool
    muted: bool


def seated(tx: ReadTransaction, room: str, username: str, at: datetime) -> tuple[Room, Seat]:
    """
    A room and a member's seat in it.

    @raise NotFound: there is no such room.
    @raise Forbidden: the member is not in it.
    """
    found = tx.fetch(Room, room)
    seat = tx.get(Seat, seat_key(room, username))
    if seat is None:
        refuse_banned(sanction_on(tx, seat_key(room, username), at), room)
        raise Forbidden(f"you are not in {room}; JOIN {room} first")
    return found, seat


def sanction_on(tx: ReadTransaction, place: str, at: datetime) -> Sanction:
    """
    What a member may not do in a room at this moment.

    @param place: see L{seat_key}.
    """
    sanction = tx.get(Sanction, place)
    return Sanction() if sanction is None else sanction.still(at)


def refuse_banned(sanction: Sanction, room: str) -> None:
    """
    @raise Forbidden: there is a ban.
    """
    ban = sanction.ban
    if ban is not None:
        raise Forbidden(f"you are banned from {room}{ending(ban.until)}{because(ban.reason)}")


def ending(until: datetime) -> str:
    return "" if until >= FOREVER else f" until {when(until)}"


def because(reason: str) -> str:
    return f": {reason}" if reason else ""


def join(tx: Transaction, room: str, username: str, session: int, limits: Limits, *, at: datetime) -> JoinedRoom:
    """
    Make somebody a member of a room, which is made if there is none; who makes a room, or joins one that was left by all, operates it.

    @param session: which has the reply, and is not told.

    @raise Forbidden: they are banned, or not invited.
    @raise LimitExceeded: they are in so many rooms.
    """
    found = tx.get(Room, room)
    place = seat_key(room, username)
    seat = tx.get(Seat, place)
    charter = tx.get(Charter, room)
    if found is not None and seat is not None and charter is not None:
        return _joined(room, found, seat, charter)
    sanction = sanction_on(tx, place, at)
    refuse_banned(sanction, room)
    if found is None or charter is None:
        found, charter = Room(), Charter(at, username)
        tx.put(room, charter)
    elif found.invite:
        _use_invitation(tx, room, username, charter)
    mine = tx.get(Rooms, username) or Rooms(())
    if len(mine.rooms) >= limits.rooms:
        raise LimitExceeded(f"you are in {len(mine.rooms)} rooms; {limits.rooms} are allowed")
    before = tx.get(LastSaid, place) if found.slow else None
    said = None if before is None else before.at
    seat = Seat(at, operator=found.members == 0 and not found.invite, read=found.seq, muted=sanction.muted, said=said)
    found = replace(found, members=found.members + 1)
    tx.put(room, found)
    tx.put(place, seat)
    tx.put(username, Rooms((*mine.rooms, room)))
    tell(tx, room, found.members, username, Joined(room, username), limits.told_members, session)
    tx.announce(member(username), Tune(room_channel(room), True))
    return _joined(room, found, seat, charter)


def _use_invitation(tx: Transaction, room: str, username: str, charter: Charter) -> None:
    invitation = tx.get(Guest, guest_key(room, username))
    # One from before the room was made was to another of that name, which has vanished.
    if (invitation is None or invitation.at < charter.made) and not is_moderator(tx, username):
        raise Forbidden(f"{room} is for those who are invited")
    tx.delete(Guest, guest_key(room, username))


def _joined(room: str, found: Room, seat: Seat, charter: Charter) -> JoinedRoom:
    access = "invite" if found.invite else "open"
    return JoinedRoom(room, found.seq, charter.topic, found.members, seat.operator, access, found.slow, charter.keep_days)


def part(tx: Transaction, room: str, username: str, session: int, limits: Limits) -> None:
    """
    Leave a room.

    @raise Conflict: they are not in it.
    """
    found = tx.fetch(Room, room)
    if tx.get(Seat, seat_key(room, username)) is None:
        raise Conflict(f"you are not in {room}")
    put_out(tx, found, Parted(room, username, ""), limits.told_members, session)


def put_out(tx: Transaction, found: Room, parted: Parted, told_members: int, session: int | None = None) -> None:
    """
    End a membership, and with it what the member's sessions hear of the room.

    @param parted: who leaves what, and why.
    @param told_members: in rooms with more members only the member is told.
    """
    room, username = parted.room, parted.username
    left = found.members - 1
    place = seat_key(room, username)
    said = tx.fetch(Seat, place).said if found.slow else None
    if said is not None:
        tx.put(place, LastSaid(said))
    tx.delete(Seat, place)
    rooms = tx.fetch(Rooms, username).rooms
    tx.put(username, Rooms(tuple(each for each in rooms if each != room)))
    if left or found.seq or _has_sanctions(tx, room, place):
        tx.put(room, replace(found, members=left))
    else:
        # Nothing was ever said there, so nothing is lost, and whoever makes rooms and leaves them fills no disk.
        tx.delete(Room, room)
        tx.delete(Charter, room)
    tx.announce(member(username), Tune(room_channel(room), False))
    tell(tx, room, left, username, parted, told_members, session)


def _has_sanctions(tx: ReadTransaction, room: str, place: str) -> bool:
    """
    Whether somebody is banned or muted in a room, or was for a time; nobody could end that in one that is no more.

    @param place: of who leaves it, maybe because they are banned in this very transaction, which no scan sees.
    """
    return tx.get(Sanction, place) is not None or any(tx.scan(Sanction, f"{room}/", limit=1))


def tell(tx: Transaction, room: str, count: int, username: str, event: Event, told_members: int, session: int | None = None) -> None:
    """
    Tell a member's own sessions of their coming or going, and the others in the room if these are not too many.

    @param count: how many members the room has.
    @param session: the one that is not told.
    """
    others = event if session is None else ToOthers(session, event)
    if count <= told_members:
        tx.announce(room_channel(room), event)
    tx.announce(member(username), others)


def names(tx: ReadTransaction, room: str, username: str, online: Sequence[str], *, limit: int, after: str, at: datetime) -> Roster[NameRow]:
    """The members of a room, by name."""
    seated(tx, room, username, at)
    present = set(online)
    seats = ((key.partition("/")[2], seat) for key, seat in tx.scan(Seat, f"{room}/", start=seat_key(room, behind(after))))
    rows = (NameRow(name, seat.operator, name in present, seat.muted is not None and seat.muted > at) for name, seat in seats)
    return Roster.up_to(limit, rows)


def rooms(tx: ReadTransaction, username: str, *, mine: bool, limit: int, after: str) -> Sought[RoomRow, str]:
    """The rooms that a member is in, and unless they want no others all that are open, by name."""
    own = sorted((tx.get(Rooms, username) or Rooms(())).rooms)
    names = ((name, True) for name in own if name > after) if mine else _open_or_own(tx, set(own), after)
    rows = ((name, _row(tx, name, username) if listed else None) for name, listed in names)
    found = Sought.among(MOST_LOOKED_AT, limit, rows)
    # Rooms that are not listed need not be named, so one goes on behind the last that is; where none is, that cannot be helped.
    return replace(found, next=found.items[-1].room) if found.more and len(found.items) == limit else found


def _open_or_own(tx: ReadTransaction, own: Set[str], after: str) -> Iterator[tuple[str, bool]]:
    """All rooms, each with whether it is open or a member's own."""
    for name, found in tx.scan(Room, start=behind(after)):
        yield name, not found.invite or name in own


def _row(tx: ReadTransaction, name: str, username: str) -> RoomRow:
    found = tx.fetch(Room, name)
    seat = tx.get(Seat, seat_key(name, username))
    joined, operator, unread = (False, False, 0) if seat is None else (True, seat.operator, unread_in(found, seat))
    access = "invite" if found.invite else "open"
    return RoomRow(name, found.members, joined, operator, unread, access, tx.fetch(Charter, name).topic)


def unread_in(found: Room, seat: Seat) -> int:
    """How many messages of a room a member has not read, of those that are still there."""
    return found.seq - max(seat.read, found.first - 1)


def topic(tx: ReadTransaction, room: str, username: str, at: datetime) -> TopicReply:
    """What a room is about."""
    seated(tx, room, username, at)
    return TopicReply(room, tx.fetch(Charter, room).topic)


def set_topic(tx: Transaction, room: str, username: str, topic: str, session: int, *, at: datetime) -> TopicReply:
    """
    Say what a room is about.

    @raise Forbidden: they are not in the room, or muted.
    """
    _, seat = seated(tx, room, username, at)
    refuse_muted(seat, room, at)
    charter = tx.fetch(Charter, room)
    tx.put(room, replace(charter, topic=topic))
    tx.announce(room_channel(room), ToOthers(session, Topic(room, topic, username)))
    return TopicReply(room, topic)


def refuse_muted(seat: Seat, room: str, at: datetime) -> None:
    """
    @raise Forbidden: a mute has not ended.
    """
    if seat.muted is not None and seat.muted > at:
        raise Forbidden(f"you are muted in {room}{ending(seat.muted)}")


def invite(tx: Transaction, room: str, by: str, username: str, *, at: datetime) -> None:
    """
    Ask somebody in. Into a room for the invited, only its operators and moderators may.

    @raise NotFound: there is no such room or member.
    @raise Forbidden: the caller may not, or is blocked by them.
    @raise Conflict: they are in the room already, or banned from it.
    """
    found = tx.fetch(Room, room)
    _check_inviter(tx, room, found, by, at)
    members.fetch(tx, username)
    place = seat_key(room, username)
    if tx.get(Seat, place) is not None:
        raise Conflict(f"{username} is in {room} already")
    ban = sanction_on(tx, place, at).ban
    if ban is not None:
        raise Conflict(f"{username} is banned from {room}{ending(ban.until)}")
    refuse_blocked(tx, username, by)
    if found.invite:
        tx.put(guest_key(room, username), Guest(by, at))
    tx.announce(member(username), Invited(room, by))


def _check_inviter(tx: ReadTransaction, room: str, found: Room, by: str, at: datetime) -> None:
    if is_moderator(tx, by):
        return
    _, seat = seated(tx, room, by, at)
    if found.invite and not seat.operator:
        raise Forbidden(f"only the operators of {room} invite to it")


def is_moderator(tx: ReadTransaction, username: str) -> bool:
    """Whether somebody has the role C{moderator}; the operator of the hub has all."""
    return members.has_role(tx, username, "moderator")


def channels_of(tx: ReadTransaction, username: str) -> list[str]:
    """What a member hears: the rooms that they are in."""
    return [room_channel(room) for room in (tx.get(Rooms, username) or Rooms(())).rooms]
