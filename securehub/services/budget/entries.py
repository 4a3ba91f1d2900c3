"""
Rules about entries: putting one into its month, taking it out again, listing them.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from msgspec.structs import replace

from securehub.money import MOST_UNITS, Amount, Currency
from securehub.refusals import LimitExceeded, NotFound
from securehub.reply import Listing, Reply, Row, warned
from securehub.services.budget import goals
from securehub.services.budget.plans import plan_for, split
from securehub.services.budget.records import (
    BUCKETS,
    Book,
    Entry,
    Month,
    Origin,
    Share,
    entry_key,
    month_key,
    month_of,
    origin_key,
)
from securehub.services.budget.statuses import over_budget
from securehub.store.transaction import ReadTransaction, Transaction

MAX_CATEGORIES = 100
"""Of a month; its record holds a sum for each, and is read and written with every entry."""


class Draft(NamedTuple):
    """
    An entry that is to be.

    @ivar kind: C{income} or C{expense}.
    @ivar bucket: of an expense; empty for an income.
    @ivar origin: see L{Entry}.
    """

    day: date
    kind: str
    item: str
    bucket: str = ""
    category: str = ""
    origin: str = ""
    units: int = 0


class Entered(Reply, frozen=True):
    """
    An entry that was made.

    @ivar bucket: null for an income.
    @ivar warnings: what there is to think about, such as a bucket that is overspent.
    """

    entry: int
    date: str
    amount: str
    currency: str
    bucket: str | None
    warnings: list[str]

    def status(self) -> str:
        entered = f"Entry {self.entry}: {self.amount} {self.currency} {f'for {self.bucket}' if self.bucket else 'income'} on {self.date}."
        return warned(entered, self.warnings)


class Removed(Reply, frozen=True):
    """An entry that is gone."""

    entry: int

    def status(self) -> str:
        return f"Entry {self.entry} is removed."


class EntryRow(Row, frozen=True):
    """
    One entry.

    @ivar kind: C{income} or C{expense}.
    @ivar bucket: null for an income.
    @ivar origin: where it comes from: empty if you typed it in, C{order/41}, C{transfer/7}, C{import}.
    """

    entry: int
    date: str
    kind: str
    item: str
    amount: str
    currency: str
    bucket: str | None
    category: str
    origin: str


def add(tx: Transaction, owner: str, draft: Draft, amount: Amount, currency: Currency) -> Entered:
    """
    Enter what a member typed in.

    @param draft: without its units, which are those of C{amount}.
    @param currency: of a book that is begun now.

    @raise BadArgument: the amount has more decimals than the currency of the budget.
    @raise LimitExceeded: see L{enter}.
    """
    book = tx.get(Book, owner) or Book(currency.code, currency.digits)
    money = book.money
    draft = draft._replace(units=money.units(amount))
    number, warnings = enter(tx, owner, book, draft)
    return Entered(number, draft.day.isoformat(), money.text(draft.units), money.code, draft.bucket or None, warnings)


def enter(tx: Transaction, owner: str, book: Book, draft: Draft) -> tuple[int, list[str]]:
    """
    Put an entry into its month.

    @param book: the owner's, as it is or as it begins.

    @return: the number of the entry, and warnings.

    @raise LimitExceeded: the month has enough categories, or a sum would be too large.
    """
    assert draft.units > 0, draft
    name = month_of(draft.day)
    key = month_key(owner, name)
    month = tx.get(Month, key) or Month()
    month = _changed(month, draft.kind, draft.bucket, draft.category, draft.units, 1)
    # Nothing is put before this, as whoever enters what another rule has moved goes on after a refusal.
    goal = goals.save_up(tx, owner, draft.category, draft.units) if draft.bucket == "savings" and draft.category else 0
    number = book.entries + 1
    tx.put(owner, replace(book, entries=number))
    tx.put(key, month)
    tx.put(
        entry_key(owner, number),
        Entry(owner, draft.day, draft.kind, draft.item, draft.units, draft.bucket, draft.category, draft.origin, goal),
    )
    return number, _warnings(book, name, month, draft.bucket)


def remove(tx: Transaction, owner: str, number: int) -> Removed:
    """
    Take an entry out of the budget.

    @raise NotFound: there is no such entry.
    """
    key = entry_key(owner, number)
    entry = tx.get(Entry, key)
    if entry is None:
        raise NotFound(f"there is no entry {number}")
    take_out(tx, key, entry, entry.units)
    return Removed(number)


def take_out(tx: Transaction, key: str, entry: Entry, units: int) -> None:
    """
    Take all of an entry out of its month, or a part.

    @param units: at most what it has.
    """
    assert 0 < units <= entry.units, units
    in_month = month_key(entry.owner, month_of(entry.day))
    month = tx.fetch(Month, in_month)
    if entry.goal:
        goals.take_back(tx, entry.owner, entry.goal, units)
    whole = units == entry.units
    left = _changed(month, entry.kind, entry.bucket, entry.category, -units, -1 if whole else 0)
    if left.entries:
        tx.put(in_month, left)
    else:
        tx.delete(Month, in_month)
    if whole:
        tx.delete(Entry, key)
        if "/" in entry.origin:
            tx.delete(Origin, origin_key(entry.owner, entry.origin))
    else:
        tx.put(key, replace(entry, units=entry.units - units))


def entries_of(tx: ReadTransaction, owner: str, month: str | None, *, limit: int, before: int | None) -> Listing[EntryRow]:
    """
    A member's entries, the newest first.

    @param month: only those of this month.
    @param before: only those with a smaller number.
    """
    book = tx.get(Book, owner)
    if book is None:
        return Listing([])
    parent = owner if month is None else month_key(owner, month)
    end = None if before is None else entry_key(owner, before)
    return Listing.up_to(limit, (_row(book.money, key, entry) for key, entry in tx.beneath(Entry, parent, end=end, reverse=True)))


def _row(money: Currency, key: str, entry: Entry) -> EntryRow:
    return EntryRow(
        int(key.rpartition("/")[2]),
        entry.day.isoformat(),
        entry.kind,
        entry.item,
        money.text(entry.units),
        money.code,
        entry.bucket or None,
        entry.category,
        entry.origin,
    )


def _changed(month: Month, kind: str, bucket: str, category: str, units: int, entries: int) -> Month:
    """A month with so many units and entries more, or less."""
    place = "income" if kind == "income" else bucket
    total = getattr(month, place) + units
    if total >= MOST_UNITS:
        raise LimitExceeded("a month's sums have at most 18 digits")
    categories = _added(month.categories, Share(bucket, category, units)) if category else month.categories
    return replace(month, entries=month.entries + entries, categories=categories, **{place: total})


def _added(categories: tuple[Share, ...], more: Share) -> tuple[Share, ...]:
    """The sums of the categories with one that has grown or shrunk; those that have nothing left are left out."""
    sums = {(each.bucket, each.category): each.units for each in categories}
    place = (more.bucket, more.category)
    sums[place] = sums.get(place, 0) + more.units
    if len(sums) > MAX_CATEGORIES:
        raise LimitExceeded(f"the month has {MAX_CATEGORIES} categories; no more are allowed")
    return tuple(Share(*where, units) for where, units in sums.items() if units)


def _warnings(book: Book, name: str, month: Month, bucket: str) -> list[str]:
    """
    That a bucket is overspent. Whoever has typed in no income has no budget that could be.
    """
    if bucket not in BUCKETS or bucket == "savings" or not month.income:
        return []
    over = getattr(month, bucket) - getattr(split(month.income, plan_for(book, name)), bucket)
    return [f"{bucket} in {name}: {over_budget(over, book.money)}"] if over > 0 else []
