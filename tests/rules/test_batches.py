"""
One payment to many: all or none, to the last cent and the last of them.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from securehub.members import Member
from securehub.money import Amount
from securehub.refusals import BadArgument, LimitExceeded, NotFound
from securehub.services.auth.records import Credential
from securehub.services.ledger import limits
from securehub.services.ledger.batches import MOST_PAYEES, PaidMany, Payment, pay_many, payments
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.watching import Movement, set_watched
from tests.rules.money import Money
from tests.rules.setting import amount
from tests.store.setting import put


class BatchTests(Money):
    """Alice has a hundred."""

    def setUp(self) -> None:
        super().setUp()
        self.carol = self.open("carol")
        self.deposit("alice", "100")
        self.heard()

    def pay_many(self, *pairs: tuple[str, str], **besides: Any) -> PaidMany:
        wanted = [Payment(to, amount(units)) for to, units in pairs]
        return self.do(pay_many, "alice", wanted, "shares", None, at=self.at, zone=UTC, **besides)

    def refused_many(self, refusal: Any, text: str, *pairs: tuple[str, str]) -> None:
        wanted = [Payment(to, amount(units)) for to, units in pairs]
        self.refused(refusal, text, pay_many, "alice", wanted, "", None, at=self.at, zone=UTC)

    def test_all(self) -> None:
        """Each has a transfer of its own and hears of it; one may be paid twice."""
        paid = self.pay_many(("bob", "10"), (self.carol, "20.5"), ("bob", "0.5"))
        self.assertEqual((paid.total, paid.balance), ("31.00", "69.00"))
        self.assertEqual(
            [(row.to, row.to_name, row.amount) for row in paid.payments][1:], [(self.carol, "carol", "20.50"), (self.bob, "bob", "0.50")]
        )
        self.assertEqual((self.balance("bob"), self.balance("carol"), self.balance("alice")), ("10.50", "20.50", "69.00"))
        self.assertEqual(
            [(channel, event.memo) for channel, event in self.heard()], [(f"member/{name}", "shares") for name in ("bob", "carol", "bob")]
        )
        numbers = [row.transfer for row in paid.payments]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_or_none(self) -> None:
        """One that cannot be paid keeps all from it; what lacks is told of all of it."""
        self.refused_many(InsufficientFunds, "Balance is 100.00 USD, 100.01 USD is needed", ("bob", "50"), ("carol", "50.01"))
        self.refused_many(NotFound, "no member nobody", ("bob", "1"), ("nobody", "1"))
        self.refused_many(BadArgument, "same account", ("bob", "1"), ("alice", "1"))
        self.pay_many(("bob", "50"), ("carol", "50"))

    def test_limits(self) -> None:
        """Each counts for itself, and all of them for the day."""
        self.do(limits.set_limits, "alice", {"payment": amount("20"), "day": amount("30")}, at=self.at, zone=UTC)
        self.refused_many(LimitExceeded, "a payment may be up to 20.00 USD", ("bob", "1"), ("carol", "21"))
        self.refused_many(LimitExceeded, "15.00 USD of 30.00 USD for a day", ("bob", "15"), ("carol", "15.01"))
        self.pay_many(("bob", "15"), ("carol", "15"))
        self.refused_many(LimitExceeded, "30.00 USD of 30.00 USD", ("bob", "1"))

    def test_as_many_as_there_may_be(self) -> None:
        """Even if all are watched, the transaction is not too large."""
        names = [f"member{place}" for place in range(MOST_PAYEES)]
        for name in names:
            self.open(name)
        for name in ("alice", *names):
            self.do(put, name, Member(1))
            self.do(set_watched, name, True)
        self.do(limits.set_limits, "alice", {"day": amount("90")}, at=self.at, zone=UTC)
        paid = self.pay_many(*((name, "1") for name in names), watchers=(take_note,))
        self.assertEqual((len(paid.payments), paid.warnings), (MOST_PAYEES, ("mind your budget",)))

    def test_form(self) -> None:
        """Pairs of words, or objects."""
        expected = (Payment("bob", Amount.parse("1.5")), Payment(self.carol, Amount.parse("2")))
        self.assertEqual(payments(f"Bob 1.50 {self.carol} 2"), expected)
        self.assertEqual(payments([{"to": "bob", "amount": "1.50"}, {"to": self.carol, "amount": 2}]), expected)
        wrong: tuple[Any, ...] = (
            *("", "bob", "bob 1 carol", "bob -1", "1 bob", [], ["bob"], [{"to": "bob"}], [{"to": "bob", "amount": 1.5}], [["bob", 1]]),
            *([{"to": "bob", "amount": True}], [{"to": 7, "amount": 1}], [{"to": "bob", "amount": 1, "memo": "x"}]),
        )
        self.assertEqual(len(payments("bob 1 " * MOST_PAYEES)), MOST_PAYEES)
        for given in (*wrong, "bob 1 " * (MOST_PAYEES + 1)):
            self.assertRaises(BadArgument, payments, given)


def take_note(tx: Any, movement: Movement) -> list[str]:
    """A watcher that looks at a record of either side, and keeps one for the movement, and one for each of them."""
    for name in (movement.payer, movement.payee):
        tx.get(Credential, name)
        tx.put(name, Credential(f"{name} at {movement.number}"))
    tx.put(f"note{movement.number}", Credential("noted"))
    return ["mind your budget"]
