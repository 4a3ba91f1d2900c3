"""
The catalogue: what sellers offer, at what price, and how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from securehub.casefolding import fold
from securehub.members import Member
from securehub.money import Amount, Currency
from securehub.refusals import BadArgument, Conflict, Exists, LimitExceeded, NotFound, Refusal
from securehub.reply import Reply, Row, Sought
from securehub.services.ledger.accounts import first_account
from securehub.services.orders.records import CATALOGUE, Item, Shop, Stock
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction

MOST_UNITS = 10**12
"""Of a price: so that the total of the largest order still has 64 bits."""


MOST_LOOKED_AT = 10_000
"""By one search, which takes some ten milliseconds, and five times that where all names are long and have accents."""


class OutOfStock(Refusal):
    """There are fewer of an item than are ordered, or taken off."""

    code = "out-of-stock"


class ItemRow(Row, frozen=True):
    """
    An item that can be ordered.

    @ivar unit: what one of it is; empty for a piece.
    """

    sku: str
    name: str
    price: str
    currency: str
    stock: int
    seller: str
    unit: str
    tags: tuple[str, ...]


class Catalogue(Sought[ItemRow, str], frozen=True):
    """Items, by their short names."""


class ItemSet(Reply, frozen=True):
    """An item as it is now."""

    sku: str
    name: str
    price: str
    currency: str
    stock: int
    seller: str
    unit: str
    tags: tuple[str, ...]
    low: int
    active: bool

    def status(self) -> str:
        off = "" if self.active else " It cannot be ordered."
        return f"{self.sku}: {self.name}, {self.price} {self.currency}, {self.stock} in stock.{off}"


class Draft(NamedTuple):
    """
    What a seller says about an item; None where nothing is said.

    @ivar add: how many more there are, or below zero how many fewer.
    """

    name: str | None
    price: Amount | None
    stock: int | None
    add: int | None
    unit: str | None
    tags: tuple[str, ...] | None
    low: int | None
    active: bool | None


def set_item(tx: Transaction, seller: str, sku: str, draft: Draft, currency: Currency, *, exactly: bool = False, limit: int) -> ItemSet:
    """
    Make an item, or change one.

    @param currency: of its price, where it is new.
    @param exactly: whether an item that there is has to have it, as the seller has said so.
    @param limit: how many items a seller may have.

    @raise Exists: it is another seller's.
    @raise Conflict: its price is in another currency.
    @raise BadArgument: a new item needs a price; or the price has too many decimals.
    @raise OutOfStock: there are not so many that could be taken off.
    """
    item, stock = tx.get(Item, sku), tx.get(Stock, sku) or Stock(0)
    if item is None:
        item = _new(tx, seller, sku, draft, currency, limit)
    elif item.seller != seller:
        raise Exists(f"there is an item {sku} of {item.seller}'s")
    elif exactly and item.currency != currency.code:
        raise Conflict(f"the price of {sku} is in {item.currency}; offer another item for {currency.code}")
    said = {name: value for name in ("name", "unit", "tags", "low", "active") if (value := getattr(draft, name)) is not None}
    if draft.price is not None:
        said["units"] = _units(item.money, draft.price)
    changed = replace(item, **said)
    count = stock.count if draft.stock is None else draft.stock
    more = draft.add or 0
    if count + more < 0:
        raise OutOfStock(f"{sku}: {count} left, {-more} taken off")
    count += more
    tx.put(sku, changed)
    tx.put(sku, Stock(count))
    return shown(sku, changed, count)


def _new(tx: Transaction, seller: str, sku: str, draft: Draft, usual: Currency, limit: int) -> Item:
    if draft.price is None:
        raise BadArgument("price is missing: a new item needs one")
    shop = tx.get(Shop, seller) or Shop()
    if shop.items >= limit:
        raise LimitExceeded(f"you have {shop.items} items; {limit} are allowed")
    # Where nobody could be paid, nothing is sold.
    first_account(tx, seller, usual.code)
    tx.put(seller, replace(shop, items=shop.items + 1))
    return Item(seller, draft.name or sku, _units(usual, draft.price), usual.code, usual.digits)


def _units(money: Currency, price: Amount) -> int:
    units = money.units(price, "price")
    if units > MOST_UNITS:
        raise BadArgument(f"price: it can be up to {money.priced(MOST_UNITS)}")
    return units


def shown(sku: str, item: Item, count: int) -> ItemSet:
    price = item.money.text(item.units)
    return ItemSet(sku, item.name, price, item.currency, count, item.seller, item.unit, item.tags, item.low, item.active)


def catalogue(tx: ReadTransaction, seller: str | None, search: str | None, after: str, *, limit: int) -> Catalogue:
    """
    What can be ordered, by its short name.

    @param search: a part of the name or the short name, or a tag.
    @param after: only what comes after that sku.
    """
    return Catalogue.among(MOST_LOOKED_AT, limit, _offered(tx, seller, search, after))


def _offered(tx: ReadTransaction, seller: str | None, search: str | None, after: str) -> Iterator[tuple[str, ItemRow | None]]:
    """All items behind one, with what is listed of each: nothing of one that cannot be ordered, or is not what is looked for."""
    selling: dict[str, bool] = {}
    for sku, item in tx.beneath(Item, CATALOGUE if seller is None else seller, start=behind(after)):
        listed = item.active and (not search or _matches(sku, item, search)) and _remembered(selling, tx, item.seller)
        yield sku, _row(sku, item, tx.fetch(Stock, sku).count) if listed else None


def _row(sku: str, item: Item, count: int) -> ItemRow:
    return ItemRow(sku, item.name, item.money.text(item.units), item.currency, count, item.seller, item.unit, item.tags)


def sells(tx: ReadTransaction, username: str) -> bool:
    """
    Whether a member sells anything. Who is locked out or has the role no more does not, and cannot say of each item that it is not active.
    """
    member = tx.get(Member, username)
    return member is not None and member.could_log_in and "seller" in member.roles


def _remembered(selling: dict[str, bool], tx: ReadTransaction, seller: str) -> bool:
    """Whether a seller sells, looked up once."""
    if seller not in selling:
        selling[seller] = sells(tx, seller)
    return selling[seller]


def item_of(tx: ReadTransaction, sku: str) -> tuple[Item, Stock]:
    """
    An item that can be ordered, and what there is of it.

    @raise NotFound: there is no such item, or not any more.
    """
    item = tx.get(Item, sku)
    if item is None or not item.active:
        raise NotFound(f"there is no item {sku}")
    return item, tx.fetch(Stock, sku)


def _matches(sku: str, item: Item, search: str) -> bool:
    return search in fold(item.name) or search in sku.lower() or search in item.tags
