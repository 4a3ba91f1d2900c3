"""
The commands of those who have power over a room, and of the moderators.

Their rules check that power, because whoever operates a room has no role of the hub's. So they are open to whoever is logged in, and to the
operator of the hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securehub import arguments
from securehub.command import LOGGED_IN, Audited, command, last_seen, named, optional, role
from securehub.reply import Listing
from securehub.services import times
from securehub.services.chat import moderation, power, reports, words
from securehub.services.chat.rooms import Limits
from securehub.services.times import When
from securehub.session import Session

if TYPE_CHECKING:
    from securehub.hub import Hub

MODERATOR = role("moderator")


class Moderating:
    """The part of the chat that keeps order."""

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.zone = hub.zone
        self.limits = Limits.of(hub.settings)

    @command(
        None,
        access=LOGGED_IN,
        writes=True,
        audited=Audited.ALWAYS,
        room=words.room,
        username=arguments.username,
        reason=named(words.reason),
    )
    async def kick(self, session: Session, room: str, username: str, reason: str = "") -> None:
        """
        Put somebody out of a room that you operate.

        They may come back, unless the room is for the invited. Moderators may put anybody out of any room.
        """
        await session.transact(moderation.kick, room, session.caller, username, reason, self.limits.told_members, at=self.clock.now())

    @command(
        None,
        access=LOGGED_IN,
        writes=True,
        audited=Audited.ALWAYS,
        room=words.room,
        username=arguments.username,
        until=named(times.expiry),
        reason=named(words.reason),
    )
    async def ban(self, session: Session, room: str, username: str, until: When | None = None, reason: str = "") -> moderation.Ending:
        """
        Put somebody out of a room that you operate, and keep them from joining and reading.

        Without until= it has no end; chat.unban ends it.
        """
        imposing = {"at": self.clock.now(), "zone": self.zone}
        return await session.transact(moderation.ban, room, session.caller, username, until, reason, self.limits.told_members, **imposing)

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, username=arguments.username)
    async def unban(self, session: Session, room: str, username: str) -> None:
        """Let somebody who is banned from a room join it again."""
        await session.transact(moderation.unban, room, session.caller, username, at=self.clock.now())

    @command(
        None,
        access=LOGGED_IN,
        writes=True,
        audited=Audited.ALWAYS,
        room=words.room,
        username=arguments.username,
        until=named(times.expiry),
        reason=named(words.reason),
    )
    async def mute(self, session: Session, room: str, username: str, until: When | None = None, reason: str = "") -> moderation.Ending:
        """
        Keep somebody from speaking in a room that you operate.

        They still hear what is said. Without until= it has no end; chat.unmute ends it. Leaving and joining again does not.
        """
        return await session.transact(moderation.mute, room, session.caller, username, until, reason, at=self.clock.now(), zone=self.zone)

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, username=arguments.username)
    async def unmute(self, session: Session, room: str, username: str) -> None:
        """Let somebody who is muted in a room speak again."""
        await session.transact(moderation.unmute, room, session.caller, username, at=self.clock.now())

    @command(None, access=LOGGED_IN, long=True, room=words.room, limit=named(arguments.listed), after=last_seen(arguments.username))
    async def sanctions(self, session: Session, room: str, limit: int = 20, after: str = "") -> moderation.Sanctions:
        """
        List who is banned or muted in a room that you operate.

        For more, give after= as next says.
        """
        return await self.store.read(moderation.sanctions, room, session.caller, limit=limit, after=after, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, seconds=words.pause)
    async def slow(self, session: Session, room: str, seconds: int) -> None:
        """
        Make everybody in a room that you operate wait some seconds between two messages.

        With 0 they speak as they like. Operators need not wait.
        """
        await session.transact(moderation.slow, room, session.caller, seconds, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, access_=words.access)
    async def access(self, session: Session, room: str, access_: str) -> None:
        """
        Open a room that you operate to everybody (open), or only to those who are invited (invite).

        Those who are in it stay.
        """
        await session.transact(moderation.set_access, room, session.caller, access_, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, days=words.days)
    async def keep(self, session: Session, room: str, days: int) -> None:
        """
        Set for how many days a room that you operate keeps its messages; 0 is for ever.

        Older ones are deleted. Those who join are told.
        """
        await session.transact(moderation.keep, room, session.caller, days, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, username=arguments.username)
    async def appoint(self, session: Session, room: str, username: str) -> None:
        """Let somebody operate a room with you."""
        await session.transact(moderation.appoint, room, session.caller, username, True, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.ALWAYS, room=words.room, username=arguments.username)
    async def dismiss(self, session: Session, room: str, username: str) -> None:
        """
        Let somebody no longer operate a room.

        You can step down yourself; only moderators can dismiss others.
        """
        await session.transact(moderation.appoint, room, session.caller, username, False, at=self.clock.now())

    @command(None, access=LOGGED_IN, room=words.room, limit=named(arguments.listed), before=named(arguments.whole))
    async def deeds(self, session: Session, room: str, limit: int = 20, before: int | None = None) -> Listing[power.DeedRow]:
        """List what those with power over a room did there, newest first; only they can see it."""
        return await self.store.read(power.deeds, room, session.caller, limit=limit, before=before)

    @command(None, access=MODERATOR, all=named(arguments.switch), limit=named(arguments.listed), before=named(arguments.whole))
    async def reports(self, session: Session, all: bool = False, limit: int = 20, before: int | None = None) -> reports.Queue:
        """
        List the reported messages that no moderator has settled, newest first; with all=on the others, too.

        Each comes with the messages around it, as they were when it was reported.
        """
        return await self.store.read(reports.reports, settled=all, limit=limit, before=before)

    @command(None, access=MODERATOR, writes=True, report=arguments.whole, note=optional(words.note))
    async def settle(self, session: Session, report: int, note: str = "") -> None:
        """Say that you have seen to a report, which takes it off the list."""
        await session.transact(reports.settle, report, session.caller, note, at=self.clock.now())
