"""
Exactly once: what a key does to a rule.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from securehub import once as onces
from securehub.money import Amount
from securehub.once import DAY, digest, forget_all, once, place
from securehub.refusals import Conflict, KeyReused
from securehub.reply import MoneyReply, Reply
from securehub.store.age import MOST
from securehub.store.records import Record
from tests.rules.setting import RECORDS, Rules
from tests.store.setting import BEGIN, Said, at_once


class Tally(Record, frozen=True):
    """How often the rule took effect."""

    collection: ClassVar[str] = "tally"

    count: int = 0


class Counted(Reply, frozen=True):
    """A reply with fields of many kinds."""

    count: int
    from_: str = msgspec.field(name="from")
    at: datetime = BEGIN
    names: tuple[str, ...] = ()
    last: datetime | None = None


class Grown(Counted, frozen=True):
    """The same reply in a later version."""

    further: str = "new"


class Paid(MoneyReply, frozen=True):
    """A reply that warns."""

    count: int

    def told(self) -> str:
        return ""


class PaidMore(Paid, frozen=True):
    """The same reply in a later version, as if it had been declared in one class."""

    further: str = "new"


def pay(tx: Any, name: str) -> Paid:
    return Paid(count(tx, name).count, warnings=("over budget",), try_=True)


def count(tx: Any, name: str) -> Counted:
    """Count up, which shows how often the rule took effect."""
    tally = tx.get(Tally, name) or Tally()
    tx.put(name, Tally(tally.count + 1))
    tx.announce(name, Said(tally.count + 1))
    return Counted(tally.count + 1, 'é "quoted"', names=("a", "b"))


def nothing(tx: Any, name: str) -> None:
    count(tx, name)


class Keys(Rules):
    """A rule that counts how often it took effect."""

    def setUp(self) -> None:
        super().setUp()
        self.setting = self.setting.reopened(records=(*RECORDS, Tally))

    def once(self, key: str, *, user: str = "alice", method: str = "test.count", name: str = "lobby", rule: Any = count) -> Any:
        reply = Counted if rule is count else None
        return self.do(once, (place(user, key), digest(method, [name]), reply), rule, name)

    def counted(self, name: str = "lobby") -> int:
        tally = self.setting.get(Tally, name)
        return tally.count if tally else 0

    def test_once(self) -> None:
        """The first request takes effect; the others are answered with the same reply, and announce nothing."""
        first = self.once("k")
        self.assertEqual(len(self.heard()), 1)
        for _ in range(3):
            self.assertEqual(self.once("k"), first)
        self.assertEqual((self.counted(), self.heard()), (1, []))

    def test_other_keys(self) -> None:
        """Another key, or another user's, is another request."""
        self.once("k")
        self.once("K")
        self.once("k ")
        self.once("k", user="bob")
        self.assertEqual(self.counted(), 4)

    def test_keys_with_slashes(self) -> None:
        """A key may have any printable characters."""
        for key in ("/", "a/b", "//", "alice/k", "~!*"):
            self.once(key)
            self.once(key)
        self.assertEqual(self.counted(), 5)

    def test_reused(self) -> None:
        """With another method or other arguments the key is refused, and neither request is disturbed."""
        first = self.once("k")
        self.heard()
        for changed in ({"method": "test.other"}, {"name": "attic"}):
            self.assertIn("'k' was used", str(self.assertRaises(KeyReused, self.once, "k", **changed)))
        self.assertEqual((self.counted(), self.counted("attic"), self.heard()), (1, 0, []))
        self.assertEqual(self.once("k"), first)

    def test_refused_may_be_tried_again(self) -> None:
        """Only successes are kept."""

        def refuse(tx: Any, name: str) -> None:
            count(tx, name)
            raise Conflict("not now")

        for _ in range(2):
            self.assertRaises(Conflict, self.once, "k", rule=refuse)
        self.assertEqual(self.counted(), 0)
        self.assertEqual(self.once("k").count, 1)

    def test_no_result(self) -> None:
        """A command that answers nothing answers nothing again."""
        for _ in range(2):
            self.assertIsNone(self.once("k", rule=nothing))
        self.assertEqual(self.counted(), 1)

    def test_another_result(self) -> None:
        """What a repeat could not be answered with is a fault at the first request, and nothing happened."""

        def hide(tx: Any, name: str) -> Counted:
            return count(tx, name)

        self.assertRaises(AssertionError, self.once, "k", rule=hide)
        self.assertEqual(self.counted(), 0)

    def test_restarts(self) -> None:
        """A key is known after a crash and after a close."""
        first = self.once("k")
        self.setting.settle()
        for _ in range(2):
            self.setting = self.setting.crashed()
            self.assertEqual(self.once("k"), first)
            self.setting = self.setting.reopened()
            self.assertEqual(self.once("k"), first)
        self.assertEqual(self.counted(), 1)

    def test_reply_that_grew(self) -> None:
        """A reply that was kept by an older daemon is given again by one whose reply has a further field."""
        first = self.once("k")
        grown = self.do(once, (place("alice", "k"), digest("test.count", ["lobby"]), Grown), count, "lobby")
        self.assertEqual((grown.count, grown.from_, grown.further), (first.count, first.from_, "new"))

    def test_money_that_grew(self) -> None:
        """The fields that all replies about money have come behind those of their own, as many as these are."""
        key = place("alice", "k"), digest("test.pay", ["lobby"])
        first = self.do(once, (*key, Paid), pay, "lobby")
        self.assertEqual(self.do(once, (*key, Paid), pay, "lobby"), first)
        self.assertEqual(self.do(once, (*key, PaidMore), pay, "lobby"), PaidMore(1, warnings=("over budget",), try_=True))

    def test_lost_together(self) -> None:
        """When the effect is lost with the disk, so is the key; asked again, it takes effect."""
        self.setting.disk.fail(OSError(5, "Input/output error"))
        self.once("k")
        self.setting.settle()
        self.assertEqual(self.counted(), 0)
        self.setting.time.advance(1)
        self.setting.settle()
        self.assertEqual(self.once("k").count, 1)

    def test_a_day(self) -> None:
        """A key is kept for a day at least, and on a hub that has something to do no longer than for a good two."""
        first = self.once("k")
        self.live(DAY - 1)
        self.assertEqual(self.once("k"), first)
        self.live(DAY + 3 * MOST)
        self.assertGreater(self.once("k").count, first.count)

    def live(self, seconds: int) -> None:
        """Let time pass, with something to do every now and then."""
        for passed in range(0, seconds, 1000):
            self.setting.settle()
            self.setting.time.advance(min(1000, seconds - passed))
            self.once(f"{self.setting.store.number}")

    def test_forgotten(self) -> None:
        """All that one user was answered goes, little in each transaction and others in between, and nothing of anybody else's."""
        taken: list[int] = []
        real = onces._forget

        def forget(tx: Any, keys: list[str]) -> None:
            taken.append(len(keys))
            real(tx, keys)

        self.patch(onces, "AT_ONCE", 2)
        self.patch(onces, "_forget", forget)
        for number in range(300):
            self.once(f"key/{number}")
        for other in ("al", "alice2", "bob"):
            self.once("key/1", user=other)
        left = [self.left()]

        async def others_first() -> None:
            left.append(self.left())

        at_once(forget_all(self.setting.store, others_first, "alice"))
        self.assertEqual((left[0], left[-1]), (303, 3))
        self.assertGreater(len(set(left)), 30)
        self.assertEqual(max(taken), 2)
        self.assertEqual([self.once("key/1", user=other).count for other in ("al", "alice2", "bob")], [301, 302, 303])

    def left(self) -> int:
        """How many answers are kept."""
        return int(self.setting.store.counts()["once"])


