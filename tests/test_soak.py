"""
The witness of the soak (bench/witness.py): what contradicts a promise is found, and what does not is none of its business.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase


def load() -> ModuleType:
    """The benchmarks are no package; each of their files is a module for the others."""
    path = Path(__file__).resolve().parents[1] / "bench" / "witness.py"
    spec = spec_from_file_location("witness", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["witness"] = module
    spec.loader.exec_module(module)
    return module


witness = load()
SPEAKER, LISTENER, LATER = 1, 2, 3


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.witness = witness.Witness()
        self.speaker = self.ear(SPEAKER, "alice")
        self.listener = self.ear(LISTENER, "bob")

    def ear(self, number: int, username: str, after: int = 0) -> witness.Ear:
        ear = witness.Ear(self.witness, number, username, since=0.0)
        ear.follow("lobby", after, live=False)
        return ear

    def text(self, seq: int) -> str:
        return f"a-{seq} hello"

    def ask(self, seq: int, number: int = SPEAKER) -> None:
        """Alice asks to say what will be this message, if all goes well."""
        self.witness.ask(f"a-{seq}", "lobby", "alice", self.text(seq), asked=1.0)
        self.witness.sent(f"a-{seq}", number)

    def acknowledge(self, seq: int) -> None:
        self.witness.said(f"a-{seq}", seq)
        self.speaker.answered("lobby", seq)

    def say(self, *numbers: int) -> None:
        for seq in numbers:
            self.ask(seq)
            self.acknowledge(seq)

    def hear(self, *numbers: int, ear: witness.Ear | None = None) -> None:
        for seq in numbers:
            (ear or self.listener).hear("lobby", seq, "alice", self.text(seq))

    def kinds(self, *, finish: bool = True) -> list[str]:
        if finish:
            self.speaker.finish()
            self.listener.finish()
            self.witness.finish()
        return sorted(self.witness.findings.counts)


class Messages(Case):
    """What is said and heard in a room."""

    def test_all_is_well(self) -> None:
        """One says, the other hears."""
        self.say(1, 2, 3)
        self.hear(1, 2, 3)
        self.assertEqual(self.kinds(), [])

    def test_gap(self) -> None:
        """One that was passed over is missed."""
        self.say(1, 2, 3)
        self.hear(1, 3)
        self.assertEqual(self.kinds(), ["message not heard"])

    def test_tail(self) -> None:
        """So is the last one, behind which nothing came that would show it."""
        self.say(1, 2, 3)
        self.hear(1, 2)
        self.assertTrue(self.listener.behind)
        self.assertFalse(self.speaker.behind)
        self.assertEqual(self.kinds(), ["message not heard"])

    def test_twice(self) -> None:
        """No connection hears anything a second time."""
        self.say(1, 2)
        self.hear(1, 2, 2)
        self.assertEqual(self.kinds(), ["heard twice in one connection"])

    def test_order(self) -> None:
        """An earlier one may not come later."""
        self.say(1, 2)
        self.hear(2, 1)
        self.assertIn("heard twice in one connection", self.kinds())

    def test_never_said(self) -> None:
        """Nor does anybody hear what nobody said, or what somebody else did, or in another room, or in other words."""
        self.say(1)
        for seq, place, by, text in (
            (1, "lobby", "alice", "b-9 hello"),
            (1, "lobby", "carol", self.text(1)),
            (1, "attic", "alice", self.text(1)),
            (1, "lobby", "alice", self.text(1)[:-1]),
        ):
            self.witness.findings.counts.clear()
            self.witness.show(place, seq, by, text)
            self.assertEqual(self.kinds(finish=False), ["message that nobody said"], (place, by, text))

    def test_numbers(self) -> None:
        """Two messages do not have one number, nor one message two."""
        self.ask(1)
        self.ask(2)
        self.witness.said("a-1", 1)
        self.witness.said("a-2", 1)
        self.assertEqual(self.kinds(finish=False), ["two messages with one number"])
        self.witness.show("lobby", 5, "alice", self.text(1))
        self.assertEqual(self.kinds(finish=False), ["key applied twice", "two messages with one number"])

    def test_own_as_event(self) -> None:
        """Whoever says something has the reply, and no event besides."""
        self.speaker.follow("lobby", 0, live=True)
        self.say(1)
        self.hear(1)
        self.speaker.hear("lobby", 1, "alice", self.text(1))
        self.assertEqual(self.kinds(), ["own message heard as an event"])

    def test_own_as_event_before_the_reply(self) -> None:
        """Nor an event in front of it."""
        self.speaker.follow("lobby", 0, live=True)
        self.ask(1)
        self.hear(1)
        self.speaker.hear("lobby", 1, "alice", self.text(1))
        self.acknowledge(1)
        self.assertEqual(self.kinds(), ["own message heard as an event"])

    def test_caught_up(self) -> None:
        """Once an event has passed over one's own message, there is nothing to catch up with any more."""
        self.say(1)
        self.witness.ask("b-1", "lobby", "bob", "b-1 hello", asked=1.0)
        self.witness.sent("b-1", LISTENER)
        self.witness.said("b-1", 2)
        self.hear(1)
        self.listener.answered("lobby", 2)
        self.speaker.hear("lobby", 2, "bob", "b-1 hello")
        self.say(3)
        self.speaker.hear("lobby", 3, "alice", self.text(3))
        self.hear(3)
        self.assertEqual(self.kinds(), ["own message heard as an event"])

    def test_own_while_catching_up(self) -> None:
        """But while one catches up, what one says meanwhile comes in its place."""
        self.speaker.follow("lobby", 0, live=False)
        self.say(1)
        self.speaker.hear("lobby", 1, "alice", self.text(1))
        self.hear(1)
        self.assertEqual(self.kinds(), [])

    def test_reply_before_earlier_events(self) -> None:
        """The reply to one's own message may overtake earlier ones of others."""
        ear = self.ear(LATER, "carol")
        self.say(1)
        self.witness.ask("c-1", "lobby", "carol", "c-1 hello", asked=1.0)
        self.witness.sent("c-1", LATER)
        self.witness.said("c-1", 2)
        ear.answered("lobby", 2)
        self.hear(1, ear=ear)
        self.say(3)
        self.hear(3, ear=ear)
        ear.finish()
        self.hear(1)
        self.listener.hear("lobby", 2, "carol", "c-1 hello")
        self.hear(3)
        self.speaker.hear("lobby", 2, "carol", "c-1 hello")
        self.assertEqual(self.kinds(), [])

    def test_gone_without_the_answer(self) -> None:
        """Who has vanished and learns the number of a message on another connection has missed nothing."""
        self.say(1)
        self.ask(2)
        self.witness.ask("b-1", "lobby", "bob", "b-1 hello", asked=1.0)
        self.witness.sent("b-1", LISTENER)
        self.hear(1, 2)
        self.acknowledge(2)
        self.say(4)
        self.hear(4)
        self.listener.close()
        again = self.ear(LATER, "bob", after=4)
        self.witness.sent("b-1", LATER)
        self.witness.said("b-1", 3)
        self.speaker.hear("lobby", 3, "bob", "b-1 hello")
        again.finish()
        self.assertEqual(self.kinds(), [])

    def test_gone_with_a_gap(self) -> None:
        """Who is gone is not forgotten: what was passed over until then is missed all the same."""
        self.say(1, 2, 3)
        self.hear(1, 3)
        self.listener.close()
        self.assertEqual(self.kinds(), ["message not heard"])

    def test_catching_up(self) -> None:
        """Who comes back goes on where they were, and what lies between is missed if it does not come."""
        self.say(1, 2, 3, 4)
        self.hear(1, 2)
        self.listener.close()
        self.hear(4, ear=self.ear(LATER, "bob", after=2))
        again = self.ear(LATER, "bob", after=2)
        self.hear(3, 4, ear=again)
        again.finish()
        self.assertEqual(self.kinds(), [])
        missing = self.ear(LATER, "bob", after=2)
        self.hear(4, ear=missing)
        missing.finish()
        self.assertEqual(self.kinds(), ["message not heard"])

    def test_left(self) -> None:
        """Who has left a room hears nothing there until they are in it again."""
        self.say(1)
        self.hear(1)
        self.listener.leave("lobby")
        self.say(2)
        self.assertEqual(self.kinds(finish=False), [])
        self.hear(2)
        self.assertEqual(self.kinds(finish=False), ["heard in a room that was left"])
        self.witness.findings.counts.clear()
        self.listener.follow("lobby", None, live=True)
        self.say(3)
        self.hear(3)
        self.assertEqual(self.kinds(), [])

    def test_never_answered(self) -> None:
        """What was asked is answered at last."""
        self.ask(1)
        self.assertEqual(self.kinds(), ["never answered"])

    def test_history(self) -> None:
        """What was acknowledged is in the history, and nothing else."""
        self.say(1, 2)
        self.hear(1, 2)
        self.witness.check_history("lobby", {1: ("alice", self.text(1)), 2: ("alice", self.text(2))})
        self.assertEqual(self.kinds(finish=False), [])
        self.witness.check_history("lobby", {1: ("alice", self.text(1))})
        self.assertEqual(self.kinds(finish=False), ["message not in the history"])
        self.witness.check_history("lobby", {seq: ("alice", self.text(seq)) for seq in (1, 2, 3)})
        self.assertEqual(self.kinds(finish=False), ["message not in the history", "message that nobody said"])


