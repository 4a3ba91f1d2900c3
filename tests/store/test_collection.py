"""
Collections: records by key, put back as they were, and records that vanish.
"""

from __future__ import annotations

import random
from bisect import insort

from twisted.trial.unittest import SynchronousTestCase

from securehub.store import collection
from securehub.store.collection import PARTS, SHIFT, Collection, ExpiringCollection


def keys(found: Collection, start: str = "", end: str | None = None) -> list[str]:
    return [key for key, _ in found.scan(start, end, None, False)]


class Plain(SynchronousTestCase):
    """Records that stay."""

    def test_what_was_there(self) -> None:
        """A put and a removal tell what was there before."""
        rooms = Collection("room")
        self.assertIsNone(rooms.replace("a", b"1"))
        self.assertEqual(rooms.replace("a", b"2"), b"1")
        self.assertEqual(rooms.replace("a", None), b"2")
        self.assertIsNone(rooms.replace("a", None))
        self.assertEqual(len(rooms), 0)

    def test_undo(self) -> None:
        """Whatever was done, undoing it newest first brings back what was, order included."""
        chance = random.Random(5)
        rooms = Collection("room")
        for number in range(30):
            rooms.replace(f"{chance.choice('abc')}/{number}", b"old")
        before = list(rooms.items())
        for _ in range(50):
            undo = []
            for _ in range(20):
                key = f"{chance.choice('abcd')}/{chance.randrange(40)}"
                undo.append((key, rooms.replace(key, None) if chance.random() < 0.4 else rooms.replace(key, b"new")))
                if chance.random() < 0.2:
                    keys(rooms, "a/", "a0")
            for key, old in reversed(undo):
                rooms.replace(key, old)
            self.assertEqual(list(rooms.items()), before)
            self.assertEqual(len(rooms), len(before))

    def test_undo_of_other_parents(self) -> None:
        """So it is where the records say what their parents are."""
        chance = random.Random(6)
        letters = Collection("letter", parents=lambda raw: raw.decode().split())

        def beneath() -> dict[str, list[str]]:
            return {parent: [key for key, _ in letters.beneath(parent, "", None, None, False)] for parent in "abc"}

        for number in range(20):
            letters.replace(f"{number}", chance.choice([b"a", b"a b", b"c", b""]))
        before = beneath()
        for _ in range(50):
            undo = []
            for _ in range(20):
                key = f"{chance.randrange(30)}"
                raw = chance.choice([None, b"a", b"b c", b"a b c", b""])
                undo.append((key, letters.replace(key, raw)))
                if chance.random() < 0.2:
                    beneath()
            for key, old in reversed(undo):
                letters.replace(key, old)
            self.assertEqual(beneath(), before)
        self.assertRaises(AssertionError, keys, letters)

    def test_put_in_order(self) -> None:
        """What a start has put there without order is in order afterwards, and new keys find their place in it."""
        rooms = Collection("room")
        for key in ("b/2", "a/1", "b/1", "c/1"):
            rooms.parts[hash(key) >> SHIFT][key] = b"1"
        rooms.drop("c/1")
        rooms.drop("d/1")
        rooms.put_in_order()
        self.assertEqual(keys(rooms), ["a/1", "b/1", "b/2"])
        self.assertEqual([key for key, _ in rooms.items()], ["a/1", "b/1", "b/2"])
        rooms.replace("b/15", b"1")
        self.assertEqual(keys(rooms), ["a/1", "b/1", "b/15", "b/2"])

    def test_never_scanned(self) -> None:
        """A collection without an order has the same records, and says so when it is scanned all the same."""
        families = Collection("family", scanned=False)
        for key in ("b", "a", "c"):
            families.replace(key, key.encode())
        self.assertEqual(families.replace("b", None), b"b")
        families.put_in_order()
        families.tidy()
        self.assertEqual(families.get("a"), b"a")
        self.assertEqual(sorted(families.items()), [("a", b"a"), ("c", b"c")])
        self.assertRaises(AssertionError, keys, families)

    def test_no_parent_is_another(self) -> None:
        """A scan beneath a parent that is not there finds nothing."""
        rooms = Collection("room")
        rooms.replace("a/1", b"1")
        self.assertEqual(keys(rooms, "b/", "b0"), [])

    def test_emptied_parent(self) -> None:
        """A parent whose last record went can have records again."""
        rooms = Collection("room")
        for _ in range(2):
            rooms.replace("a/1", b"1")
            self.assertEqual(keys(rooms), ["a/1"])
            rooms.replace("a/1", None)
            self.assertEqual(keys(rooms), [])

    def test_many_between(self) -> None:
        """
        Many new keys among those of one parent find their places all at once: each by itself would move half of the others, which takes
        long for whoever has said a lot.
        """
        said = Collection("message", parents=lambda raw: [raw.decode()])
        expected: dict[str, list[str]] = {"bot": [], "alice": []}

        def say(by: str, key: str) -> None:
            expected[by].append(key)
            said.replace(key, by.encode())

        def in_order(by: str) -> bool:
            return [key for key, _ in said.beneath(by, "", None, None, False)] == sorted(expected[by])

        for number in range(10_000):
            say("bot", f"tea/{number:05d}")
        say("alice", "tea/10000")
        self.assertTrue(in_order("bot"))
        for number in range(5_000):
            say("bot", f"{random.Random(number).choice('acz')}/{number:05d}")
        say("alice", "coffee/1")
        placed: list[str] = []
        self.patch(collection, "insort", lambda family, key: (placed.append(key), insort(family, key)))
        said.tidy()
        self.assertEqual([by for by in expected if in_order(by)], ["bot", "alice"])
        self.assertEqual(placed, ["coffee/1"])

    def test_tidy(self) -> None:
        """Many new keys are put in order without a scan."""
        rooms = Collection("room")
        expected = [f"{number:05d}" for number in range(10_000)]
        for number, key in enumerate(random.Random(1).sample(expected, len(expected))):
            rooms.replace(key, b"1")
            if number % 100 == 0:
                rooms.tidy()
        rooms.tidy()
        placed: list[str] = []
        self.patch(collection, "insort", lambda family, key: (placed.append(key), insort(family, key)))
        self.assertEqual(keys(rooms), expected)
        self.assertLess(len(placed), 4096)


