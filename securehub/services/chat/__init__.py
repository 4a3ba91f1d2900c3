"""
Chat: rooms, direct messages, who is there.

A room's messages are numbered without gaps, and every member hears them in that order. Membership is the member's, over all sessions,
and lasts until they leave or are put out.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from twisted.plugin import IPlugin
from zope.interface import implementer, provider

from securehub import arguments
from securehub.command import LOGGED_IN, MEMBER, Audited, command, last_seen, named, optional
from securehub.remembering import IRemembers
from securehub.reply import Listing, Roster, Sought, Top
from securehub.service import IServiceFactory
from securehub.services import blocks, messages
from securehub.services.chat import memory, presence, reading, records, reports, retention, rooms, saying, words
from securehub.services.chat.moderating import Moderating
from securehub.services.chat.paying import Paying
from securehub.services.chat.presence import Presence
from securehub.services.chat.rooms import JoinedRoom, Limits, NameRow, RoomRow, TopicReply
from securehub.services.messages import History, Said
from securehub.session import Page, Session

if TYPE_CHECKING:
    from securehub.hub import Hub


@implementer(IRemembers)
@provider(IPlugin, IServiceFactory)
class Chat:
    """Rooms and direct messages."""

    name = "chat"
    records = (*messages.RECORDS, *records.RECORDS, blocks.Blocks)
    parts = (Moderating, Paying)

    remembered = staticmethod(memory.remembered)
    refuse_to_forget = staticmethod(memory.refuse_to_forget)

    def __init__(self, hub: Hub) -> None:
        self.store = hub.store
        self.clock = hub.clock
        self.settings = hub.settings
        self.limits = Limits.of(hub.settings)
        self.forget = partial(memory.forget, told_members=self.limits.told_members)
        self.presence = Presence(hub.switchboard, hub.store, hub.reactor, hub.settings["presence_seconds"], hub.settings["told_members"])
        hub.switchboard.subscriptions.append(rooms.channels_of)
        hub.switchboard.greetings.append(reports.greeting)
        self.chores = hub.chores
        self.chores.at_start(self.forget_old)
        self.chores.hourly(self.forget_old)

    @command("ROOMS", access=MEMBER, long=True, mine=named(arguments.switch), limit=named(arguments.listed), after=last_seen(words.room))
    async def rooms(self, session: Session, mine: bool = False, limit: int = 20, after: str = "") -> Sought[RoomRow, str]:
        """
        List the open rooms, and those that you are in.

        With mine=on, only those that you are in. For more, give after= as next says.
        """
        return await self.store.read(rooms.rooms, session.member, mine=mine, limit=limit, after=after)

    @command("JOIN", access=MEMBER, writes=True, room=words.place, since=named(arguments.whole))
    async def join(self, session: Session, room: str, since: int | None = None) -> JoinedRoom:
        """
        Become a member of a room, which is made if there is none.

        You stay one until you PART or are put out, and hear the room wherever you are logged in. Whoever makes a room operates it. With
        since= and a message's number, you are then sent everything that was said after it; that works in rooms that you are in already, and
        in direct conversations (@bob), too.
        """
        joined = await self._join(session, room)
        if since is not None:
            # An answer that is repeated for its key does not know what was said since; the pages do.
            after = min(since, joined.seq)
            session.catch_up(*saying.series(room, session.member), partial(self._page, room, session.member), after)
        return joined

    @command("PART", access=MEMBER, elsewhere=("leave",), writes=True, room=words.room)
    async def part(self, session: Session, room: str) -> None:
        """Leave a room."""
        await session.transact(rooms.part, room, session.member, session.number, self.limits)

    @command("SAY", access=MEMBER, writes=True, room=words.place, text=arguments.message)
    async def say(self, session: Session, room: str, text: str) -> Said:
        """
        Say something to everybody in a room.

        With @bob in place of a room, only bob hears it. If you mention @bob in a room, he sees that you did.
        """
        return await session.transact(saying.speak, room, session.member, text, session.number, at=self.clock.now())

    @command("MSG", access=MEMBER, elsewhere=("tell", "whisper"), writes=True, to=arguments.username, text=arguments.message)
    async def direct(self, session: Session, to: str, text: str) -> Said:
        """Say something to one member, who finds it at the next login if they are away."""
        return await session.transact(saying.tell, session.member, to, text, session.number, at=self.clock.now())

    @command("LOG", access=MEMBER, room=words.place, limit=named(arguments.listed), before=named(arguments.whole))
    async def log(self, session: Session, room: str, limit: int = 20, before: int | None = None) -> History:
        """
        Show what was said in a room that you are in, or in a direct conversation (@bob).

        For older messages, give the number of the first one you saw as before=.
        """
        return await self.store.read(saying.history, room, session.member, limit=limit, before=before, at=self.clock.now())

    @command("NAMES", access=MEMBER, room=words.room, limit=named(arguments.listed), after=last_seen(arguments.username))
    async def names(self, session: Session, room: str, limit: int = 20, after: str = "") -> Roster[NameRow]:
        """
        List the members of a room that you are in, and whether they are connected.

        For more, give the last name you saw as after=.
        """
        online = self.presence.online
        return await self.store.read(rooms.names, room, session.member, online, limit=limit, after=after, at=self.clock.now())

    @command("TOPIC", access=MEMBER, writes=True, room=words.room, topic=optional(words.topic))
    async def topic(self, session: Session, room: str, topic: str | None = None) -> TopicReply:
        """
        Show what a room that you are in is about, or change it.

        An empty text ("") clears it.
        """
        if topic is None:
            return await session.look(rooms.topic, room, session.member, self.clock.now())
        return await session.transact(rooms.set_topic, room, session.member, topic, session.number, at=self.clock.now())

    @command("WHO", access=LOGGED_IN, long=True, limit=named(arguments.listed), after=last_seen(arguments.username))
    async def who(self, session: Session, limit: int = 20, after: str = "") -> Roster[presence.WhoRow]:
        """List who is connected, with their status."""
        return await self.store.read(presence.who, self.presence.online, limit=limit, after=after)

    @command("STATUS", access=MEMBER, writes=True, text=optional(words.status), away=named(arguments.switch))
    async def status(self, session: Session, text: str | None = None, away: bool | None = None) -> presence.StatusReply:
        """
        Say what you are doing, and with away=on or away=off whether you are there.

        An empty text ("") clears it. Without arguments, your status is shown.
        """
        if text is None and away is None:
            return await session.look(presence.status_of, session.member)
        said = await session.transact(presence.set_status, session.member, text, away)
        self.presence.changed(session.member)
        return said

    @command("UNREAD", access=MEMBER, long=True, limit=named(arguments.listed))
    async def unread(self, session: Session, limit: int = 20) -> Top[reading.UnreadRow]:
        """
        List the rooms and direct conversations with something that you have not read.

        With each comes how often you are mentioned in what you have not read.
        """
        return await self.store.read(reading.unread, session.member, limit=limit)

    @command(None, access=MEMBER, long=True, limit=named(arguments.listed), before=named(words.place))
    async def conversations(self, session: Session, limit: int = 20, before: str | None = None) -> Listing[reading.ConversationRow]:
        """
        List your direct conversations, those first in which something was said last.

        For more give before= and the last one that you have seen (@bob).
        """
        return await self.store.read(reading.conversations, session.member, limit=limit, before=before)

    @command(None, access=MEMBER, writes=True, room=words.place, seq=optional(arguments.whole))
    async def read(self, session: Session, room: str, seq: int | None = None) -> reading.Mark:
        """
        Mark a room or a direct conversation (@bob) as read up to a message, or without a number all of it.

        Your other sessions are told. Saying something in a room marks what was said before as read.
        """
        return await session.transact(reading.mark, session.member, room, seq, session.number, at=self.clock.now())

    @command(
        "SEARCH",
        access=MEMBER,
        long=True,
        words=arguments.text,
        room=named(words.place),
        limit=named(arguments.listed),
        before=named(arguments.whole),
    )
    async def search(
        self, session: Session, words: str, room: str | None = None, limit: int = 20, before: int | None = None
    ) -> reading.Found:
        """
        Find messages with all these words, in your rooms and direct conversations, or with room= in one of them.

        It looks at 10,000 messages, or fewer if they are long, the newest of each conversation. With room=, before= goes on to older ones.
        """
        return await self.store.read(reading.search, session.member, words, room, limit=limit, before=before, at=self.clock.now())

    @command(None, access=MEMBER, writes=True, room=words.place, seq=arguments.whole, text=arguments.message)
    async def edit(self, session: Session, room: str, seq: int, text: str) -> None:
        """
        Change one of your messages.

        The hub keeps what it said, for you and for those who keep order in the room.
        """
        await session.transact(saying.edit, room, seq, session.member, text, session.number, at=self.clock.now())

    @command(
        None,
        access=LOGGED_IN,
        writes=True,
        audited=Audited.ALWAYS,
        room=words.place,
        seq=arguments.whole,
        reason=named(words.reason),
    )
    async def remove(self, session: Session, room: str, seq: int, reason: str = "") -> None:
        """
        Take a message out of sight: one of yours, or anybody's in a room that you operate.

        Its number stays. The hub keeps what it said, for its author and for those who keep order in the room.
        """
        # The operator's sessions hear no rooms, so there is none to leave out.
        number = 0 if session.operator else session.number
        if room.startswith("@") or (author := await self.store.read(messages.author_of, room, seq)) == session.caller:
            # What they said themselves, members take back by right of their own; between two, nobody has power.
            session.act = None
        elif author:
            session.concerns(author)
        await session.transact(saying.remove, room, seq, session.caller, reason, number, at=self.clock.now())

    @command(None, access=LOGGED_IN, room=words.place, seq=arguments.whole)
    async def trace(self, session: Session, room: str, seq: int) -> Listing[saying.VersionRow]:
        """
        Show what a message said before it was changed or removed.

        Only its author and those who keep order in the room can see that.
        """
        return await self.store.read(saying.trace, room, seq, session.caller, at=self.clock.now())

    @command(None, access=LOGGED_IN, writes=True, audited=Audited.OF_POWER, room=words.room, username=arguments.username)
    async def invite(self, session: Session, room: str, username: str) -> None:
        """
        Invite somebody into a room that you are in.

        If the room is for the invited, only its operators may.
        """
        await session.transact(rooms.invite, room, session.caller, username, at=self.clock.now())

    @command(None, access=MEMBER, writes=True, username=arguments.username)
    async def block(self, session: Session, username: str) -> None:
        """
        Block somebody: no direct messages, invitations, requests for money, holds, or mentions from them.

        You still hear what they say in a room, as everybody there does, and they can pay you.
        """
        await session.transact(blocks.block, session.member, username)

    @command(None, access=MEMBER, writes=True, username=arguments.username)
    async def unblock(self, session: Session, username: str) -> None:
        """Hear again from somebody whom you have blocked."""
        await session.transact(blocks.unblock, session.member, username)

    @command(None, access=MEMBER)
    async def blocked(self, session: Session) -> Listing[blocks.BlockedRow]:
        """List whom you have blocked, latest first."""
        return await self.store.read(blocks.blocked, session.member)

    @command(None, access=MEMBER, writes=True, room=words.place, seq=arguments.whole, reason=optional(words.rest_reason))
    async def report(self, session: Session, room: str, seq: int, reason: str = "") -> reports.Made:
        """
        Show a message to the moderators of the hub, with those around it.

        They see who reported it.
        """
        return await session.transact(reports.report, room, seq, session.member, reason, at=self.clock.now())

    async def forget_old(self) -> None:
        """Delete the messages that rooms keep no longer, and reports whose days are over."""
        await self.chores.for_all(partial(self.store.read, retention.limited), self._forget_old_of)
        days = self.settings["report_days"]
        if days:
            until = self.clock.now() - timedelta(days=days)
            await self.chores.for_all(partial(self.store.read, retention.settled, until), self._forget_report)

    async def _forget_report(self, report: str) -> None:
        await self.store.transact(retention.forget_report, report)

    async def _forget_old_of(self, room: str) -> None:
        more = True
        while more:
            more = await self.store.transact(retention.forget, room, at=self.clock.now())
            await self.chores.others_first()

    async def _join(self, session: Session, place: str) -> JoinedRoom:
        if place.startswith("@"):
            return await session.transact(saying.opened, place[1:], session.member, at=self.clock.now())
        return await session.transact(rooms.join, place, session.member, session.number, self.limits, at=self.clock.now())

    async def _page(self, place: str, username: str, after: int) -> Page:
        return await self.store.read(saying.page, place, username, after, at=self.clock.now())