class Money(Case):
    """What is paid, and who hears of it."""

    def setUp(self) -> None:
        super().setUp()
        self.witness.pay("k-1", witness.Payment("alice", "bob", 250, asked=1.0))
        self.witness.paid("k-1", 7)

    def row(self, key: str = "k-1", amount: int = 250) -> tuple[str, str, int, str]:
        return ("alice", "bob", amount, key)

    def test_all_is_well(self) -> None:
        """It is heard once, and is in both accounts."""
        self.listener.receive(7, "alice", 250, "k-1")
        self.witness.check_account("alice", 1000, 750, [self.row()])
        self.witness.check_account("bob", 0, 250, [self.row()])
        self.assertEqual(self.kinds(), [])

    def test_not_heard(self) -> None:
        """Whoever was there from before it was asked for until the end has heard of it."""
        self.assertEqual(self.kinds(), ["payment not heard"])

    def test_came_later(self) -> None:
        """Who came later need not."""
        self.listener.receive(7, "alice", 250, "k-1")
        witness.Ear(self.witness, LATER, "bob", since=2.0).finish()
        self.assertEqual(self.kinds(), [])

    def test_heard_twice(self) -> None:
        self.listener.receive(7, "alice", 250, "k-1")
        self.listener.receive(7, "alice", 250, "k-1")
        self.assertEqual(self.kinds(), ["payment heard twice in one connection"])

    def test_another(self) -> None:
        """It is of that amount, from that member, under that key, and has one number."""
        for number, payer, amount, key in ((7, "alice", 251, "k-1"), (7, "carol", 250, "k-1"), (7, "alice", 250, "k-2")):
            self.witness.findings.counts.clear()
            self.witness.show_payment(number, payer, "bob", amount, key)
            self.assertEqual(self.kinds(finish=False), ["payment that nobody made"])
        self.witness.findings.counts.clear()
        self.witness.show_payment(8, "alice", "bob", 250, "k-1")
        self.assertEqual(self.kinds(finish=False), ["key applied twice"])

    def test_lost(self) -> None:
        """An acknowledged one that is not in the account."""
        self.witness.check_account("bob", 0, 0, [])
        self.assertEqual(self.kinds(finish=False), ["payment not in the history", "wrong balance"])

    def test_applied_twice(self) -> None:
        """One that is there twice."""
        self.witness.check_account("bob", 0, 500, [self.row(), self.row()])
        self.assertEqual(self.kinds(finish=False), ["key applied twice", "wrong balance"])

    def test_never_answered(self) -> None:
        self.listener.receive(7, "alice", 250, "k-1")
        self.witness.pay("k-2", witness.Payment("alice", "carol", 1, asked=1.0))
        self.assertEqual(self.kinds(), ["never answered"])

    def test_orders(self) -> None:
        """An order is paid, and is the customer's once."""
        self.witness.pay("k-2", witness.Payment("bob", "carol", 100, asked=1.0, order=True))
        self.witness.paid("k-2", 3)
        self.witness.check_account("carol", 0, 100, [])
        self.witness.check_orders("bob", [3])
        self.assertEqual(self.kinds(finish=False), [])
        self.witness.check_orders("bob", [])
        self.assertEqual(self.kinds(finish=False), ["wrong orders"])
        self.witness.check_orders("bob", [3, 3])
        self.assertEqual(self.witness.findings.counts["wrong orders"], 2)
