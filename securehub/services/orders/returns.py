"""
What goes back: goods, money and points, of a part of an order or of all of it.

Each is reckoned from what has gone back so far, before and after. So parts that are returned one after the other add up to the whole, to
the cent and to the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from securehub import members
from securehub.money import Amount
from securehub.refusals import BadArgument, Conflict, LimitExceeded
from securehub.reply import MoneyReply
from securehub.services.ledger import movement
from securehub.services.ledger.records import ORDER_REFUND, Account, order_reference
from securehub.services.ledger.watching import Watcher
from securehub.services.loyalty import cards
from securehub.services.loyalty.records import Card
from securehub.services.loyalty.terms import share
from securehub.services.orders import escrow, notices
from securehub.services.orders.records import Line, Order, Stock, order_key
from securehub.services.orders.words import Wanted
from securehub.store.transaction import Transaction


class Refunded(MoneyReply, frozen=True):
    """
    What went back of an order.

    @ivar transfer: the number of the payment back; null where nothing was paid yet, or nothing is to be paid back.
    @ivar amount: that goes back now.
    @ivar refunded: of the total, so far.
    @ivar points: how the customer's points changed.
    """

    order: int
    transfer: int | None
    amount: str
    refunded: str
    currency: str
    points: int

    def told(self) -> str:
        return (
            f"Order {self.order}: {self.amount} {self.currency} is refunded, {self.refunded} {self.currency} so far; "
            f"the customer's points change by {self.points}."
        )


def take_returns(lines: Sequence[Line], returned: Sequence[Wanted]) -> tuple[Line, ...]:
    """
    The lines of an order after something came back.

    @raise BadArgument: it is not in the order.
    @raise LimitExceeded: it is more than there is to return.
    """
    counts = {each.sku: each.quantity for each in returned}
    unknown = counts.keys() - {line.sku for line in lines}
    if unknown:
        raise BadArgument(f"items: there is no {min(unknown)} in this order")
    for line in lines:
        if line.returned + counts.get(line.sku, 0) > line.quantity:
            left = line.quantity - line.returned
            raise LimitExceeded(f"{line.sku}: {counts[line.sku]} are to be returned, and {left} of {line.quantity} are left")
    return tuple(replace(line, returned=line.returned + counts.get(line.sku, 0)) for line in lines)


def all_of(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of an order after all of it came back."""
    return tuple(replace(line, returned=line.quantity) for line in lines)


def give_back_all(tx: Transaction, number: int, order: Order, by: str, *, at: datetime, watchers: Sequence[Watcher]) -> tuple[Order, Card]:
    """
    All that is left of an order goes back, as it is cancelled. The caller puts the order.
    """
    lines = all_of(order.lines)
    restock(tx, order.lines, lines)
    before, after, whole = _reckoned(order, lines, order.total)
    card, _ = cards.take_back(tx, order.customer, order.gain, before, after, whole, number, cancelled=True, at=at)
    left = order.total - order.refunded
    order, _ = pay_back(tx, number, order, left, f"order {number}", by, at=at, watchers=watchers)
    return replace(order, lines=lines, refunded=order.total), card


def restock(tx: Transaction, before: Sequence[Line], after: Sequence[Line]) -> None:
    """Put back on stock what came back."""
    for old, new in zip(before, after, strict=True):
        if new.returned > old.returned:
            stock = tx.get(Stock, new.sku) or Stock(0)
            tx.put(new.sku, Stock(stock.count + new.returned - old.returned))


def pay_back(
    tx: Transaction, number: int, order: Order, units: int, memo: str, by: str, *, at: datetime, watchers: Sequence[Watcher]
) -> tuple[Order, int | None]:
    """
    The customer has so much of an order's money again: the seller pays it back, or it is held no more. The caller puts the order.

    @return: the order, and the number of the transfer; None where none was needed.

    @raise InsufficientFunds: the seller has the money no more.
    @raise NotFound: the customer has been erased, or the seller.
    """
    if not units:
        return order, None
    if order.is_held:
        return escrow.free(tx, number, order, units), None
    # A member whom nobody can pay any more cannot be paid back either.
    members.fetch(tx, order.customer)
    # Nor does anybody pay for a seller who is erased, even if they had a credit line.
    members.fetch(tx, order.seller)
    seller, customer = tx.fetch(Account, order.target), tx.fetch(Account, order.source)
    reference = order_reference(number)
    moved = movement.move(
        tx, order.target, seller, order.source, customer, units, ORDER_REFUND, memo, by=by, at=at, reference=reference, watchers=watchers
    )
    return order, moved.transfer


def _reckoned(order: Order, lines: Sequence[Line], refunded: int) -> tuple[int, int, int]:
    """
    What share of an order has gone back before and after, and of what: of the money, or of the goods where they cost nothing.
    """
    if order.total:
        return order.refunded, refunded, order.total
    return order.price_of_returned, sum(line.price_of_returned for line in lines), order.price


def refund(
    tx: Transaction,
    number: int,
    order: Order,
    returned: Sequence[Wanted] | None,
    amount: Amount | None,
    reason: str,
    by: str,
    *,
    on_stock: bool,
    at: datetime,
    watchers: Sequence[Watcher] = (),
) -> Refunded:
    """
    The seller takes something back, or gives some of the price back.

    @param returned: what comes back; None for all that is left, unless an amount is given.
    @param amount: that is given back; None for what was paid for that which comes back.
    @param on_stock: whether what comes back can be sold again.

    @raise Conflict: the order is cancelled, or all of it has been given back.
    @raise LimitExceeded: it is more than is left.
    """
    if order.status == "cancelled":
        raise Conflict(f"order {number} is cancelled")
    lines = order.lines
    if returned is not None:
        lines = take_returns(order.lines, returned)
    elif amount is None:
        lines = all_of(order.lines)
    left = order.total - order.refunded
    if amount is None:
        price = order.price
        after = share(order.total, sum(line.price_of_returned for line in lines), price)
        units = min(left, after - share(order.total, order.price_of_returned, price))
    else:
        units = order.money.units(amount)
    if units > left:
        raise LimitExceeded(f"{order.money.priced(left)} of order {number} is left, {order.money.priced(units)} is to be refunded")
    if not units and lines == order.lines:
        if left:
            raise Conflict(f"all goods of order {number} have come back; {order.money.priced(left)} of it is left, so say which amount=")
        raise Conflict(f"all of order {number} has gone back already")
    if on_stock:
        restock(tx, order.lines, lines)
    before, after, whole = _reckoned(order, lines, order.refunded + units)
    _, points = cards.take_back(tx, order.customer, order.gain, before, after, whole, number, at=at)
    order, transfer = pay_back(tx, number, order, units, reason or f"order {number}", by, at=at, watchers=watchers)
    order = replace(order, lines=lines, refunded=order.refunded + units)
    tx.put(order_key(number), order)
    notices.tell(tx, number, order, by)
    money = order.money
    return Refunded(number, transfer, money.text(units), money.text(order.refunded), money.code, points)
