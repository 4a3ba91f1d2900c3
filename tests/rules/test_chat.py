"""
The rules of rooms and messages: who may say and read what, numbers without gaps, what is kept and what is forgotten.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from securehub.event import ToOthers, Tune
from securehub.members import Member
from securehub.refusals import BadArgument, Conflict, Forbidden, LimitExceeded, NotFound, RateLimited
from securehub.remembering import Kept
from securehub.services import blocks, messages
from securehub.services.chat import memory, moderation, paying, power, presence, reading, reports, retention, rooms, saying
from securehub.services.chat.events import Parted, Spoken, room_channel
from securehub.services.chat.records import (
    FOREVER,
    Charter,
    Complaints,
    Correspondent,
    Deed,
    Guest,
    Imposed,
    Report,
    Room,
    Rooms,
    Sanction,
    Seat,
    Status,
)
from securehub.services.chat.rooms import Limits
from securehub.services.ledger import books, movement
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.watching import set_watched
from securehub.services.messages import Line, Message, Receipt, Trace
from securehub.store.records import decoder, number_key
from securehub.switchboard import member
from tests.rules.setting import Rules, amount
from tests.store.setting import everything

LIMITS = Limits(rooms=30, told_members=100)
SESSION = 7


class OlderTests(SynchronousTestCase):
    """What earlier versions have written."""

    def test_sanctions(self) -> None:
        """Version 1 had one author and one reason, and those of the other only where they differed."""
        end = datetime(2026, 12, 1, tzinfo=UTC)
        until, read = b'"2026-12-01T00:00:00Z"', decoder(Sanction)
        both = b'{"banned":%b,"muted":%b,"by":"bob","reason":"shouting","banned_by":"alice","muted_by":"bob","banned_for":"spam"}'
        self.assertEqual(read(both % (until, until)), Sanction(Imposed(end, "alice", "spam"), Imposed(end, "bob", "shouting")))
        one = b'{"muted":%b,"by":"bob","reason":"shouting","banned_for":""}'
        self.assertEqual(read(one % until), Sanction(mute=Imposed(end, "bob", "shouting")))


class Talking(Rules):
    """Alice operates the lobby, and bob is in it; carol is not."""

    def setUp(self) -> None:
        super().setUp()
        for number, username in enumerate(("alice", "bob", "carol"), start=1):
            self.put(username, Member(number))
        for username in ("alice", "bob"):
            self.join(username)
        self.heard()

    def join(self, username: str, room: str = "lobby") -> rooms.JoinedRoom:
        return self.do(rooms.join, room, username, SESSION, LIMITS, at=self.at)

    def part(self, username: str, room: str = "lobby") -> None:
        self.do(rooms.part, room, username, SESSION, LIMITS)

    def say(self, username: str, text: str, room: str = "lobby") -> int:
        return self.do(saying.speak, room, username, text, SESSION, at=self.at).seq

    def log(self, username: str, room: str = "lobby", limit: int = 20, before: int | None = None) -> list[tuple[int, str]]:
        found = self.ask(saying.history, room, username, limit=limit, before=before, at=self.at)
        return [(line.seq, line.text) for line in found.items]

    def page(self, username: str, after: int, room: str = "lobby") -> tuple[list[int], int, bool]:
        page = self.ask(saying.page, room, username, after, at=self.at)
        return [event.seq for event in page.events], page.last, page.whole  # type: ignore[attr-defined]

    def unread(self, username: str) -> dict[str, tuple[int, int]]:
        return {row.room: (row.unread, row.mentions) for row in self.ask(reading.unread, username, limit=20).items}

    def pass_(self, **duration: float) -> None:
        self.at += timedelta(**duration)


class Saying(Talking):
    """What is said has its number, and is heard by all but the session that said it."""

    def test_numbers(self) -> None:
        """They count 1, 2, 3, ...; what is refused takes none."""
        self.assertEqual([self.say("alice", "one"), self.say("bob", "two")], [1, 2])
        self.refused(Forbidden, "JOIN lobby first", saying.say, "lobby", "carol", "hello", SESSION, at=self.at)
        self.assertEqual(self.say("alice", "three"), 3)
        self.assertEqual(self.log("bob"), [(3, "three"), (2, "two"), (1, "one")])
        heard = [event.event.seq for channel, event in self.heard() if channel == room_channel("lobby")]
        self.assertEqual(heard, [1, 2, 3])

    def test_told(self) -> None:
        self.say("alice", "hello @bob, @carol and @alice")
        self.assertEqual(
            self.heard(),
            [
                (
                    room_channel("lobby"),
                    ToOthers(SESSION, Spoken("lobby", 1, self.at, "alice", "hello @bob, @carol and @alice", ("bob",))),
                )
            ],
        )

    def test_mentions(self) -> None:
        """Only so many of one message count, and none of somebody who is blocked."""
        names = [f"m{number}" for number in range(saying.MAX_MENTIONS + 2)]
        for number, name in enumerate(names, start=10):
            self.put(name, Member(number))
            self.join(name)
        self.say("alice", " ".join(f"@{name}" for name in names))
        self.assertEqual([sum(count for _, count in self.unread(name).values()) for name in names], [1] * saying.MAX_MENTIONS + [0] * 2)
        self.heard()
        self.say("alice", "@carol, who is not here, @alice. and @bob")
        self.assertEqual([told.event.mentions for _, told in self.heard()], [("bob",)])
        self.assertEqual(self.unread("bob"), {"lobby": (2, 1)})
        self.say("bob", "yes?")
        self.do(blocks.block, "bob", "alice")
        self.say("alice", "@bob!")
        self.assertEqual(self.unread("bob"), {"lobby": (1, 0)})

    def test_mentions_of_names_with_a_dot(self) -> None:
        """A dot behind a name ends a sentence, unless there is a member of that name."""
        self.put("bob.", Member(4))
        self.join("bob.")
        self.say("alice", "@bob. @Bob.. @bob...")
        self.say("alice", "so it is, @bob.")
        self.assertEqual((self.unread("bob."), self.unread("bob")), ({"lobby": (2, 2)}, {"lobby": (2, 1)}))

    def test_pages_back(self) -> None:
        """Histories are paged by number, and end with the first message."""
        for number in range(1, 6):
            self.say("alice", str(number))
        self.assertEqual([seq for seq, _ in self.log("bob", limit=2)], [5, 4])
        self.assertEqual([seq for seq, _ in self.log("bob", limit=2, before=4)], [3, 2])
        self.assertEqual([seq for seq, _ in self.log("bob", limit=2, before=2)], [1])
        self.assertEqual([seq for seq, _ in self.log("bob", before=100)], [5, 4, 3, 2, 1])
        self.assertEqual(self.log("bob", before=1), [])
        for before, more in ((None, True), (4, True), (3, False), (0, False)):
            found = self.ask(saying.history, "lobby", "bob", limit=2, before=before, at=self.at)
            self.assertEqual(found.more, more, before)

    def test_long_ones(self) -> None:
        """A history of long messages has fewer than were asked for, and says so; but always one."""
        self.patch(messages, "HISTORY_CHARACTERS", 1000)
        for text in ("a" * 1001, "b" * 500, "c" * 500, "d"):
            self.say("alice", text)
        found = self.ask(saying.history, "lobby", "bob", limit=20, before=None, at=self.at)
        self.assertEqual(([line.seq for line in found.items], found.more), ([4, 3], True))
        found = self.ask(saying.history, "lobby", "bob", limit=20, before=2, at=self.at)
        self.assertEqual(([line.seq for line in found.items], found.more), ([1], False))

    def test_search_is_bounded(self) -> None:
        """Only so many of the newest messages are looked at, and one learns how to go on; or a fair share in each conversation."""
        self.patch(reading, "SEARCHED", 3)
        for text in ("tea", "coffee", "tea", "coffee"):
            self.say("alice", text)

        def search(word: str, room: str | None = "lobby", **bounds: int | None) -> tuple[list[tuple[str, int]], bool, int | None]:
            given: dict[str, Any] = {"limit": 5, "before": None} | bounds
            found = self.ask(reading.search, "bob", word, room, at=self.at, **given)
            return [(row.room, row.seq) for row in found.items], found.more, found.next

        self.assertEqual(search("tea"), ([("lobby", 3)], True, 2))
        self.assertEqual(search("tea", before=2), ([("lobby", 1)], False, None))
        self.assertEqual(search("nothing"), ([], True, 2))
        self.assertEqual(search("coffee", limit=1), ([("lobby", 4)], True, 4))
        self.assertEqual(search("coffee", limit=1, before=4), ([("lobby", 2)], True, 2))
        self.assertEqual(search("coffee", limit=1, before=2), ([], False, None))
        self.join("bob", "den")
        self.say("bob", "coffee", "den")
        self.say("bob", "coffee", "@alice")
        self.assertEqual(search("coffee", None), ([("lobby", 4), ("den", 1), ("@alice", 1)], True, None))
        self.assertEqual(search("coffee", None, limit=2), ([("lobby", 4), ("den", 1)], True, None))

    def test_search_in_all(self) -> None:
        """Where one conversation has as many as are wanted, there may be more in others."""
        self.say("alice", "tea")
        self.say("alice", "tea", "@bob")
        for limit, places in ((1, ["lobby"]), (2, ["lobby", "@alice"])):
            found = self.ask(reading.search, "bob", "tea", None, limit=limit, before=None, at=self.at)
            self.assertEqual(([row.room for row in found.items], found.more), (places, limit == 1))

    def test_search_is_bounded_by_characters(self) -> None:
        """Long messages take long, so fewer of them are looked at; one learns how to go on, and gets on."""
        self.patch(reading, "SEARCHED_CHARACTERS", 200)
        for number in range(5):
            self.say("alice", f"{number} {'word ' * 20}")

        def search(room: str | None, before: int | None = None) -> tuple[list[int], bool, int | None]:
            found = self.ask(reading.search, "bob", "word", room, limit=20, before=before, at=self.at)
            return [row.seq for row in found.items], found.more, found.next

        self.assertEqual(search("lobby"), ([5, 4], True, 4))
        self.assertEqual(search("lobby", 4), ([3, 2], True, 2))
        self.assertEqual(search("lobby", 2), ([1], False, None))
        self.join("bob", "den")
        self.say("bob", "a word", "den")
        self.assertEqual(search(None), ([5, 1], True, None))

    def test_many_correspondents(self) -> None:
        """All of them are looked through for what is unread; a search says that it has left out some."""
        self.patch(reading, "MAX_CORRESPONDENTS", 1)
        for username in ("alice", "bob"):
            self.say(username, "hello", "@carol")
        self.assertEqual(self.unread("carol"), {"@alice": (1, 0), "@bob": (1, 0)})
        self.assertEqual([row.room for row in self.ask(reading.conversations, "carol", limit=9, before=None).items], ["@bob", "@alice"])
        found = self.ask(reading.search, "carol", "hello", None, limit=20, before=None, at=self.at)
        self.assertEqual(([row.room for row in found.items], found.more), (["@alice"], True))
        found = self.ask(reading.search, "bob", "hello", None, limit=20, before=None, at=self.at)
        self.assertEqual(([row.room for row in found.items], found.more), (["@carol"], False))

    def test_series(self) -> None:
        """Who catches up with a conversation is held back from what is said there meanwhile; so both call it the same."""
        for place in ("lobby", "@bob"):
            self.say("alice", "hello", place)
            channel, series = saying.series(place, "alice")
            self.assertIn((channel, series), [(told, event.event.series) for told, event in self.heard() if isinstance(event, ToOthers)])

    def test_pages_forward(self) -> None:
        """Whoever catches up is given all, in pages that are bounded by their messages and their characters."""
        for number in range(messages.PAGE_MESSAGES + 2):
            self.say("alice", str(number))
        long = 4096
        for _ in range(messages.PAGE_CHARACTERS // long):
            self.say("alice", "x" * long)
        self.say("alice", "the last")
        newest = messages.PAGE_MESSAGES + 7
        self.assertEqual(self.page("bob", 0), ([*range(1, messages.PAGE_MESSAGES + 1)], messages.PAGE_MESSAGES, False))
        self.assertEqual(self.page("bob", newest - 5), ([*range(newest - 4, newest)], newest - 1, False))
        self.assertEqual(self.page("bob", newest - 1), ([newest], newest, True))
        self.assertEqual(self.page("bob", newest), ([], newest, True))
        self.assertEqual(self.page("bob", newest + 5), ([], newest, True))

    def test_slow(self) -> None:
        """Each has a pause of their own; operators have none."""
        self.do(moderation.slow, "lobby", "alice", 30, at=self.at)
        self.say("bob", "one")
        self.say("alice", "one")
        self.say("alice", "two")
        self.pass_(seconds=29.5)
        self.refused(RateLimited, "wait 1 second", saying.say, "lobby", "bob", "two", SESSION, at=self.at)
        self.pass_(seconds=0.5)
        self.say("bob", "two")

    def test_edits_are_bounded(self) -> None:
        """What was changed as often as is allowed can still be removed."""
        self.say("alice", "0")
        for number in range(messages.MAX_VERSIONS):
            self.do(saying.edit, "lobby", 1, "alice", str(number + 1), SESSION, at=self.at)
        self.refused(LimitExceeded, "20 are allowed", saying.edit, "lobby", 1, "alice", "more", SESSION, at=self.at)
        self.do(saying.remove, "lobby", 1, "alice", "", SESSION, at=self.at)
        found = self.ask(saying.trace, "lobby", 1, "alice", at=self.at)
        self.assertEqual([row.text for row in found.items], [str(number) for number in range(20, -1, -1)])
        self.refused(Forbidden, "operator", lambda tx: saying.trace(tx, "lobby", 1, "bob", at=self.at))
        self.refused(Conflict, "removed", saying.edit, "lobby", 1, "alice", "again", SESSION, at=self.at)

    def test_edits_of_who_is_muted(self) -> None:
        """What may not be said may not be put in the place of something else."""
        self.say("bob", "one")
        self.do(moderation.mute, "lobby", "alice", "bob", timedelta(hours=1), "", at=self.at)
        self.refused(Forbidden, "you are muted", saying.edit, "lobby", 1, "bob", "two", SESSION, at=self.at)
        self.pass_(hours=1)
        self.do(saying.edit, "lobby", 1, "bob", "two", SESSION, at=self.at)

    def test_who_sees_what_was_said(self) -> None:
        """Before it was changed: who wrote it, and nobody who only reads it."""
        self.say("bob", "a secret", "@alice")
        self.do(saying.edit, "@alice", 1, "bob", "hello", SESSION, at=self.at)
        self.assertEqual([row.text for row in self.ask(saying.trace, "@alice", 1, "bob", at=self.at).items], ["a secret"])
        self.assertRaises(Forbidden, self.ask, saying.trace, "@bob", 1, "alice", at=self.at)
        self.say("bob", "a secret")
        self.assertEqual(len(self.ask(saying.trace, "lobby", 1, "bob", at=self.at).items), 0)
        self.part("bob")
        self.assertRaises(Forbidden, self.ask, saying.trace, "lobby", 1, "bob", at=self.at)
        self.refused(Forbidden, "needs an operator", saying.remove, "lobby", 1, "bob", "", SESSION, at=self.at)
        self.assertRaises(NotFound, self.ask, saying.trace, "lobby", 2, "alice", at=self.at)

    def test_a_removed_message_has_its_number(self) -> None:
        self.say("alice", "one")
        self.say("alice", "two")
        self.do(saying.remove, "lobby", 1, "alice", "", SESSION, at=self.at)
        self.assertEqual(self.log("bob"), [(2, "two"), (1, "")])

    def test_an_erased_correspondent(self) -> None:
        """What was said can still be read, and nothing more be said."""
        self.say("bob", "hello", "@carol")
        self.put("carol", Member(3, erased=self.at))
        self.assertEqual(self.log("bob", "@carol"), [(1, "hello")])
        self.assertEqual(len(self.ask(reading.search, "bob", "hello", None, limit=5, before=None, at=self.at).items), 1)
        self.refused(NotFound, "no member carol", saying.speak, "@carol", "bob", "still there?", SESSION, at=self.at)
        self.refused(NotFound, "no member carol", saying.speak, "@carol", "alice", "hello", SESSION, at=self.at)


class Blocking(Talking):
    """From whom somebody wants to hear nothing."""

    def test_block(self) -> None:
        """Anybody but oneself, and only so many; to do it again is no error."""
        self.refused(BadArgument, "that is you", blocks.block, "bob", "bob")
        self.refused(NotFound, "no member nobody", blocks.block, "bob", "nobody")
        self.patch(blocks, "MAX_BLOCKED", 1)
        for _ in range(2):
            self.do(blocks.block, "bob", "alice")
        self.refused(LimitExceeded, "you have blocked 1 members; 1 are allowed", blocks.block, "bob", "carol")
        self.assertEqual([row.username for row in self.ask(blocks.blocked, "bob").items], ["alice"])
        self.do(blocks.unblock, "bob", "alice")
        self.refused(NotFound, "you have not blocked alice", blocks.unblock, "bob", "alice")
        self.do(blocks.block, "bob", "carol")
        self.join("carol", "den")
        self.refused(Forbidden, "bob wants to hear nothing from you", rooms.invite, "den", "carol", "bob", at=self.at)


class Memberships(Talking):
    """Who is in a room hears it."""

    def test_heard(self) -> None:
        """To join and to leave tunes the member's sessions, in the same transaction."""
        self.join("carol")
        self.assertIn((member("carol"), Tune(room_channel("lobby"), True)), self.heard())
        self.assertEqual(self.ask(rooms.channels_of, "carol"), [room_channel("lobby")])
        self.part("carol")
        self.assertIn((member("carol"), Tune(room_channel("lobby"), False)), self.heard())
        self.assertEqual(self.ask(rooms.channels_of, "carol"), [])

    def test_large_rooms(self) -> None:
        """Nobody is told who comes and goes, but the member's own sessions."""
        few = replace(LIMITS, told_members=2)
        self.do(rooms.join, "lobby", "carol", SESSION, few, at=self.at)
        self.assertEqual({channel for channel, _ in self.heard()}, {member("carol")})
        self.put("dave", Member(4))
        self.do(rooms.join, "lobby", "dave", SESSION, replace(LIMITS, told_members=4), at=self.at)
        self.assertEqual({channel for channel, _ in self.heard()}, {member("dave"), room_channel("lobby")})
        self.part("dave")
        self.heard()
        self.do(rooms.part, "lobby", "carol", SESSION, replace(LIMITS, told_members=1))
        self.assertEqual({channel for channel, _ in self.heard()}, {member("carol")})
        for told, few in ((1, []), (2, [room_channel("lobby")])):
            self.assertEqual(self.ask(presence.state_and_rooms, "alice", True, told)[1], few)

    def test_joined_twice(self) -> None:
        """It changes nothing, and tells nobody."""
        self.assertEqual(self.join("bob").members, 2)
        self.assertEqual(self.heard(), [])
        self.assertEqual(self.setting.get(Rooms, "bob"), Rooms(("lobby",)))

    def test_so_many(self) -> None:
        for number in range(LIMITS.rooms - 1):
            self.join("alice", f"room{number}")
        self.refused(LimitExceeded, "30 are allowed", rooms.join, "onemore", "alice", SESSION, LIMITS, at=self.at)

    def test_a_room_that_is_left(self) -> None:
        """It keeps what was said, and whoever comes next operates it; one in which nothing was said is gone."""
        self.say("alice", "farewell")
        self.part("alice")
        self.part("bob")
        joined = self.join("carol")
        self.assertEqual((joined.seq, joined.members, joined.operator), (1, 1, True))
        self.join("bob", "den")
        self.part("bob", "den")
        self.assertIsNone(self.setting.get(Room, "den"))
        self.assertIsNone(self.setting.get(Charter, "den"))

    def test_a_closed_room_that_is_left(self) -> None:
        """It does not open by itself."""
        self.say("alice", "secret")
        self.do(moderation.set_access, "lobby", "alice", "invite", at=self.at)
        self.part("alice")
        self.part("bob")
        self.refused(Forbidden, "invited", rooms.join, "lobby", "carol", SESSION, LIMITS, at=self.at)
        self.put("carol", Member(3, roles=("moderator",)))
        self.assertFalse(self.join("carol").operator)

    def test_an_invitation_is_used_up(self) -> None:
        self.do(moderation.set_access, "lobby", "alice", "invite", at=self.at)
        self.do(rooms.invite, "lobby", "alice", "carol", at=self.at)
        self.join("carol")
        self.part("carol")
        self.refused(Forbidden, "invited", rooms.join, "lobby", "carol", SESSION, LIMITS, at=self.at)

    def test_read_marks(self) -> None:
        """Who speaks has read; what came before one joined is not unread."""
        self.say("alice", "one")
        self.join("carol")
        self.say("alice", "two")
        self.assertEqual([self.unread(name) for name in ("alice", "bob", "carol")], [{}, {"lobby": (2, 0)}, {"lobby": (1, 0)}])
        self.say("bob", "three")
        self.assertEqual((self.unread("bob"), self.unread("alice")), ({}, {"lobby": (1, 0)}))
        self.assertRaises(BadArgument, self.do, reading.mark, "bob", "lobby", 4, SESSION, at=self.at)


