"""
Orders: who may do what to them, what goes back, what is reserved and held.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any
from unittest import mock

from msgspec.structs import replace

from securehub.agenda import Due
from securehub.members import Member
from securehub.refusals import BadArgument, Conflict, Exists, Forbidden, LimitExceeded, NotFound
from securehub.services.ledger import books, holds, limits, movement, reversal
from securehub.services.ledger.exports import as_table
from securehub.services.ledger.movement import InsufficientFunds
from securehub.services.ledger.records import Account, Wallet
from securehub.services.loyalty import cards, promotions
from securehub.services.loyalty.terms import InsufficientPoints
from securehub.services.loyalty.usual import usual_programme
from securehub.services.orders import (
    caring,
    catalogue,
    escrow,
    looking,
    memory,
    placing,
    quotes,
    returns,
    selling,
    stepping,
    threads,
    words,
)
from securehub.services.orders.catalogue import OutOfStock
from securehub.services.orders.placing import Choice, Placed
from securehub.services.orders.records import Item, Order, Shop, Stock, order_key
from securehub.services.orders.states import STEPS
from securehub.services.orders.words import Wanted
from securehub.services.support import cases
from tests.rules.money import Money
from tests.rules.setting import CURRENCIES, amount
from tests.store.setting import everything, put

USD = CURRENCIES.default
USUAL = usual_programme(USD)


class Shopping(Money):
    """Bob sells, Alice buys; Tom is a treasurer."""

    def setUp(self) -> None:
        super().setUp()
        roles = {"alice": (), "bob": ("seller",), "tom": ("treasurer",), "ann": ("agent",), "sue": ("seller",)}
        for number, (name, own) in enumerate(roles.items()):
            self.do(put, name, Member(number, roles=own))
        self.deposit("alice", "100")
        self.item("coffee", "2.50", stock=10)
        self.item("cake", "3.33", stock=10)
        self.heard()

    @property
    def booking(self) -> dict[str, Any]:
        return {"at": self.at, "zone": UTC}

    def item(self, sku: str, price: str | None = None, seller: str = "bob", currency: str = "USD", **said: Any) -> catalogue.ItemSet:
        names = ("name", "price", "stock", "add", "unit", "tags", "low", "active")
        draft = catalogue.Draft(*(said.get(name) for name in names))._replace(price=price and amount(price))
        return self.do(catalogue.set_item, seller, sku, draft, CURRENCIES[currency], limit=5)

    def order(self, *wanted: Any, customer: str = "alice", **choice: Any) -> Placed:
        return self.do(placing.place, customer, pairs(wanted), Choice(**choice), USUAL, limit=9, **self.booking)

    def refused_order(self, refusal: Any, text: str, *wanted: Any, customer: str = "alice", **choice: Any) -> None:
        self.refused(refusal, text, placing.place, customer, pairs(wanted), Choice(**choice), USUAL, limit=9, **self.booking)

    def advance(self, number: int, status: str, by: str = "bob") -> stepping.Advanced:
        return self.do(stepping.advance, number, status, by, **self.booking)

    def cancel(self, number: int) -> stepping.Cancelled:
        return self.do(stepping.cancel, number, "alice", **self.booking)

    def refund(self, number: int, *returned: Any, back: str | None = None, by: str = "bob", on_stock: bool = True) -> returns.Refunded:
        given = (pairs(returned) or None, back and amount(back), "", by)
        return self.do(stepping.refund, number, *given, on_stock=on_stock, **self.booking)

    def quote(self, *wanted: Any, **choice: Any) -> quotes.Quoted:
        return self.do(quotes.quote, "alice", pairs(wanted), Choice(**choice), USUAL, seconds=60, **self.booking)

    def stock(self, sku: str) -> int:
        found: Stock = self.setting.get(Stock, sku)
        return found.count

    def card(self, owner: str = "alice") -> cards.CardShown:
        return self.ask(cards.card_of, owner, USUAL, at=self.at, zone=UTC)

    def found(self, number: int) -> Order:
        order: Order = self.setting.get(Order, order_key(number))
        return order


def pairs(words: Any) -> tuple[Wanted, ...]:
    return tuple(Wanted(sku, quantity) for sku, quantity in zip(words[::2], words[1::2], strict=True))


class CatalogueTests(Shopping):
    """What sellers offer."""

    def test_another_sellers(self) -> None:
        self.open("sue")
        draft = catalogue.Draft("mine", amount("1"), *[None] * 6)
        self.refused(Exists, "coffee of bob's", catalogue.set_item, "sue", "coffee", draft, USD, limit=5)

    def test_so_many(self) -> None:
        for number in range(3):
            self.item(f"more{number}", "1")
        draft = catalogue.Draft(None, amount("1"), *[None] * 6)
        self.refused(LimitExceeded, "5 are allowed", catalogue.set_item, "bob", "last", draft, USD, limit=5)
        self.item("coffee", "3")

    def test_price_with_limit(self) -> None:
        draft = catalogue.Draft(None, amount("10000000000.01"), *[None] * 6)
        self.refused(BadArgument, "up to 10000000000.00 USD", catalogue.set_item, "bob", "ship", draft, USD, limit=5)
        self.assertEqual(self.item("ship", "10000000000").price, "10000000000.00")

    def test_nowhere_to_be_paid(self) -> None:
        draft = catalogue.Draft(None, amount("1"), *[None] * 6)
        self.refused(NotFound, "bob has no account in HOURS", catalogue.set_item, "bob", "hour", draft, CURRENCIES["HOURS"], limit=5)

    def test_in_another_currency(self) -> None:
        """An item keeps its currency, which need not be said again; no other can be."""
        self.open("bob", "hours", "HOURS")
        self.item("lesson", "1", currency="HOURS", stock=5)
        changed = self.item("lesson", "1.5", add=1)
        self.assertEqual((changed.price, changed.currency, changed.stock), ("1.5", "HOURS", 6))
        draft = catalogue.Draft(None, amount("2"), *[None] * 6)
        self.refused(Conflict, "is in HOURS", catalogue.set_item, "bob", "lesson", draft, USD, exactly=True, limit=5)

    def test_tags(self) -> None:
        self.assertEqual(words.tags(" Hot, ,drink,hot "), ("drink", "hot"))
        self.assertEqual(len(words.tags(",".join("abcdefghij"))), 10)
        self.assertRaises(BadArgument, words.tags, ",".join("abcdefghijk"))

    def test_not_active(self) -> None:
        """It is found by its seller alone, keeps its stock, and comes back."""
        self.item("coffee", active=False)
        self.refused_order(NotFound, "no item coffee", "coffee", 1)
        for seller in (None, "bob"):
            listed = [row.sku for row in self.ask(catalogue.catalogue, seller, None, "", limit=9).items]
            self.assertEqual(listed, ["cake"])
        self.assertEqual([row.sku for row in self.ask(selling.stock_of, "bob", "", low=False, limit=9).items], ["cake", "coffee"])
        self.item("coffee", active=True)
        self.assertEqual(self.order("coffee", 10).total, "25.00")

    def test_names(self) -> None:
        """They are taken as they are written."""
        for sku in ("COFFEE", "a", "Box:3+1.x_y-z", "9" * 64):
            self.assertEqual(words.sku(sku), sku)
        for sku in ("", "-x", "a b", "a/b", "café", "a=1", "9" * 65, "x\n"):
            self.assertRaises(BadArgument, words.sku, sku)
        self.item("COFFEE", "9")
        self.assertEqual((self.order("coffee", 1).total, self.stock("coffee")), ("2.50", 9))
        self.refused_order(OutOfStock, "COFFEE: 0 left", "COFFEE", 1)

    def test_search(self) -> None:
        self.item("tea", "1", name="Té VERDE", tags=("hot", "leaf"))
        for text, expected in (
            ("te verde", ["tea"]),
            ("leaf", ["tea"]),
            ("le", []),
            ("c", ["cake", "coffee"]),
            (None, ["cake", "coffee", "tea"]),
        ):
            found = self.ask(catalogue.catalogue, "bob", text, "", limit=9)
            self.assertEqual([row.sku for row in found.items], expected, text)
        page = self.ask(catalogue.catalogue, None, None, "cake", limit=1)
        self.assertEqual(([row.sku for row in page.items], page.more, page.next), (["coffee"], True, "coffee"))
        with mock.patch.object(catalogue, "MOST_LOOKED_AT", 1):
            page = self.ask(catalogue.catalogue, None, "tea", "", limit=9)
            self.assertEqual((page.items, page.more, page.next), ([], True, "cake"))
            page = self.ask(catalogue.catalogue, None, "tea", "coffee", limit=9)
            self.assertEqual(([row.sku for row in page.items], page.more), (["tea"], False))
        self.item("X9-b", "1", name="Urn")
        self.assertEqual([row.sku for row in self.ask(catalogue.catalogue, "bob", "x9", "", limit=9).items], ["X9-b"])


class PlacingTests(Shopping):
    """Ordering, and what cannot be ordered."""

    def test_two_sellers(self) -> None:
        self.open("sue")
        self.item("pear", "1", seller="sue", stock=5)
        self.refused_order(BadArgument, "pear is sue's", "coffee", 1, "pear", 1)

    def test_two_currencies(self) -> None:
        self.open("bob", "hours", "HOURS")
        self.item("lesson", "1", currency="HOURS", stock=5)
        self.refused_order(BadArgument, "lesson is bob's, in HOURS", "coffee", 1, "lesson", 1)
        self.refused_order(NotFound, "alice has no account in HOURS", "lesson", 1)
        hours = self.open("alice", "hours", "HOURS")
        self.deposit(hours, "10")
        self.refused_order(Conflict, "is in USD, and the order in HOURS", "lesson", 1, source=self.alice)
        placed = self.order("lesson", 2)
        self.assertEqual((placed.total, placed.balance, placed.points, placed.order_count), ("2.0", "8.0", 0, 1))

    def test_account_of_ones_own(self) -> None:
        other = self.open("alice", "other")
        self.refused_order(InsufficientFunds, "Balance is 0.00 USD", "coffee", 1, source=other)
        self.refused_order(NotFound, "you have no account", "coffee", 1, source=self.bob)

    def test_who_does_not_sell(self) -> None:
        bob = self.setting.get(Member, "bob")
        for gone in (replace(bob, erased=self.at), replace(bob, locked="for now"), replace(bob, roles=())):
            self.do(put, "bob", gone)
            self.refused_order(Conflict, "bob does not sell at the moment", "coffee", 1)
            self.assertEqual(self.ask(catalogue.catalogue, None, None, "", limit=9).items, [])
        self.do(put, "bob", bob)
        self.assertEqual(self.order("coffee", 1).total, "2.50")

    def test_all_of_it_or_nothing(self) -> None:
        self.refused_order(OutOfStock, "cake: 10 left, 11 ordered", "coffee", 1, "cake", 11)
        self.refused_order(InsufficientFunds, "is needed", "coffee", 10, "cake", 10, source=self.open("alice", "empty"))
        self.assertEqual((self.stock("coffee"), self.card().order_count), (10, 0))

    def test_how_many(self) -> None:
        """However many are wanted, it is what is there that they are told of first, and then what one order may have."""
        wanted = words.items("coffee 999999999999999")
        self.refused(
            OutOfStock, "coffee: 10 left, 999999999999999 ordered", placing.place, "alice", wanted, Choice(), USUAL, limit=9, **self.booking
        )
        self.item("coffee", stock=1_000_000_000)
        self.refused_order(LimitExceeded, "coffee: one order has at most 10000, 10001 ordered", "coffee", 10_001)
        self.assertEqual(self.ask(placing.fill, pairs(("coffee", 10_000))).price, 2_500_000)
        for wrong in ("0", "-1", "1.5", "1e3", "9" * 16):
            self.assertRaises(BadArgument, words.items, f"coffee {wrong}")

    def test_low(self) -> None:
        """The seller is told once when it gets below."""
        self.item("coffee", low=8)
        self.order("coffee", 2)
        self.assertNotIn("orders.low", [event.method for _, event in self.heard()])
        self.order("coffee", 1)
        self.assertIn(("member/bob", 7), [(channel, event.stock) for channel, event in self.heard() if event.method == "orders.low"])
        self.order("coffee", 1)
        self.assertNotIn("orders.low", [event.method for _, event in self.heard()])


class StepTests(Shopping):
    """The states are those of the one table."""

    def test_every_step(self) -> None:
        """From each state to each, by the seller: what the protocol says, written down once more."""
        way = ("placed", "accepted", "preparing", "delivering", "delivered")
        for place, status in enumerate(way):
            for wanted in STEPS:
                number = self.order("coffee", 1).order
                if place:
                    self.advance(number, status)
                possible = way[place + 1 :] + (("cancelled",) if status != "delivered" else ())
                if wanted in possible:
                    self.assertEqual(self.advance(number, wanted).state, wanted)
                else:
                    self.refused(Conflict, f"order {number} is {status}", stepping.advance, number, wanted, "bob", **self.booking)
                if self.found(number).status not in ("delivered", "cancelled"):
                    self.advance(number, "cancelled")
                else:
                    self.item("coffee", add=1)
                    self.deposit("alice", "2.50")

    def test_customer(self) -> None:
        """Cancels while it is placed or accepted, and does nothing else."""
        for status in ("placed", "accepted", "preparing", "delivering"):
            number = self.order("coffee", 1).order
            if status != "placed":
                self.advance(number, status)
            if status in ("placed", "accepted"):
                self.assertEqual(self.cancel(number).state, "cancelled")
            else:
                self.refused(Conflict, f"is {status}, so it cannot be cancelled", stepping.cancel, number, "alice", **self.booking)
            self.refused(Forbidden, "that is for bob to say", stepping.advance, number, "accepted", "alice", **self.booking)

    def test_others(self) -> None:
        """Strangers learn nothing; treasurers may do what sellers may."""
        number = self.order("coffee", 1).order
        for rule, args in (
            (stepping.advance, ("accepted", "sue")),
            (stepping.cancel, ("sue",)),
            (stepping.advance, ("accepted", "ann")),
        ):
            self.refused(NotFound, f"there is no order {number}", rule, number, *args, **self.booking)
        self.assertRaises(NotFound, self.ask, looking.show, number, "sue")
        self.advance(number, "accepted", "tom")
        self.assertEqual([(step.status, step.by) for step in self.found(number).steps], [("placed", "alice"), ("accepted", "tom")])
        self.refused(Forbidden, "that is for alice", stepping.cancel, number, "tom", **self.booking)

    def test_money_is_gone(self) -> None:
        """A seller who has spent it cannot give it back; nothing has happened then."""
        number = self.order("coffee", 4).order
        self.withdraw("bob", "9")
        self.refused(InsufficientFunds, "bob has less than the 10.00 USD", stepping.cancel, number, "alice", **self.booking)
        self.assertEqual((self.found(number).status, self.stock("coffee"), self.card().points), ("placed", 6, 10))


class QueueTests(Shopping):
    """What a seller has to do."""

    def test_looked_at(self) -> None:
        """However many orders wait, only so many are looked at for those in one state, and one learns how to go on."""
        self.patch(looking, "MOST_LOOKED_AT", 3)
        numbers = [self.order("coffee", 1).order for _ in range(5)]
        for number in (numbers[1], numbers[4]):
            self.advance(number, "accepted")

        def queue(status: str | None, after: int | None = None, limit: int = 9) -> tuple[list[int], bool, int | None]:
            found = self.ask(looking.queue_of, "bob", status, limit=limit, after=after)
            return [row.order for row in found.items], found.more, found.next

        self.assertEqual(queue("accepted"), ([numbers[1]], True, numbers[2]))
        self.assertEqual(queue("accepted", numbers[2]), ([numbers[4]], False, None))
        self.assertEqual(queue("delivering"), ([], True, numbers[2]))
        self.assertEqual(queue(None, limit=2), (numbers[:2], True, numbers[1]))
        self.assertEqual(queue("accepted", limit=1, after=numbers[0]), ([numbers[1]], True, numbers[3]))
        self.assertEqual(queue(None, numbers[2]), (numbers[3:], False, None))

    def test_sold(self) -> None:
        """
        Orders are found again when they are over, newest first; nobody sees what a customer has ordered of others. However many there are,
        only so many are looked at, and one learns how to go on.
        """
        for name in ("ann", "sue"):
            self.open(name)
            self.deposit(name, "100")
        self.item("tea", "1.00", seller="sue", stock=10)
        first, second, third = (self.order("coffee", 1, customer=name).order for name in ("alice", "ann", "alice"))
        other = self.order("tea", 1).order
        self.advance(first, "delivered")
        self.advance(third, "cancelled")

        def sold(customer: str | None = None, status: str | None = None, **page: Any) -> tuple[list[int], int | None]:
            found = self.ask(looking.sold_by, "bob", customer, status, **{"limit": 9, "before": None, **page})
            self.assertEqual(found.more, found.next is not None)
            return [row.order for row in found.items], found.next

        self.assertEqual(sold(), ([third, second, first], None))
        self.assertEqual(sold(limit=2), ([third, second], second))
        self.assertEqual(sold(before=second), ([first], None))
        self.assertEqual(sold("alice"), ([third, first], None))
        self.assertEqual(sold("alice", "delivered"), ([first], None))
        self.assertEqual((sold("ann", "cancelled"), sold("nobody")), (([], None), ([], None)))
        self.patch(looking, "MOST_LOOKED_AT", 2)
        self.assertEqual(sold(status="delivered"), ([], second))
        self.assertEqual(sold(status="delivered", before=second), ([first], None))
        self.assertEqual(sold("alice"), ([third], third))
        self.assertEqual([row.order for row in self.ask(looking.sold_by, "sue", None, None, limit=9, before=None).items], [other])

    def test_what_came_back(self) -> None:
        """It is not to be prepared."""
        number = self.order("coffee", 3, "cake", 1).order
        self.refund(number, "coffee", 1, "cake", 1)
        (row,) = self.ask(looking.queue_of, "bob", None, limit=9, after=None).items
        self.assertEqual(row.items, [looking.Part("coffee", 2)])

    def test_many_lines(self) -> None:
        """What a seller asks about all orders is bounded by their lines as well."""
        for _ in range(2):
            self.order("coffee", 1, "cake", 1)
        for most, refused in ((4, False), (3, True)):
            self.patch(selling, "MOST_LINES", most)
            asked = (
                (selling.pack_list, ("bob",), {}, "advance those first"),
                (selling.best_sellers, ("bob", self.at), {"limit": 9}, "ask for a shorter time"),
                (selling.placed, ("bob", None, None), {}, "ask for a shorter time"),
            )
            for rule, args, given, instead in asked:
                if refused:
                    self.assertIn(instead, str(self.assertRaises(LimitExceeded, self.ask, rule, *args, **given)))
                else:
                    self.ask(rule, *args, **given)

    def test_many_orders(self) -> None:
        """And by how many they are."""
        self.patch(selling, "MOST_ROWS", 2)
        for _ in range(2):
            self.order("coffee", 1)
        self.assertEqual(len(self.ask(selling.placed, "bob", None, None)), 2)
        self.order("coffee", 1)
        self.assertIn("more than 2 orders", str(self.assertRaises(LimitExceeded, self.ask, selling.placed, "bob", None, None)))


class ReturnTests(Shopping):
    """What goes back, to the cent and to the point."""

    def test_parts_add_up(self) -> None:
        """Three thirds of what a discount has made odd."""
        self.do(put, "alice", cards.Card(points=100))
        placed = self.order("cake", 3, reward="off5")
        self.assertEqual((placed.total, placed.points), ("4.99", 4))
        self.advance(placed.order, "delivered")
        back = [self.refund(placed.order, "cake", 1) for _ in range(3)]
        self.assertEqual([each.amount for each in back], ["1.66", "1.66", "1.67"])
        self.assertEqual(sum(each.points for each in back), 96)
        self.assertEqual((self.balance("alice"), self.card().points, self.stock("cake")), ("100.00", 100, 10))

    def test_cancel_after_a_refund(self) -> None:
        number = self.order("cake", 3).order
        self.refund(number, "cake", 1, on_stock=False)
        self.refund(number, back="0.50")
        self.cancel(number)
        self.assertEqual((self.balance("alice"), self.card().points, self.stock("cake")), ("100.00", 0, 9))

    def test_amount_and_then_goods(self) -> None:
        """No more goes back than was paid."""
        number = self.order("cake", 2).order
        self.assertEqual(self.refund(number, back="6").refunded, "6.00")
        self.assertEqual(self.refund(number, "cake", 1).amount, "0.66")
        last = self.refund(number, "cake", 1)
        self.assertEqual((last.amount, last.transfer, self.stock("cake")), ("0.00", None, 10))
        self.refused(Conflict, "has gone back already", stepping.refund, number, None, None, "", "bob", on_stock=True, **self.booking)

    def test_below_zero(self) -> None:
        """Points that were used are taken back all the same."""
        number = self.order("coffee", 10).order
        self.do(put, "alice", replace(self.setting.get(cards.Card, "alice"), points=-3))
        self.cancel(number)
        self.assertEqual(self.card().points, -28)

    def test_not_in_it(self) -> None:
        number = self.order("cake", 2).order
        given = {"on_stock": True, **self.booking}
        self.refused(BadArgument, "no coffee in this order", stepping.refund, number, pairs(("coffee", 1)), None, "", "bob", **given)
        self.refused(LimitExceeded, "2 of 2 are left", stepping.refund, number, pairs(("cake", 3)), None, "", "bob", **given)
        self.refused(BadArgument, "decimals", stepping.refund, number, None, amount("0.001"), "", "bob", **given)
        self.cancel(number)
        self.refused(Conflict, "is cancelled", stepping.refund, number, None, None, "", "bob", **given)

    def test_erased_customer(self) -> None:
        number = self.order("cake", 2).order
        self.do(put, "alice", replace(Member(0), erased=self.at))
        self.refused(NotFound, "no member alice", stepping.refund, number, None, None, "", "bob", on_stock=True, **self.booking)

    def test_erased_seller(self) -> None:
        """Nothing is paid back out of the credit line of somebody who is erased."""
        number = self.order("cake", 2).order
        self.do(limits.set_limits, "bob", {"credit": amount("100")}, at=self.at, zone=UTC)
        self.do(put, "bob", Member(0, erased=self.at))
        self.refused(NotFound, "no member bob", stepping.refund, number, None, None, "", "tom", on_stock=True, **self.booking)

    def test_reversing(self) -> None:
        """Neither the payment of an order nor a refund can be undone beside it."""
        number = self.order("cake", 2).order
        self.refund(number, "cake", 1)
        for transfer in (2, 3):
            self.refused(Conflict, f"belongs to order {number}", reversal.reverse, transfer, "why not", "tom", **self.booking)


class EscrowTests(Shopping):
    """Money that is held until the order is delivered."""

    def setUp(self) -> None:
        super().setUp()
        self.do(selling.set_shop, "bob", True, 3)

    def held(self) -> str:
        return self.ask(books.balance_of, "alice", None).held

    def test_delivered(self) -> None:
        placed = self.order("coffee", 2)
        self.assertEqual((placed.held, placed.balance, self.held(), self.balance("bob")), (True, "100.00", "5.00", "0.00"))
        self.advance(placed.order, "accepted")
        self.assertEqual((self.held(), self.balance("bob"), self.setting.get(Shop, "bob").open), ("5.00", "0.00", 1))
        self.advance(placed.order, "delivered")
        self.assertEqual(self.setting.get(Shop, "bob").open, 0)
        self.assertEqual((self.balance("alice"), self.held(), self.balance("bob")), ("95.00", "0.00", "5.00"))
        self.assertEqual(self.ask(everything, Due), [])

    def test_only_the_order_ends_it(self) -> None:
        self.order("coffee", 2)
        for by in ("bob", "tom"):
            self.refused(Conflict, "belongs to order 1", holds.capture, 1, None, by, **self.booking)
            self.refused(Conflict, "belongs to order 1", holds.release, 1, by)

    def test_all_goes_back_while_it_is_held(self) -> None:
        number = self.order("coffee", 2).order
        self.refund(number, back="1.01")
        self.assertEqual((self.balance("alice"), self.held(), self.found(number).is_held), ("100.00", "3.99", True))
        self.refund(number)
        self.assertEqual((self.balance("alice"), self.held(), self.card().points), ("100.00", "0.00", 0))
        self.assertEqual(self.ask(everything, Due), [])
        self.advance(number, "delivered")
        self.assertEqual((self.balance("alice"), self.balance("bob")), ("100.00", "0.00"))

    def test_after_some_days(self) -> None:
        number = self.order("coffee", 2).order
        ((key, _),) = self.ask(everything, Due)
        self.assertTrue(key.startswith("2026-11-22T18:02"), key)
        self.do(escrow.end, order_key(number), **self.booking)
        self.assertEqual((self.balance("bob"), self.found(number).status), ("5.00", "placed"))
        self.do(escrow.end, order_key(number), **self.booking)
        self.cancel(number)
        self.assertEqual((self.balance("alice"), self.balance("bob")), ("100.00", "0.00"))

    def test_counts_once_for_the_day(self) -> None:
        """What was held counted for the customer's limits on the day of the order; when the days are over, the customer pays nothing."""
        self.do(limits.set_limits, "alice", {"day": amount("5")}, at=self.at, zone=UTC)
        number = self.order("coffee", 2).order
        self.assertEqual(self.ask(limits.limits_of, "alice", None, at=self.at, zone=UTC).spent, "5.00")
        self.at += timedelta(days=3)
        self.do(escrow.end, order_key(number), **self.booking)
        self.assertEqual(self.balance("bob"), "5.00")
        self.assertEqual(self.ask(limits.limits_of, "alice", None, at=self.at, zone=UTC).spent, "0.00")
        self.do(movement.pay, "alice", "bob", amount("5"), "", None, at=self.at, zone=UTC)

    def test_seller_cannot_be_paid(self) -> None:
        """It is tried again on the next day, and does not stand in the way of anything else."""
        number = self.order("coffee", 2).order
        account = self.setting.get(Account, self.bob)
        self.do(put, self.bob, replace(account, ceiling=1))
        self.at += timedelta(days=3)
        self.heard()
        self.do(escrow.end, order_key(number), **self.booking)
        self.assertEqual((self.held(), self.heard()), ("5.00", []))
        self.assertIn(f"2026-11-23T18:02:00.000000Z orders.escrow {order_key(number)}", [key for key, _ in self.ask(everything, Due)])
        self.do(put, self.bob, replace(account, ceiling=None))
        self.do(escrow.end, order_key(number), **self.booking)
        self.assertEqual((self.held(), self.balance("bob")), ("0.00", "5.00"))

    def test_so_many_held(self) -> None:
        """Neither an order nor a quote that is confirmed holds more than a member may have open."""
        self.order("coffee", 1)
        number = [self.quote("coffee", 1).quote for _ in range(2)][1]
        text, given = "1 are allowed", {"limit": 1, **self.booking}
        self.refused(LimitExceeded, text, placing.place, "alice", pairs(("coffee", 1)), Choice(), USUAL, **given)
        self.refused(LimitExceeded, text, quotes.confirm, number, "alice", USUAL, **given)

    def test_what_was_placed_keeps_what_it_had(self) -> None:
        number = self.order("coffee", 2).order
        self.assertEqual(self.do(selling.set_shop, "bob", False, None), selling.ShopSet(False, 3))
        self.assertEqual(self.do(selling.set_shop, "sue", True, None), selling.ShopSet(True, 14))
        self.assertEqual(self.do(selling.set_shop, "sue", None, 5), selling.ShopSet(True, 5))
        self.assertEqual(self.found(number).is_held, True)
        self.assertEqual(self.order("coffee", 1).held, False)


