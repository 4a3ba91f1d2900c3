"""
What agents do about orders, and with points: in one commit with what shows it, within their limits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from securehub.event import ToOthers
from securehub.members import Member
from securehub.refusals import Forbidden, LimitExceeded, NotFound
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.records import Transfer, transfer_key
from securehub.services.ledger.watching import set_watched
from securehub.services.loyalty.records import Card
from securehub.services.messages import Receipt
from securehub.services.orders import caring as orders
from securehub.services.orders import selling
from securehub.services.support import caring, cases, giving
from securehub.services.support.giving import Allowance
from securehub.services.support.records import Case, Given, case_key
from tests.rules import test_orders
from tests.rules.money import noting
from tests.rules.setting import CURRENCIES, amount
from tests.store.setting import put

SESSION = 7
ALLOWED = Allowance({"USD": 500}, {"USD": 800}, act_points=50, day_points=80)


class AboutAnOrder(test_orders.Shopping):
    """Alice has a case about an order with bob; Ann sees to it."""

    def setUp(self) -> None:
        super().setUp()
        self.number = self.order("coffee", 4).order
        self.ask_desk(self.number)
        self.heard()

    def ask_desk(self, order: int | None = None) -> None:
        """Alice opens a case, which Ann takes."""
        given = {"orders": [lambda tx, customer, number: {}], "limit": 9, "at": self.at}
        asked = self.do(cases.ask, "alice", "help", None, order, SESSION, **given)
        self.do(cases.take, asked.ticket, "ann", SESSION, at=self.at)

    def case(self) -> Case:
        found: Case = self.setting.get(Case, case_key(1))
        return found

    def give_back(self, units: str, order: int | None = None, by: str = "ann") -> caring.OrderRefunded:
        given = (1, by, amount(units), order, "cold", ALLOWED, [orders.REFUND], SESSION)
        return self.do(caring.refund_order, *given, **self.booking)

    def refused_give_back(self, refusal: Any, text: str, units: str, order: int | None = None, known: Any = (orders.REFUND,)) -> None:
        given = (1, "ann", amount(units), order, "cold", ALLOWED, known, SESSION)
        self.refused(refusal, text, caring.refund_order, *given, **self.booking)
        self.assertEqual((self.case().seq, self.heard()), (1, []))

    def said(self) -> tuple[str, Receipt | None]:
        """What was said in the case, and what it shows."""
        (said,) = {(told.event.said, told.event.receipt) for _, told in self.heard() if isinstance(told, ToOthers)}
        return said

    def points(self, count: int) -> caring.PointsGiven:
        return self.do(caring.give_points, 1, "ann", count, "", ALLOWED, SESSION, **self.booking)

    def refused_points(self, text: str, count: int) -> None:
        self.refused(LimitExceeded, text, caring.give_points, 1, "ann", count, "", ALLOWED, SESSION, **self.booking)


class OrderRefundTests(AboutAnOrder):
    """The order counts what went back, and so does the agent's day."""

    def test_given_back(self) -> None:
        before = self.card().points
        back = self.give_back("5")
        self.assertEqual((back.order, back.amount, back.left, back.seq), (self.number, "5.00", "3.00", 2))
        self.assertEqual((self.found(self.number).refunded, self.card().points), (500, before - 5))
        assert back.transfer is not None
        receipt = Receipt("bob", "alice", "5.00", "USD", transfer=back.transfer)
        self.assertEqual(self.said(), (f"refunded 5.00 USD of order 1 (transfer {back.transfer}): cold", receipt))
        transfer = self.setting.get(Transfer, transfer_key(back.transfer))
        self.assertEqual((transfer.by, transfer.kind, transfer.memo), ("ann", "refund", "cold"))
        self.heard()
        self.refund(self.number)
        self.assertEqual((self.found(self.number).refunded, self.balance("alice")), (1000, "100.00"))

    def test_what_watchers_are_told(self) -> None:
        """The same as if the seller had given it back."""
        told: set[str] = set()
        self.do(set_watched, "alice", True)
        given = (1, "ann", amount("5"), None, "", ALLOWED, [orders.REFUND], SESSION)
        back = self.do(caring.refund_order, *given, **self.booking | {"watchers": (noting(told),)})
        self.assertEqual(told, {"refund 500 from bob to alice"})
        self.assertEqual(self.said()[0], f"refunded 5.00 USD of order 1 (transfer {back.transfer})")

    def test_limits(self) -> None:
        """The agent's, and what is left of the order."""
        self.refused_give_back(LimitExceeded, "up to 5.00 USD at once", "5.01")
        self.refund(self.number, back="9")
        self.heard()
        self.refused_give_back(LimitExceeded, "1.00 USD of order 1 is left", "2")
        self.assertIsNone(self.setting.get(Given, "ann"))

    def test_which_order(self) -> None:
        """The customer's alone."""
        self.refused_give_back(NotFound, "alice has no order 9", "1", order=9)
        self.refused_give_back(NotFound, "alice has no order 1", "1", known=())
        self.order("coffee", 1, customer="alice")
        self.assertEqual(self.give_back("1", order=2).order, 2)

    def test_ones_own_shop(self) -> None:
        """A seller who is an agent gives nothing back as an agent."""
        self.do(put, "bob", Member(1, roles=("agent", "seller")))
        self.do(cases.pass_on, 1, "ann", "bob", "", SESSION, at=self.at)
        given = (1, "bob", amount("1"), None, "", ALLOWED, [orders.REFUND], SESSION)
        self.refused(Forbidden, "order 1 is with you", caring.refund_order, *given, **self.booking)

    def test_gone(self) -> None:
        self.pay("bob", "alice", "10")
        self.heard()
        self.refused_give_back(InsufficientFunds, "bob has less than the 1.00 USD", "1")

    def test_what_is_held(self) -> None:
        """Nothing was paid yet, so nothing is paid back; so much less will be paid."""
        self.do(selling.set_shop, "bob", True, 3)
        number = self.order("coffee", 2).order
        self.heard()
        back = self.give_back("1", order=number)
        self.assertEqual((back.transfer, self.found(number).refunded), (None, 100))
        self.assertEqual(self.said(), ("refunded 1.00 USD of order 2: cold", None))
        self.advance(number, "delivered")
        self.assertEqual(self.balance("bob"), "14.00")


class PointsTests(AboutAnOrder):
    """Points that no order brought."""

    def test_given(self) -> None:
        before = self.card().points
        given = self.points(50)
        self.assertEqual((given.points, given.balance, given.left, given.seq), (50, before + 50, 30, 2))
        self.assertEqual(self.setting.get(Card, "alice").points, before + 50)

    def test_limits(self) -> None:
        """At once and in a day, apart from money."""
        self.refused_points("up to 50 points at once; this is 51", 51)
        self.points(50)
        self.refused_points("50 of 80 points for a day already; this is 31", 31)
        self.give_back("5")
        self.assertEqual(self.setting.get(Given, "ann").units, {"points": 50, "USD": 500})
        self.at += timedelta(days=1)
        self.assertEqual(self.points(50).left, 30)

    def test_allowance(self) -> None:
        self.points(20)
        *_, row = self.ask(giving.allowance_of, "ann", ALLOWED, CURRENCIES, self.at.date()).items
        self.assertEqual((row.currency, row.act, row.day, row.given), ("points", "50", "80", "20"))
