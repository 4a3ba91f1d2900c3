"""
What the support desk knows of orders, and can do about them; it does not keep them itself.

Whoever keeps orders adds a rule to C{hub.order_facts}: so a case can be about an order, and canned replies can speak of it. And rules to
C{hub.order_refunds}: so an agent can give back some of its price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from securehub.money import Currency
from securehub.refusals import NotFound
from securehub.store.transaction import ReadTransaction

OrderFacts = Callable[[ReadTransaction, str, int], Mapping[str, str]]
"""
A rule that is given a customer and the number of an order, and tells what canned replies may say of it, by the words that stand for that
(C{status}, C{total}). It raises NotFound if that member has no such order.
"""


def facts_of(tx: ReadTransaction, orders: Sequence[OrderFacts], customer: str, order: int) -> dict[str, str]:
    """
    What is known of an order.

    @raise NotFound: the customer has no such order, or nobody keeps orders.
    """
    if not orders:
        raise NotFound(f"{customer} has no order {order}")
    return {word: value for rule in orders for word, value in rule(tx, customer, order).items()}


class Sale(NamedTuple):
    """What an agent has to know of an order before some of its price goes back."""

    money: Currency
    seller: str


class OrderRefund(NamedTuple):
    """
    How some of an order's price goes back.

    @ivar find: a rule that is given a customer and the number of an order, and tells its L{Sale}. It raises NotFound if that member has
        no such order.
    @ivar give_back: a rule that is given the number, the amount, the reason, and who does it, and by name C{at} and C{watchers}. It tells
        the number of the transfer, or None where nothing had been paid yet.
    """

    find: Callable[[ReadTransaction, str, int], Sale]
    give_back: Callable[..., int | None]


def refund_of(orders: Sequence[OrderRefund], customer: str, order: int) -> OrderRefund:
    """
    @raise NotFound: nobody keeps orders.
    """
    if not orders:
        raise NotFound(f"{customer} has no order {order}")
    return orders[0]