class QuoteTests(Shopping):
    """What is reserved."""

    def confirm(self, number: int) -> Placed:
        return self.do(quotes.confirm, number, "alice", USUAL, limit=9, **self.booking)

    def refused_confirm(self, refusal: Any, text: str, number: int, customer: str = "alice") -> None:
        self.refused(refusal, text, quotes.confirm, number, customer, USUAL, limit=9, **self.booking)

    def test_five(self) -> None:
        for _ in range(5):
            self.quote("coffee", 1)
        self.refused(
            LimitExceeded, "5 are allowed", quotes.quote, "alice", pairs(("coffee", 1)), Choice(), USUAL, seconds=60, **self.booking
        )
        self.confirm(1)
        self.do(quotes.discard, 2, "alice", at=self.at)
        self.do(quotes.expire, order_key(3), at=self.at)
        for _ in range(3):
            self.quote("coffee", 1)
        self.assertEqual(self.stock("coffee"), 4)

    def test_somebody_elses(self) -> None:
        self.quote("coffee", 1)
        self.refused_confirm(NotFound, "you have no quote 1", 1, "bob")
        self.refused(NotFound, "you have no quote 1", quotes.discard, 1, "bob", at=self.at)

    def test_over(self) -> None:
        """Also before the hub has come to ending it."""
        self.quote("coffee", 1)
        self.at += timedelta(seconds=60)
        self.refused_confirm(NotFound, "or it is over", 1)

    def test_price_stays(self) -> None:
        self.quote("coffee", 1)
        self.item("coffee", "99", name="Gold", active=False)
        placed = self.confirm(1)
        self.assertEqual((placed.total, self.found(placed.order).lines[0].name), ("2.50", "coffee"))

    def test_what_made_it_cheaper_is_gone(self) -> None:
        self.do(put, "alice", cards.Card(points=100))
        self.quote("cake", 3, reward="off5")
        self.do(put, "alice", cards.Card(points=99))
        self.refused_confirm(InsufficientPoints, "99 points", 1)
        self.do(put, "alice", cards.Card(points=100))
        self.assertEqual(self.confirm(1).total, "4.99")

    def test_dearer(self) -> None:
        """Nobody pays more than the quote says, and whoever pays less has the same goods."""

        def spring(percent: int) -> None:
            draft = promotions.Draft(None, percent, *[None] * 5)
            self.do(promotions.set_promotion, "bob", "spring", draft, USD, at=self.at, zone=UTC)

        spring(50)
        self.assertEqual(self.quote("coffee", 2, code="spring").total, "2.50")
        spring(49)
        self.refused_confirm(Conflict, "it costs 2.55 USD by now, and the quote says 2.50 USD", 1)
        spring(60)
        self.assertEqual((self.confirm(1).total, self.stock("coffee")), ("2.00", 8))

    def test_no_such_account(self) -> None:
        """What could never be paid is not reserved."""
        hours = self.open("alice", "time", "HOURS")
        bobs = self.open("bob", "other")
        for refusal, text, source in ((NotFound, f"you have no account {bobs}", bobs), (Conflict, "is in HOURS", hours)):
            choice = Choice(source=source)
            self.refused(refusal, text, quotes.quote, "alice", pairs(("coffee", 1)), choice, USUAL, seconds=60, **self.booking)

    def test_nobody_who_cannot_pay(self) -> None:
        """Otherwise somebody without money could keep all of a shop's goods from others, again and again."""
        self.withdraw("alice", "80")
        wanted = pairs(("coffee", 10))
        self.refused(
            InsufficientFunds, "Balance is 20.00 USD, 25.00", quotes.quote, "alice", wanted, Choice(), USUAL, seconds=60, **self.booking
        )
        self.assertEqual((self.stock("coffee"), self.ask(quotes.quotes_of, "alice").items), (10, []))
        self.quote("coffee", 8)

    def test_nothing_to_pay(self) -> None:
        """What costs nothing needs no money, as with an order: a credit that was taken back is no hindrance."""
        self.do(limits.set_limits, "alice", {"credit": amount("10")}, at=self.at, zone=UTC)
        self.withdraw("alice", "105")
        self.do(limits.set_limits, "alice", {"credit": None}, at=self.at, zone=UTC)
        draft = promotions.Draft(None, 100, *[None] * 5)
        self.do(promotions.set_promotion, "bob", "gift", draft, USD, at=self.at, zone=UTC)
        self.assertEqual(self.order("coffee", 1, code="gift").total, "0.00")
        self.assertEqual(self.quote("coffee", 1, code="gift").total, "0.00")
        self.assertEqual(self.confirm(1).total, "0.00")

    def test_not_enough_money(self) -> None:
        """The quote stays, for another try."""
        self.quote("coffee", 10)
        self.withdraw("alice", "80")
        self.refused_confirm(InsufficientFunds, "Balance is 20.00", 1)
        self.deposit("alice", "5")
        self.assertEqual(self.confirm(1).total, "25.00")


