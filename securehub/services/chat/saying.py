"""
Saying something in rooms and to each other, and reading it again.

A conversation is a room, or C{@username}: the direct one with that member.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from securehub import members
from securehub.event import Event, ToOthers
from securehub.refusals import BadArgument, Conflict, Forbidden, RateLimited
from securehub.reply import Listing, Row
from securehub.services import messages
from securehub.services.blocks import Blocks, refuse_blocked
from securehub.services.chat import power
from securehub.services.chat.events import Edited, Removed, Spoken, Whispered, direct_series, room_channel
from securehub.services.chat.records import Correspondent, Direct, Room, Seat, seat_key
from securehub.services.chat.rooms import JoinedRoom, counted, refuse_muted, seated
from securehub.services.messages import History, Message, Said
from securehub.session import Page
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

MAX_MENTIONS = 10
"""Of one message; each costs a look at a member's seat."""

_MENTION = re.compile(r"(?<![a-z0-9._-])@([a-z][a-z0-9._-]{1,31})", re.IGNORECASE)


class VersionRow(Row, frozen=True):
    """
    What a message was.

    @ivar until: when it was changed or removed.
    @ivar by: who did that.
    """

    until: datetime
    by: str
    text: str


class Conversation(NamedTuple):
    """
    A conversation as one of its members sees it.

    @ivar key: that its messages have.
    @ivar seq: the number of its newest message.
    @ivar first: the number of the oldest message that may still be there.
    @ivar peer: the other one, if it is a direct conversation.
    """

    key: str
    seq: int
    first: int
    peer: str | None


def conversation(tx: ReadTransaction, place: str, username: str, at: datetime) -> Conversation:
    """
    Find what somebody may read.

    @raise NotFound: there is no such room or member.
    @raise Forbidden: they are not in the room.
    """
    if not place.startswith("@"):
        found, _ = seated(tx, place, username, at)
        return Conversation(place, found.seq, found.first, None)
    peer = place[1:]
    key = direct_key(username, peer)
    direct = tx.get(Direct, key)
    if direct is None:
        # With somebody who is erased there is something to read, but nothing to begin.
        members.fetch(tx, peer)
    return Conversation(key, 0 if direct is None else direct.seq, 1, peer)


def direct_key(one: str, other: str) -> str:
    """Where the direct conversation of two members is kept."""
    return f"@{min(one, other)}@{max(one, other)}"


def say(tx: Transaction, room: str, username: str, text: str, session: int, *, at: datetime) -> Said:
    """
    Say something in a room. Who says something has read what was said before.

    @param session: which has the reply, and is not told.

    @raise NotFound: there is no such room.
    @raise Forbidden: they are not in it, or muted.
    @raise RateLimited: the room is slow, and they spoke just now.
    """
    found, seat = may_say(tx, room, username, at)
    mentioned = _mention(tx, room, username, text) if "@" in text else ()
    return put_said(tx, room, found, seat, Message(at, username, text), mentioned, session)


def may_say(tx: ReadTransaction, room: str, username: str, at: datetime) -> tuple[Room, Seat]:
    """
    @return: the room, and the seat of whoever wants to say something there.

    @raise Forbidden: they are not in it, or muted.
    @raise RateLimited: the room is slow, and they spoke just now.
    """
    found, seat = seated(tx, room, username, at)
    if seat.muted is not None:
        refuse_muted(seat, room, at)
    if found.slow:
        _refuse_hasty(found, seat, at)
    return found, seat


def put_said(tx: Transaction, room: str, found: Room, seat: Seat, message: Message, mentioned: tuple[str, ...], session: int) -> Said:
    """Put a message that may be said, and announce it."""
    seq, at, username = found.seq + 1, message.at, message.by
    tx.put(room, replace(found, seq=seq))
    tx.put(messages.key(room, seq), message)
    tx.put(seat_key(room, username), replace(seat, read=seq, mentions=0, said=at if found.slow else None))
    event = Spoken(room, seq, at, username, message.text, mentioned, receipt=message.receipt)
    tx.announce(room_channel(room), ToOthers(session, event))
    return Said(seq, at)


def _refuse_hasty(found: Room, seat: Seat, at: datetime) -> None:
    if seat.said is None or seat.operator:
        return
    left = found.slow - (at - seat.said).total_seconds()
    if left > 0:
        seconds = math.ceil(left)
        raise RateLimited(f"one message in {counted(found.slow, 'second')} is allowed here; wait {counted(seconds, 'second')}", seconds)


