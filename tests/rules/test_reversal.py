"""
Reversals: a linked entry in the opposite direction, once, and only of money that is there.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from securehub.members import Member
from securehub.refusals import Conflict, NotFound
from securehub.services.ledger import books, holds
from securehub.services.ledger.limits import set_limits
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.records import Transfer, transfer_key
from securehub.services.ledger.reversal import Reversed, reverse
from tests.rules.money import Money
from tests.rules.setting import amount
from tests.store.setting import put


class ReversalTests(Money):
    """A treasurer undoes what should not have been."""

    def setUp(self) -> None:
        super().setUp()
        self.do(put, "tom", Member(1, roles=("treasurer",)))
        self.deposited = self.deposit("alice", "50").transfer
        self.paid = self.pay("alice", "bob", "20", "for the wrong thing").transfer
        self.heard()

    def reverse(self, number: int) -> Reversed:
        return self.do(reverse, number, "a mistake", "tom", at=self.at, zone=UTC)

    def refused_reverse(self, refusal: Any, text: str, number: int) -> None:
        self.refused(refusal, text, reverse, number, "a mistake", "tom", at=self.at, zone=UTC)

    def test_transfer(self) -> None:
        """All of it goes back; the new transfer names the old one, and says who did it and why."""
        self.at += timedelta(minutes=1)
        undone = self.reverse(self.paid)
        self.assertEqual((undone.of, undone.amount, undone.currency), (self.paid, "20.00", "USD"))
        self.assertEqual((self.balance("alice"), self.balance("bob")), ("50.00", "0.00"))
        kept = self.setting.get(Transfer, transfer_key(undone.transfer))
        self.assertEqual((kept.kind, kept.reference, kept.by, kept.memo), ("reversal", f"transfer/{self.paid}", "tom", "a mistake"))
        self.assertEqual(self.setting.get(Transfer, transfer_key(self.paid)).memo, "for the wrong thing")
        rows = self.ask(books.history_of, "alice", None, limit=9, before=None).items
        self.assertEqual([row.kind for row in rows], ["reversal", "transfer", "deposit"])

    def test_both_hear(self) -> None:
        """Whoever has it back, and whoever has it no more."""
        self.reverse(self.paid)
        heard = dict(self.heard())
        self.assertEqual((heard["member/alice"].amount, heard["member/alice"].from_name), ("20.00", "bob"))
        undone = heard["member/bob"]
        self.assertEqual((undone.of, undone.reason, undone.balance), (self.paid, "a mistake", "0.00"))

    def test_once(self) -> None:
        first = self.reverse(self.paid)
        self.refused_reverse(Conflict, f"undone already, by transfer {first.transfer}", self.paid)
        self.refused_reverse(Conflict, "is a reversal itself", first.transfer)

    def test_money_that_is_gone(self) -> None:
        """What the payee has spent, or holds for somebody, cannot be taken back; nor is any of it."""
        self.pay("bob", "alice", "0.01")
        self.refused_reverse(InsufficientFunds, "Balance is 19.99 USD, 20.00 USD is needed", self.paid)
        self.deposit("bob", "0.01")
        self.do(holds.hold, "bob", "alice", amount("1"), timedelta(1), "", None, limit=1, at=self.at, zone=UTC)
        self.refused_reverse(InsufficientFunds, "of which 1.00 USD is held", self.paid)
        self.deposit("bob", "1")
        self.reverse(self.paid)

    def test_cash(self) -> None:
        """What was paid in goes out again, and what was paid out comes back."""
        self.deposit("alice", "20")
        self.reverse(self.deposited)
        self.assertEqual(self.balance("alice"), "0.00")
        withdrawn = self.withdraw("bob", "5").transfer
        self.heard()
        self.reverse(withdrawn)
        self.assertEqual((self.balance("bob"), [channel for channel, _ in self.heard()]), ("20.00", ["member/bob"]))

    def test_erased(self) -> None:
        """Nothing goes back to somebody who is erased, nor is it taken from them, even if they had a credit line."""
        self.do(set_limits, "bob", {"credit": amount("100")}, at=self.at, zone=UTC)
        self.pay("bob", "alice", "20")
        back = self.pay("alice", "bob", "5").transfer
        self.pay("bob", "alice", "5")
        self.do(put, "bob", Member(2, erased=self.at))
        self.refused_reverse(Conflict, f"the member of account {self.bob} is erased", self.paid)
        self.refused_reverse(Conflict, f"the member of account {self.bob} is erased", back)
        self.do(put, "bob", Member(2))
        self.do(put, "alice", Member(3, erased=self.at))
        self.refused_reverse(Conflict, f"the member of account {self.alice} is erased", self.paid)

    def test_no_such_transfer(self) -> None:
        self.refused_reverse(NotFound, "no transfer", 99)
