"""
The switchboard.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from securehub.event import End, Event
from securehub.switchboard import MAX_EVENT, Switchboard, member


class Rung(Event, frozen=True):
    """A bell was rung."""

    method = "bell.rung"
    by: str

    def text(self) -> str:
        ENCODED.append(self.by)
        return f"{self.by} rings the bell."


ENCODED: list[str] = []


class Ear:
    """Listens."""

    def __init__(self, *, json: bool = False) -> None:
        self.speaks_json = json
        self.heard: list[bytes] = []

    def hear(self, event: bytes) -> None:
        self.heard.append(event)

    def is_meant(self, end: End) -> bool:
        return end.family == "family"

    def part(self, bye: bytes) -> None:
        self.heard += [b"parted", bye]


class SwitchboardTests(SynchronousTestCase):
    """Who listens to a channel hears what is announced there, in its own form."""

    def setUp(self) -> None:
        ENCODED.clear()
        self.switchboard = Switchboard()

    def announce(self, *announced: tuple[str, Event]) -> None:
        self.switchboard.deliver(self.switchboard.prepare(announced))

    def test_forms(self) -> None:
        people, program = Ear(), Ear(json=True)
        self.switchboard.listen("tower", people)
        self.switchboard.listen("tower", program)
        self.announce(("tower", Rung("bob")))
        self.assertEqual(people.heard, [b"* bob rings the bell.\n"])
        self.assertEqual(json.loads(program.heard[0]), {"jsonrpc": "2.0", "method": "bell.rung", "params": {"by": "bob"}})
        self.assertTrue(program.heard[0].endswith(b"\n"))

    def test_an_end(self) -> None:
        """Those whom it means are parted with, each in its own form; in order with what else is announced."""
        people, program = Ear(), Ear(json=True)
        for ear in (people, program):
            self.switchboard.listen("member/alice", ear)
        self.announce(("member/alice", Rung("bob")), ("member/alice", End("enough.", "family")), ("member/alice", End("no", "other")))
        self.assertEqual(people.heard, [b"* bob rings the bell.\n", b"parted", b"* Bye: enough.\n"])
        self.assertEqual(json.loads(program.heard[2]), {"jsonrpc": "2.0", "method": "hub.bye", "params": {"reason": "enough."}})
        self.assertEqual(len(program.heard), 3)

    def test_encoded_once(self) -> None:
        """However many listen; and not at all if nobody does."""
        ears = [Ear() for _ in range(100)]
        for ear in ears:
            self.switchboard.listen("tower", ear)
        self.announce(("tower", Rung("bob")), ("cellar", Rung("carol")))
        self.assertEqual(ENCODED, ["bob"])
        self.assertEqual({id(ear.heard[0]) for ear in ears}, {id(ears[0].heard[0])})

    def test_order(self) -> None:
        """Events in the order in which they were announced."""
        ear = Ear()
        self.switchboard.listen("a", ear)
        self.switchboard.listen("b", ear)
        self.announce(("b", Rung("one")), ("a", Rung("two")), ("b", Rung("three")))
        self.assertEqual(ENCODED, ["one", "two", "three"])
        self.assertEqual([line.split()[1] for line in ear.heard], [b"one", b"two", b"three"])

    def test_listening_twice(self) -> None:
        """An event is heard once."""
        ear = Ear()
        self.switchboard.listen("tower", ear)
        self.switchboard.listen("tower", ear)
        self.announce(("tower", Rung("bob")))
        self.assertEqual(len(ear.heard), 1)

    def test_leaving(self) -> None:
        """Who has left hears nothing more; to leave what one does not listen to is no error."""
        ear, other = Ear(), Ear()
        self.switchboard.listen("tower", ear)
        self.switchboard.listen("tower", other)
        self.switchboard.leave("tower", ear)
        self.switchboard.leave("tower", ear)
        self.switchboard.leave("cellar", ear)
        self.announce(("tower", Rung("bob")))
        self.assertEqual((ear.heard, len(other.heard)), ([], 1))
        self.assertEqual(self.switchboard.listeners("tower"), [other])
        self.switchboard.leave("tower", other)
        self.assertEqual(self.switchboard.listeners("tower"), [])

    def test_too_long(self) -> None:
        """It is found before the commit, and not when half of the listeners have heard it."""
        self.switchboard.listen("tower", Ear())
        self.assertRaises(AssertionError, self.switchboard.prepare, [("tower", Rung("x" * MAX_EVENT))])

    def test_channels_of_members(self) -> None:
        self.assertNotEqual(member("bob"), member("alice"))
