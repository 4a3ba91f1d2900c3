"""
What those who listen hear of rooms, direct messages and each other.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from securehub.event import Event
from securehub.reply import when
from securehub.services.messages import Message, Receipt, spoken


def room_channel(room: str) -> str:
    """The channel of a room's members."""
    return f"room/{room}"


def direct_series(one: str, other: str) -> str:
    """The series of the direct messages between two members."""
    return f"direct/{min(one, other)}/{max(one, other)}"


class Spoken(Event, frozen=True, omit_defaults=True):
    """
    Somebody said something in a room of yours.

    @ivar mentions: the members of the room whom it mentions as C{@username}.
    @ivar edited: when it was changed last; in messages with which you catch up.
    @ivar removed: who removed it, in messages with which you catch up. Its text is empty then.
    @ivar receipt: what it shows of the ledger, if it does.
    """

    method = "chat.message"

    room: str
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    said: str = msgspec.field(name="text")
    mentions: tuple[str, ...] = ()
    edited: datetime | None = None
    removed: str = ""
    receipt: Receipt | None = None

    @classmethod
    def again(cls, room: str, seq: int, message: Message) -> Spoken:
        """What has been said already."""
        return cls(room, seq, message.at, message.by, message.text, (), message.edited, message.removed, message.receipt)

    @property
    def series(self) -> str:
        return f"room/{self.room}"

    def text(self) -> str:
        return f"[{self.room}] {spoken(self.from_, self.said, self.removed, self.edited is not None, self.receipt)}"


class Whispered(Event, frozen=True, omit_defaults=True):
    """
    A direct message to you, or of yours from another session.

    @ivar edited: when it was changed last; in messages with which you catch up.
    @ivar removed: who removed it, in messages with which you catch up. Its text is empty then.
    @ivar receipt: what it shows of the ledger, if it does.
    """

    method = "chat.direct"

    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    to: str
    said: str = msgspec.field(name="text")
    edited: datetime | None = None
    removed: str = ""
    receipt: Receipt | None = None

    @classmethod
    def again(cls, username: str, peer: str, seq: int, message: Message) -> Whispered:
        """What one of the two has said to the other already."""
        to = peer if message.by == username else username
        return cls(seq, message.at, message.by, to, message.text, message.edited, message.removed, message.receipt)

    @property
    def series(self) -> str:
        return direct_series(self.from_, self.to)

    def text(self) -> str:
        who = f"{self.from_} to {self.to}" if self.receipt is None else self.from_
        return spoken(who, self.said, self.removed, self.edited is not None, self.receipt)


class Joined(Event, frozen=True):
    """Somebody has joined a room of yours. In rooms with many members only the member's own sessions are told."""

    method = "chat.joined"

    room: str
    username: str

    def text(self) -> str:
        return f"[{self.room}] {self.username} has joined."


class Parted(Event, frozen=True, omit_defaults=True):
    """
    Somebody has left a room of yours, or was put out of it; maybe you. In rooms with many members only the member is told.

    @ivar reason: that was given.
    @ivar act: C{kick} or C{ban}, if they were put out.
    @ivar by: who did that.
    @ivar until: the end of a ban that has one.
    """

    method = "chat.parted"

    room: str
    username: str
    reason: str
    act: str = ""
    by: str = ""
    until: datetime | None = None

    def text(self) -> str:
        until = f" until {when(self.until)}" if self.until else ""
        put_out = f": {'banned' if self.act == 'ban' else 'put out'} by {self.by}{until}" if self.by else ""
        return f"[{self.room}] {self.username} has left{put_out}{f': {self.reason}' if self.reason else '' if put_out else '.'}"


class Removed(Event, frozen=True):
    """
    A message was taken out of sight.

    @ivar room: C{@username} for the direct conversation with that member.
    """

    method = "chat.removed"

    room: str
    seq: int
    by: str
    reason: str

    def text(self) -> str:
        return f"[{self.room}] {self.by} removed message {self.seq}{f': {self.reason}' if self.reason else '.'}"


