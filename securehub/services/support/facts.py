"""
What the support desk knows of orders, which it does not keep itself.

Whoever keeps orders adds a rule to C{hub.order_facts}. So a case can be about an order, and canned replies can speak of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
