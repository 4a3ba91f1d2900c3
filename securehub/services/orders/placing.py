"""
Placing an order.

Stock, payment, points, the order with its receipt, the budget's entry and the notices are one transaction. So there is no moment at which
somebody has paid for what is gone, and none at which points say something else than orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

import msgspec

from securehub import members
from securehub.money import Currency
from securehub.refusals import BadArgument, Conflict, Refusal
from securehub.reply import MoneyReply
from securehub.services.ledger import movement
from securehub.services.ledger.accounts import first_account, own_account
from securehub.services.ledger.records import Account
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty import cards
from securehub.services.loyalty.records import Card, Programme
from securehub.services.loyalty.terms import Terms, terms_of
from securehub.services.orders import notices
from securehub.services.orders.catalogue import item_of
from securehub.services.orders.records import Line, Order, Step, Stock, order_key
from securehub.services.orders.states import FIRST
from securehub.services.orders.words import Wanted
from securehub.store.transaction import ReadTransaction, Transaction

KIND = "order"
"""Of the transfer that pays an order."""


class OutOfStock(Refusal):
    """There are fewer of an item than are ordered."""

    code = "out-of-stock"


class Basket(NamedTuple):
    """
    What somebody wants to order, as it is in the catalogue.

    @ivar left: how many of each would be left, by sku.
    """

    seller: str
    money: Currency
    lines: tuple[Line, ...]
    left: dict[str, int]

    @property
    def price(self) -> int:
        return sum(line.price for line in self.lines)


class Choice(NamedTuple):
    """
    What a customer says about an order besides what it is.

    @ivar reward: the short name of a reward.
    @ivar code: of a promotion.
    @ivar source: the number of the account that pays, None for the first in the currency.
    """

    deliver_to: str = ""
    note: str = ""
    reward: str | None = None
    code: str | None = None
    source: str | None = None


class Placed(MoneyReply, frozen=True):
    """
    An order that was placed.

    @ivar total: what was paid, or is held.
    @ivar points: that the customer has now.
    @ivar order_count: of the customer's orders that are not cancelled.
    @ivar balance: of the account that pays.
    @ivar earned: points that this order brought.
    @ivar discount: what was taken off the price.
    """

    order: int
    state: str = msgspec.field(name="status")
    total: str
    currency: str
    points: int
    order_count: int
    balance: str
    seller: str
    earned: int
    discount: str

    def told(self) -> str:
        off = f" ({self.discount} {self.currency} off)" if self.discount.strip("0.") else ""
        paid = f"Order {self.order} is {self.state}: {self.total} {self.currency} to {self.seller}{off}."
        return f"{paid} Balance {self.balance} {self.currency}, points {self.points}, orders {self.order_count}."


def place(
    tx: Transaction,
    customer: str,
    wanted: Sequence[Wanted],
    choice: Choice,
    usual: Programme,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Placed:
    """
    A member orders, and pays.

    @param usual: the loyalty programme as long as nobody has set another.

    @raise NotFound: there is no such item, reward, code or account.
    @raise OutOfStock: there are not enough.
    @raise InsufficientFunds: the customer cannot pay.
    """
    basket = fill(tx, wanted)
    take_off_stock(tx, basket)
    terms = _terms(tx, customer, basket, choice, usual, at=at, zone=zone)
    return book(tx, customer, basket, choice, terms, at=at, zone=zone, watchers=watchers)


def fill(tx: ReadTransaction, wanted: Sequence[Wanted]) -> Basket:
    """
    Look up what is wanted.

    @raise BadArgument: it is of several sellers, or in several currencies.
    @raise OutOfStock: there are not enough of an item.
    """
    lines: list[Line] = []
    left: dict[str, int] = {}
    seller, money = "", None
    for sku, quantity in wanted:
        item, stock = item_of(tx, sku)
        if money is not None and (item.seller != seller or item.money is not money):
            raise BadArgument(f"items: one order has items of one seller in one currency; {sku} is {item.seller}'s, in {item.currency}")
        if stock.count < quantity:
            raise OutOfStock(f"{sku}: {stock.count} left, {quantity} are ordered")
        seller, money = item.seller, item.money
        lines.append(Line(sku, item.name, quantity, item.units, item.unit))
        left[sku] = stock.count - quantity
    assert money is not None, "an order has an item"
    members.fetch(tx, seller)
    return Basket(seller, money, tuple(lines), left)


def take_off_stock(tx: Transaction, basket: Basket) -> None:
    for sku, count in basket.left.items():
        tx.put(sku, Stock(count))


def _terms(tx: ReadTransaction, customer: str, basket: Basket, choice: Choice, usual: Programme, *, at: datetime, zone: tzinfo) -> Terms:
    return terms_of(tx, customer, basket.seller, basket.price, basket.money, choice.reward, choice.code, usual, at=at, zone=zone)


def book(
    tx: Transaction,
    customer: str,
    basket: Basket,
    choice: Choice,
    terms: Terms,
    *,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Placed:
    """
    Let an order be, whose goods have been taken off the stock: it is paid, and does to the card what its terms say.
    """
    money = basket.money
    source, payer, target, payee = _accounts(tx, customer, basket, choice.source)
    number = tx.number("order")
    paid = movement.Paying(source, payer, target, payee, terms.total)
    moved = None
    if terms.total:
        reference = f"order/{number}"
        moved = movement.spend(tx, paid, KIND, f"order {number}", at=at, zone=zone, reference=reference, watchers=watchers)
    card = cards.count(tx, customer, terms, number, at=at)
    order = Order(
        at,
        customer,
        basket.seller,
        source,
        target,
        money.code,
        money.digits,
        basket.lines,
        terms.total,
        (Step(FIRST, at, customer),),
        terms.gain,
        terms.reductions,
        terms.code,
        choice.deliver_to,
        choice.note,
        moved.transfer if moved else None,
    )
    tx.put(order_key(number), order)
    notices.tell(tx, number, order)
    return _placed(number, order, card, moved, payer)


def _accounts(tx: ReadTransaction, customer: str, basket: Basket, source: str | None) -> tuple[str, Account, str, Account]:
    """
    @raise BadArgument: the customer is the seller.
    @raise NotFound: one of them has no such account.
    """
    if customer == basket.seller:
        raise BadArgument(f"items: {basket.lines[0].sku} is your own")
    code = basket.money.code
    source = first_account(tx, customer, code) if source is None else own_account(tx, customer, source)
    payer = tx.fetch(Account, source)
    if payer.currency != code:
        raise Conflict(f"account {source} is in {payer.currency}, and the order in {code}")
    target = first_account(tx, basket.seller, code)
    return source, payer, target, tx.fetch(Account, target)


def _placed(number: int, order: Order, card: Card, moved: movement.Transferred | None, payer: Account) -> Placed:
    money = order.money
    return Placed(
        number,
        order.status,
        money.text(order.total),
        money.code,
        card.points,
        card.orders,
        moved.balance if moved else money.text(payer.balance),
        order.seller,
        order.gain.earned,
        money.text(order.price - order.total),
        warnings=moved.warnings if moved else (),
    )