class Edited(Event, frozen=True):
    """
    A message was changed.

    @ivar room: C{@username} for the direct conversation with that member.
    """

    method = "chat.edited"

    room: str
    seq: int
    at: datetime
    from_: str = msgspec.field(name="from")
    said: str = msgspec.field(name="text")

    def text(self) -> str:
        return f"[{self.room}] {self.from_} changed message {self.seq}: {self.said}"


class Topic(Event, frozen=True):
    """A room of yours has another topic."""

    method = "chat.topic"

    room: str
    topic: str
    by: str

    def text(self) -> str:
        return f"[{self.room}] {self.by} set the topic: {self.topic}" if self.topic else f"[{self.room}] {self.by} cleared the topic."


class Invited(Event, frozen=True):
    """You may join a room."""

    method = "chat.invited"

    room: str
    by: str

    def text(self) -> str:
        return f"{self.by} invites you to {self.room}."


class Marked(Event, frozen=True):
    """
    You have read up to this message, in another session of yours.

    @ivar room: C{@username} for the direct conversation with that member.
    """

    method = "chat.marked"

    room: str
    seq: int

    def text(self) -> str:
        return f"[{self.room}] You have read up to message {self.seq}."


class Moderated(Event, frozen=True, omit_defaults=True):
    """
    Somebody used their power over a room of yours.

    @ivar act: C{ban}, C{unban}, C{mute}, C{unmute}, C{slow}, C{access}, C{keep}, C{appoint} or C{dismiss}.
    @ivar username: to whom, if to anybody.
    @ivar until: when it ends; left out if it has no end.
    @ivar reason: why; or for C{slow}, C{access} and C{keep} what is so now.
    """

    method = "chat.moderated"

    room: str
    act: str
    by: str
    username: str = ""
    until: datetime | None = None
    reason: str = ""

    def text(self) -> str:
        # Without a colon behind the name, so that nobody can say it who has not done it.
        done = _DONE[self.act].format(self.username)
        until = f" until {when(self.until)}" if self.until else ""
        return f"[{self.room}] {self.by} has {done}{until}{f': {self.reason}' if self.reason else '.'}"


_DONE = {
    "ban": "banned {}",
    "unban": "lifted the ban of {}",
    "mute": "muted {}",
    "unmute": "let {} speak again",
    "slow": "set how long one waits between two messages",
    "access": "set who may join",
    "keep": "set what is kept",
    "appoint": "appointed {} to operate the room",
    "dismiss": "dismissed {} from operating the room",
}


class Reported(Event, frozen=True):
    """A message was reported to the moderators."""

    method = "chat.reported"

    report: int
    room: str
    seq: int
    by: str
    reason: str

    def text(self) -> str:
        return f"Report {self.report}: {self.by} reports message {self.seq} in {self.room}{f': {self.reason}' if self.reason else '.'}"


class ReportsWaiting(Event, frozen=True):
    """
    Reports wait for a moderator; told to moderators when they log in.

    @ivar waiting: how many, or 100 if more.
    @ivar since: when the oldest of them was made.
    """

    method = "chat.reports_waiting"

    waiting: int
    since: datetime

    def text(self) -> str:
        wait = "1 report waits" if self.waiting == 1 else f"{self.waiting} reports wait"
        return f"{wait} for a moderator, since {when(self.since)}."


class Presence(Event, frozen=True):
    """
    Somebody who shares a room with you came, went, or changed their status. Only rooms with few members are told, some seconds later, so
    that nobody hears of somebody who only changed the connection.

    @ivar said: what they are doing.
    """

    method = "chat.presence"

    username: str
    online: bool
    away: bool
    said: str = msgspec.field(name="text")

    def text(self) -> str:
        state = "is gone" if not self.online else "is away" if self.away else "is here"
        return f"{self.username} {state}{f': {self.said}' if self.said else '.'}"
