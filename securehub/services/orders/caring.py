"""
What agents of the support desk know of an order, and what they can do about it: give back some of its price. What that takes off points
and budgets is as if the seller did.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from securehub.money import Amount
from securehub.refusals import NotFound
from securehub.services.ledger.watching import Watcher
from securehub.services.orders import returns
from securehub.services.orders.records import Order, order_key
from securehub.services.support.facts import OrderRefund, Sale
from securehub.store.transaction import ReadTransaction, Transaction


def facts(tx: ReadTransaction, customer: str, number: int) -> dict[str, str]:
    """
    What agents' replies may say of an order.

    @raise NotFound: the customer has no such order.
    """
    order = _order_of(tx, customer, number)
    money = order.money
    return {
        "status": order.status,
        "total": money.priced(order.total),
        "refunded": money.priced(order.refunded),
        "seller": order.seller,
        "date": f"{order.at:%Y-%m-%d}",
    }


def find(tx: ReadTransaction, customer: str, number: int) -> Sale:
    """
    @raise NotFound: the customer has no such order.
    """
    order = _order_of(tx, customer, number)
    return Sale(order.money, order.seller)


def give_back(
    tx: Transaction, number: int, amount: Amount, reason: str, by: str, *, at: datetime, watchers: Sequence[Watcher] = ()
) -> int | None:
    """
    Give back some of an order's price; the goods stay where they are.

    @return: the number of the transfer; None where nothing had been paid yet.

    @raise Conflict: the order is cancelled.
    @raise LimitExceeded: it is more than is left.
    @raise InsufficientFunds: the seller has the money no more.
    """
    order = tx.fetch(Order, order_key(number))
    return returns.refund(tx, number, order, None, amount, reason, by, on_stock=False, at=at, watchers=watchers).transfer


REFUND = OrderRefund(find, give_back)


def _order_of(tx: ReadTransaction, customer: str, number: int) -> Order:
    order = tx.get(Order, order_key(number))
    if order is None or order.customer != customer:
        raise NotFound(f"{customer} has no order {number}")
    return order
