"""
The doorkeeper, on a clock of its own.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from securehub import config
from securehub.network import doorkeeper
from securehub.network.doorkeeper import COMPLAINT_SECONDS, FULL, GOODBYES, NEEDED, SWEEP_AT, Answer, Doorkeeper

FAR = "203.0.113.7"
ELSEWHERE = "198.51.100.9"


class Visitor:
    """
    A connection.

    @ivar told: why it was sent away; C{aborted} if it was not told.
    """

    def __init__(self) -> None:
        self.busy = False
        self.told: str | None = None

    def say_bye(self, reason: str) -> None:
        self.told = reason

    def abort(self) -> None:
        self.told = "aborted"


class DoorCase(SynchronousTestCase):
    """A door with few places."""

    def setUp(self) -> None:
        self.time = Clock()
        self.make()

    def make(self, **settings: Any) -> None:
        few: dict[str, Any] = {
            "connections": 5,
            "handshakes_per_address": 3,
            "stranger_requests": 10,
            "stranger_requests_per_second": 2,
        }
        self.door = Doorkeeper(config.settings() | few | settings, self.time.seconds)

    def arrive(self, address: str = FAR) -> tuple[Visitor, Answer]:
        visitor = Visitor()
        return visitor, self.door.arrive(visitor, address)

    def inside(self, address: str = FAR) -> Visitor:
        """Somebody who has finished the handshake."""
        visitor, answer = self.arrive(address)
        self.assertEqual(answer, Answer.WELCOME)
        self.door.shook_hands(visitor)
        return visitor

    def member(self, address: str = FAR) -> Visitor:
        visitor = self.inside(address)
        self.door.logged_in(visitor)
        return visitor


class HandshakeTests(DoorCase):
    """Few handshakes of one address may be unfinished."""

    def test_the_limit(self) -> None:
        """It is each address's own, and the oldest makes room; whoever finishes or goes is not counted."""
        self.make(connections=10)
        first, second, third = [self.arrive()[0] for _ in range(3)]
        self.arrive(ELSEWHERE)
        fourth, answer = self.arrive()
        self.assertEqual((answer, first.told, second.told), (Answer.WELCOME, "aborted", None))
        self.door.lost(first)
        self.door.shook_hands(second)
        self.door.lost(third)
        fifth, sixth = self.arrive()[0], self.arrive()[0]
        self.assertEqual((second.told, fourth.told), (None, None))
        self.arrive()
        self.assertEqual((second.told, fourth.told, fifth.told, sixth.told), (None, "aborted", None, None))
        self.assertEqual((self.door.unfinished, self.door.turned_away), (4, 0))

    def test_a_whole_network(self) -> None:
        """An IPv6 machine mostly has all of its /64; of an IPv4 address a household has the one."""
        near = [self.arrive(f"2001:db8:0:1::{number}")[0] for number in range(3)]
        self.arrive("2001:db8:0:2::1")
        self.assertEqual([each.told for each in near], [None] * 3)
        self.arrive("2001:db8:0:1:ffff::1")
        self.assertEqual([each.told for each in near], ["aborted", None, None])
        self.make()
        single = [self.arrive(f"203.0.113.{number}")[0] for number in range(200, 205)]
        self.assertEqual({each.told for each in single}, {None})

    def test_loopback(self) -> None:
        """Left out, unless it is not trusted."""
        trusted = [self.arrive("127.0.0.1")[0] for _ in range(5)]
        self.assertEqual({each.told for each in trusted}, {None})
        self.make(trust_loopback=False)
        strangers = [self.arrive("127.0.0.1")[0] for _ in range(4)]
        self.assertEqual([each.told for each in strangers], ["aborted", None, None, None])

    def test_gone_before_it_was_let_in(self) -> None:
        """Whoever was turned away and then goes changes no count."""
        self.make(stranger_requests=2)
        for _ in range(2):
            self.arrive()
        turned_away, answer = self.arrive()
        self.door.lost(turned_away)
        self.assertEqual((answer, self.door.unfinished, self.door.turned_away), (Answer.CLOSED, 2, 1))


