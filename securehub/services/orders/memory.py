"""
What the orders service keeps about a member, and what of it is forgotten when the member is erased: where orders were to be delivered,
and notes. What was ordered, by whom, of whom and for how much are the books, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from securehub import remembering
from securehub.refusals import Conflict
from securehub.remembering import Kept, page
from securehub.services import messages
from securehub.services.loyalty.records import Card
from securehub.services.messages import ORDER, PAST_ORDERS, Message
from securehub.services.orders.quotes import expire
from securehub.services.orders.records import Item, Order, Quote, Shop, Stock, of_customer, of_seller
from securehub.store.records import behind, further
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 40
"""Records that one transaction blanks."""

QUOTES_AT_ONCE = 4
"""That one transaction ends; each touches up to forty records of stock, and two of its own."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The member's shop and items, what they have sold and bought, and what they have had reserved."""
    return page(_KEPT, tx, username, after, limit)


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """
    @raise Conflict: an order from or to the member is not over.
    """
    shop = tx.get(Shop, username)
    if shop is not None and shop.open:
        raise Conflict(f"{shop.open} orders with {username} are neither delivered nor cancelled")
    card = tx.get(Card, username)
    if card is not None and card.open:
        raise Conflict(f"{card.open} orders of {username} are neither delivered nor cancelled")


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Give up what is reserved, blank what the member wrote with orders and about them, and take their items out of the catalogue.

    @param after: the kind and key up to which it is done.
    """
    return remembering.forget(_STEPS, tx, username, after)


def _end_quotes(tx: Transaction, username: str, place: str) -> str | None:
    tx.get(Card, username)
    reserved = list(tx.beneath(Quote, of_customer(username), limit=QUOTES_AT_ONCE))
    for key, quote in reserved:
        expire(tx, key, at=quote.expires)
    return "more" if len(reserved) == QUOTES_AT_ONCE else None


def _blank_bought(tx: Transaction, username: str, place: str) -> str | None:
    tx.get(Card, username)
    bought = list(tx.beneath(Order, of_customer(username), start=behind(place), limit=AT_ONCE))
    for key, order in bought:
        if order.note or order.deliver_to:
            tx.put(key, replace(order, note="", deliver_to=""))
    return further(bought, AT_ONCE)


def _blank_messages(tx: Transaction, username: str, place: str) -> str | None:
    return messages.blank_some(tx, username, place, AT_ONCE, first=ORDER, past=PAST_ORDERS)


def _take_out_items(tx: Transaction, username: str, place: str) -> str | None:
    tx.get(Shop, username)
    items = list(tx.beneath(Item, username, start=behind(place), limit=AT_ONCE))
    for sku, item in items:
        tx.put(sku, replace(item, name=sku, unit="", tags=(), active=False))
    return further(items, AT_ONCE)


_STEPS = {"quote": _end_quotes, "bought": _blank_bought, "said": _blank_messages, "item": _take_out_items}


def _said(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, message in tx.beneath(Message, username, start=behind(after) or ORDER, end=PAST_ORDERS):
        order = int(messages.conversation_of(key).removeprefix(ORDER))
        yield key, {"order": order, "seq": messages.seq_of(key), "at": message.at, "text": message.text}


def _shop(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    shop = tx.get(Shop, username)
    if shop is not None and not after:
        yield "shop", {"items": shop.items, "open": shop.open, "escrow": shop.escrow, "escrow_days": shop.escrow_days}


def _items(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for sku, item in tx.beneath(Item, username, start=behind(after)):
        values = {"sku": sku, "name": item.name, "price": item.money.text(item.units), "currency": item.currency}
        count = tx.fetch(Stock, sku).count
        yield sku, values | {"unit": item.unit, "tags": item.tags, "stock": count, "low": item.low, "active": item.active}


def _bought(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, order in tx.beneath(Order, of_customer(username), start=behind(after)):
        yield key, _order(key, order) | {"deliver_to": order.deliver_to, "note": order.note}


def _open(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, order in tx.beneath(Order, of_seller(username, True), start=behind(after)):
        yield key, _order(key, order)


def _over(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, order in tx.beneath(Order, of_seller(username, False), start=behind(after)):
        yield key, _order(key, order)


def _quotes(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, quote in tx.beneath(Quote, of_customer(username), start=behind(after)):
        items = [{"sku": line.sku, "quantity": line.quantity} for line in quote.lines]
        values = {"quote": int(key), "at": quote.at, "expires": quote.expires, "seller": quote.seller, "items": items}
        yield key, values | {"total": quote.money.text(quote.total), "deliver_to": quote.deliver_to, "note": quote.note}


_KEPT = {"bought": _bought, "quote": _quotes, "said": _said, "shop": _shop, "item": _items, "open": _open, "over": _over}
"""How to get each kind of what is kept, from a key on."""


def _order(key: str, order: Order) -> dict[str, Any]:
    money = order.money
    lines = [{"sku": line.sku, "name": line.name, "quantity": line.quantity, "returned": line.returned} for line in order.lines]
    return {
        "order": int(key),
        "at": order.at,
        "status": order.status,
        "customer": order.customer,
        "seller": order.seller,
        "total": money.text(order.total),
        "refunded": money.text(order.refunded),
        "currency": money.code,
        "earned": order.gain.earned,
        "items": lines,
        "steps": [{"status": step.status, "at": step.at, "by": step.by} for step in order.steps],
    }
