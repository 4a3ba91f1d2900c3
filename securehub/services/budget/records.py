"""
What the budget service keeps: for each member a book, its months with their sums, and its entries.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar

import msgspec

from securehub.money import Currency, currency
from securehub.store.records import Record

BUCKETS = ("needs", "wants", "savings")


class PlanFrom(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    A plan, and the month from which on it counts.

    @ivar month: C{2026-11}.
    @ivar needs: in hundredths of a percent of the income; so are the others.
    """

    month: str
    needs: int
    wants: int
    savings: int


class Book(Record, frozen=True):
    """
    A member's budget, by username.

    It has one currency: the hub's when it was begun. What moves in other currencies is not entered, as nobody here knows what it is worth.

    @ivar digits: the decimals of its currency.
    @ivar entries: how many there have ever been; they count up from 1.
    @ivar plans: in the order of their months. What counted for a month stays with it: a later plan has a later month.
    """

    collection: ClassVar[str] = "budget"
    scanned: ClassVar[bool] = False

    currency: str
    digits: int = 2
    entries: int = 0
    plans: tuple[PlanFrom, ...] = ()

    @property
    def money(self) -> Currency:
        return currency(self.currency, self.digits)


class Share(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    What a category has in a month.

    @ivar units: of the currency.
    """

    bucket: str
    category: str
    units: int


class Month(Record, frozen=True):
    """
    The sums of a month in units, by username and month. So a report looks at one record, however many entries there are.

    @ivar entries: how many it has.
    @ivar categories: the sums of those expenses that have a category.
    """

    collection: ClassVar[str] = "budget-month"

    income: int = 0
    needs: int = 0
    wants: int = 0
    savings: int = 0
    entries: int = 0
    categories: tuple[Share, ...] = ()

    @property
    def spent(self) -> int:
        """All three buckets, in units."""
        return self.needs + self.wants + self.savings


class Entry(Record, frozen=True):
    """
    One income or expense, by username and number. It is found beneath its owner and beneath its month.

    @ivar kind: C{income} or C{expense}.
    @ivar bucket: of an expense.
    @ivar origin: where it comes from: empty if it was typed in, C{order/41}, C{transfer/7}, C{import}.
    @ivar goal: the number of the savings goal that it was counted for; 0 for none.
    """

    collection: ClassVar[str] = "budget-entry"

    owner: str
    day: date
    kind: str
    item: str
    units: int
    bucket: str = ""
    category: str = ""
    origin: str = ""
    goal: int = 0

    def beneath(self) -> list[str]:
        return [self.owner, month_key(self.owner, month_of(self.day))]


class Origin(Record, frozen=True):
    """Which entry an order or a transfer has become, by username and what it is: C{alice/order/41}."""

    collection: ClassVar[str] = "budget-origin"
    scanned: ClassVar[bool] = False

    entry: int


def month_of(day: date) -> str:
    return day.isoformat()[:7]


def month_key(owner: str, month: str) -> str:
    return f"{owner}/{month}"


def entry_key(owner: str, number: int) -> str:
    return f"{owner}/{number:012d}"


def origin_key(owner: str, origin: str) -> str:
    return f"{owner}/{origin}"