class FullTests(DoorCase):
    """When all places are taken."""

    def test_a_stranger_makes_room(self) -> None:
        """The one who has been here longest, and is not served at this moment; members never."""
        member = self.member()
        first, second, third, fourth = [self.inside() for _ in range(4)]
        first.busy = True
        fifth = self.inside(ELSEWHERE)
        self.assertEqual((first.told, second.told, third.told), (None, NEEDED, None))
        self.assertEqual(self.door.sent_away, 1)
        first.busy = False
        self.inside()
        self.assertEqual((first.told, third.told), (NEEDED, None))
        self.assertEqual((member.told, fourth.told, fifth.told), (None, None, None))

    def test_only_members(self) -> None:
        """There is no room; the first who are too many are told so, and all others are closed at once."""
        self.make(stranger_requests=1000, handshakes_per_address=1000)
        members = [self.member() for _ in range(5)]
        refused = [self.arrive() for _ in range(GOODBYES + 3)]
        self.assertEqual([answer for _, answer in refused], [Answer.GOODBYE] * GOODBYES + [Answer.CLOSED] * 3)
        self.assertEqual({member.told for member in members}, {None})
        self.assertFalse(self.door.shook_hands(refused[0][0]))
        self.door.lost(refused[0][0])
        self.assertEqual(self.arrive()[1], Answer.GOODBYE)
        self.door.lost(members[0])
        self.assertEqual(self.arrive()[1], Answer.WELCOME)

    def test_goodbyes_are_bounded(self) -> None:
        """However many have to make room at once, those who do not go when they are told are not waited for."""
        self.make(connections=1, stranger_requests=1000, handshakes_per_address=1000)
        strangers = [self.inside() for _ in range(GOODBYES + 4)]
        told = [each.told for each in strangers]
        self.assertEqual(told, [NEEDED] * GOODBYES + ["aborted"] * 3 + [None])

    def test_whoever_logs_out(self) -> None:
        """Is the newest of the strangers."""
        member = self.member()
        stranger = self.inside()
        self.door.logged_out(member)
        for _ in range(3):
            self.member()
        self.inside()
        self.assertEqual((stranger.told, member.told), (NEEDED, None))
        self.inside()
        self.assertEqual(member.told, NEEDED)

    def test_trusted_strangers_stay(self) -> None:
        """Then whoever comes has to go."""
        trusted = [self.inside("127.0.0.1") for _ in range(5)]
        self.assertEqual(self.arrive()[1], Answer.GOODBYE)
        self.assertEqual({each.told for each in trusted}, {None})

    def test_texts(self) -> None:
        """They end as sentences, behind C{Bye:}."""
        for text in (FULL, NEEDED):
            self.assertTrue(text.endswith("."))

    def test_complaints(self) -> None:
        """The log hears of it, but not of each."""
        self.make(stranger_requests=2, stranger_requests_per_second=1)
        heard: list[str] = []
        self.patch(doorkeeper, "_log", type("Log", (), {"warn": lambda self, text, **facts: heard.append(text.format(**facts))})())
        for _ in range(30):
            self.arrive()
        self.assertEqual(len(heard), 1)
        self.time.advance(COMPLAINT_SECONDS)
        for _ in range(30):
            self.arrive()
        self.assertEqual(len(heard), 2)
        self.assertIn("(29 since the start)", heard[1])


class AllowanceTests(DoorCase):
    """All strangers at one address share what they may ask for."""

    def ask(self, visitor: Visitor, times: int) -> None:
        for _ in range(times):
            self.assertEqual(self.door.wait(visitor), 0)
            self.door.charge(visitor, 1)

    def test_used_up(self) -> None:
        """Then there is a wait, for all at that address; it comes back with time."""
        one, other, elsewhere = self.inside(), self.inside(), self.inside(ELSEWHERE)
        self.ask(one, 8)  # The two connections took their part.
        self.assertEqual((self.door.wait(one), self.door.wait(other)), (0.5, 1))
        self.assertEqual(self.door.wait(elsewhere), 0)
        self.assertEqual(self.arrive()[1], Answer.CLOSED)
        self.time.advance(0.5)
        self.ask(other, 1)
        self.assertGreater(self.door.wait(one), 0)
        self.time.advance(1000)
        self.ask(one, 10)
        self.assertGreater(self.door.wait(one), 0)

    def test_turns(self) -> None:
        """However many wait, they come back one after the other, and each finds what it was promised."""
        visitors = [self.inside(), self.inside()]
        self.ask(visitors[0], 8)
        waits = [self.door.wait(visitors[number % 2]) for number in range(100)]
        self.assertEqual(waits, [0.5 * number for number in range(1, 101)])
        for _ in waits:
            self.time.advance(0.5)
            self.ask(visitors[0], 1)

    def test_a_login_gives_it_back(self) -> None:
        """So it counts what came to nothing: a thousand members behind one address are no strangers."""
        for _ in range(1_000):
            visitor = self.inside()
            self.ask(visitor, 3)
            self.door.logged_in(visitor)
            self.door.lost(visitor)
        self.assertEqual(self.door.wait(self.inside()), 0)

    def test_no_more_than_it_took(self) -> None:
        """What others have used stays used; and who logs in again is given back what came after the first time."""
        other, visitor = self.inside(), self.inside()
        self.ask(other, 5)
        self.ask(visitor, 3)
        self.door.logged_in(visitor)
        self.door.logged_out(visitor)
        self.ask(visitor, 1)
        self.door.logged_in(visitor)
        self.ask(other, 4)
        self.assertEqual(self.door.wait(other), 0.5)

    def test_a_debt_is_bounded(self) -> None:
        """One who was answered megabytes does not shut the others out for long."""
        visitor = self.inside()
        self.door.charge(visitor, 1_000_000)
        self.assertEqual(self.door.wait(visitor), 5.5)

    def test_the_trusted_have_none(self) -> None:
        visitor = Visitor()
        self.door.arrive(visitor, "::1")
        self.assertFalse(self.door.shook_hands(visitor))
        self.door.charge(visitor, 1_000_000)
        self.assertEqual(self.door.wait(visitor), 0)

    def test_whole_ones_are_forgotten(self) -> None:
        """Those who come once from ever new addresses do not fill the memory."""
        self.make(connections=10)
        for number in range(5 * SWEEP_AT):
            self.time.advance(0.01)
            self.door.lost(self.inside(f"2001:db8:{number:x}::1"))
        self.assertLessEqual(len(self.door._allowances), SWEEP_AT)
        self.assertEqual((self.door.unfinished, self.door._unfinished), (0, {}))
