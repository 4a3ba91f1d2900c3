"""
Orders as their customers and sellers see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from heapq import merge
from operator import itemgetter

import msgspec

from securehub.money import is_zero
from securehub.reply import Listing, Reply, Row, Sought, shown, table, when
from securehub.services.orders.records import Order, of_customer, of_seller, order_key
from securehub.services.orders.stepping import find
from securehub.store.transaction import ReadTransaction

MOST_LOOKED_AT = 5_000
"""Orders of a list, for those in one state or of one customer; it takes some 15 ms, in which nobody else is served."""


class OrderRow(Row, frozen=True):
    """An order in a list."""

    order: int
    at: datetime
    status: str
    total: str
    currency: str
    seller: str
    customer: str


class Part(msgspec.Struct, frozen=True, gc=False):
    """So many of an item."""

    sku: str
    quantity: int

    def __str__(self) -> str:
        return f"{self.quantity} {self.sku}"


class QueueRow(Row, frozen=True):
    """
    An order that is not delivered yet, as its seller sees it.

    @ivar items: what to prepare, without what came back.
    """

    order: int
    at: datetime
    status: str
    total: str
    currency: str
    customer: str
    deliver_to: str
    note: str
    items: list[Part]


class Queue(Sought[QueueRow, int], frozen=True):
    """Orders that are not delivered yet, the oldest first."""


class SoldRow(Row, frozen=True):
    """
    An order as its seller finds it again.

    @ivar items: what was ordered, with what came back.
    """

    order: int
    at: datetime
    status: str
    total: str
    currency: str
    customer: str
    items: list[Part]


class Sold(Sought[SoldRow, int], frozen=True):
    """Orders with a seller, the newest first."""

    goes_on = "before"


class LineRow(Row, frozen=True):
    """
    A line of an order.

    @ivar price: of one, as it was then.
    @ivar amount: of all of it.
    @ivar returned: how many came back.
    """

    sku: str
    name: str
    quantity: int
    unit: str
    price: str
    amount: str
    returned: int


class StepRow(Row, frozen=True):
    """A state that the order came into."""

    status: str
    at: datetime
    by: str


class ReductionRow(Row, frozen=True):
    """Something that was taken off the price."""

    kind: str
    name: str
    amount: str


class Shown(Reply, frozen=True):
    """
    Everything about an order.

    @ivar price: of all goods, before the reductions.
    @ivar earned: points that it brought.
    @ivar transfer: the number of the payment; null if there was none yet.
    @ivar held: whether the money is held until it is delivered.
    """

    order: int
    at: datetime
    state: str = msgspec.field(name="status")
    total: str
    currency: str
    seller: str
    customer: str
    price: str
    reductions: list[ReductionRow]
    refunded: str
    earned: int
    transfer: int | None
    held: bool
    deliver_to: str
    note: str
    items: list[LineRow]
    steps: list[StepRow]

    def lines(self) -> Iterable[str]:
        yield f"Order {self.order} of {self.customer} with {self.seller}, {when(self.at)}: {self.state}"
        yield from table([(str(each.quantity), each.unit or "x", each.name, each.amount) for each in self.items], {0, 3})
        for each in self.reductions:
            yield f"{each.kind}{f' {each.name}' if each.name else ''}: -{each.amount}"
        yield f"Total {self.total} {self.currency}{', held until it is delivered' if self.held else ''}"
        if not is_zero(self.refunded):
            yield f"Refunded {self.refunded} {self.currency}"
        if self.deliver_to:
            yield f"To {shown(self.deliver_to)}"
        if self.note:
            yield f"Note: {shown(self.note)}"
        yield from table([(step.status, when(step.at), step.by) for step in self.steps])


def orders_of(tx: ReadTransaction, customer: str, *, limit: int, before: int | None) -> Listing[OrderRow]:
    """What a member has ordered, newest first."""
    end = None if before is None else order_key(before)
    found = tx.beneath(Order, of_customer(customer), end=end, reverse=True)
    return Listing.up_to(limit, (_row(int(key), order) for key, order in found))


def queue_of(tx: ReadTransaction, seller: str, status: str | None, *, limit: int, after: int | None) -> Queue:
    """
    What a seller has to do, oldest first.

    @param status: only orders in that state.
    """
    start = "" if after is None else order_key(after + 1)
    found = tx.beneath(Order, of_seller(seller, True), start=start)
    rows = ((int(key), _queue_row(int(key), order) if status in (None, order.status) else None) for key, order in found)
    return Queue.among(MOST_LOOKED_AT, limit, rows)


def sold_by(tx: ReadTransaction, seller: str, customer: str | None, status: str | None, *, limit: int, before: int | None) -> Sold:
    """
    What was ordered with a seller, newest first.

    @param customer: only orders of theirs.
    @param status: only orders in that state.
    """
    # A customer has fewer orders than a shop.
    parents = [of_seller(seller, True), of_seller(seller, False)] if customer is None else [of_customer(customer)]
    end = None if before is None else order_key(before)
    found = merge(*(tx.beneath(Order, each, end=end, reverse=True) for each in parents), key=itemgetter(0), reverse=True)

    def wanted(order: Order) -> bool:
        return order.seller == seller and status in (None, order.status)

    rows = ((int(key), _sold_row(int(key), order) if wanted(order) else None) for key, order in found)
    return Sold.among(MOST_LOOKED_AT, limit, rows)


def show(tx: ReadTransaction, number: int, by: str) -> Shown:
    """
    @raise NotFound: there is no such order, or it is none of theirs.
    """
    order, _ = find(tx, number, by)
    money = order.money
    lines = [
        LineRow(each.sku, each.name, each.quantity, each.unit, money.text(each.units), money.text(each.price), each.returned)
        for each in order.lines
    ]
    return Shown(
        number,
        order.at,
        order.status,
        money.text(order.total),
        money.code,
        order.seller,
        order.customer,
        money.text(order.price),
        [ReductionRow(each.kind, each.name, money.text(each.units)) for each in order.reductions],
        money.text(order.refunded),
        order.gain.earned,
        order.transfer,
        order.is_held,
        order.deliver_to,
        order.note,
        lines,
        [StepRow(each.status, each.at, each.by) for each in order.steps],
    )


def _row(number: int, order: Order) -> OrderRow:
    return OrderRow(number, order.at, order.status, order.money.text(order.total), order.currency, order.seller, order.customer)


def _queue_row(number: int, order: Order) -> QueueRow:
    total = order.money.text(order.total)
    return QueueRow(number, order.at, order.status, total, order.currency, order.customer, order.deliver_to, order.note, _parts(order))


def _sold_row(number: int, order: Order) -> SoldRow:
    parts = [Part(line.sku, line.quantity) for line in order.lines]
    return SoldRow(number, order.at, order.status, order.money.text(order.total), order.currency, order.customer, parts)


def _parts(order: Order) -> list[Part]:
    return [Part(line.sku, left) for line in order.lines if (left := line.quantity - line.returned)]
