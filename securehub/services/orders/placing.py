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
from msgspec.structs import replace

from securehub.money import Currency, is_zero
from securehub.refusals import BadArgument, Conflict, LimitExceeded
from securehub.reply import MoneyReply
from securehub.services.ledger import movement
from securehub.services.ledger.accounts import first_account, own_account
from securehub.services.ledger.records import ORDER_PAYMENT, Account, order_reference
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty import cards
from securehub.services.loyalty.records import Card, Programme
from securehub.services.loyalty.terms import Terms, terms_of
from securehub.services.orders import escrow, notices
from securehub.services.orders.catalogue import OutOfStock, item_of, sells
from securehub.services.orders.records import Line, Order, Shop, Step, Stock, order_key
from securehub.services.orders.states import FIRST
from securehub.services.orders.words import Wanted
from securehub.store.transaction import ReadTransaction, Transaction
from securehub.switchboard import member

MOST_OF_ONE = 10_000
"""With as much as an item may cost, an order's total is still a number of 64 bits."""


class Basket(NamedTuple):
    """
    What somebody wants to order, as it is in the catalogue.

    @ivar left: how many of each would be left, by sku.
    @ivar low: of which so few would be left that the seller wants to know.
    """

    seller: str
    money: Currency
    lines: tuple[Line, ...]
    left: dict[str, int]
    low: tuple[str, ...] = ()

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
    @ivar held: whether the total is held until the order is delivered; otherwise it is paid.
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
    held: bool

    def told(self) -> str:
        off = "" if is_zero(self.discount) else f" ({self.discount} {self.currency} off)"
        held = ", held until it is delivered" if self.held else ""
        paid = f"Order {self.order} is {self.state}: {self.total} {self.currency} to {self.seller}{off}{held}."
        return f"{paid} Balance {self.balance} {self.currency}, points {self.points}, orders {self.order_count}."


