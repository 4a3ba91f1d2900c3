"""
What the loyalty service keeps: each member's card, what changed its points, and the programme.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from securehub.money import Currency, currency
from securehub.store.records import Record

MONTHS = 12
"""A tier is for what was spent in so many months, the current one included."""

FREE_ORDER = 720_720
"""Stamps that a free order is worth. A paid one brings a part of that: a tenth where each tenth is free. All up to 16 divide it evenly."""

PROGRAMME = "programme"
"""The key of the one programme."""


class Voucher(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A reward that was paid with points and waits to be used; it stays as it was then, whatever becomes of the programme.

    @ivar cost: points.
    @ivar units: off the price, in the programme's currency.
    @ivar percent: off the price.
    """

    reward: str
    name: str
    cost: int
    units: int
    percent: int


class Card(Record, frozen=True):
    """
    What a member has gathered, by username.

    @ivar orders: how many were placed and not cancelled.
    @ivar points: may be below zero, where points that were used have been taken back.
    @ivar entries: how many changes of the points there were; they count up from 1.
    @ivar stamps: what paid orders have brought towards a free one, in parts of L{FREE_ORDER}; may be below zero as well.
    @ivar spent: units in the programme's currency, by month (C{2026-11}), of the months that still count for a tier.
    @ivar open: orders that are neither delivered nor cancelled.
    """

    collection: ClassVar[str] = "card"
    scanned: ClassVar[bool] = False

    orders: int = 0
    points: int = 0
    entries: int = 0
    stamps: int = 0
    spent: dict[str, int] = msgspec.field(default_factory=dict)
    vouchers: tuple[Voucher, ...] = ()
    open: int = 0


class Change(Record, frozen=True):
    """
    A change of a member's points, by username and number.

    @ivar points: signed.
    @ivar balance: after it.
    @ivar kind: C{order}, C{reward}, C{return}, C{cancellation} or C{goodwill}.
    @ivar order: its number, if it came of an order.
    @ivar reward: its name, if it came of one.
    """

    collection: ClassVar[str] = "points"

    at: datetime
    points: int
    balance: int
    kind: str
    order: int | None = None
    reward: str = ""


def change_key(username: str, number: int) -> str:
    return f"{username}/{number:012d}"


class Reward(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    What points can be redeemed for: a discount on an order.

    @ivar reward: its short name.
    @ivar name: for people.
    @ivar cost: points.
    @ivar units: off the price, in the programme's currency.
    @ivar percent: off the price, 1 to 100, where it is no fixed amount.
    """

    reward: str
    name: str
    cost: int
    units: int = 0
    percent: int = 0


class Tier(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A standing of members.

    @ivar spent: units that have to be spent in twelve months for it.
    @ivar percent: of the usual points that an order brings.
    """

    name: str
    spent: int
    percent: int


class Programme(Record, frozen=True):
    """
    The programme as it is now. What an order has brought stands in the order, so a change here concerns later orders alone.

    @ivar per_point: units that bring a point; zero for no points.
    @ivar free_every: 10 where every tenth order is free, and so on; zero for none.
    @ivar free_up_to: units that a free order saves at most; zero for no such limit.
    @ivar tiers: from the lowest on; the first is everybody's.
    """

    collection: ClassVar[str] = "programme"
    scanned: ClassVar[bool] = False

    currency: str
    digits: int
    per_point: int
    free_every: int = 0
    free_up_to: int = 0
    rewards: tuple[Reward, ...] = ()
    tiers: tuple[Tier, ...] = (Tier("member", 0, 100),)

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)

    @property
    def stamps(self) -> int:
        """That a paid order brings."""
        return FREE_ORDER // self.free_every if self.free_every else 0

    @property
    def stamps_for_free(self) -> int:
        """With so many the next order is free."""
        return self.stamps * (self.free_every - 1)


class Promotion(Record, frozen=True):
    """
    A code that makes orders cheaper, by the code.

    @ivar seller: whose items it is for.
    @ivar units: off the price, in C{currency}.
    @ivar percent: off the price, 1 to 100, where it is no fixed amount.
    @ivar least: units that an order has to cost for it.
    @ivar uses: how often it may be used; zero for no limit.
    @ivar each: how often by one member; zero for no limit.
    @ivar used: how often it was used, in orders that are not cancelled.
    @ivar expires: from when on it is not good any more.
    """

    collection: ClassVar[str] = "promotion"
    scanned: ClassVar[bool] = False

    seller: str
    currency: str
    digits: int
    units: int = 0
    percent: int = 0
    least: int = 0
    uses: int = 0
    each: int = 0
    used: int = 0
    expires: datetime | None = None
    active: bool = True

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)


class Codes(Record, frozen=True):
    """The codes of a seller, by username, sorted."""

    collection: ClassVar[str] = "codes"
    scanned: ClassVar[bool] = False

    codes: tuple[str, ...] = ()


class Use(Record, frozen=True):
    """How often a member has used a code, by username and code."""

    collection: ClassVar[str] = "code-use"

    count: int


def use_key(username: str, code: str) -> str:
    return f"{username}/{code}"