class Digests(Rules):
    """What counts as the same request."""

    def test_same(self) -> None:
        """The same values are the same, and amounts that are worth the same, however they were written."""
        for one, other in (("1.50", "1.5"), ("0001.5", "1.500"), ("10", "10.00"), ("0.10", "0.1"), ("100", "100")):
            self.assertEqual(digest("m", ["bob", Amount.parse(one), ""]), digest("m", ["bob", Amount.parse(other), ""]))

    def test_without_order(self) -> None:
        """The same things in another order are the same arguments, where order means nothing."""
        self.assertEqual(digest("m", [frozenset([0, 8])]), digest("m", [frozenset([8, 0])]))
        self.assertEqual(digest("m", [{"a": 1, "b": 2}]), digest("m", [{"b": 2, "a": 1}]))
        self.assertNotEqual(digest("m", [(0, 8)]), digest("m", [(8, 0)]))

    def test_as_it_is_kept(self) -> None:
        """What an earlier version has kept is still known."""
        self.assertEqual(digest("m", ["bob", Amount.parse("1.50"), None, True]).hex(), "f3528fe40a2ac2d8b98056f43cc50098")

    def test_different(self) -> None:
        """Whatever differs is different: method, values, their order, their types, and where one ends and the next begins."""
        amounts = [Amount.parse(text) for text in ("1", "10", "100", "0.1", "0.01", "1.1")]
        requests: list[tuple[str, list[Any]]] = [
            ("m", []),
            ("n", []),
            ("m", [None]),
            ("m", [""]),
            ("m", ["", ""]),
            ("m", ["ab", "c"]),
            ("m", ["a", "bc"]),
            ("m", ["c", "ab"]),
            ("m", [1]),
            ("m", ["1"]),
            ("m", [True]),
            ("m", [["1"]]),
            *(("m", [each]) for each in amounts),
        ]
        self.assertEqual(len({digest(*request) for request in requests}), len(requests))

    def test_unknown_types(self) -> None:
        """An argument of a type that cannot be compared is our fault, not a key that fits everything."""
        self.assertRaises(NotImplementedError, digest, "m", [object()])