class SellingTests(Shopping):
    """What sellers want to know."""

    def test_takings_by_day(self) -> None:
        first = self.order("coffee", 2).order
        self.pay("alice", "bob", "7")
        self.at += timedelta(days=1)
        self.order("cake", 1)
        self.refund(first, "coffee", 1)
        self.at += timedelta(days=1)
        self.refund(first, "coffee", 1)
        days = [self.at.date() + timedelta(days=count) for count in (-2, -1, 0, 1)]
        rows = [self.ask(selling.takings, "bob", day, zone=UTC).items for day in days]
        told = [[(row.payments, row.paid, row.refunded, row.total) for row in each] for each in rows]
        expected = [[(1, "5.00", "0.00", "5.00")], [(1, "3.33", "2.50", "0.83")], [(0, "0.00", "2.50", "-2.50")], []]
        self.assertEqual(told, expected)

    def test_takings_are_of_orders(self) -> None:
        """What else is paid on a day is not among them; nor what a seller buys elsewhere, and has back of it."""
        self.open("sue")
        self.item("pear", "1", seller="sue", stock=5)
        self.pay("alice", "bob", "7")
        number = self.order("pear", 2, customer="bob").order
        self.refund(number, "pear", 1, by="sue")
        self.assertEqual(self.ask(selling.takings, "bob", self.at.date(), zone=UTC).items, [])

    def test_low(self) -> None:
        """Those of which fewer are left than the seller has said."""
        self.item("coffee", low=10)
        self.item("cake", low=11)
        self.assertEqual([row.sku for row in self.ask(selling.stock_of, "bob", "", low=True, limit=9).items], ["cake"])

    def test_too_much_on_a_day(self) -> None:
        """What is told of a day is all of it, or it is refused."""
        self.patch(selling, "MOST_ROWS", 1)
        self.order("coffee", 2)
        for _ in range(3):
            self.pay("alice", "bob", "1")
        self.assertEqual([row.paid for row in self.ask(selling.takings, "bob", self.at.date(), zone=UTC).items], ["5.00"])
        self.pay("alice", "bob", "1")
        self.assertRaises(LimitExceeded, self.ask, selling.takings, "bob", self.at.date(), zone=UTC)

    def test_best_since(self) -> None:
        number = self.order("coffee", 5).order
        self.refund(number, "coffee", 3)
        self.at += timedelta(days=1)
        self.order("cake", 3)
        for since, expected in ((0, [("cake", 3)]), (2, [("cake", 3), ("coffee", 2)])):
            found = self.ask(selling.best_sellers, "bob", self.at - timedelta(days=since), limit=9)
            self.assertEqual([(row.sku, row.quantity) for row in found.items], expected)

    def test_best_first(self) -> None:
        """By how much was sold, then by name; under the name that it had last."""
        self.item("bun", "1", stock=9)
        self.order("cake", 1, "coffee", 2)
        self.item("cake", name="Cheesecake")
        self.order("cake", 1, "bun", 1)
        found = self.ask(selling.best_sellers, "bob", self.at, limit=9)
        told = [(row.sku, row.name, row.quantity, row.orders, row.amount) for row in found.items]
        self.assertEqual(told, [("cake", "Cheesecake", 2, 2, "6.66"), ("coffee", "coffee", 2, 1, "5.00"), ("bun", "bun", 1, 1, "1.00")])

    def test_export_is_harmless(self) -> None:
        """Nothing that a customer wrote is a formula to the seller's spreadsheet."""
        self.order("coffee", 1, deliver_to="=1+1")
        text = "".join(as_table(selling._rows(self.ask(selling.placed, "bob", None, None), UTC)))
        self.assertTrue(text.endswith(",USD,'=1+1\n"), text)

    def test_nothing(self) -> None:
        """Whoever sells nothing is told so."""
        for rule, args in ((selling.pack_list, ()), (selling.best_sellers, (self.at,))):
            self.assertEqual(self.ask(rule, "alice", *args, **({"limit": 5} if args else {})).items, [])


