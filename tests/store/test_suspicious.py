"""
The suspicious store catches rules that break a rule of the design's, and lets good ones pass.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from securehub.event import Event, ToOthers
from securehub.refusals import Conflict
from securehub.store.suspicious import MAX_EVENT, BrokenRule, SuspiciousStore
from tests.store import contract
from tests.store.setting import RECORDS, Message, Receipt, Room, Said, Setting, everything, put, say


def scan(tx: Any, prefix: str, **bounds: Any) -> int:
    """Scan, and put what was found."""
    return len(everything(tx, Message, prefix, **bounds))


class Suspicion(SynchronousTestCase):
    """What the store says to one rule."""

    def setUp(self) -> None:
        self.setting = Setting(SuspiciousStore)
        self.setting.transact(say, "lobby", "hello")
        self.heard = list(self.setting.announcer.heard)

    def good(self, rule: Callable[..., Any], *args: Any) -> Any:
        return self.setting.transact(rule, *args)

    def bad(self, text: str, rule: Callable[..., Any], *args: Any) -> None:
        """The rule is caught with a text like that, and nothing comes of it."""
        before = self.setting.topics()
        broken = self.assertRaises(BrokenRule, self.setting.transact, rule, *args)
        self.assertIn(text, str(broken))
        self.assertEqual(self.setting.topics(), before)
        self.assertEqual(self.setting.announcer.heard, self.heard)

    # One outcome, whenever and wherever it runs

    def test_same(self) -> None:
        """A rule of its arguments alone passes, and takes effect once."""
        self.assertEqual(self.good(say, "lobby", "again"), 2)
        self.assertEqual(len(self.setting.announcer.heard), 2)
        self.assertEqual(self.setting.store.number, 2)

    def test_result(self) -> None:
        """A result that comes from elsewhere."""
        count = itertools.count()
        self.bad("depends on more than its arguments", lambda tx: next(count))

    def test_thread(self) -> None:
        """A result that depends on the thread."""
        self.bad("depends on more than its arguments", lambda tx: threading.get_ident())

    def test_refusal(self) -> None:
        """A refusal that comes at times, and one whose text varies."""
        count = itertools.count()

        def at_times(tx: Any) -> None:
            if next(count) % 2:
                raise Conflict("no")

        def varies(tx: Any) -> None:
            raise Conflict(f"no {next(count)}")

        self.bad("depends on more than its arguments", at_times)
        self.bad("depends on more than its arguments", varies)

    def test_same_refusal(self) -> None:
        """A rule that refuses for good passes, as the refusal that it is."""

        def refuse(tx: Any) -> None:
            raise Conflict("no")

        self.assertRaises(Conflict, self.good, refuse)

    def test_changes(self) -> None:
        """Records, events and numbers that differ from run to run."""
        count = itertools.count()
        self.bad("depends on more", lambda tx: tx.put("lobby", Room(f"{next(count)}")))
        self.bad("depends on more", lambda tx: tx.put(f"room{next(count)}", Room()))
        self.bad("depends on more", lambda tx: tx.announce("lobby", Said(next(count))))
        self.bad("depends on more", lambda tx: [tx.number("a") for _ in range(next(count))] and None)
        self.bad("depends on more", lambda tx: tx.delete(Room, "lobby") if next(count) % 2 else None)

    def test_spoiled_arguments(self) -> None:
        """A rule that changes an argument finds it changed when it runs again."""
        words = ["one", "two", "three", "four"]
        self.bad("depends on more", lambda tx, words: words.pop(), words)

    def test_lazy_result(self) -> None:
        """What is still looking when the transaction is over."""
        self.bad("goes on after the transaction", lambda tx: (tx.get(Room, key) for key in ("lobby",)))

    # Reads

    def test_read(self) -> None:
        """A read may look at whole collections, and is tried as well."""
        self.assertEqual(self.setting.read(everything, Message), [("lobby/000001", Message("hello"))])
        count = itertools.count()
        self.assertRaises(BrokenRule, self.setting.read, lambda tx: next(count))

    def test_changes_in_a_read(self) -> None:
        """A read that would change something."""
        for change in (
            lambda tx: tx.put("lobby", Room()),
            lambda tx: tx.delete(Room, "lobby"),
            lambda tx: tx.number("room"),
            lambda tx: tx.announce("lobby", Said(1)),
        ):
            broken = self.assertRaises(BrokenRule, self.setting.read, change)
            self.assertIn("changes something in a read", str(broken))

    # Scans

    def test_scan(self) -> None:
        """A scan beneath a parent that was got, with a limit, passes."""

        def rule(tx: Any) -> int:
            tx.fetch(Room, "lobby")
            return scan(tx, "lobby/", limit=10)

        self.assertEqual(self.good(rule), 1)

    def test_scan_without_limit(self) -> None:
        self.bad("without a limit", lambda tx: tx.get(Room, "lobby") and scan(tx, "lobby/"))

    def test_scan_without_parent(self) -> None:
        """A scan of a whole collection, or of a part that is not a parent's."""
        self.bad("which is no parent", lambda tx: tx.get(Room, "lobby") and scan(tx, "", limit=10))
        self.bad("which is no parent", lambda tx: tx.get(Room, "lobby") and scan(tx, "lobby/00", limit=10))

    def test_scan_before_the_parent(self) -> None:
        """A scan before the parent's record was got, or with another's."""
        self.bad("without getting the parent's record", lambda tx: scan(tx, "lobby/", limit=10))
        self.bad("without getting the parent's record", lambda tx: tx.get(Room, "attic") or scan(tx, "lobby/", limit=10))

    def test_scan_that_nobody_reads(self) -> None:
        """It is the asking that counts."""
        self.bad("without a limit", lambda tx: tx.scan(Message) and None)

    def test_beneath(self) -> None:
        """What holds for scans holds for those records that say what their parents are."""
        letters = contract.Letter
        self.setting, self.heard = Setting(SuspiciousStore, records=(*RECORDS, letters)), []
        self.setting.put("lobby", Room())
        self.good(lambda tx: tx.get(Room, "lobby") and len(list(tx.beneath(letters, "lobby", limit=1))))
        self.bad("without a limit", lambda tx: tx.get(Room, "lobby") and tx.beneath(letters, "lobby"))
        self.bad("without getting the parent's record", lambda tx: tx.beneath(letters, "lobby", limit=1))

    # Numbers

    def test_number_last(self) -> None:
        """A number after the last get, and gets of what was touched before, pass."""

        def rule(tx: Any) -> Any:
            tx.get(Room, "lobby")
            number = tx.number("room")
            tx.put(f"room{number}", Room())
            return tx.get(Room, "lobby"), tx.get(Room, f"room{number}"), tx.number("other")

        self.good(rule)

    def test_get_after_number(self) -> None:
        """Other records may be got and scanned after that, as long as it is not the number that says which."""

        def rule(tx: Any) -> Any:
            tx.number("room")
            return tx.get(Room, "lobby"), tx.get(Room, "attic"), scan(tx, "lobby/", limit=1)

        self.good(rule)

    def test_get_because_of_number(self) -> None:
        """A number that decides what is looked at; all keys could not be locked before it is drawn."""
        text = "looks at records whose keys depend on a number that it drew"
        self.bad(text, lambda tx: tx.get(Room, f"room{tx.number('room')}"))

        def fetch(tx: Any) -> None:
            if tx.number("room") < 1_000:
                tx.fetch(Room, "lobby")

        self.bad(text, fetch)

    def test_scan_because_of_number(self) -> None:
        self.bad(
            "depend on a number", lambda tx: tx.get(Room, "lobby") and scan(tx, "lobby/", start=f"lobby/{tx.number('a'):06d}", limit=1)
        )

    # Keys

    def test_keys(self) -> None:
        """Keys of any printable characters pass."""
        self.good(put, " é/\U0001d11e", Message("a"))

    def test_control_characters(self) -> None:
        """A key with a character below U+0020, wherever it is used."""
        self.bad("a character below U+0020", put, "a\tb", Room())
        self.bad("a character below U+0020", lambda tx: tx.get(Room, "a\x00"))
        self.bad("a character below U+0020", lambda tx: tx.delete(Room, "\x1f"))

    def test_mixed_keys(self) -> None:
        """Keys with and without a parent in one collection, in one transaction, in two, or after a start."""
        self.bad("some keys have a parent", put, "stray", Message("a"))
        self.bad("some keys have a parent", put, "a", Receipt("a"), "a/b", Receipt("a"))
        self.good(put, "a", Receipt("a"))
        self.setting = self.setting.reopened()
        self.heard = []
        self.bad("some keys have a parent", put, "a/b", Receipt("a"))
        self.bad("some keys have a parent", put, "attic/floor", Room())

    # Sizes

    def test_records(self) -> None:
        """256 records pass, one more does not, be they got, put or scanned."""

        def rooms(tx: Any, count: int) -> None:
            for number in range(count):
                tx.get(Room, f"{number}")
                tx.put(f"{number}", Room())

        self.good(rooms, 256)
        self.bad("more than 256 records", rooms, 257)
        self.bad("more than 256 records", lambda tx: [tx.get(Room, f"{number}") for number in range(257)])

    def test_bytes(self) -> None:
        """Half a mebibyte passes, even if it is got and put often; records of more than one together do not."""
        half = "x" * (512 * 1024)

        def often(tx: Any) -> None:
            for _ in range(5):
                tx.get(Room, "large")
                tx.put("large", Room(half))

        self.good(often)
        self.bad("more than 1048576 bytes", put, "a", Room(half), "b", Room(half))

    def test_event(self) -> None:
        """An event of under 16 KiB passes, a larger one does not."""
        self.good(lambda tx: tx.announce("lobby", Said(1, "x" * (MAX_EVENT - 100))))
        self.heard = list(self.setting.announcer.heard)
        self.bad("announces Said with", lambda tx: tx.announce("lobby", Said(1, "x" * MAX_EVENT)))

    # What nobody could make anything of

    def test_unreadable_record(self) -> None:
        """A record whose fields are not what its class says is found when it is put, not when somebody gets it."""
        odd: Any = 5
        self.bad("puts room 'attic', which cannot be read again", put, "attic", Room(odd))

    def test_no_text_for_a_key(self) -> None:
        """Neither to put under nor to look at."""
        odd: Any = 5
        self.bad("uses the key 5", put, odd, Room())
        self.bad("uses the key 5", lambda tx: tx.get(Room, odd))

    def test_untold_event(self) -> None:
        """An event that lacks something is found whoever listens, and in whichever form."""

        class Nameless(Event, frozen=True):
            def text(self) -> str:
                return "hello"

        class Textless(Event, frozen=True):
            method = "room.textless"

        class Opaque(Event, frozen=True):
            method = "room.opaque"
            what: Any

            def text(self) -> str:
                return "hello"

        class Odd(Opaque, frozen=True):
            def text(self) -> str:
                return self.what  # type: ignore[no-any-return]

        for said, text in (
            (Nameless(), "announces Nameless, which has no method"),
            (ToOthers(1, Nameless()), "announces Nameless, which has no method"),
            (Textless(), "announces Textless, which cannot be told: NotImplementedError()"),
            (Opaque(object()), "announces Opaque, which cannot be told: TypeError"),
            (Odd(5), "announces Odd, whose text is 5"),
        ):
            self.bad(text, lambda tx, said=said: tx.announce("lobby", said))
        self.good(lambda tx: tx.announce("lobby", Opaque(5)))