class Expiring(SynchronousTestCase):
    """Records that vanish: each second of a lifetime of ten is tried."""

    def setUp(self) -> None:
        self.receipts = ExpiringCollection("receipt", 10)

    def test_lifetime(self) -> None:
        """Whenever a record is put, it is there for ten seconds, and gone after twenty."""
        for begin in range(1000, 1010):
            receipts = ExpiringCollection("receipt", 10)
            receipts.expire(begin)
            receipts.replace("a", b"1")
            for later in range(11):
                receipts.expire(begin + later)
                self.assertEqual(receipts.get("a"), b"1", (begin, later))
            receipts.expire(begin + 20)
            self.assertIsNone(receipts.get("a"), begin)

    def test_long_pause(self) -> None:
        """After a long time without a call both generations are gone."""
        self.receipts.expire(1000)
        self.receipts.replace("a", b"1")
        self.receipts.expire(1010)
        self.receipts.replace("b", b"1")
        self.receipts.expire(5000)
        self.assertIsNone(self.receipts.get("a"))
        self.assertIsNone(self.receipts.get("b"))
        self.assertEqual(len(self.receipts), 0)

    def test_seldom(self) -> None:
        """Where little is put, and this is seldom called, nothing heaps up of the generations that have passed."""
        for begin in range(1000, 2000, 10):
            self.receipts.expire(begin)
            self.receipts.replace(f"{begin}", b"1")
        self.assertEqual(self.receipts.expire(2000), 0.01)
        self.assertEqual(self.receipts.expire(2001), 9)

    def test_beginning(self) -> None:
        """Keys that begin so are found in both generations, whichever part they lie in."""
        self.receipts.expire(1000)
        for number in range(200):
            self.receipts.replace(f"alice/{number}", b"1")
            self.receipts.replace(f"alicent/{number}", b"1")
            if number == 99:
                self.receipts.expire(1010)
        found = [key for part in range(PARTS) for key in self.receipts.beginning("alice/", part)]
        self.assertEqual(sorted(found), sorted(f"alice/{number}" for number in range(200)))

    def test_replaced(self) -> None:
        """A put in a later generation hides the older record; undoing it shows it again."""
        self.receipts.expire(1000)
        self.receipts.replace("a", b"old")
        self.receipts.expire(1010)
        old = self.receipts.replace("a", b"new")
        self.assertEqual((old, self.receipts.get("a")), (b"old", b"new"))
        self.receipts.replace("a", old)
        self.assertEqual(self.receipts.get("a"), b"old")

    def test_removed(self) -> None:
        """A removal takes it out of both generations, and can be undone."""
        self.receipts.expire(1000)
        self.receipts.replace("a", b"old")
        self.receipts.expire(1010)
        self.receipts.replace("a", b"new")
        old = self.receipts.replace("a", None)
        self.assertIsNone(self.receipts.get("a"))
        self.receipts.replace("a", old)
        self.assertEqual(self.receipts.get("a"), b"new")

    def test_undone_in_a_later_generation(self) -> None:
        """A put is undone even if a generation has begun since."""
        self.receipts.expire(1009)
        old = self.receipts.replace("a", b"1")
        self.receipts.expire(1011)
        self.receipts.replace("a", old)
        self.assertIsNone(self.receipts.get("a"))

    def test_let_go_in_pieces(self) -> None:
        """What has expired is let go a piece at a time, and the collection says when it wants to go on."""
        self.assertEqual(self.pieces(1003.0)[1], 1010)
        for number in range(2000):
            self.receipts.replace(f"{number}", b"1")
        calls, then = self.pieces(1020.0)
        self.assertGreater(calls, 60)
        self.assertEqual(then, 1030)

    def pieces(self, at: float) -> tuple[int, int]:
        """
        Let go all that has expired.

        @return: in how many calls, and when it wants to be called again.
        """
        calls = 0
        while (pause := self.receipts.expire(at)) < 1:
            at += pause
            calls += 1
        return calls, round(at + pause)

    def test_items(self) -> None:
        """All records come with the beginning of their generation, the older first, so that they can be loaded again."""
        self.receipts.expire(1004)
        self.receipts.replace("old", b"1")
        self.receipts.expire(1012)
        self.receipts.replace("new", b"2")
        items = list(self.receipts.items())
        self.assertEqual(items, [(1000, "old", b"1"), (1010, "new", b"2")])
        again = ExpiringCollection("receipt", 10)
        for began, key, raw in items:
            again.expire(began)
            again.replace(key, raw)
        again.put_in_order()
        self.assertEqual(list(again.items()), items)