class Moderating(Talking):
    """What those do who have power."""

    def test_bans_end(self) -> None:
        self.do(moderation.ban, "lobby", "alice", "bob", timedelta(hours=1), "spam", LIMITS.told_members, at=self.at)
        self.assertIn((member("bob"), Tune(room_channel("lobby"), False)), self.heard())
        self.refused(Forbidden, "you are banned", saying.say, "lobby", "bob", "hello", SESSION, at=self.at)
        self.assertRaises(Forbidden, self.log, "bob")
        self.pass_(minutes=59)
        self.refused(Forbidden, "you are banned", rooms.join, "lobby", "bob", SESSION, LIMITS, at=self.at)
        self.pass_(minutes=1)
        self.join("bob")

    def test_mutes_end(self) -> None:
        """By themselves, and so do they in the list of who is there."""

        def muted() -> list[str]:
            found = self.ask(rooms.names, "lobby", "alice", [], limit=9, after="", at=self.at).items
            return [row.username for row in found if row.muted]

        self.do(moderation.mute, "lobby", "alice", "bob", timedelta(hours=1), "", at=self.at)
        self.pass_(minutes=59)
        self.refused(Forbidden, "you are muted", saying.say, "lobby", "bob", "hello", SESSION, at=self.at)
        self.assertEqual(muted(), ["bob"])
        self.pass_(minutes=1)
        self.say("bob", "hello")
        self.assertEqual(muted(), [])

    def test_whom_a_kick_tells(self) -> None:
        """In a large room only the one who is put out."""
        self.do(moderation.kick, "lobby", "alice", "bob", "", 0, at=self.at)
        told = [(channel, event) for channel, event in self.heard() if isinstance(event, Parted)]
        self.assertEqual(told, [(member("bob"), Parted("lobby", "bob", "", act="kick", by="alice"))])

    def test_who_is_not_there(self) -> None:
        """A member may be in another room; somebody else is nowhere."""
        for refusal, text, username in ((Conflict, "carol is not in lobby", "carol"), (NotFound, "no member nobody", "nobody")):
            self.refused(refusal, text, moderation.kick, "lobby", "alice", username, "", 100, at=self.at)
            self.refused(refusal, text, moderation.appoint, "lobby", "alice", username, True, at=self.at)

    def test_who_has_no_power(self) -> None:
        """A member who operates nothing does none of it, to whomever."""
        self.join("carol")
        self.do(moderation.mute, "lobby", "alice", "carol", None, "", at=self.at)
        self.put("dora", Member(4))
        self.do(moderation.ban, "lobby", "alice", "dora", None, "", 100, at=self.at)
        acts: tuple[tuple[Any, ...], ...] = (
            (moderation.kick, "carol", "", 100),
            (moderation.ban, "carol", None, "", 100),
            (moderation.unban, "dora"),
            (moderation.mute, "carol", None, ""),
            (moderation.unmute, "carol"),
            (moderation.slow, 5),
            (moderation.set_access, "invite"),
            (moderation.keep, 5),
            (moderation.appoint, "carol", True),
        )
        for rule, *given in acts:
            self.refused(Forbidden, "operator of lobby", rule, "lobby", "bob", *given, at=self.at)
        self.assertRaises(Forbidden, self.ask, moderation.sanctions, "lobby", "bob", limit=20, after="", at=self.at)

    def test_what_a_moderator_has_said(self) -> None:
        """It stands against those who operate the room, as long as its author is a moderator; not against other moderators."""
        self.put("carol", Member(3, roles=("moderator",)))
        self.do(moderation.mute, "lobby", "carol", "bob", None, "", at=self.at)
        self.do(moderation.ban, "lobby", "carol", "bob", None, "", 100, at=self.at)
        acts: tuple[tuple[Any, ...], ...] = (
            (moderation.mute, timedelta(minutes=1), ""),
            (moderation.ban, timedelta(minutes=1), "", 100),
            (moderation.unmute,),
            (moderation.unban,),
        )
        for rule, *given in acts:
            self.refused(Forbidden, "carol imposed that as a moderator", rule, "lobby", "alice", "bob", *given, at=self.at)
        self.put("dave", Member(4, roles=("moderator",)))
        for moderator in ("dave", "carol"):
            for rule, *given in acts[:2]:
                self.do(rule, "lobby", moderator, "bob", *given, at=self.at)
        self.do(moderation.unmute, "lobby", "dave", "bob", at=self.at)
        self.put("carol", Member(3))
        for rule, *given in acts:
            self.do(rule, "lobby", "alice", "bob", *given, at=self.at)
        self.assertIsNone(self.setting.get(Sanction, "lobby/bob"))

    def test_nobody(self) -> None:
        """Who is no member is neither banned nor muted."""
        self.refused(NotFound, "no member nobody", moderation.ban, "lobby", "alice", "nobody", None, "", 100, at=self.at)
        self.refused(NotFound, "no member nobody", moderation.mute, "lobby", "alice", "nobody", None, "", at=self.at)

    def test_a_ban_takes_an_invitation_back(self) -> None:
        """One that was given before does not let in again who is banned no more."""
        self.do(moderation.set_access, "lobby", "alice", "invite", at=self.at)
        self.do(rooms.invite, "lobby", "alice", "carol", at=self.at)
        self.do(moderation.ban, "lobby", "alice", "carol", timedelta(hours=1), "spam", 100, at=self.at)
        self.assertEqual(self.ask(power.deeds, "lobby", "alice", limit=1, before=None).items[0].until, self.at + timedelta(hours=1))
        self.do(moderation.unban, "lobby", "alice", "carol", at=self.at)
        self.refused(Forbidden, "invited", rooms.join, "lobby", "carol", SESSION, LIMITS, at=self.at)

    def test_an_invitation_to_an_open_room(self) -> None:
        """Nobody needs one to come in, and none is kept: when the room is for the invited, it takes another."""
        self.do(rooms.invite, "lobby", "bob", "carol", at=self.at)
        self.do(moderation.set_access, "lobby", "alice", "invite", at=self.at)
        self.refused(Forbidden, "invited", rooms.join, "lobby", "carol", SESSION, LIMITS, at=self.at)

    def test_each_act_is_noted(self) -> None:
        """Once, with who, whom, why and until when; what was refused is not."""
        self.say("bob", "spam")
        self.refused(Forbidden, "operator", moderation.kick, "lobby", "bob", "alice", "", 100, at=self.at)
        self.do(moderation.mute, "lobby", "alice", "bob", timedelta(minutes=5), "spam", at=self.at)
        self.do(moderation.unmute, "lobby", "alice", "bob", at=self.at)
        self.do(moderation.ban, "lobby", "alice", "bob", timedelta(hours=1), "more spam", 100, at=self.at)
        self.do(moderation.unban, "lobby", "alice", "bob", at=self.at)
        self.join("bob")
        self.do(saying.remove, "lobby", 1, "alice", "spam", SESSION, at=self.at)
        self.do(moderation.slow, "lobby", "alice", 5, at=self.at)
        self.do(moderation.keep, "lobby", "alice", 5, at=self.at)
        self.assertEqual((self.join("bob").slow, self.join("bob").keep_days), (5, 5))
        self.do(moderation.keep, "lobby", "alice", 0, at=self.at)
        self.do(moderation.appoint, "lobby", "alice", "bob", True, at=self.at)
        self.do(moderation.appoint, "lobby", "alice", "alice", False, at=self.at)
        self.do(moderation.kick, "lobby", "bob", "alice", "bye", 100, at=self.at)
        found = self.ask(power.deeds, "lobby", "bob", limit=20, before=None).items
        self.assertEqual(
            [(row.by, row.act, row.username, row.seq, row.reason) for row in reversed(found)],
            [
                ("alice", "mute", "bob", 0, "spam"),
                ("alice", "unmute", "bob", 0, ""),
                ("alice", "ban", "bob", 0, "more spam"),
                ("alice", "unban", "bob", 0, ""),
                ("alice", "remove", "bob", 1, "spam"),
                ("alice", "slow", "", 0, "5 seconds"),
                ("alice", "keep", "", 0, "messages are kept for 5 days"),
                ("alice", "keep", "", 0, "messages are kept for ever"),
                ("alice", "appoint", "bob", 0, ""),
                ("alice", "dismiss", "alice", 0, ""),
                ("bob", "kick", "alice", 0, "bye"),
            ],
        )
        until = {row.act: row.until for row in found if row.until is not None}
        self.assertEqual(until, {"mute": self.at + timedelta(minutes=5), "ban": self.at + timedelta(hours=1)})
        self.refused(Forbidden, "operator", lambda tx: power.deeds(tx, "lobby", "alice", limit=20, before=None))

    def test_reports(self) -> None:
        """So many may be open; what they show stays when it is changed afterwards."""
        for number in range(reports.MAX_OPEN + 1):
            self.say("bob", f"spam {number + 1}")
        for number in range(1, reports.MAX_OPEN + 1):
            self.do(reports.report, "lobby", number, "alice", "", at=self.at)
        last = reports.MAX_OPEN + 1
        self.refused(LimitExceeded, "20 of your reports", reports.report, "lobby", last, "alice", "", at=self.at)
        self.do(reports.settle, 1, "carol", "", at=self.at)
        self.do(reports.report, "lobby", last, "alice", "", at=self.at)
        self.do(saying.remove, "lobby", last, "bob", "", SESSION, at=self.at)
        newest, *others = self.ask(reports.reports, settled=False, limit=100, before=None).items
        self.assertEqual([line.seq for line in newest.context], list(range(last - reports.AROUND, last + 1)))
        self.assertEqual(newest.context[-1].text, f"spam {last}")
        self.assertEqual([row.report for row in others], list(range(reports.MAX_OPEN, 1, -1)))
        (middle,) = self.ask(reports.reports, settled=False, limit=1, before=11).items
        self.assertEqual(
            (middle.report, [line.seq for line in middle.context]), (10, list(range(10 - reports.AROUND, 11 + reports.AROUND)))
        )
        self.assertEqual(len(self.ask(reports.reports, settled=True, limit=100, before=None).items), reports.MAX_OPEN + 1)
        self.refused(Forbidden, "not in lobby", reports.report, "lobby", 1, "carol", "", at=self.at)

    def test_reports_of_what_changed(self) -> None:
        """A message is shown as it was last, even if it was removed; those around it, as everybody sees them."""
        for text in ("one", "two", "three"):
            self.do(saying.edit, "lobby", self.say("bob", text), "bob", f"{text}!", SESSION, at=self.at)
        self.do(saying.remove, "lobby", 1, "bob", "", SESSION, at=self.at)
        for number in (1, 3):
            self.do(reports.report, "lobby", number, "alice", "", at=self.at)
        found = self.ask(reports.reports, settled=False, limit=9, before=None).items
        self.assertEqual([[line.text for line in row.context] for row in found], [["", "two!", "three!"], ["one!", "two!", "three!"]])

    def test_many_rooms_of_others(self) -> None:
        """So many rooms are looked at for one answer, which tells where to go on, though it may have found none."""
        self.patch(rooms, "MOST_LOOKED_AT", 3)
        for room in ("a", "b", "c", "d", "open"):
            self.join("carol", room)
            self.do(moderation.set_access, room, "carol", "open" if room == "open" else "invite", at=self.at)

        def listed(after: str, limit: int = 5) -> tuple[list[str], bool, str | None]:
            found = self.ask(rooms.rooms, "alice", mine=False, limit=limit, after=after)
            return [row.room for row in found.items], found.more, found.next

        self.assertEqual(listed(""), ([], True, "c"))
        self.assertEqual(listed("c"), (["lobby", "open"], False, None))
        self.assertEqual(listed("c", limit=1), (["lobby"], True, "lobby"))
        self.assertEqual(listed("open"), ([], False, None))
        self.assertEqual(self.ask(rooms.rooms, "alice", mine=False, limit=5, after="").status(), "there is more; ask with after=c")

    def test_rooms_of_others_are_not_named(self) -> None:
        """Where to go on is behind the last that was listed, and no name of a room that was passed over."""
        for room in ("zone-1", "zone-2-secret", "zone-3"):
            self.join("carol", room)
        self.do(moderation.set_access, "zone-2-secret", "carol", "invite", at=self.at)
        found = self.ask(rooms.rooms, "alice", mine=False, limit=2, after="")
        self.assertEqual(([row.room for row in found.items], found.more, found.next), (["lobby", "zone-1"], True, "zone-1"))
        self.do(moderation.set_access, "zone-3", "carol", "invite", at=self.at)
        found = self.ask(rooms.rooms, "alice", mine=False, limit=2, after="")
        self.assertEqual(([row.room for row in found.items], found.more), (["lobby", "zone-1"], False))

    def test_many_sanctions_that_have_ended(self) -> None:
        """Likewise of those that were banned or muted once."""
        self.patch(moderation, "MOST_LOOKED_AT", 3)
        for number, username in enumerate(("dave", "erin", "frank", "grace", "heidi"), start=4):
            self.put(username, Member(number))
            self.do(moderation.mute, "lobby", "alice", username, timedelta(days=9 if username > "grace" else 1), "", at=self.at)
        self.pass_(days=2)

        def listed(after: str, limit: int = 5) -> tuple[list[str], bool, str | None]:
            found = self.ask(moderation.sanctions, "lobby", "alice", limit=limit, after=after, at=self.at)
            return [row.username for row in found.items], found.more, found.next

        self.assertEqual(listed(""), ([], True, "frank"))
        self.assertEqual(listed("frank"), (["heidi"], False, None))
        self.assertEqual(listed("frank", limit=1), (["heidi"], False, None))

    def test_so_many_reports_wait(self) -> None:
        """At a login few of them are looked at, as each may have eleven long messages in it."""
        self.put("carol", Member(3, roles=("moderator",)))
        for number in range(1, 102):
            self.put(number_key(number), Report(self.at, "bob", "lobby", 1, "", ()))
        (told,) = self.ask(reports.greeting, "carol")
        self.assertEqual((told.waiting, told.since), (100, self.at))