def _mention(tx: Transaction, room: str, username: str, text: str) -> tuple[str, ...]:
    """Note for those whom a message mentions that it does; not for those who want to hear nothing from its author."""
    names = dict.fromkeys(found.lower() for found in _MENTION.findall(text))
    names.pop(username, None)
    mentioned = []
    for word in list(names)[:MAX_MENTIONS]:
        name, seat = _meant(tx, room, word)
        if seat is None or name == username or name in mentioned:
            continue
        if username not in (tx.get(Blocks, name) or Blocks(())).usernames:
            tx.put(seat_key(room, name), replace(seat, mentions=seat.mentions + 1))
            mentioned.append(name)
    return tuple(mentioned)


def _meant(tx: ReadTransaction, room: str, word: str) -> tuple[str, Seat | None]:
    """Whose name it is. A dot at its end may belong to the sentence."""
    seat = tx.get(Seat, seat_key(room, word))
    if seat is not None or not word.endswith("."):
        return word, seat
    name = word.rstrip(".")
    return name, tx.get(Seat, seat_key(room, name))


def tell(tx: Transaction, username: str, to: str, text: str, session: int, *, named: str = "to", at: datetime) -> Said:
    """
    Say something to one member, be they there or not.

    @param named: see L{may_tell}.

    @raise NotFound: there is no such member.
    @raise Forbidden: they want to hear nothing from the sender.
    """
    seq = may_tell(tx, username, to, named=named)
    return put_told(tx, to, seq, Message(at, username, text), session)


def may_tell(tx: ReadTransaction, username: str, to: str, *, named: str = "to") -> int:
    """
    @param named: the parameter that says to whom, which a refusal names.

    @return: the number of the newest message between two members, of whom one wants to write to the other.
    """
    if username == to:
        raise BadArgument(f"{named}: that is you")
    members.fetch(tx, to)
    _refuse_between(tx, username, to)
    return (tx.get(Direct, direct_key(username, to)) or Direct()).seq


def _refuse_between(tx: ReadTransaction, username: str, to: str) -> None:
    """
    @raise Forbidden: one of two wants to hear nothing from the other, who is to say something.
    @raise Conflict: the other way round; who could not be answered says nothing.
    """
    refuse_blocked(tx, to, username)
    if to in (tx.get(Blocks, username) or Blocks(())).usernames:
        raise Conflict(f"you have blocked {to}; unblock them first")


def put_told(tx: Transaction, to: str, newest: int, message: Message, session: int) -> Said:
    """
    Put a direct message that may be written, and announce it.

    @param newest: the number of the one before it; who writes the first one begins the conversation for both.
    """
    seq, at, username = newest + 1, message.at, message.by
    key = direct_key(username, to)
    if seq == 1:
        tx.put(f"{to}/{username}", Correspondent())
    tx.put(f"{username}/{to}", Correspondent(read=seq))
    tx.put(key, Direct(seq))
    tx.put(messages.key(key, seq), message)
    event = Whispered(seq, at, username, to, message.text, receipt=message.receipt)
    tx.announce(member(to), event)
    tx.announce(member(username), ToOthers(session, event))
    return Said(seq, at)


def ready(tx: ReadTransaction, place: str, username: str, session: int, *, at: datetime) -> Callable[[Transaction, Message], Said]:
    """
    @return: says something in a conversation of either kind, in the same transaction; whether it may be said has been seen to.
    """
    if place.startswith("@"):
        newest = may_tell(tx, username, place[1:], named="room")
        return lambda tx, message: put_told(tx, place[1:], newest, message, session)
    found, seat = may_say(tx, place, username, at)
    return lambda tx, message: put_said(tx, place, found, seat, message, (), session)


def speak(tx: Transaction, place: str, username: str, text: str, session: int, *, at: datetime) -> Said:
    """Say something in a conversation of either kind."""
    if place.startswith("@"):
        return tell(tx, username, place[1:], text, session, named="room", at=at)
    return say(tx, place, username, text, session, at=at)


def history(tx: ReadTransaction, place: str, username: str, *, limit: int, before: int | None, at: datetime) -> History:
    """What was said, the newest first."""
    found = conversation(tx, place, username, at)
    return messages.history(tx, found.key, found.seq, oldest=found.first, limit=limit, before=before)


def opened(tx: ReadTransaction, peer: str, username: str, *, at: datetime) -> JoinedRoom:
    """The direct conversation with a member, which is always joined."""
    if peer == username:
        raise BadArgument("room: that is you")
    return JoinedRoom(f"@{peer}", conversation(tx, f"@{peer}", username, at).seq, "", 2)


