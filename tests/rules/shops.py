"""
Shops that are kept at random, and the law that all of it has to obey: stock, money, points and budgets are what the orders' history says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from securehub import arguments
from securehub.members import Member
from securehub.refusals import Refusal
from securehub.services.budget import feeding
from securehub.services.budget.records import Entry as BudgetEntry
from securehub.services.ledger import books, movement
from securehub.services.ledger.accounts import first_account, open_account
from securehub.services.ledger.records import Account
from securehub.services.loyalty import cards, programme, promotions
from securehub.services.loyalty.records import Programme
from securehub.services.loyalty.usual import usual_programme
from securehub.services.orders import catalogue, escrow, placing, quotes, selling, stepping
from securehub.services.orders.records import Order, Quote, order_key
from securehub.services.orders.states import STEPS
from securehub.services.orders.words import Wanted
from securehub.store.transaction import ReadTransaction
from tests.rules import receipts
from tests.rules.setting import CURRENCIES, NUMBERING, amount
from tests.store.setting import put

SELLERS = ("bob", "carol")
CUSTOMERS = ("alice", "dan", "eve", "bob")
NAMES = tuple(dict.fromkeys((*SELLERS, *CUSTOMERS)))
MONEY = CURRENCIES.default
LIMIT = 50


class Shops:
    """
    Two sellers and their customers.

    @param do: runs a rule that changes something.
    @param ask: runs a rule that only looks.

    @ivar wasted: what came back and could not be sold again, by sku.
    @ivar supplied: what sellers have put on stock, by sku.
    @ivar paid_in: what members have paid in, in units.
    @ivar done: how often each move succeeded.
    """

    def __init__(self, seed: int, do: Callable[..., Any], ask: Callable[..., Any], at: datetime) -> None:
        self.chance = Random(seed)
        self.at = at
        self.wasted: Counter[str] = Counter()
        self.supplied: Counter[str] = Counter()
        self.paid_in: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self._do = do
        self._ask = ask
        self._usual: Programme = usual_programme(MONEY)
        feed = partial(feeding.feed, zone=UTC, currency=MONEY)
        self._watchers = (feed,)
        self._open()

    def _open(self) -> None:
        for name in NAMES:
            self._do(put, name, Member(1, roles=("seller",)))
            self._do(open_account, name, "main", MONEY, NUMBERING, limit=1, at=self.at)
            self.pay_in(name, 200_00)
        for seller in SELLERS:
            for number in range(3):
                sku = f"{seller}{number}"
                price = amount(f"{self.chance.randint(1, 30)}.{self.chance.randrange(100):02d}")
                draft = catalogue.Draft(None, price, 20, None, None, None, 2, None)
                self._do(catalogue.set_item, seller, sku, draft, MONEY, limit=9)
                self.supplied[sku] = 20
        self._do(selling.set_shop, "carol", True, 2)
        self._do(programme.set_reward, "tenth", 15, None, 10, None, self._usual)
        discount = promotions.Draft(None, 15, None, 5, 2, None, None)
        self._do(promotions.set_promotion, "bob", "spring", discount, MONEY, at=self.at, zone=UTC)

    # Moves

    def play(self, moves: int) -> None:
        """Make some moves, and look in between whether all is right."""
        for number in range(moves):
            self.at += timedelta(minutes=self.chance.choice((0, 1, 10, 3_000, 90_000)) if self.chance.random() < 0.15 else 0)
            self._due()
            move = self.chance.choices(list(MOVES), list(MOVES.values()))[0]
            try:
                move(self)
                self.done[move.__name__] += 1
            except Refusal as refusal:
                self.done[f"{move.__name__} {refusal.code}"] += 1
            if number % 10 == 0:
                self.check()
        self.check()

    def _due(self) -> None:
        for number, quote in self._quotes().items():
            if quote.expires <= self.at:
                self._do(quotes.expire, order_key(number), at=self.at)
        for number, order in self._orders().items():
            if order.is_held and order.at + timedelta(days=2) <= self.at:
                self._do(escrow.end, order_key(number), **self._booking)

    def _orders(self) -> dict[int, Order]:
        found: dict[int, Order] = self._ask(receipts.orders_of, NAMES)
        return found

    def _quotes(self) -> dict[int, Quote]:
        found: dict[int, Quote] = self._ask(receipts.quotes_of, NAMES)
        return found

    @property
    def _booking(self) -> dict[str, Any]:
        return {"at": self.at, "zone": UTC, "watchers": self._watchers}

    def pay_in(self, name: str, units: int) -> None:
        self._do(movement.deposit, name, amount(MONEY.text(units)), "", "treasurer", at=self.at)
        self.paid_in[name] += units

    def _basket(self) -> tuple[Wanted, ...]:
        seller = self.chance.choice(SELLERS)
        names = self.chance.sample(range(3), self.chance.randint(1, 3))
        return tuple(Wanted(f"{seller}{number}", self.chance.randint(1, 3)) for number in names)

    def _choice(self) -> placing.Choice:
        reward = self.chance.choice((None, None, None, None, None, "off5", "tenth"))
        code = self.chance.choice((None, None, None, "spring"))
        return placing.Choice("desk", "", reward, code)

    def order(self) -> None:
        customer = self.chance.choice(CUSTOMERS)
        self._do(placing.place, customer, self._basket(), self._choice(), self._usual, limit=LIMIT, **self._booking)

    def quote(self) -> None:
        customer = self.chance.choice(CUSTOMERS)
        self._do(quotes.quote, customer, self._basket(), self._choice(), self._usual, seconds=900, at=self.at, zone=UTC)

    def confirm(self) -> None:
        number, customer = self._some_quote()
        self._do(quotes.confirm, number, customer, self._usual, limit=LIMIT, **self._booking)

    def discard(self) -> None:
        number, customer = self._some_quote()
        self._do(quotes.discard, number, customer, at=self.at)

    def _some_quote(self) -> tuple[int, str]:
        found = [(number, quote.customer) for number, quote in self._quotes().items()]
        return self.chance.choice(found or [(0, "alice")])

    def _some_order(self) -> tuple[int, Order]:
        orders = list(self._orders().items())
        if not orders:
            self.order()
            orders = list(self._orders().items())
        return self.chance.choice(orders[-6:])

    def advance(self) -> None:
        number, order = self._some_order()
        status = self.chance.choice(list(STEPS))
        self._do(stepping.advance, number, status, order.seller, **self._booking)

    def cancel(self) -> None:
        number, order = self._some_order()
        self._do(stepping.cancel, number, order.customer, **self._booking)

    def refund(self) -> None:
        number, order = self._some_order()
        line = self.chance.choice(order.lines)
        returned: Any = self.chance.choice((None, (Wanted(line.sku, self.chance.randint(1, line.quantity)),)))
        back = self.chance.choice((None, None, amount("1.23"), amount("0.01")))
        on_stock = self.chance.random() < 0.7
        self._do(stepping.refund, number, returned, back, "", order.seller, on_stock=on_stock, **self._booking)
        if not on_stock:
            after = self._orders()[number]
            for old, new in zip(order.lines, after.lines, strict=True):
                self.wasted[new.sku] += new.returned - old.returned

    def redeem(self) -> None:
        self._do(cards.redeem, self.chance.choice(CUSTOMERS), self.chance.choice(("off5", "tenth")), self._usual, at=self.at)

    def earn(self) -> None:
        self.pay_in(self.chance.choice(CUSTOMERS), self.chance.randint(1, 200_00))

    def supply(self) -> None:
        sku = f"{self.chance.choice(SELLERS)}{self.chance.randrange(3)}"
        more = self.chance.randint(1, 5)
        price = self.chance.choice((None, amount(f"{self.chance.randint(1, 40)}.99")))
        draft = catalogue.Draft(None, price, None, more, None, None, None, self.chance.choice((None, True, True, False)))
        self._do(catalogue.set_item, sku[:-1], sku, draft, MONEY, limit=9)
        self.supplied[sku] += more

    def change_programme(self) -> None:
        per_point = self.chance.choice((amount("0.50"), amount("3"), arguments.NONE, None))
        free_every = self.chance.choice((0, 2, 3, None))
        self._do(programme.set_programme, per_point, free_every, self.chance.choice((amount("7"), arguments.NONE)), self._usual)
        self._do(programme.set_reward, "tenth", self.chance.randint(5, 30), None, 10, None, self._usual)

    # The law

    def check(self) -> None:
        self._ask(self._check)

    def _check(self, tx: ReadTransaction) -> None:
        orders = receipts.check(tx, NAMES, self.supplied, self.wasted, ["spring"])
        for name in NAMES:
            self._check_member(tx, name, orders)
        assert {row.sum for row in books.trial_balance(tx, CURRENCIES).items} == {"0.00"}

    def _check_member(self, tx: ReadTransaction, name: str, orders: receipts.Orders) -> None:
        """Nothing but orders moves money here, and budgets have all of it."""
        account = tx.fetch(Account, first_account(tx, name))
        sold = sum(receipts.paid(order) for order in orders.values() if order.seller == name)
        bought = {number: receipts.paid(order) for number, order in orders.items() if order.customer == name}
        held = sum(order.total - order.refunded for order in orders.values() if order.customer == name and order.is_held)
        assert account.balance == self.paid_in[name] + sold - sum(bought.values()) >= 0, (name, account)
        assert account.held == held, (name, account)
        entered = {entry.origin: entry.units for _, entry in tx.beneath(BudgetEntry, name)}
        expected = {f"order/{number}": units for number, units in bought.items() if units}
        assert entered == expected, (name, entered, expected)


MOVES: dict[Callable[[Shops], None], int] = {
    Shops.order: 12,
    Shops.quote: 5,
    Shops.confirm: 4,
    Shops.discard: 1,
    Shops.advance: 10,
    Shops.cancel: 5,
    Shops.refund: 6,
    Shops.redeem: 3,
    Shops.earn: 4,
    Shops.supply: 4,
    Shops.change_programme: 1,
}
