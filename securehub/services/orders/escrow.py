"""
Escrow, where the seller has chosen it: what a customer pays is held, and is the seller's when the order is delivered, or after some days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from msgspec.structs import replace

from securehub import agenda
from securehub.refusals import Refusal
from securehub.services.ledger import holds, movement
from securehub.services.ledger.records import ORDER_PAYMENT, Account, order_reference
from securehub.services.ledger.watching import Watcher
from securehub.services.orders import notices
from securehub.services.orders.records import Order, order_key
from securehub.store.transaction import Transaction

DUTY = "orders.escrow"
"""The duty that gives sellers what is held for longer than they have said."""

AGAIN = timedelta(days=1)
"""When it is tried again, if the seller cannot be paid."""


def hold(
    tx: Transaction, number: int, paying: movement.Paying, days: int, *, limit: int, at: datetime, zone: tzinfo
) -> tuple[int, Account]:
    """
    Hold what an order costs.

    @return: the number of the hold, and the customer's account as it is then.
    """
    until = at + timedelta(days=days)
    made = holds.set_aside(tx, paying, until, f"order {number}", reference=order_reference(number), limit=limit, at=at, zone=zone)
    agenda.remind(tx, DUTY, order_key(number), until)
    return made


def pay_out(tx: Transaction, number: int, order: Order, by: str, *, at: datetime, watchers: Sequence[Watcher]) -> Order:
    """
    What is held is the seller's. The caller puts the order.
    """
    assert order.hold is not None
    held = holds.fetch(tx, order.hold)
    agenda.forget(tx, DUTY, order_key(number), held.expires)
    moved = holds.take(tx, order.hold, held, held.units, ORDER_PAYMENT, order_reference(number), by, at=at, watchers=watchers)
    return replace(order, hold=None, transfer=moved.transfer)


def free(tx: Transaction, number: int, order: Order, units: int) -> Order:
    """
    So much of what is held is the customer's again. The caller puts the order.
    """
    assert order.hold is not None
    held = holds.fetch(tx, order.hold)
    if units < held.units:
        holds.free_some(tx, order.hold, held, units)
        return order
    agenda.forget(tx, DUTY, order_key(number), held.expires)
    holds.give_up(tx, order.hold, held)
    return replace(order, hold=None)


def end(tx: Transaction, key: str, *, at: datetime, zone: tzinfo, watchers: Sequence[Watcher] = ()) -> None:
    """The days are over, and the order is not delivered; the seller is paid."""
    order = tx.get(Order, key)
    if order is None or not order.is_held:
        return
    try:
        # By the seller, whose days are over: it is no payment that the customer makes today, and was counted when it was held.
        order = pay_out(tx, int(key), order, order.seller, at=at, watchers=watchers)
    except Refusal:
        # The seller's account takes no more, say. Nothing was put by then.
        agenda.remind(tx, DUTY, key, at + AGAIN)
        return
    tx.put(key, order)
    notices.tell(tx, int(key), order, "")
