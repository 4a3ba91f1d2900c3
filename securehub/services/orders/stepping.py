"""
An order's way through its states.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

import msgspec
from msgspec.structs import replace

from securehub import members
from securehub.money import Amount, is_zero
from securehub.refusals import Forbidden, NotFound
from securehub.reply import MoneyReply
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty import cards, promotions
from securehub.services.loyalty.records import Card
from securehub.services.orders import escrow, notices, returns
from securehub.services.orders.records import Order, Shop, Step, order_key
from securehub.services.orders.states import OVER, refuse_step
from securehub.services.orders.words import Wanted
from securehub.store.transaction import ReadTransaction, Transaction


class Advanced(MoneyReply, frozen=True):
    """
    An order in its new state.

    @ivar refunded: what has gone back to the customer.
    """

    order: int
    state: str = msgspec.field(name="status")
    total: str
    refunded: str
    currency: str

    def told(self) -> str:
        refunded = "" if is_zero(self.refunded) else f" {self.refunded} {self.currency} is refunded."
        return f"Order {self.order} is {self.state}.{refunded}"


class Cancelled(MoneyReply, frozen=True):
    """
    An order that its customer has cancelled.

    @ivar points: that the customer has now.
    @ivar order_count: of the customer's orders that are not cancelled.
    """

    order: int
    state: str = msgspec.field(name="status")
    refunded: str
    currency: str
    points: int
    order_count: int

    def told(self) -> str:
        refunded = f"{self.refunded} {self.currency} is refunded"
        return f"Order {self.order} is cancelled. {refunded}, points {self.points}, orders {self.order_count}."


def find(tx: ReadTransaction, number: int, by: str) -> tuple[Order, str]:
    """
    An order, and what somebody is to it: C{customer} or C{seller}. Treasurers may do what sellers may.

    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order = tx.get(Order, order_key(number))
    if order is not None:
        if by == order.customer:
            return order, "customer"
        if by == order.seller or members.has_role(tx, by, "treasurer"):
            return order, "seller"
    raise NotFound(f"there is no order {number}")


def seller_of(tx: ReadTransaction, number: int) -> str:
    """With whom an order is; empty if there is none."""
    order = tx.get(Order, order_key(number))
    return "" if order is None else order.seller


def advance(
    tx: Transaction, number: int, wanted: str, by: str, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()
) -> Advanced:
    """
    The seller says how far an order is.

    @raise Forbidden: that is for the seller to say.
    @raise Conflict: from its state it cannot come to that one.
    """
    order, role = find(tx, number, by)
    if role == "customer":
        raise Forbidden(f"that is for {order.seller} to say; CANCEL {number} cancels")
    refuse_step(number, order.status, wanted, role)
    if wanted == "cancelled":
        order, _ = _cancel(tx, number, order, by, at=at, watchers=watchers)
    else:
        if wanted == "delivered" and order.is_held:
            order = escrow.pay_out(tx, number, order, by, at=at, watchers=watchers)
        order = _step(tx, number, order, wanted, by, at=at)
    money = order.money
    return Advanced(number, wanted, money.text(order.total), money.text(order.refunded), money.code)


def cancel(tx: Transaction, number: int, by: str, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()) -> Cancelled:
    """
    The customer does not want an order any more. All goes back: money, goods, points.

    @raise Forbidden: it is not theirs.
    @raise Conflict: it is too late.
    @raise InsufficientFunds: the seller has the money no more.
    """
    order, role = find(tx, number, by)
    if role != "customer":
        raise Forbidden(f"that is for {order.customer} to do; ADVANCE {number} cancelled is the seller's way")
    refuse_step(number, order.status, "cancelled", role)
    order, card = _cancel(tx, number, order, by, at=at, watchers=watchers)
    return Cancelled(number, order.status, order.money.text(order.refunded), order.currency, card.points, card.orders)


def refund(
    tx: Transaction,
    number: int,
    returned: Sequence[Wanted] | None,
    amount: Amount | None,
    reason: str,
    by: str,
    *,
    on_stock: bool,
    at: datetime,
    zone: tzinfo,
    watchers: Sequence[Watcher] = (),
) -> returns.Refunded:
    """
    The seller takes something back, or gives some of the price back; see L{returns.refund}.

    @raise Forbidden: that is for the seller to do.
    """
    order, role = find(tx, number, by)
    if role == "customer":
        raise Forbidden(f"that is for {order.seller} to do")
    return returns.refund(tx, number, order, returned, amount, reason, by, on_stock=on_stock, at=at, watchers=watchers)


def _step(tx: Transaction, number: int, order: Order, status: str, by: str, *, at: datetime) -> Order:
    order = replace(order, steps=(*order.steps, Step(status, at, by)))
    tx.put(order_key(number), order)
    if status in OVER:
        shop = tx.fetch(Shop, order.seller)
        tx.put(order.seller, replace(shop, open=shop.open - 1))
        cards.close(tx, order.customer)
    notices.tell(tx, number, order)
    return order


def _cancel(tx: Transaction, number: int, order: Order, by: str, *, at: datetime, watchers: Sequence[Watcher]) -> tuple[Order, Card]:
    order, card = returns.give_back_all(tx, number, order, by, at=at, watchers=watchers)
    if order.code:
        promotions.give_back(tx, order.code, order.customer)
    return _step(tx, number, order, "cancelled", by, at=at), card
