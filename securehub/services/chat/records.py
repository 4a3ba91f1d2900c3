"""
What the chat service keeps. Messages are kept by L{securehub.services.messages}.

What each message changes (the room, the sender's seat) is small; what changes rarely lies beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from securehub.services.messages import Line
from securehub.store.records import Record

MAX_SLOW = 6 * 60 * 60
"""Seconds; a room in which one may speak once in a longer time is no conversation."""

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of what has no end."""


class Room(Record, frozen=True):
    """
    A room, by name: what the saying of each message has to know.

    @ivar seq: the number of its newest message.
    @ivar members: how many there are.
    @ivar first: the number of the oldest message that may still be there.
    @ivar slow: seconds that everybody has to leave between two messages; 0 for none.
    @ivar invite: whether only the invited may join.
    """

    collection: ClassVar[str] = "room"

    seq: int = 0
    members: int = 0
    first: int = 1
    slow: int = 0
    invite: bool = False


class Charter(Record, frozen=True):
    """
    What changes rarely about a room, by name.

    @ivar by: who made it.
    @ivar keep_days: for how many days messages are kept; 0 for ever.
    """

    collection: ClassVar[str] = "charter"

    made: datetime
    by: str
    topic: str = ""
    keep_days: int = 0


class Seat(Record, frozen=True):
    """
    A member of a room, beneath the room, by username.

    @ivar since: when they joined.
    @ivar operator: whether they operate the room.
    @ivar read: up to which message they have read.
    @ivar mentions: how often they were mentioned since.
    @ivar muted: until when they may say nothing.
    @ivar said: when they last said something, in a slow room.
    """

    collection: ClassVar[str] = "seat"

    since: datetime
    operator: bool = False
    read: int = 0
    mentions: int = 0
    muted: datetime | None = None
    said: datetime | None = None


class LastSaid(Record, frozen=True):
    """
    When somebody who has left a slow room last said something there, beneath the room, by username: to leave and come back makes nobody
    faster.
    """

    collection: ClassVar[str] = "last-said"
    scanned: ClassVar[bool] = False
    lifetime: ClassVar[int | None] = MAX_SLOW

    at: datetime


class Rooms(Record, frozen=True):
    """The rooms of a member, by username, in the order in which they joined."""

    collection: ClassVar[str] = "rooms"
    scanned: ClassVar[bool] = False

    rooms: tuple[str, ...]