class ThreadTests(Shopping):
    """Who is in an order's thread."""

    def say(self, by: str, text: str = "hello") -> int:
        return self.do(threads.say, 1, by, text, 7, at=self.at).seq

    def test_agents_while_there_is_a_case(self) -> None:
        self.order("coffee", 1)
        self.assertEqual([self.say("alice"), self.say("bob")], [1, 2])
        for by in ("ann", "sue", "tom"):
            self.refused(NotFound, "there is no order 1", threads.say, 1, by, "hello", 7, at=self.at)
        asked = {"orders": (caring.facts,), "limit": 5, "at": self.at}
        self.refused(NotFound, "bob has no order 1", cases.ask, "bob", "where is it?", None, 1, 7, **asked)
        ticket = self.do(cases.ask, "alice", "where is it?", None, 1, 7, **asked).ticket
        self.assertEqual(self.say("ann"), 3)
        self.refused(NotFound, "there is no order 1", threads.say, 1, "sue", "hello", 7, at=self.at)
        self.do(cases.take, ticket, "ann", 7, at=self.at)
        self.heard()
        self.assertEqual(self.say("bob"), 4)
        self.assertEqual([channel for channel, _ in self.heard()], ["member/alice", "member/bob", "member/ann"])
        self.do(cases.close, ticket, "ann", 7, keep=None, at=self.at)
        self.refused(NotFound, "there is no order 1", threads.say, 1, "ann", "hello", 7, at=self.at)
        found = self.ask(threads.log, 1, "bob", limit=2, before=None)
        self.assertEqual([(line.seq, line.from_) for line in found.items], [(4, "bob"), (3, "ann")])

    def test_an_agent_who_sells(self) -> None:
        """Who sees to the case about an order with themselves is told once."""
        self.order("coffee", 1)
        self.do(put, "bob", Member(1, roles=("agent", "seller")))
        ticket = self.do(cases.ask, "alice", "where is it?", None, 1, 7, orders=(caring.facts,), limit=5, at=self.at).ticket
        self.do(cases.take, ticket, "bob", 7, at=self.at)
        self.heard()
        self.say("alice")
        self.assertEqual([channel for channel, _ in self.heard()], ["member/alice", "member/bob"])

    def test_facts(self) -> None:
        """What canned replies may say."""
        number = self.order("coffee", 2).order
        self.refund(number, "coffee", 1)
        told = self.ask(caring.facts, "alice", number)
        self.assertEqual((told["status"], told["total"], told["refunded"], told["seller"]), ("placed", "5.00 USD", "2.50 USD", "bob"))
        self.assertRaises(NotFound, self.ask, caring.facts, "bob", number)