class Retention(Talking):
    """A room may keep its messages for some days, and reports go some days after they were seen to."""

    def test_reports(self) -> None:
        """Only those that were seen to, and long enough ago; what came later is not looked at."""
        later = self.at + timedelta(days=2)
        made = ((self.at, self.at), (self.at, None), (self.at, later), (later, later), (later, None))
        for number, (at, settled) in enumerate(made):
            self.put(number_key(number), Report(at, "bob", "lobby", 1, "", (), settled))
        until = self.at + timedelta(days=1)
        self.assertEqual(self.ask(retention.settled, until, ""), ([number_key(0)], None))
        self.assertEqual(self.ask(retention.settled, until, number_key(0)), ([], None))
        self.patch(retention, "LOOKED_AT", 2)
        self.assertEqual(self.ask(retention.settled, until, ""), ([number_key(0)], number_key(1)))
        self.do(retention.forget_report, number_key(0))
        self.assertIsNone(self.setting.get(Report, number_key(0)))

    def test_forgets(self) -> None:
        """A few at a time; numbers stay taken, and what is gone is neither unread nor fed to anybody."""
        count = retention.AT_ONCE + 5
        for number in range(count):
            self.say("alice", f"old {number}")
        self.do(saying.edit, "lobby", 1, "alice", "older", SESSION, at=self.at)
        self.pass_(days=10)
        self.say("alice", "new")
        self.assertEqual(self.ask(retention.limited, ""), ([], None))
        self.assertFalse(self.do(retention.forget, "lobby", at=self.at))
        self.do(moderation.keep, "lobby", "alice", 10, at=self.at)
        self.assertEqual(self.ask(retention.limited, ""), (["lobby"], None))
        self.assertFalse(self.do(retention.forget, "lobby", at=self.at))
        self.pass_(seconds=1)
        self.assertTrue(self.do(retention.forget, "lobby", at=self.at))
        self.assertFalse(self.do(retention.forget, "lobby", at=self.at))
        self.assertEqual(self.log("bob"), [(count + 1, "new")])
        self.assertEqual(self.page("bob", 0), ([count + 1], count + 1, True))
        self.assertEqual(self.unread("bob"), {"lobby": (1, 0)})
        self.assertIsNone(self.setting.get(Trace, messages.key("lobby", 1)))
        self.assertEqual(self.say("bob", "next"), count + 2)

    def test_many_rooms(self) -> None:
        """They are looked through in parts, whether there is anything to forget or not."""
        self.patch(retention, "LOOKED_AT", 2)
        for room in ("a", "b", "c"):
            self.join("alice", room)
        self.do(moderation.keep, "c", "alice", 10, at=self.at)
        self.assertEqual(self.ask(retention.limited, ""), ([], "b"))
        self.assertEqual(self.ask(retention.limited, "b"), (["c"], "lobby"))
        self.assertEqual(self.ask(retention.limited, "lobby"), ([], None))

    def test_a_clock_that_was_set_back(self) -> None:
        """What is older than a message before it goes with that one, so that nothing is missing in between."""
        for number, days in enumerate((0, 5, -4), start=1):
            self.pass_(days=days)
            self.say("alice", f"number {number}")
        self.do(moderation.keep, "lobby", "alice", 2, at=self.at)
        self.pass_(days=3)
        self.do(retention.forget, "lobby", at=self.at)
        self.assertEqual([seq for seq, _ in self.log("bob")], [3, 2])
        self.pass_(days=4)
        self.do(retention.forget, "lobby", at=self.at)
        self.assertEqual(self.log("bob"), [])

    def test_all_of_it(self) -> None:
        """A room may lose all that was said, and goes on counting."""
        self.say("alice", "one")
        self.do(moderation.keep, "lobby", "alice", 1, at=self.at)
        self.pass_(days=2)
        self.do(retention.forget, "lobby", at=self.at)
        self.assertEqual((self.log("bob"), self.unread("bob")), ([], {}))
        self.assertEqual(self.say("bob", "two"), 2)


