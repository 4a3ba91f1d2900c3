"""
What every store promises to rules. A store passes when its class of these tests does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from securehub.refusals import Conflict, NotFound, Unavailable
from securehub.store.age import MOST
from securehub.store.records import Record
from securehub.store.recovery import CannotStart
from tests.store.setting import LIFETIME, RECORDS, SPAN, Message, Receipt, Room, Said, Setting, everything, get, put, say

ORDERED = ["", " ", "!", "A", "a", "ab", "b", "é", "中", "\ue000", "\uff5e", "\U0001d11e", "\U0010ffff"]
"""Keys by code point; an order of UTF-16 units or of a language would be another."""


class Note(Record, frozen=True):
    """A record with something in it that can be changed."""

    collection: ClassVar[str] = "note"

    words: list[str]


class Letter(Record, frozen=True):
    """A record that is beneath whoever it names."""

    collection: ClassVar[str] = "letter"

    people: tuple[str, ...]

    def beneath(self) -> tuple[str, ...]:
        return self.people


class RoomSince(Record, frozen=True):
    """A room as a later SecureHub knows it, which has added a field."""

    collection: ClassVar[str] = "room"

    topic: str = ""
    seq: int = 0
    since: int = 0


class RoomTwo(Record, frozen=True):
    """Version 2 of a room: the topic has become a subject."""

    collection: ClassVar[str] = "room"
    version: ClassVar[int] = 2
    upgrades: ClassVar[dict[int, Any]] = {1: lambda fields: {"subject": fields.get("topic", ""), "seq": fields.get("seq", 0)}}

    subject: str
    seq: int


class RoomThree(Record, frozen=True):
    """Version 3 of a room: subjects are many."""

    collection: ClassVar[str] = "room"
    version: ClassVar[int] = 3
    upgrades: ClassVar[dict[int, Any]] = {**RoomTwo.upgrades, 2: lambda fields: {"subjects": [fields["subject"]], "seq": fields["seq"]}}

    subjects: tuple[str, ...]
    seq: int
    slow: bool = False


class StoreContract(SynchronousTestCase):
    """
    The contract of a store, which subclasses supply.
    """

    def make_store(self, records: tuple[type[Record], ...] = RECORDS) -> Setting:
        """A fresh store, open, for these records."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.setting = self.make_store()

    # Records

    def test_get(self) -> None:
        """What was put is there, as it was put; what was not is None."""
        self.setting.put("lobby", Room("hello", 7))
        self.assertEqual(self.setting.get(Room, "lobby"), Room("hello", 7))
        self.assertIsNone(self.setting.get(Room, "attic"))

    def test_one_key_in_two_collections(self) -> None:
        """Records of different classes do not meet, even under one key."""
        self.setting.transact(put, "lobby", Room("hello"), "lobby", Message("text"))
        self.assertEqual(self.setting.get(Room, "lobby"), Room("hello"))
        self.assertEqual(self.setting.get(Message, "lobby"), Message("text"))

    def test_fetch(self) -> None:
        """A rule that needs a record is refused for it where there is none, with the key in the text."""
        fetch = lambda tx, key: tx.fetch(Room, key)  # noqa: E731
        self.setting.put("lobby", Room("hello"))
        self.assertEqual(self.setting.read(fetch, "lobby"), Room("hello"))
        for run in (self.setting.read, self.setting.transact):
            refusal = self.assertRaises(NotFound, run, fetch, "attic")
            self.assertIn("attic", str(refusal))

    def test_put_replaces(self) -> None:
        """A later put takes the place of an earlier one, in one transaction or in two."""
        self.setting.transact(put, "lobby", Room("a"), "lobby", Room("b"))
        self.assertEqual(self.setting.topics(), {"lobby": "b"})
        self.setting.put("lobby", Room("c"))
        self.assertEqual(self.setting.topics(), {"lobby": "c"})

    def test_delete(self) -> None:
        """What was deleted is gone from gets and scans; deleting what is not there is no error."""
        self.setting.transact(put, "attic", Room(), "lobby", Room())
        for _ in range(2):
            self.setting.transact(lambda tx: tx.delete(Room, "attic"))
            self.assertIsNone(self.setting.get(Room, "attic"))
            self.assertEqual(list(self.setting.topics()), ["lobby"])

    def test_put_after_delete(self) -> None:
        """The last word of a transaction counts."""

        def rule(tx: Any) -> None:
            tx.put("a", Room("1"))
            tx.delete(Room, "a")
            tx.delete(Room, "b")
            tx.put("b", Room("2"))

        self.setting.transact(put, "a", Room("0"), "b", Room("0"))
        self.setting.transact(rule)
        self.assertEqual(self.setting.topics(), {"b": "2"})

    def test_nothing_shared(self) -> None:
        """Whatever a caller does to a record that it was given, the next one gets it as it was put."""
        setting = self.make_store((Note,))
        setting.put("a", Note(["one"]))
        setting.get(Note, "a").words.append("two")
        self.assertEqual(setting.get(Note, "a"), Note(["one"]))
        words = ["one"]
        setting.put("b", Note(words))
        words.append("two")
        self.assertEqual(setting.get(Note, "b"), Note(["one"]))

    # Scans

    def fill(self, *keys: str) -> None:
        for key in keys:
            self.setting.put(key, Message(f"the text of {key}"))

    def keys(self, prefix: str = "", **bounds: Any) -> list[str]:
        found = self.setting.read(everything, Message, prefix, **bounds)
        for key, message in found:
            self.assertEqual(message.text, f"the text of {key}")
        return [key for key, _ in found]

    def test_order(self) -> None:
        """Keys are ordered by code point, in whatever order they came."""
        self.fill(*random.Random(1).sample(ORDERED, len(ORDERED)))
        self.assertEqual(self.keys(), ORDERED)
        self.assertEqual(self.keys(reverse=True), ORDERED[::-1])

    def test_order_beneath_parents(self) -> None:
        """So they are where they have parents, and a parent whose name begins like another's is no part of it."""
        ordered = sorted(f"{parent}/{child}" for parent in ("a", "a!", "a0", "ab", "b", "é", "") for child in ORDERED)
        self.fill(*random.Random(1).sample(ordered, len(ordered)))
        self.assertEqual(self.keys(), ordered)
        self.assertEqual(self.keys("a/"), [f"a/{child}" for child in ORDERED])
        self.assertEqual(self.keys("a/", reverse=True, limit=2), ["a/\U0010ffff", "a/\U0001d11e"])

    def test_bounds(self) -> None:
        """A scan begins at its start, ends before its end, stays beneath its prefix, and stops at its limit."""
        self.fill("a", "ab", "abc", "b", "ba", "c")
        self.assertEqual(self.keys("a"), ["a", "ab", "abc"])
        self.assertEqual(self.keys(start="ab", end="ba"), ["ab", "abc", "b"])
        self.assertEqual(self.keys("a", start="ab"), ["ab", "abc"])
        self.assertEqual(self.keys("a", start="b"), [])
        self.assertEqual(self.keys("b", start="a", end="c"), ["b", "ba"])
        self.assertEqual(self.keys("a", end="abc", reverse=True, limit=1), ["ab"])
        self.assertEqual(self.keys(start="c", end="a"), [])
        self.assertEqual(self.keys(limit=0), [])
        self.assertEqual(self.keys("x"), [])

    def test_last_character(self) -> None:
        """A prefix may end in the last character there is."""
        self.fill("a", "a\U0010ffff", "a\U0010ffffz", "b")
        self.assertEqual(self.keys("a\U0010ffff"), ["a\U0010ffff", "a\U0010ffffz"])
        self.assertEqual(self.keys("\U0010ffff"), [])

    def test_any_scan(self) -> None:
        """Whatever is put, deleted and asked, a scan answers as a plain sorted list would."""
        chance = random.Random(7)
        letters = "!/09aé"
        model: set[str] = set()

        def word(most: int) -> str:
            return "".join(chance.choices(letters, k=chance.randint(0, most)))

        for _ in range(80):
            key = f"{chance.choice('ab!é')}/{word(3)}"
            if key in model and chance.random() < 0.4:
                model.discard(key)
                self.setting.transact(lambda tx, key=key: tx.delete(Message, key))
            else:
                model.add(key)
                self.fill(key)
        for _ in range(400):
            prefix = chance.choice(["", f"{chance.choice('ab!é')}/{word(2)}", word(2)])
            start, end = (chance.choice([None, word(4)]) for _ in range(2))
            limit, reverse = chance.choice([None, 1, 3]), chance.random() < 0.5
            expected = sorted(
                (key for key in model if key.startswith(prefix) and (start is None or key >= start) and (end is None or key < end)),
                reverse=reverse,
            )[:limit]
            asked = {"start": start, "end": end, "limit": limit, "reverse": reverse}
            self.assertEqual(self.keys(prefix, **asked), expected, f"{prefix!r} {asked}")

    # Records that say what their parents are

    def letters(self, person: str, **bounds: Any) -> list[str]:
        return self.setting.read(lambda tx: [key for key, letter in tx.beneath(Letter, person, **bounds) if person in letter.people])

    def test_beneath(self) -> None:
        """Such a record is found beneath each of its parents, in the order of its key, between bounds and up to a limit."""
        self.setting = setting = self.make_store((*RECORDS, Letter))
        for key, people in {"3": ("ann", "bob"), "1": ("bob",), "2": ("ann",), "4": ()}.items():
            setting.put(key, Letter(people))
        self.assertEqual(self.letters("ann"), ["2", "3"])
        self.assertEqual(self.letters("bob"), ["1", "3"])
        self.assertEqual(self.letters("eve"), [])
        self.assertEqual(self.letters("bob", end="3"), ["1"])
        self.assertEqual(self.letters("bob", start="2"), ["3"])
        self.assertEqual(self.letters("ann", reverse=True, limit=1), ["3"])
        self.assertEqual(setting.get(Letter, "4"), Letter(()))

    def test_other_parents(self) -> None:
        """Put again with other parents, or deleted, it is gone from where it was."""
        self.setting = setting = self.make_store((*RECORDS, Letter))
        setting.put("1", Letter(("ann", "bob")))
        setting.put("2", Letter(("ann",)))
        setting.put("1", Letter(("bob", "eve")))
        self.assertEqual([self.letters(person) for person in ("ann", "bob", "eve")], [["2"], ["1"], ["1"]])
        setting.transact(lambda tx: tx.delete(Letter, "1"))
        self.assertEqual([self.letters(person) for person in ("ann", "bob", "eve")], [["2"], [], []])

    def test_any_parents(self) -> None:
        """Whatever is put and deleted, after a restart too, each person has their letters and no others."""
        self.setting = self.make_store((*RECORDS, Letter))
        chance = random.Random(11)
        model: dict[str, tuple[str, ...]] = {}
        for again in (Setting.crashed, Setting.reopened, Setting.crashed):
            for _ in range(60):
                key = str(chance.randrange(30))
                if key in model and chance.random() < 0.3:
                    del model[key]
                    self.setting.transact(lambda tx, key=key: tx.delete(Letter, key))
                else:
                    model[key] = tuple(chance.sample("abcde", chance.randrange(4)))
                    self.setting.put(key, Letter(model[key]))
                if chance.random() < 0.1:
                    self.letters("a")
            self.setting.settle()
            self.setting = again(self.setting)
            for person in "abcdef":
                self.assertEqual(self.letters(person), sorted(key for key, people in model.items() if person in people))

    # Transactions

    def test_sees_its_own(self) -> None:
        """A transaction gets what it has put and deleted itself."""

        def rule(tx: Any) -> list[Any]:
            tx.put("lobby", Room("new"))
            tx.delete(Room, "attic")
            return [tx.get(Room, "lobby"), tx.fetch(Room, "lobby"), tx.get(Room, "attic")]

        self.setting.transact(put, "attic", Room("old"), "lobby", Room("old"))
        self.assertEqual(self.setting.transact(rule), [Room("new"), Room("new"), None])

    def test_refusal_leaves_nothing(self) -> None:
        """A refused rule, or one with a fault, has put, deleted and announced nothing."""
        self.setting.put("attic", Room("old"))
        self.setting.settle()
        for fault in (Conflict("no"), ZeroDivisionError("oops")):

            def rule(tx: Any, fault: Exception = fault) -> None:
                tx.put("lobby", Room())
                tx.delete(Room, "attic")
                tx.announce("lobby", Said(1))
                raise fault

            self.assertRaises(type(fault), self.setting.transact, rule)
            self.assertIsNone(self.setting.gate.position)
            self.assertEqual(self.setting.topics(), {"attic": "old"})
            self.assertEqual(self.setting.announcer.heard, [])
        self.assertEqual(self.setting.crashed().topics(), {"attic": "old"})

    def test_goes_on_after_a_refusal(self) -> None:
        """Refusals before and between commits are as if they had not been."""

        def refuse(tx: Any) -> None:
            tx.put("attic", Room())
            raise Conflict("no")

        for topic in "abc":
            self.assertRaises(Conflict, self.setting.transact, refuse)
            self.setting.put(topic, Room())
        self.setting.settle()
        self.assertEqual(list(self.setting.crashed().topics()), ["a", "b", "c"])

    def test_unfit_event_leaves_nothing(self) -> None:
        """When an event cannot be encoded, nothing is committed."""
        self.setting.announcer.fault = ZeroDivisionError("oops")
        self.assertRaises(ZeroDivisionError, self.setting.transact, say, "lobby", "hello")
        self.assertEqual(self.setting.topics(), {})
        self.assertEqual(self.setting.announcer.heard, [])
        self.assertIsNone(self.setting.gate.position)

    def test_too_large(self) -> None:
        """A transaction of more than 256 records or 1 MiB is a fault, and leaves nothing."""

        def many(tx: Any, count: int) -> None:
            for number in range(count):
                tx.put(f"{number}", Room())

        self.assertRaises(AssertionError, self.setting.transact, many, 257)
        self.assertRaises(AssertionError, self.setting.transact, put, "lobby", Room("x" * 1024 * 1024))
        self.assertEqual(self.setting.topics(), {})
        self.setting.transact(many, 256)
        self.assertEqual(len(self.setting.topics()), 256)

    def test_keys_are_texts(self) -> None:
        """
        What is kept under anything else would be under another key after a restart, or in a line that no start can read; so it is a fault.
        """
        odd: Any
        for odd in (5, None, b"lobby", ("lobby", 5), 1.5, True):
            self.assertRaises(AssertionError, self.setting.transact, put, odd, Room())
            self.assertRaises(AssertionError, self.setting.transact, lambda tx, odd=odd: tx.delete(Room, odd))
        self.assertEqual(self.setting.topics(), {})
        self.setting.put("attic", Room())
        self.setting.settle()
        self.assertEqual(list(self.setting.crashed().topics()), ["attic"])

    def test_reads_only_read(self) -> None:
        """What only reads cannot change anything."""
        for change in (
            lambda tx: tx.put("lobby", Room()),
            lambda tx: tx.delete(Room, "attic"),
            lambda tx: tx.number("room"),
            lambda tx: tx.announce("lobby", Said(1)),
        ):
            self.setting.put("attic", Room())
            self.assertRaises((AttributeError, AssertionError), self.setting.read, change)
            self.assertEqual(list(self.setting.topics()), ["attic"])

    def test_arguments(self) -> None:
        """A rule is given the arguments as they are, by place and by name, whatever their names."""

        def rule(tx: Any, one: int, *, self: int, rule: int) -> tuple[int, int, int]:
            return one, self, rule

        for run in (self.setting.store.transact, self.setting.store.read):
            coroutine = run(rule, 1, self=2, rule=3)
            self.assertEqual(self.assertRaises(StopIteration, coroutine.send, None).value, (1, 2, 3))

    # Numbers

    def draw(self, setting: Setting, name: str = "transfer") -> int:
        return setting.transact(lambda tx: tx.number(name))

    def test_numbers_grow(self) -> None:
        """Numbers start at 1 and grow, within a transaction and over many, each name by itself."""

        def rule(tx: Any) -> list[int]:
            tx.put("lobby", Room())
            return [tx.number("a"), tx.number("a"), tx.number("b"), tx.number("a")]

        self.assertEqual(self.setting.transact(rule), [1, 2, 1, 3])
        self.assertEqual(self.setting.transact(rule), [4, 5, 2, 6])

    def test_numbers_of_nothing_else(self) -> None:
        """So they do where nothing but a number is drawn."""
        drawn = [self.draw(self.setting) for _ in range(3)]
        self.assertEqual(drawn, sorted(set(drawn)))

    def test_numbers_survive(self) -> None:
        """A number is never drawn again, be the store closed or crashed."""
        setting = self.setting
        drawn = [0]
        for again in (Setting.crashed, Setting.reopened) * 2:
            drawn.append(setting.transact(lambda tx: tx.put("lobby", Room()) or tx.number("transfer")))
            setting.settle()
            setting = again(setting)
        self.assertEqual(drawn, sorted(set(drawn)))

    # Events

    def test_announced_after_the_commit(self) -> None:
        """Events are delivered in their order, with the commit and not before it."""
        heard = self.setting.announcer.heard

        def rule(tx: Any) -> int:
            tx.announce("a", Said(1))
            tx.announce("b", Said(2))
            tx.put("lobby", Room())
            return len(heard)

        self.assertEqual(self.setting.transact(rule), 0)
        self.assertEqual(heard, [("a", Said(1)), ("b", Said(2))])

    def test_event_sees_its_commit(self) -> None:
        """Who hears an event finds in the store what it tells, and its position is that of the commit."""
        found = []

        def deliver(prepared: Any) -> None:
            found.append((self.setting.topics(), self.setting.gate.position is not None))

        self.setting.announcer.deliver = deliver  # type: ignore[method-assign]
        self.setting.transact(say, "lobby", "hello")
        self.assertEqual(found, [({"lobby": ""}, True)])

    def test_events_alone(self) -> None:
        """A commit may consist of an event; it waits for its position as any other."""
        self.setting.transact(lambda tx: tx.announce("lobby", Said(1)))
        self.assertEqual(self.setting.announcer.heard, [("lobby", Said(1))])
        self.assertIsNotNone(self.setting.gate.position)
        self.setting.settle()
        self.assertIsNone(self.setting.gate.position)

    # Positions

    def test_position(self) -> None:
        """From a commit until it is settled there is a position, which reads and refusals wait for as well."""
        gate = self.setting.gate
        self.assertIsNone(gate.position)
        self.setting.put("lobby", Room())
        position = gate.position
        self.assertIsNotNone(position)
        self.setting.topics()
        self.assertIs(gate.position, position)
        self.assertIsNone(gate.outcome(position))
        self.setting.settle()
        self.assertEqual(gate.outcome(position), "settled")
        self.assertIsNone(gate.position)

    def test_nothing_to_wait_for(self) -> None:
        """A transaction that changes nothing has nothing to wait for."""
        self.assertIsNone(self.setting.transact(get, Room, "lobby"))
        self.assertIsNone(self.setting.gate.position)

    def test_positions_settle_in_order(self) -> None:
        """Positions are settled in the order in which they came, each once, and what is settled survives a crash."""
        seen: list[Any] = []
        for number in range(12):
            self.setting.put(f"{number:02d}", Room())
            position = self.setting.gate.position
            seen += [position] if position not in seen else []
            if number % 3 == 1:
                self.setting.turn()
            if number % 3 == 2 and self.setting.worker.jobs:
                self.setting.worker.step()
        self.setting.settle()
        self.assertEqual(self.setting.gate.settlements, [("settled", position) for position in seen])
        self.assertEqual(len(self.setting.crashed().topics()), 12)

    # Coming back

    def test_all_that_was_settled_is_back(self) -> None:
        """After a crash and after a close the records are what they were."""
        setting = self.setting
        expected: dict[str, str] = {}
        chance = random.Random(3)
        for again in (Setting.crashed, Setting.reopened) * 3:
            for _ in range(20):
                key = chance.choice("abcdefghij")
                if key in expected and chance.random() < 0.3:
                    del expected[key]
                    setting.transact(lambda tx, key=key: tx.delete(Room, key))
                else:
                    expected[key] = str(chance.random())
                    setting.put(key, Room(expected[key]))
            setting.settle()
            setting = again(setting)
            self.assertEqual(setting.topics(), dict(sorted(expected.items())))

    def test_unsettled_is_whole_or_not_there(self) -> None:
        """Of what was not settled a crash leaves the beginning, each commit whole."""
        for number in range(5):
            self.setting.transact(say, "lobby", f"{number}")
        found = self.setting.crashed()
        room = found.get(Room, "lobby") or Room()
        self.assertEqual(len(found.read(everything, Message)), room.seq)

    def test_close_settles(self) -> None:
        """A close leaves nothing behind that was committed."""
        self.setting.put("lobby", Room())
        self.assertEqual(list(self.setting.reopened().topics()), ["lobby"])

    def test_closed(self) -> None:
        """A store that closes takes no more writes; reads go on."""
        self.setting.put("lobby", Room())
        self.setting.close()
        self.assertRaises(Unavailable, self.setting.put, "attic", Room())
        self.assertEqual(list(self.setting.topics()), ["lobby"])

    def test_undeclared(self) -> None:
        """Records that no service declares now are kept for the day when one does again."""
        setting = self.setting
        setting.put("lobby/1", Message("hello"))
        setting.put("lobby", Room())
        for again in (Setting.reopened, Setting.crashed, Setting.reopened):
            setting.settle()
            setting = again(setting, records=(Room,))
            setting.put("attic", Room())
        setting.settle()
        back = setting.crashed(records=RECORDS)
        self.assertEqual(back.read(everything, Message), [("lobby/1", Message("hello"))])

    # Forms

    def test_upgrade(self) -> None:
        """Records of older versions are read as those of the newest, however many lie between."""
        self.setting.transact(put, "a", Room("one", 1), "b", Room())
        two = self.setting.reopened(records=(RoomTwo,))
        self.assertEqual(two.get(RoomTwo, "a"), RoomTwo("one", 1))
        self.assertEqual(two.get(RoomTwo, "b"), RoomTwo("", 0))
        two.put("c", RoomTwo("three", 3))
        self.assertEqual(two.get(RoomTwo, "c"), RoomTwo("three", 3))
        three = two.reopened(records=(RoomThree,))
        expected = [("a", RoomThree(("one",), 1)), ("b", RoomThree(("",), 0)), ("c", RoomThree(("three",), 3))]
        self.assertEqual(three.read(everything, RoomThree), expected)
        three.put("a", RoomThree(("one", "uno"), 2, slow=True))
        self.assertEqual(three.reopened().get(RoomThree, "a"), RoomThree(("one", "uno"), 2, slow=True))

    def test_newer_is_refused(self) -> None:
        """What a newer daemon wrote is not touched by an older one, and the text says what to do."""
        newer = self.setting.reopened(records=(RoomTwo,))
        newer.put("a", RoomTwo("two", 2))
        newer.settle()
        for disk in (newer.disk.crashed(), newer.disk):
            refusal = self.assertRaises(CannotStart, newer.followed, disk, records=RECORDS)
            self.assertIn("room records of form 2002; this SecureHub knows up to 1002", str(refusal))

    def test_a_field_more_is_newer(self) -> None:
        """An older daemon could not read such a record, though its version is the same: it says so at its start, and not to members."""
        newer = self.setting.reopened(records=(RoomSince,))
        newer.put("a", RoomSince("two", 2))
        newer.settle()
        self.assertIn("form 1003", str(self.assertRaises(CannotStart, newer.followed, newer.disk, records=RECORDS)))
        self.assertEqual(newer.reopened().get(RoomSince, "a"), RoomSince("two", 2))

    # Records that vanish

    def test_receipt(self) -> None:
        """A record that expires is there for at least its lifetime, and gone after two generations, restarts or not."""
        for begin in (0.0, 1.0, SPAN * 0.5, SPAN - 1.0):
            for again in (None, Setting.crashed, Setting.reopened):
                setting = self.make_store()
                setting.live(begin)
                setting.put("a", Receipt("kept"))
                setting.live(SPAN - 1)
                setting.put("b", Receipt("later"))
                setting.settle()
                if again is not None:
                    setting = again(setting)
                self.assertEqual(setting.get(Receipt, "a"), Receipt("kept"), (begin, again))
                setting.live(SPAN - 1)
                if again is not None:
                    setting = again(setting)
                self.assertEqual(setting.get(Receipt, "b"), Receipt("later"), (begin, again))
                setting.live(3)
                self.assertIsNone(setting.get(Receipt, "a"), (begin, again))
                setting.live(SPAN)
                self.assertIsNone(setting.get(Receipt, "b"), (begin, again))

    def test_receipts_while_closed(self) -> None:
        """While the store is closed nothing gets older than by an hour, and nothing is younger for it."""
        self.setting.put("a", Receipt("kept"))
        late = self.setting.reopened(after=3 * SPAN)
        late.live(LIFETIME - 1)
        self.assertEqual(late.get(Receipt, "a"), Receipt("kept"))
        again = late.reopened(after=3 * SPAN)
        again.live(2 * SPAN - 2 * MOST)
        self.assertIsNone(again.get(Receipt, "a"))

    def test_receipts_and_a_clock_that_is_set_right(self) -> None:
        """
        When the clock is set forward by days, what is of this minute is there for its lifetime all the same, and gone in the end. So it is
        if the store is closed or falls before, at once after that, or later.
        """
        for begin in range(0, SPAN, 300):
            for again in (None, Setting.crashed, Setting.reopened):
                for before, behind in ((again, None), (None, again)):
                    self.set_right(begin, before, behind)

    def set_right(self, begin: float, before: Callable[[Setting], Setting] | None, behind: Callable[[Setting], Setting] | None) -> None:
        """
        Set the clock forward.

        @param begin: the age of the store.
        @param before: what becomes of the store before anything is committed by the new time.
        @param behind: likewise, after that.
        """
        setting = self.make_store()
        setting.live(begin)
        setting.put("a", Receipt("before"))
        setting.settle()
        setting.wall += 3 * 24 * 3600 + begin
        if before is not None:
            setting = before(setting)
        setting.put("b", Receipt("behind"))
        setting.settle()
        if behind is not None:
            setting = behind(setting)
        setting.live(LIFETIME - 1)
        case = begin, before, behind
        self.assertEqual((setting.get(Receipt, "a"), setting.get(Receipt, "b")), (Receipt("before"), Receipt("behind")), case)
        setting = setting.crashed()
        self.assertEqual((setting.get(Receipt, "a"), setting.get(Receipt, "b")), (Receipt("before"), Receipt("behind")), case)
        setting.live(2 * SPAN)
        self.assertEqual((setting.get(Receipt, "a"), setting.get(Receipt, "b")), (None, None), case)

    def test_receipts_of_a_machine_that_sleeps(self) -> None:
        """They go though the machine sleeps through nearly all of the time: each pause counts for an hour."""
        setting = self.make_store()
        setting.put("a", Receipt("kept"))
        for _ in range(3):
            setting.settle()
            setting.wall += 8 * 3600
            setting.put("lobby", Room())
        self.assertIsNone(setting.get(Receipt, "a"))

    def test_receipt_deleted_and_replaced(self) -> None:
        """It can be replaced, which makes it last anew, and be deleted."""
        self.setting.put("a", Receipt("one"))
        self.setting.live(SPAN)
        self.setting.put("a", Receipt("two"))
        self.setting.live(SPAN - 1)
        self.assertEqual(self.setting.get(Receipt, "a"), Receipt("two"))
        self.setting.transact(lambda tx: tx.delete(Receipt, "a"))
        self.assertIsNone(self.setting.get(Receipt, "a"))
        self.assertIsNone(self.setting.reopened().get(Receipt, "a"))
