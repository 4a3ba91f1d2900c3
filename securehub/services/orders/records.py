"""
What the orders service keeps: items, what there is of them, and orders.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from securehub.money import Currency, currency
from securehub.services.loyalty.terms import Gain, Reduction
from securehub.services.orders.states import OVER
from securehub.store.records import Record, number_key

CATALOGUE = "catalogue"
"""The parent of all items that can be ordered."""


class Item(Record, frozen=True):
    """
    Something that a seller offers, by its sku. Apart from L{Stock}, which every order changes.

    @ivar units: its price.
    @ivar unit: what one of it is, such as C{kg}; empty for a piece.
    @ivar tags: words by which it is found, sorted.
    @ivar low: the seller is warned when fewer are left; zero for never.
    @ivar active: whether it can be ordered.
    """

    collection: ClassVar[str] = "item"

    seller: str
    name: str
    units: int
    currency: str
    digits: int
    unit: str = ""
    tags: tuple[str, ...] = ()
    low: int = 0
    active: bool = True

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)

    def beneath(self) -> tuple[str, ...]:
        return (self.seller, CATALOGUE) if self.active else (self.seller,)


class Stock(Record, frozen=True):
    """
    How many of an item can be ordered, by its sku. What a quote reserves has left it.
    """

    collection: ClassVar[str] = "stock"
    scanned: ClassVar[bool] = False

    count: int


class Shop(Record, frozen=True):
    """
    What a seller has chosen, by username, and how much they have made.

    @ivar items: how many.
    @ivar open: how many of their orders are not over.
    @ivar escrow: whether what customers pay is held until the order is delivered.
    @ivar escrow_days: the days after which the money is the seller's in any case.
    """

    collection: ClassVar[str] = "shop"
    scanned: ClassVar[bool] = False

    items: int = 0
    open: int = 0
    escrow: bool = False
    escrow_days: int = 14


class Line(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    So many of one item, at the price and by the name that it had then.

    @ivar units: the price of one.
    @ivar returned: how many came back.
    """

    sku: str
    name: str
    quantity: int
    units: int
    unit: str = ""
    returned: int = 0

    @property
    def price(self) -> int:
        """Of all of it."""
        return self.units * self.quantity

    @property
    def price_of_returned(self) -> int:
        return self.units * self.returned


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A state that an order came into, when, and by whom."""

    status: str
    at: datetime
    by: str


class Order(Record, frozen=True):
    """
    An order, by number. It is found beneath its customer, and beneath its seller: in the queue, or with all that is over.

    @ivar source: the number of the account that pays.
    @ivar target: the number of the account that receives.
    @ivar total: units to pay, after the reductions.
    @ivar gain: what it has done to the customer's card.
    @ivar transfer: the number of the payment; None as long as it is held, or where there was nothing to pay.
    @ivar hold: the number of the ledger's hold, as long as the money is held.
    @ivar refunded: units that went back to the customer.
    @ivar seq: the number of the newest message of its thread.
    """

    collection: ClassVar[str] = "order"

    at: datetime
    customer: str
    seller: str
    source: str
    target: str
    currency: str
    digits: int
    lines: tuple[Line, ...]
    total: int
    steps: tuple[Step, ...]
    gain: Gain
    reductions: tuple[Reduction, ...] = ()
    code: str = ""
    deliver_to: str = ""
    note: str = ""
    transfer: int | None = None
    hold: int | None = None
    refunded: int = 0
    seq: int = 0

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)

    @property
    def status(self) -> str:
        return self.steps[-1].status

    @property
    def is_held(self) -> bool:
        """Whether the money is set aside, and neither paid nor freed yet."""
        return self.hold is not None

    @property
    def price(self) -> int:
        """Units of all goods, before the reductions."""
        return sum(line.price for line in self.lines)

    @property
    def price_of_returned(self) -> int:
        """Units of the goods that came back, likewise."""
        return sum(line.price_of_returned for line in self.lines)

    def beneath(self) -> tuple[str, str]:
        return of_customer(self.customer), of_seller(self.seller, self.status not in OVER)


class Quote(Record, frozen=True):
    """
    An order that is not placed yet, by number, beneath its customer. Its goods have left the stock until it expires.

    @ivar total: units that it costs at most.
    @ivar cost: points that its reward costs at most.
    """

    collection: ClassVar[str] = "quote"

    at: datetime
    customer: str
    seller: str
    currency: str
    digits: int
    lines: tuple[Line, ...]
    total: int
    expires: datetime
    deliver_to: str = ""
    note: str = ""
    reward: str | None = None
    code: str | None = None
    source: str | None = None
    cost: int = 0

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)

    def beneath(self) -> tuple[str]:
        return (of_customer(self.customer),)


class Reserving(Record, frozen=True):
    """How many quotes a member has open, by username."""

    collection: ClassVar[str] = "reserving"
    scanned: ClassVar[bool] = False

    quotes: int


order_key = number_key


def of_customer(username: str) -> str:
    """The parent of all that a member has ordered: the key of the member's card, which every order changes."""
    return username


def of_seller(username: str, is_open: bool) -> str:
    """The parent of a seller's orders: those in the queue, or those that are over."""
    return f"queue {username}" if is_open else f"over {username}"