class Paying(Talking):
    """A payment and the message that shows it are one."""

    def setUp(self) -> None:
        super().setUp()
        self.open("alice")
        self.open("bob")
        self.do(movement.deposit, "alice", amount("10"), "", "treasurer", at=self.at)

    def pay(self, units: str, place: str = "lobby") -> paying.Paid:
        return self.do(paying.pay, place, "alice", "bob", amount(units), "lunch", None, SESSION, at=self.at)

    def balance(self, username: str) -> str:
        return self.ask(books.balance_of, username, None).balance

    def test_shown(self) -> None:
        paid = self.pay("4")
        (line,) = self.ask(saying.history, "lobby", "bob", limit=5, before=None, at=self.at).items
        self.assertEqual((line.seq, line.from_, line.text), (paid.seq, "alice", f"paid bob 4.00 USD (transfer {paid.transfer}): lunch"))
        self.assertEqual(line.receipt, messages.Receipt("alice", "bob", "4.00", "USD", transfer=paid.transfer))
        self.assertEqual((self.balance("alice"), self.balance("bob")), ("6.00", "4.00"))

    def test_refused(self) -> None:
        """Neither is there without the other."""
        for place in ("lobby", "@bob"):
            self.heard()
            self.assertRaises(InsufficientFunds, self.pay, "11", place)
            self.assertEqual((self.log("bob", place), self.heard()), ([], []))
        self.do(blocks.block, "bob", "alice")
        self.assertRaises(Forbidden, self.pay, "1", "@bob")
        self.assertEqual(self.balance("alice"), "10.00")

    def test_warned(self) -> None:
        """Of what those say who watch payments, as elsewhere."""
        self.do(set_watched, "alice", True)
        given = {"at": self.at, "watchers": (lambda tx, told: [f"{told.units} are gone"],)}
        paid = self.do(paying.pay, "lobby", "alice", "bob", amount("4"), "", None, SESSION, **given)
        asked = self.do(paying.ask, "lobby", "bob", "alice", amount("3"), "", None, timedelta(1), SESSION, limit=1, at=self.at, zone=UTC)
        accepted = self.do(paying.accept, "lobby", "alice", asked.request, None, SESSION, zone=UTC, **given)
        self.assertEqual((paid.warnings, accepted.warnings), (("400 are gone",), ("300 are gone",)))