def page(tx: ReadTransaction, place: str, username: str, after: int, *, at: datetime) -> Page:
    """Some of what was said after a number, as events."""
    found = conversation(tx, place, username, at)
    lines = messages.page(tx, found.key, after, found.seq, oldest=found.first)
    last = lines[-1][0] if lines else found.seq
    if found.peer is None:
        events: list[Event] = [Spoken.again(place, seq, message) for seq, message in lines]
    else:
        events = [Whispered.again(username, found.peer, seq, message) for seq, message in lines]
    return Page(events, last, last >= found.seq)


def series(place: str, username: str) -> tuple[str, str]:
    """The channel on which a conversation's messages are announced, and their series."""
    if place.startswith("@"):
        return member(username), direct_series(username, place[1:])
    return room_channel(place), room_channel(place)


def edit(tx: Transaction, place: str, seq: int, username: str, text: str, session: int, *, at: datetime) -> None:
    """
    Change what one said.

    @raise Forbidden: somebody else said it, or the caller is muted, or the other one wants to hear nothing from them.
    @raise Conflict: the caller wants to hear nothing from the other one.
    """
    found = conversation(tx, place, username, at)
    if messages.fetch(tx, found.key, seq).by != username:
        raise Forbidden("only its author may change a message")
    if found.peer is None:
        refuse_muted(tx.fetch(Seat, seat_key(place, username)), place, at)
    else:
        _refuse_between(tx, username, found.peer)
    message = messages.edit(tx, found.key, seq, username, text, at=at)
    _announce(tx, found, place, username, session, lambda room: Edited(room, seq, message.at, username, text))


def remove(tx: Transaction, place: str, seq: int, username: str, reason: str, session: int, *, at: datetime) -> None:
    """
    Take a message out of sight. Who wrote it may, and in rooms whoever has power over them.

    @param reason: which the others hear; so it is not for those who may say nothing to them.

    @raise Forbidden: the caller is none of these.
    """
    if place.startswith("@"):
        found, by_power = conversation(tx, place, username, at), False
        if messages.fetch(tx, found.key, seq).by != username:
            raise Forbidden("only its author may remove a direct message")
        if reason:
            _refuse_between(tx, username, place[1:])
    else:
        room = tx.fetch(Room, place)
        found = Conversation(place, room.seq, room.first, None)
        by_power = not _is_own(tx, place, seq, username)
        if by_power:
            power.check(tx, place, username)
        elif reason:
            refuse_muted(tx.fetch(Seat, seat_key(place, username)), place, at)
    if not by_power and messages.fetch(tx, found.key, seq).receipt is not None:
        raise Conflict("you cannot take back a message that shows a payment")
    author = messages.remove(tx, found.key, seq, username, reason, at=at)
    if by_power:
        power.note(tx, place, username, "remove", author, seq=seq, reason=reason, at=at)
    _announce(tx, found, place, username, session, lambda room: Removed(room, seq, username, reason))


def _is_own(tx: ReadTransaction, room: str, seq: int, username: str) -> bool:
    """Whether somebody who is in a room wrote a message there."""
    message = tx.get(Message, messages.key(room, seq))
    return message is not None and message.by == username and tx.get(Seat, seat_key(room, username)) is not None


def _announce(tx: Transaction, found: Conversation, place: str, username: str, session: int, event: Callable[[str], Event]) -> None:
    """
    Tell all in a conversation but the session that has the reply.

    @param event: gives the event, for whoever calls the conversation so.
    """
    if found.peer is None:
        tx.announce(room_channel(place), ToOthers(session, event(place)))
    else:
        tx.announce(member(found.peer), event(f"@{username}"))
        tx.announce(member(username), ToOthers(session, event(place)))


def trace(tx: ReadTransaction, place: str, seq: int, username: str, *, at: datetime) -> Listing[VersionRow]:
    """
    What a message was before it was changed or removed, the newest first; for who wrote it and whoever has power over the room.

    @raise Forbidden: the caller is neither.
    """
    if place.startswith("@") or _is_own(tx, place, seq, username):
        key = conversation(tx, place, username, at).key
        if messages.fetch(tx, key, seq).by != username:
            raise Forbidden("only its author may see what a direct message was")
    else:
        power.check(tx, place, username)
        key = place
        messages.fetch(tx, key, seq)
    versions = messages.versions(tx, messages.key(key, seq))
    return Listing([VersionRow(each.until, each.by, each.text) for each in reversed(versions)])
