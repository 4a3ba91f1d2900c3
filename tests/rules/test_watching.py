"""
Watchers of movements: who is told of what, and what becomes of their warnings.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any, ClassVar

from securehub.members import Member
from securehub.refusals import Conflict
from securehub.services.ledger import holds, movement, requests, reversal, schedules
from securehub.services.ledger.records import Account
from securehub.services.ledger.watching import Movement, set_watched
from securehub.store.records import Record, number_key
from securehub.store.suspicious import SuspiciousStore
from tests.rules import setting
from tests.rules.setting import Rules, amount
from tests.store.setting import Setting, put


class Note(Record, frozen=True):
    """What a watcher keeps, by member and number."""

    collection: ClassVar[str] = "note"

    text: str


class Tally(Record, frozen=True):
    """How often a watcher was told, by member."""

    collection: ClassVar[str] = "tally"
    scanned: ClassVar[bool] = False

    times: int = 0


def note(tx: Any, told: Movement) -> list[str]:
    """A watcher that looks at a record of its own, though the movement has its number by then."""
    tally = tx.get(Tally, told.payer) or Tally()
    tx.put(told.payer, Tally(tally.times + 1))
    tx.put(f"{told.payer}/{told.number:015d}", Note(f"{told.kind} {told.units} to {told.payee} {told.reference}".strip()))
    return [f"that is number {tally.times + 1}"] if tally.times else []


class Watching(Rules):
    """A ledger with two members."""

    def setUp(self) -> None:
        super().setUp()
        self.setting = Setting(SuspiciousStore, records=(*setting.RECORDS, Note, Tally))
        self.alice, self.bob = self.open("alice"), self.open("bob")
        self.book(movement.deposit, "alice", amount("100"), "", "t")

    def book(self, rule: Any, *args: Any) -> Any:
        return self.do(rule, *args, at=self.at, watchers=(note,))

    def pay(self, payer: str, to: str) -> tuple[str, ...]:
        warnings: tuple[str, ...] = self.book(movement.pay, payer, to, amount("1"), "", None).warnings
        return warnings

    def notes(self, owner: str) -> list[str]:
        return [each.text for _, each in self.ask(lambda tx: list(tx.scan(Note, f"{owner}/")))]

    def test_nobody_watches(self) -> None:
        """Nobody is told of movements between accounts that are not watched."""
        self.assertEqual(self.pay("alice", "bob"), ())
        self.assertEqual(self.notes("alice"), [])

    def test_either_side(self) -> None:
        """Whichever side is watched, the watcher is told, and its warnings are in the reply; not in that of anybody but the payer."""
        self.do(set_watched, "bob", True)
        self.assertEqual(self.pay("alice", "bob"), ())
        self.assertEqual(self.pay("bob", "alice"), ())
        self.assertEqual(self.pay("alice", "bob"), ("that is number 2",))
        self.assertEqual(self.notes("alice"), ["transfer 100 to bob"] * 2)
        booked = self.book(movement.withdraw, "bob", amount("1"), "", "t")
        self.assertEqual(booked.status(), "Transfer 5: 1.00 USD from bob.")
        self.assertEqual(self.notes("bob"), ["transfer 100 to alice", "withdrawal 100 to @cash"])
        self.pay("alice", "bob")
        paid = self.book(movement.pay, "bob", "alice", amount("1"), "", None)
        self.assertEqual(paid.status(), "Transfer 7: 1.00 USD to alice. Balance 0.00 USD. Warning: that is number 3.")

    def test_what_one_books_for_oneself(self) -> None:
        """Whoever books as a treasurer what they pay themselves is warned: it is their own business."""
        self.do(put, "alice", Member(1, roles=("treasurer",)))
        self.do(set_watched, "alice", True)
        self.pay("alice", "bob")
        booked = [self.book(movement.withdraw, "alice", amount("1"), "", "alice")]
        held = self.do(holds.hold, "alice", "bob", amount("1"), timedelta(1), "", None, limit=1, at=self.at, zone=UTC)
        booked.append(self.do(holds.capture, held.hold, None, "alice", at=self.at, zone=UTC, watchers=(note,)))
        paid = self.book(movement.pay, "bob", "alice", amount("1"), "", None).transfer
        booked.append(self.do(reversal.reverse, paid, "no", "alice", at=self.at, zone=UTC, watchers=(note,)))
        self.assertEqual([each.warnings for each in booked], [(f"that is number {number}",) for number in (2, 3, 4)])

    def test_requests(self) -> None:
        """Whoever accepts a request pays like anybody else."""
        self.do(set_watched, "alice", True)
        self.pay("alice", "bob")
        asked = self.do(requests.ask, "bob", "alice", amount("1"), "", None, timedelta(1), limit=1, at=self.at, zone=UTC)
        accepted = self.do(requests.accept, asked.request, "alice", None, at=self.at, zone=UTC, watchers=(note,))
        self.assertEqual(accepted.warnings, ("that is number 2",))
        self.assertEqual(self.notes("alice")[-1], f"transfer 100 to bob request/{asked.request}")

    def test_schedules(self) -> None:
        """What a schedule pays is told like anything else."""
        self.do(put, "alice", Member(1))
        self.do(set_watched, "alice", True)
        args = ("alice", "bob", amount("1"), "once", None, None, "rent", None)
        made = self.do(schedules.schedule, *args, limit=1, at=self.at, zone=UTC).schedule
        self.do(schedules.run, number_key(made), at=self.at, zone=UTC, watchers=(note,))
        self.assertEqual(self.notes("alice"), [f"transfer 100 to bob schedule/{made}"])

    def test_what_it_is_told(self) -> None:
        """All that there is to know of a movement, each in its place."""

        def keep(tx: Any, told: Movement) -> list[str]:
            tx.put("bob", Note(repr(tuple(told)[2:])))
            return []

        self.do(set_watched, "bob", True)
        self.do(movement.pay, "alice", "bob", amount("1"), "for lunch", None, at=self.at, watchers=(keep,))
        told = ("transfer", "alice", "bob", self.alice, self.bob, 100, "USD", "for lunch", "")
        self.assertEqual(self.setting.get(Note, "bob").text, repr(told))

    def test_no_longer(self) -> None:
        """Whoever is not watched any more is not told of, either."""
        self.do(set_watched, "alice", True)
        self.pay("alice", "bob")
        self.do(set_watched, "alice", False)
        self.pay("alice", "bob")
        self.assertEqual(len(self.notes("alice")), 1)

    def test_a_watcher_that_refuses(self) -> None:
        """That is a fault of its own; nothing is moved."""

        def refuse(tx: Any, told: Movement) -> list[str]:
            raise Conflict("I do not like it")

        self.do(set_watched, "alice", True)
        args = ("alice", "bob", amount("1"), "", None)
        self.assertRaises(AssertionError, self.do, movement.pay, *args, at=self.at, watchers=(refuse,))
        self.assertEqual(self.setting.get(Account, self.bob).balance, 0)

    def test_all_accounts(self) -> None:
        """All accounts of a member are watched, those that are opened later as well; nobody else's."""
        savings = self.open("alice", "savings")
        self.do(set_watched, "alice", True)
        later = self.open("alice", "later")
        self.assertTrue(all(self.setting.get(Account, number).watched for number in (self.alice, savings, later)))
        self.assertFalse(self.setting.get(Account, self.bob).watched)
        self.do(set_watched, "nobody", True)