class MemoryTests(Shopping):
    """What is kept about members, and forgotten."""

    def keys(self, username: str, at_once: int) -> list[str]:
        return [each.key for each in self.pages(memory.remembered, username, at_once)]

    def forget(self, username: str) -> None:
        self.forget_all(memory.forget, username)

    def test_pages(self) -> None:
        """Whatever fits on a page, all of it comes once."""
        for _ in range(3):
            self.order("coffee", 1)
        self.quote("cake", 1)
        self.advance(1, "delivered")
        whole = self.keys("bob", 99)
        self.assertEqual(len(whole), 6)
        self.assertEqual([self.keys("bob", size) for size in (1, 2, 4)], [whole] * 3)
        self.assertEqual(len(self.keys("alice", 2)), 4)

    def test_open_orders(self) -> None:
        number = self.order("coffee", 1).order
        for username in ("alice", "bob"):
            self.refused(Conflict, "neither delivered nor cancelled", memory.refuse_to_forget, username)
        self.advance(number, "delivered")
        for username in ("alice", "bob", "sue"):
            self.do(memory.refuse_to_forget, username)

    def test_an_old_one_is_open(self) -> None:
        """However many came after it, and however they ended."""
        self.item("coffee", add=200)
        self.deposit("alice", "300")
        for number in range(1, 106):
            self.order("coffee", 1)
            if number > 1:
                self.advance(number, "delivered" if number % 2 else "cancelled")
        self.refused(Conflict, "1 orders of alice are neither delivered nor cancelled", memory.refuse_to_forget, "alice")
        self.advance(1, "cancelled")
        self.do(memory.refuse_to_forget, "alice")

    def test_customer(self) -> None:
        for number in range(90):
            self.item("coffee", add=1)
            self.order("coffee", 1, deliver_to="here" if number % 3 else "", note=f"note {number}" if number % 2 else "")
            self.advance(number + 1, "delivered")
            self.deposit("alice", "2.50")
        self.quote("cake", 4, note="secret", deliver_to="there")
        for by in ("alice", "bob", "alice"):
            self.do(threads.say, 7, by, "hello", 1, at=self.at)
        self.assertEqual(
            [key for key in self.keys("alice", 99) if key.startswith("said")], ["said/#7/000000000001", "said/#7/000000000003"]
        )
        self.forget("alice")
        said = self.ask(threads.log, 7, "bob", limit=9, before=None).items
        self.assertEqual([line.text for line in said], ["", "hello", ""])
        orders = [self.found(number + 1) for number in range(90)]
        self.assertEqual({(order.note, order.deliver_to, order.customer, order.total) for order in orders}, {("", "", "alice", 250)})
        self.assertEqual((self.stock("cake"), self.ask(everything, Due)), (10, []))

    def test_large_quotes(self) -> None:
        """However much a member has reserved, no step touches more records than a service may."""
        one = catalogue.Draft(None, amount("0.01"), 9, *[None] * 5)
        baskets = [[f"sku{basket}-{number}" for number in range(words.MOST_LINES)] for basket in range(quotes.MOST_QUOTES)]
        for skus in baskets:
            for sku in skus:
                self.do(catalogue.set_item, "bob", sku, one, CURRENCIES["USD"], limit=999)
            self.quote(*(each for sku in skus for each in (sku, 1)))
        for _ in range(memory.AT_ONCE):
            self.order("sku0-0", 1, note="a note")
            self.item("sku0-0", add=1)

        def counted(tx: Any, after: str) -> tuple[str | None, int]:
            return memory.forget(tx, "alice", after), len(tx.staged)

        after: str | None = ""
        while after is not None:
            after, count = self.do(counted, after)
            self.assertLessEqual(count, 200)
        self.assertEqual(({self.stock(sku) for skus in baskets for sku in skus}, self.ask(everything, Due)), ({9}, []))

    def test_seller(self) -> None:
        self.patch(memory, "AT_ONCE", 2)
        for number in range(3):
            self.item(f"thing{number}", "1", name="A thing", unit="of mine", tags=("mine",))
        self.forget("bob")
        items = [self.setting.get(Item, sku) for sku in ("cake", "coffee", "thing0", "thing2")]
        self.assertEqual({(item.active, item.unit, item.tags) for item in items}, {(False, "", ())})
        self.assertEqual(items[2].name, "thing0")
        self.assertEqual(self.ask(catalogue.catalogue, None, None, "", limit=9).items, [])
        self.assertEqual((self.setting.get(Shop, "bob").items, self.setting.get(Wallet, "bob") is None), (5, False))