class Imposed(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A ban or a mute.

    @ivar until: when it ends, or L{FOREVER}.
    @ivar by: who has imposed it.
    @ivar reason: and why.
    """

    until: datetime
    by: str
    reason: str = ""


def _apart(fields: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had who said last, and why; and apart from that only what the other of the two had."""

    def imposed(until: str | None, by: str, reason: str | None) -> dict[str, Any] | None:
        if until is None:
            return None
        return {"until": until, "by": by or fields.get("by", ""), "reason": fields.get("reason", "") if reason is None else reason}

    return {
        "ban": imposed(fields.get("banned"), fields.get("banned_by", ""), fields.get("banned_for")),
        "mute": imposed(fields.get("muted"), fields.get("muted_by", ""), fields.get("muted_for")),
    }


class Sanction(Record, frozen=True):
    """
    What a member may not do in a room, beneath the room, by username. It stays when the member leaves.

    @ivar ban: because of it they may neither join nor read.
    @ivar mute: because of it they may say nothing.
    """

    collection: ClassVar[str] = "sanction"
    version: ClassVar[int] = 2
    upgrades: ClassVar[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _apart}

    ban: Imposed | None = None
    mute: Imposed | None = None

    @property
    def banned(self) -> datetime | None:
        """Until when they are banned."""
        return None if self.ban is None else self.ban.until

    @property
    def muted(self) -> datetime | None:
        """Until when they are muted."""
        return None if self.mute is None else self.mute.until

    def still(self, at: datetime) -> Sanction:
        """What of it has not ended."""
        return Sanction(self.ban and _still(self.ban, at), self.mute and _still(self.mute, at))

    def without_words_of(self, username: str) -> Sanction:
        """The same, and no reason that this member gave."""
        return Sanction(self.ban and _wordless(self.ban, username), self.mute and _wordless(self.mute, username))


def _still(imposed: Imposed, at: datetime) -> Imposed | None:
    return imposed if imposed.until > at else None


def _wordless(imposed: Imposed, username: str) -> Imposed:
    return replace(imposed, reason="") if imposed.by == username else imposed


class Guest(Record, frozen=True):
    """Somebody may join a room, beneath their username, by room."""

    collection: ClassVar[str] = "guest"

    by: str
    at: datetime


class Direct(Record, frozen=True):
    """
    The conversation of two members, by both their names.

    @ivar seq: the number of its newest message.
    """

    collection: ClassVar[str] = "direct"
    scanned: ClassVar[bool] = False

    seq: int = 0


class Correspondent(Record, frozen=True):
    """
    With whom a member has a direct conversation, beneath the member's username, by the other's.

    @ivar read: up to which message the member has read.
    """

    collection: ClassVar[str] = "correspondent"

    read: int = 0


class Status(Record, frozen=True):
    """What a member says about being there, by username."""

    collection: ClassVar[str] = "status"
    scanned: ClassVar[bool] = False

    text: str = ""
    away: bool = False


class Deed(Record, frozen=True):
    """
    What somebody did who has power over a room, by number. It is found beneath the room's channel, and who did it and to whom.

    @ivar room: where.
    @ivar act: what: C{kick}, C{ban} and so on.
    @ivar target: to whom; empty if to nobody.
    @ivar seq: to which message; 0 if to none.
    @ivar until: when it ends.
    """

    collection: ClassVar[str] = "deed"

    room: str
    at: datetime
    by: str
    act: str
    target: str = ""
    seq: int = 0
    until: datetime | None = None
    reason: str = ""

    def beneath(self) -> tuple[str, ...]:
        return (deeds_of(self.room), *sorted({self.by, self.target} - {""}))


class Report(Record, frozen=True):
    """
    A message that somebody has reported to the moderators, by number. It is found beneath all reports, beneath the open ones while
    nobody has seen to it, and beneath whoever has to do with it.

    @ivar room: where, as the reporter calls it.
    @ivar seq: the message.
    @ivar context: it and those around it, as they were at that moment.
    @ivar settled: when a moderator has seen to it.
    @ivar settled_by: the moderator.
    @ivar note: what they wrote about it.
    """

    collection: ClassVar[str] = "report"

    at: datetime
    by: str
    room: str
    seq: int
    reason: str
    context: tuple[Line, ...]
    settled: datetime | None = None
    settled_by: str = ""
    note: str = ""

    def beneath(self) -> tuple[str, ...]:
        lists = (ALL_REPORTS, OPEN_REPORTS) if self.settled is None else (ALL_REPORTS,)
        shown = {name for line in self.context for name in (line.from_, line.removed)}
        return (*lists, *sorted(({self.by, self.settled_by} | shown) - {""}))


ALL_REPORTS = "*"
OPEN_REPORTS = "+"
"""What reports lie beneath; no member has such a name."""


class Complaints(Record, frozen=True):
    """The reports of a member that nobody has seen to, by username."""

    collection: ClassVar[str] = "complaints"
    scanned: ClassVar[bool] = False

    reports: tuple[int, ...]


RECORDS = (
    Room,
    Charter,
    Seat,
    LastSaid,
    Rooms,
    Sanction,
    Guest,
    Direct,
    Correspondent,
    Status,
    Deed,
    Report,
    Complaints,
)


def seat_key(room: str, username: str) -> str:
    """Where what belongs to a member of a room is kept."""
    return f"{room}/{username}"


def guest_key(room: str, username: str) -> str:
    return f"{username}/{room}"


def deeds_of(room: str) -> str:
    """What the deeds in a room lie beneath; no member has such a name."""
    return f"#{room}"