class Forgetting(Talking):
    """What the chat keeps about a member, and what is left of it."""

    def export(self, username: str, limit: int) -> list[Kept]:
        return self.pages(memory.remembered, username, limit)

    def forget(self, username: str) -> int:
        return self.forget_all(memory.forget, username)

    def fill(self) -> None:
        """Bob leaves something everywhere."""
        self.say("alice", "hello")
        for number in range(memory.MESSAGES_AT_ONCE + 1):
            self.say("bob", f"bob's {number}")
        self.say("bob", "bob's to carol", "@carol")
        self.do(saying.edit, "@carol", 1, "bob", "bob's, changed", SESSION, at=self.at)
        for number in range(memory.ROOMS_AT_ONCE):
            self.join("bob", f"room{number}")
        self.do(blocks.block, "bob", "alice")
        self.put("bob", Status("bob's status", True))
        for seq in (2, 3, 4, 5, 6):
            self.do(reports.report, "lobby", seq, "alice", "alice's reason", at=self.at)
        self.do(reports.report, "lobby", 1, "bob", "bob's reason", at=self.at)
        self.do(moderation.mute, "lobby", "alice", "bob", None, "bob's fault", at=self.at)
        self.do(moderation.set_access, "room0", "bob", "invite", at=self.at)
        self.do(rooms.invite, "room0", "bob", "carol", at=self.at)
        self.join("alice", "room1")
        self.say("alice", "hello", "room1")
        self.do(saying.remove, "room1", 1, "bob", "bob's removal", SESSION, at=self.at)
        self.do(reports.report, "room1", 1, "alice", "alice's reason", at=self.at)
        self.do(moderation.mute, "room1", "bob", "alice", None, "bob's sentence", at=self.at)
        self.do(moderation.ban, "room1", "bob", "alice", None, "bob's verdict", LIMITS.told_members, at=self.at)
        self.do(reports.settle, 6, "bob", "bob's note", at=self.at)

    def test_export(self) -> None:
        """All pages together are all, each thing once, whatever fits into a page; and nothing of others'."""
        self.fill()
        whole = self.export("bob", 1000)
        for limit in (1, 7):
            self.assertEqual(self.export("bob", limit), whole)
        self.assertEqual(len({each.key for each in whole}), len(whole))
        kinds = [each.kind for each in whole]
        self.assertEqual(
            {kind: kinds.count(kind) for kind in kinds},
            {"status": 1, "blocks": 1, "room": 21, "mark": 1, "message": memory.MESSAGES_AT_ONCE + 2, "report": 1, "deed": 5},
        )
        (reported,) = (each.values for each in whole if each.kind == "report")
        self.assertEqual((reported["report"], reported["reason"], reported["note"]), (6, "bob's reason", "bob's note"))
        (changed,) = (each.values for each in whole if each.values.get("conversation") == "@bob@carol")
        self.assertEqual((changed["seq"], changed["text"], changed["before"]), (1, "bob's, changed", ["bob's to carol"]))
        self.do(rooms.invite, "room0", "bob", "alice", at=self.at)
        for limit in (1, 10):
            invited, mark = self.export("carol", limit)
            self.assertEqual((invited.kind, invited.values), ("invitation", {"room": "room0", "by": "bob", "at": self.at}))
            self.assertEqual((mark.kind, mark.values), ("mark", {"with": "bob", "read": 0}))
        self.assertEqual(self.ask(memory.remembered, "bob", "nonsense/1", 1), whole[:1])

    def test_forget(self) -> None:
        """Nothing of what was said is left, anywhere; numbers and others' words are."""
        self.patch(memory, "RECORDS_AT_ONCE", 2)
        self.fill()
        for number in range(3):
            self.put(f"bob/peer{number}", Correspondent())
            self.put(f"bob/closed{number}", Guest("carol", self.at))
        self.assertGreater(self.forget("bob"), 6)
        records = [record for cls in (Message, Trace, Report, Deed, Status, Sanction) for record in self.records(cls)]
        self.assertNotIn("bob's", repr(records))
        self.assertEqual([text for _, text in self.log("alice", limit=100)], [""] * (memory.MESSAGES_AT_ONCE + 1) + ["hello"])
        self.assertIn("alice's reason", repr(records))
        self.assertIsNone(self.setting.get(Rooms, "bob"))
        self.assertEqual([key for key, _ in self.setting.read(everything, Seat)], ["lobby/alice"])
        self.assertIsNone(self.setting.get(Complaints, "bob"))
        for record in (Correspondent, Guest):
            self.assertEqual([key for key, _ in self.setting.read(everything, record) if key.startswith("bob/")], [])
        self.assertEqual(self.setting.get(Room, "lobby"), Room(memory.MESSAGES_AT_ONCE + 2, members=1))
        self.assertEqual([each.kind for each in self.export("bob", 1000)].count("room"), 0)

    def test_many_rooms_are_left(self) -> None:
        """Some in each step, until there is none."""
        for number in range(LIMITS.rooms - 1):
            self.join("bob", f"room{number}")
        left: list[int] = []
        place: str | None = ""
        while place is not None:
            place = self.do(memory.forget, "bob", place)
            left.append(sum(key.endswith("/bob") for key, _ in self.setting.read(everything, Seat)))
        self.assertEqual(left[:3], [LIMITS.rooms - memory.ROOMS_AT_ONCE, 0, 0])

    def test_what_reports_show(self) -> None:
        """Of the erased no words, nor what they paid; who removed what stays, and so does what others wrote."""
        receipt = Receipt("bob", "alice", "1.00", "USD", transfer=1)
        shown = (
            Line(1, self.at, "bob", "bob's", receipt=receipt),
            Line(2, self.at, "bob", "bob's", removed="alice", reason="about bob"),
            Line(3, self.at, "alice", "alice's", removed="bob", reason="bob's"),
            Line(4, self.at, "alice", "alice's", removed="alice", reason="alice's"),
        )
        report = Report(self.at, "alice", "lobby", 1, "alice's", shown, self.at, "carol", "carol's")
        self.put(number_key(1), report)
        self.forget("bob")
        left = (
            Line(1, self.at, "bob", "", removed="bob"),
            Line(2, self.at, "bob", "", removed="alice"),
            Line(3, self.at, "alice", "alice's", removed="bob"),
            shown[3],
        )
        self.assertEqual(self.records(Report), [replace(report, context=left)])

    def test_reasons_of_others(self) -> None:
        """They stay beside those of the erased."""
        spam, verdict = Imposed(FOREVER, "carol", "spam"), Imposed(FOREVER, "bob", "bob's verdict")
        self.do(moderation.mute, "lobby", "alice", "alice", None, "", at=self.at)
        ((number, deed),) = self.kept(Deed)
        self.put(number, replace(deed, by="bob", reason="bob's verdict"))
        self.put("lobby/alice", Sanction(spam, verdict))
        self.forget("bob")
        self.assertEqual(self.records(Sanction), [Sanction(spam, Imposed(FOREVER, "bob"))])

    def test_what_is_kept_no_longer(self) -> None:
        """A message whose removal is noted may be gone by now."""
        self.say("alice", "hello")
        self.put("bob", Member(2, roles=("moderator",)))
        self.do(saying.remove, "lobby", 1, "bob", "bob's", SESSION, at=self.at)
        self.do(moderation.keep, "lobby", "alice", 1, at=self.at)
        self.pass_(days=2)
        self.do(retention.forget, "lobby", at=self.at)
        self.forget("bob")
        self.assertEqual([(deed.act, deed.reason) for deed in self.records(Deed) if deed.by == "bob"], [("remove", "")])

    def test_what_rooms_show(self) -> None:
        """Likewise."""
        receipt = Receipt("bob", "alice", "1.00", "USD", transfer=1)
        self.put(messages.key("lobby", 1), Message(self.at, "bob", "bob's", receipt=receipt))
        self.put(messages.key("lobby", 2), Message(self.at, "bob", "", removed="alice", reason="about bob"))
        self.forget("bob")
        left = {messages.key("lobby", seq): Message(self.at, "bob", "", removed=by) for seq, by in ((1, "bob"), (2, "alice"))}
        self.assertEqual(dict(self.kept(Message)), left)

    def test_again(self) -> None:
        """To begin again does no harm."""
        self.fill()
        self.forget("bob")
        before = self.records(Message)
        self.forget("bob")
        self.assertEqual(self.records(Message), before)

    def records(self, cls: Any) -> list[Any]:
        return [record for _, record in self.kept(cls)]