def place(
    tx: Transaction,
    customer: str,
    wanted: Sequence[Wanted],
    choice: Choice,
    usual: Programme,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Placed:
    """
    A member orders, and pays.

    @param usual: the loyalty programme as long as nobody has set another.
    @param limit: how many payments of a member may be held at a time.

    @raise NotFound: there is no such item, reward, code or account.
    @raise OutOfStock: there are not enough.
    @raise InsufficientFunds: the customer cannot pay.
    """
    basket = fill(tx, wanted)
    take_off_stock(tx, basket)
    terms = weigh(tx, customer, basket, choice, usual, at=at, zone=zone)
    return book(tx, customer, basket, choice, terms, limit=limit, at=at, zone=zone, watchers=watchers)


def fill(tx: ReadTransaction, wanted: Sequence[Wanted]) -> Basket:
    """
    Look up what is wanted.

    @raise BadArgument: it is of several sellers, or in several currencies.
    @raise OutOfStock: there are not enough of an item.
    @raise LimitExceeded: there are enough of it, and more are wanted than one order may have.
    @raise Conflict: the seller does not sell at the moment.
    """
    lines: list[Line] = []
    left: dict[str, int] = {}
    low: list[str] = []
    seller, currency = "", ""
    for sku, quantity in wanted:
        item, stock = item_of(tx, sku)
        if lines and (item.seller != seller or item.currency != currency):
            raise BadArgument(f"items: one order has items of one seller in one currency; {sku} is {item.seller}'s, in {item.currency}")
        if stock.count < quantity:
            raise OutOfStock(f"{sku}: {stock.count} left, {quantity} ordered")
        if quantity > MOST_OF_ONE:
            raise LimitExceeded(f"{sku}: one order has at most {MOST_OF_ONE}, {quantity} ordered")
        seller, currency = item.seller, item.currency
        lines.append(Line(sku, item.name, quantity, item.units, item.unit))
        count = left[sku] = stock.count - quantity
        if count < item.low <= stock.count:
            low.append(sku)
    assert lines, "an order has an item"
    refuse_idle(tx, seller)
    return Basket(seller, item.money, tuple(lines), left, tuple(low))


def refuse_idle(tx: ReadTransaction, seller: str) -> None:
    """
    @raise Conflict: the seller does not sell at the moment.
    """
    if not sells(tx, seller):
        raise Conflict(f"{seller} does not sell at the moment")


def take_off_stock(tx: Transaction, basket: Basket) -> None:
    for sku, count in basket.left.items():
        tx.put(sku, Stock(count))
    for sku in basket.low:
        tx.announce(member(basket.seller), notices.LowStock(sku, basket.left[sku]))


def weigh(tx: ReadTransaction, customer: str, basket: Basket, choice: Choice, usual: Programme, *, at: datetime, zone: tzinfo) -> Terms:
    """What the basket costs and brings now."""
    price, money = basket.price, basket.money
    return terms_of(tx, customer, basket.seller, price, money, choice.reward, choice.code, usual, at=at, zone=zone)


def book(
    tx: Transaction,
    customer: str,
    basket: Basket,
    choice: Choice,
    terms: Terms,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> Placed:
    """
    Let an order be, whose goods have been taken off the stock: it is paid, and does to the card what its terms say.
    """
    paying = paying_of(tx, customer, basket, choice.source, terms.total)
    shop = tx.get(Shop, basket.seller) or Shop()
    number = tx.number("order")
    paid = _pay(tx, number, paying, shop, limit=limit, at=at, zone=zone, watchers=watchers)
    card = cards.count(tx, customer, terms, number, at=at)
    money = basket.money
    order = Order(
        at,
        customer,
        basket.seller,
        paying.source,
        paying.target,
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
        paid.transfer,
        paid.hold,
    )
    tx.put(order_key(number), order)
    tx.put(basket.seller, replace(shop, open=shop.open + 1))
    notices.tell(tx, number, order)
    return _placed(number, order, card, paid)


class _Paid(NamedTuple):
    """
    How an order was paid.

    @ivar balance: of the account that pays.
    """

    balance: str
    transfer: int | None = None
    hold: int | None = None
    warnings: tuple[str, ...] = ()


def _pay(
    tx: Transaction,
    number: int,
    paying: movement.Paying,
    shop: Shop,
    *,
    limit: int,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher],
) -> _Paid:
    money = paying.payer.money
    if not paying.units:
        return _Paid(money.text(paying.payer.balance))
    if shop.escrow:
        hold, account = escrow.hold(tx, number, paying, shop.escrow_days, limit=limit, at=at, zone=zone)
        return _Paid(money.text(account.balance), hold=hold)
    reference = order_reference(number)
    moved = movement.spend(tx, paying, ORDER_PAYMENT, f"order {number}", at=at, zone=zone, reference=reference, watchers=watchers)
    return _Paid(moved.balance, moved.transfer, warnings=moved.warnings)


def paying_of(tx: ReadTransaction, customer: str, basket: Basket, source: str | None, units: int) -> movement.Paying:
    """
    From which account to which a basket is paid.

    @param source: the number of the customer's account, None for the first in the currency.

    @raise BadArgument: the customer is the seller.
    @raise NotFound: one of them has no such account.
    @raise Conflict: it is in another currency.
    """
    if customer == basket.seller:
        raise BadArgument(f"items: {basket.lines[0].sku} is your own")
    code = basket.money.code
    source = first_account(tx, customer, code) if source is None else own_account(tx, customer, source)
    payer = tx.fetch(Account, source)
    if payer.currency != code:
        raise Conflict(f"account {source} is in {payer.currency}, and the order in {code}")
    target = first_account(tx, basket.seller, code)
    return movement.Paying(source, payer, target, tx.fetch(Account, target), units)


def _placed(number: int, order: Order, card: Card, paid: _Paid) -> Placed:
    money = order.money
    return Placed(
        number,
        order.status,
        money.text(order.total),
        money.code,
        card.points,
        card.orders,
        paid.balance,
        order.seller,
        order.gain.earned,
        money.text(order.price - order.total),
        order.is_held,
        warnings=paid.warnings,
    )
