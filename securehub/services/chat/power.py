"""
Who has power over a room, and the one place where it is noted what they did with it.

The operators of a room have power over it, and whoever has the role C{moderator} over all rooms. Over an operator, only moderators.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from securehub.refusals import Forbidden
from securehub.reply import Listing, Row
from securehub.services.chat.events import Moderated, room_channel
from securehub.services.chat.records import FOREVER, Charter, Deed, Room, Seat, deeds_of, seat_key
from securehub.services.chat.rooms import is_moderator
from securehub.store.records import number_key
from securehub.store.transaction import ReadTransaction, Transaction


class DeedRow(Row, frozen=True):
    """
    What somebody with power over a room did there.

    @ivar deed: its number.
    @ivar act: what: C{kick}, C{ban}, C{unban}, C{mute}, C{unmute}, C{remove}, C{slow}, C{access}, C{keep}, C{appoint} or C{dismiss}.
    @ivar username: to whom, if to anybody.
    @ivar seq: to which message; 0 if to none.
    @ivar until: when it ends; null if it has no end.
    """

    deed: int
    at: datetime
    by: str
    act: str
    username: str
    seq: int
    until: datetime | None
    reason: str


def check(tx: ReadTransaction, room: str, by: str) -> Room:
    """
    @return: the room.

    @raise NotFound: there is no such room.
    @raise Forbidden: the caller has no power over it.
    """
    found = tx.fetch(Room, room)
    seat = tx.get(Seat, seat_key(room, by))
    if (seat is None or not seat.operator) and not is_moderator(tx, by):
        raise Forbidden(f"this needs an operator of {room}, or the role moderator")
    return found


def check_over(tx: ReadTransaction, room: str, by: str, username: str) -> tuple[Room, Seat | None]:
    """
    @return: the room, and the seat of the one who is meant, if they are in it.

    @raise Forbidden: the caller has no power over the room, or not over them.
    """
    found = check(tx, room, by)
    seat = tx.get(Seat, seat_key(room, username))
    if seat is not None and seat.operator and by != username and not is_moderator(tx, by):
        raise Forbidden(f"{username} operates {room}, too; this needs the role moderator")
    return found, seat


def note(
    tx: Transaction,
    room: str,
    by: str,
    act: str,
    target: str = "",
    *,
    seq: int = 0,
    until: datetime | None = None,
    reason: str = "",
    at: datetime,
) -> None:
    """Note an act. Every rule that uses power over a room calls this, after its last look at the store."""
    tx.put(number_key(tx.number("deed")), Deed(room, at, by, act, target, seq, until, reason))


def announce(tx: Transaction, room: str, by: str, act: str, username: str = "", *, until: datetime | None = None, reason: str = "") -> None:
    """Tell all who are in the room."""
    tx.announce(room_channel(room), Moderated(room, act, by, username, told_end(until), reason))


def told_end(end: datetime | None) -> datetime | None:
    """An end as it is told: None for what has none."""
    return None if end is None or end >= FOREVER else end


def deeds(tx: ReadTransaction, room: str, by: str, *, limit: int, before: int | None) -> Listing[DeedRow]:
    """What was done in a room, the newest first; for those who have power over it."""
    check(tx, room, by)
    made = tx.fetch(Charter, room).made
    end = None if before is None else number_key(before)
    found = tx.beneath(Deed, deeds_of(room), end=end, reverse=True)
    # Those from before the room was made were done in another of that name, which has vanished.
    own = takewhile(lambda each: each[1].at >= made, found)
    return Listing.up_to(limit, (_row(int(key), deed) for key, deed in own))


def _row(number: int, deed: Deed) -> DeedRow:
    return DeedRow(number, deed.at, deed.by, deed.act, deed.target, deed.seq, told_end(deed.until), deed.reason)
