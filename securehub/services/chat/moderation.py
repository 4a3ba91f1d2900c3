"""
What those may do who have power over a room: put somebody out, ban, mute, let them back, and set how the room works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from msgspec.structs import replace

from securehub import members
from securehub.refusals import BadArgument, Conflict, Forbidden, NotFound
from securehub.reply import Reply, Row, Sought, shown, table, when
from securehub.services.chat import power
from securehub.services.chat.events import Parted
from securehub.services.chat.records import FOREVER, Charter, Guest, Imposed, Room, Sanction, Seat, guest_key, seat_key
from securehub.services.chat.rooms import MOST_LOOKED_AT, counted, is_moderator, put_out, sanction_on
from securehub.services.times import When, meant
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction


class Ending(Reply, frozen=True):
    """
    A ban or a mute that was imposed on a member.

    @ivar until: when it ends; null if it has no end.
    """

    room: str
    username: str
    until: datetime | None

    def status(self) -> str:
        return f"{self.username} in {self.room}: until {when(self.until)}." if self.until else ""


class SanctionRow(Row, frozen=True):
    """
    A member who is banned or muted.

    @ivar banned: until when they are banned, which is 9999-12-31 if that has no end; null if they are not.
    @ivar muted: until when they are muted, likewise; null if they are not.
    @ivar by: who has banned them, or muted them if they are not banned.
    @ivar reason: and why.
    """

    username: str
    banned: datetime | None
    muted: datetime | None
    by: str
    reason: str


class Sanctions(Sought[SanctionRow, str], frozen=True):
    """Who may not do all that others may."""

    def lines(self) -> Iterable[str]:
        if not self.items:
            return []
        rows = [[row.username, _end(row.banned), _end(row.muted), row.by, shown(row.reason)] for row in self.items]
        return table([SanctionRow.__struct_fields__, *rows])


def _end(end: datetime | None) -> str:
    """An end as people read it."""
    return "for good" if end == FOREVER else shown(end)


def end_of(until: When | None, at: datetime, zone: tzinfo) -> datetime:
    """
    When something ends.

    @raise BadArgument: it would have ended already.
    """
    if until is None:
        return FOREVER
    end = min(meant(until, at=at, zone=zone), FOREVER)
    if end <= at:
        raise BadArgument("until: that has passed")
    return end


def kick(tx: Transaction, room: str, by: str, username: str, reason: str, told_members: int, *, at: datetime) -> None:
    """
    Put somebody out of a room. They may come back, unless it is for the invited.

    @raise NotFound: there is no such member.
    @raise Conflict: they are not in it.
    """
    found, _ = _check_over_present(tx, room, by, username)
    put_out(tx, found, Parted(room, username, reason, "kick", by), told_members)
    # An invitation that they did not need to come in must not let them come back.
    tx.delete(Guest, guest_key(room, username))
    power.note(tx, room, by, "kick", username, reason=reason, at=at)


def ban(
    tx: Transaction,
    room: str,
    by: str,
    username: str,
    until: When | None,
    reason: str,
    told_members: int,
    *,
    at: datetime,
    zone: tzinfo = UTC,
) -> Ending:
    """
    Put somebody out of a room, if they are in it, and let them neither join nor read.

    @raise NotFound: there is no such member.
    @raise Forbidden: a moderator has banned them already, and the caller is none.
    """
    found, seat = power.check_over(tx, room, by, username)
    members.fetch(tx, username)
    end = end_of(until, at, zone)
    place = seat_key(room, username)
    sanction = sanction_on(tx, place, at)
    _refuse_lesser(tx, sanction.ban, by)
    tx.put(place, replace(sanction, ban=Imposed(end, by, reason)))
    tx.delete(Guest, guest_key(room, username))
    power.announce(tx, room, by, "ban", username, until=end, reason=reason)
    if seat is not None:
        put_out(tx, found, Parted(room, username, reason, "ban", by, power.told_end(end)), told_members)
    power.note(tx, room, by, "ban", username, until=end, reason=reason, at=at)
    return Ending(room, username, power.told_end(end))


def mute(
    tx: Transaction, room: str, by: str, username: str, until: When | None, reason: str, *, at: datetime, zone: tzinfo = UTC
) -> Ending:
    """
    Let somebody say nothing in a room; not after coming back, either.

    @raise NotFound: there is no such member.
    @raise Forbidden: a moderator has muted them, and the caller is none.
    """
    _, seat = power.check_over(tx, room, by, username)
    members.fetch(tx, username)
    place = seat_key(room, username)
    sanction = sanction_on(tx, place, at)
    _refuse_lesser(tx, sanction.mute, by)
    end = end_of(until, at, zone)
    _put_mute(tx, place, seat, replace(sanction, mute=Imposed(end, by, reason)))
    _tell(tx, room, by, "mute", username, until=end, reason=reason, at=at)
    return Ending(room, username, power.told_end(end))


def unban(tx: Transaction, room: str, by: str, username: str, *, at: datetime) -> None:
    """
    Let somebody join again.

    @raise NotFound: they are not banned.
    @raise Forbidden: a moderator has banned them, and the caller is none.
    """
    power.check(tx, room, by)
    place = seat_key(room, username)
    sanction = sanction_on(tx, place, at)
    if sanction.ban is None:
        raise NotFound(f"{username} is not banned from {room}")
    _refuse_lesser(tx, sanction.ban, by)
    _put_sanction(tx, place, replace(sanction, ban=None))
    _tell(tx, room, by, "unban", username, at=at)


def unmute(tx: Transaction, room: str, by: str, username: str, *, at: datetime) -> None:
    """
    Let somebody speak again.

    @raise NotFound: they are not muted.
    @raise Forbidden: a moderator has muted them, and the caller is none.
    """
    _, seat = power.check_over(tx, room, by, username)
    place = seat_key(room, username)
    sanction = sanction_on(tx, place, at)
    if sanction.mute is None:
        raise NotFound(f"{username} is not muted in {room}")
    _refuse_lesser(tx, sanction.mute, by)
    _put_mute(tx, place, seat, replace(sanction, mute=None))
    _tell(tx, room, by, "unmute", username, at=at)


def slow(tx: Transaction, room: str, by: str, seconds: int, *, at: datetime) -> None:
    """Let everybody but operators leave so many seconds between two messages."""
    found = power.check(tx, room, by)
    tx.put(room, replace(found, slow=seconds))
    _tell(tx, room, by, "slow", reason=counted(seconds, "second"), at=at)


def set_access(tx: Transaction, room: str, by: str, access: str, *, at: datetime) -> None:
    """Say whether everybody may join, or only the invited. Who is in stays in."""
    found = power.check(tx, room, by)
    tx.put(room, replace(found, invite=access == "invite"))
    _tell(tx, room, by, "access", reason=access, at=at)


def keep(tx: Transaction, room: str, by: str, days: int, *, at: datetime) -> None:
    """Say for how many days messages are kept; 0 for ever."""
    power.check(tx, room, by)
    tx.put(room, replace(tx.fetch(Charter, room), keep_days=days))
    kept = f"for {counted(days, 'day')}" if days else "for ever"
    _tell(tx, room, by, "keep", reason=f"messages are kept {kept}", at=at)


def appoint(tx: Transaction, room: str, by: str, username: str, on: bool, *, at: datetime) -> None:
    """
    Let somebody operate a room, or do so no more.

    @raise NotFound: there is no such member.
    @raise Conflict: they are not in it.
    """
    _, seat = _check_over_present(tx, room, by, username)
    tx.put(seat_key(room, username), replace(seat, operator=on))
    _tell(tx, room, by, "appoint" if on else "dismiss", username, at=at)


def sanctions(tx: ReadTransaction, room: str, by: str, *, limit: int, after: str, at: datetime) -> Sanctions:
    """Who may not do all that others may, by name; for those who have power over the room."""
    power.check(tx, room, by)
    return Sanctions.among(MOST_LOOKED_AT, limit, _sanctioned(tx, room, after, at))


def _sanctioned(tx: ReadTransaction, room: str, after: str, at: datetime) -> Iterator[tuple[str, SanctionRow | None]]:
    """All who ever were, by name; None where it has ended, which is there until the member is sanctioned again."""
    for key, sanction in tx.scan(Sanction, f"{room}/", start=seat_key(room, behind(after))):
        username = key.partition("/")[2]
        sanction = sanction.still(at)
        said = sanction.ban or sanction.mute
        yield username, SanctionRow(username, sanction.banned, sanction.muted, said.by, said.reason) if said is not None else None


def _check_over_present(tx: ReadTransaction, room: str, by: str, username: str) -> tuple[Room, Seat]:
    """
    See L{power.check_over}; the one who is meant has to be in the room.

    @raise NotFound: there is no such member.
    @raise Conflict: they are not in it.
    """
    found, seat = power.check_over(tx, room, by, username)
    if seat is None:
        members.fetch(tx, username)
        raise Conflict(f"{username} is not in {room}")
    return found, seat


def _tell(
    tx: Transaction,
    room: str,
    by: str,
    act: str,
    username: str = "",
    *,
    until: datetime | None = None,
    reason: str = "",
    at: datetime,
) -> None:
    """Tell all who are in the room what was done, and note it."""
    power.announce(tx, room, by, act, username, until=until, reason=reason)
    power.note(tx, room, by, act, username, until=until, reason=reason, at=at)


def _put_mute(tx: Transaction, place: str, seat: Seat | None, sanction: Sanction) -> None:
    """In the seat, where every message looks, and in the sanction, which stays when the seat is left."""
    _put_sanction(tx, place, sanction)
    if seat is not None:
        tx.put(place, replace(seat, muted=sanction.muted))


def _refuse_lesser(tx: ReadTransaction, imposed: Imposed | None, by: str) -> None:
    """
    What a moderator has imposed, the operators of the room neither end nor shorten, not even for themselves.

    @raise Forbidden: a moderator has imposed it, and the caller is none.
    """
    if imposed is not None and imposed.by != by and is_moderator(tx, imposed.by) and not is_moderator(tx, by):
        raise Forbidden(f"{imposed.by} imposed that as a moderator; only moderators can change it")


def _put_sanction(tx: Transaction, place: str, sanction: Sanction) -> None:
    if sanction == Sanction():
        tx.delete(Sanction, place)
    else:
        tx.put(place, sanction)
