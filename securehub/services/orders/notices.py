"""
What customer and seller are told about an order.
"""

from __future__ import annotations

from securehub.event import Event
from securehub.money import is_zero
from securehub.services.orders.records import Order
from securehub.store.transaction import Transaction
from securehub.switchboard import member


class Updated(Event, frozen=True):
    """
    An order that you placed, or that was placed with you, has another state, or some of it was refunded.

    @ivar status: C{placed}, C{accepted}, C{preparing}, C{delivering}, C{delivered} or C{cancelled}.
    @ivar by: who did that.
    @ivar refunded: of the total, so far.
    """

    method = "orders.updated"

    order: int
    status: str
    customer: str
    seller: str
    total: str
    currency: str
    refunded: str
    by: str

    def text(self) -> str:
        refunded = "" if is_zero(self.refunded) else f" {self.refunded} {self.currency} was refunded."
        parties = f"{self.total} {self.currency} from {self.customer} to {self.seller}"
        return f"Order {self.order} is {self.status} ({parties}).{refunded}"


class LowStock(Event, frozen=True):
    """Fewer of one of your items are left than you said you want to be told of."""

    method = "orders.low"

    sku: str
    stock: int

    def text(self) -> str:
        return f"{self.sku}: {self.stock} left."


def tell(tx: Transaction, number: int, order: Order, by: str | None = None) -> None:
    """
    @param by: who brought it about, where that is not the last step.
    """
    money = order.money
    amounts = money.text(order.total), money.code, money.text(order.refunded)
    told = Updated(number, order.status, order.customer, order.seller, *amounts, by or order.steps[-1].by)
    tx.announce(member(order.customer), told)
    tx.announce(member(order.seller), told)
