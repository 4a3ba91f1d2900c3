"""
What the budget keeps about a member. It is nobody else's business, so all of it goes when the member is erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from securehub.service import Kept
from securehub.services.budget.goals import Goals
from securehub.services.budget.plans import percent
from securehub.services.budget.records import Book, Entry, Month, Origin, entry_key, month_key, month_of, origin_key
from securehub.services.budget.sorting import Patterns
from securehub.services.budget.statements import Imported
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 60
"""Entries that one transaction takes out, with the month and the origin of each, or marks of imported rows: at most 180 records."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The book with its plans, the entries from the oldest on, goals, and rules."""
    book = tx.get(Book, username)
    found: list[Kept] = []
    if book is not None and after < "book":
        plans = [f"{percent(each.needs)}/{percent(each.wants)}/{percent(each.savings)} from {each.month} on" for each in book.plans]
        found.append(Kept("book", "book", {"currency": book.currency, "entries": book.entries, "plans": plans}))
    if book is not None and after < "entry/~":
        number = after.removeprefix("entry/")
        start = entry_key(username, int(number) + 1) if number.isdecimal() else ""
        for key, entry in tx.beneath(Entry, username, start=start, limit=max(0, limit - len(found))):
            found.append(Kept("entry", f"entry/{key.rpartition('/')[2]}", _entry(book, entry)))
    rest = (each for each in (*_goals(tx, username, book), *_rules(tx, username)) if each.key > after)
    return [*found, *islice(rest, limit)][:limit]


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled first."""


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Take out everything; that the accounts are watched for it no more is the ledger's to see to.

    @param after: nothing that is needed: what is taken out is not found again.
    """
    tx.get(Book, username)
    found = list(tx.beneath(Entry, username, limit=AT_ONCE))
    for key, entry in found:
        tx.delete(Entry, key)
        tx.delete(Month, month_key(username, month_of(entry.day)))
        if entry.origin:
            tx.delete(Origin, origin_key(username, entry.origin))
    rows = [key for key, _ in tx.scan(Imported, f"{username}/", limit=AT_ONCE - len(found))]
    for key in rows:
        tx.delete(Imported, key)
    if len(found) + len(rows) == AT_ONCE:
        return "more"
    for kind in (Book, Goals, Patterns):
        tx.delete(kind, username)
    return None


def _goals(tx: ReadTransaction, username: str, book: Book | None) -> Iterator[Kept]:
    kept = tx.get(Goals, username)
    if kept is None or book is None:
        return
    for goal in kept.goals:
        values = {"name": goal.name, "amount": book.money.text(goal.units), "saved": book.money.text(goal.saved), "due": goal.due}
        yield Kept("goal", f"goal/{goal.number:012d}", values)


def _rules(tx: ReadTransaction, username: str) -> Iterator[Kept]:
    for rule in (tx.get(Patterns, username) or Patterns()).rules:
        values = {"bucket": rule.bucket, "payee": rule.payee, "text": rule.text, "category": rule.category}
        yield Kept("rule", f"rule/{rule.number:012d}", values)


def _entry(book: Book, entry: Entry) -> dict[str, Any]:
    return {
        "date": entry.day.isoformat(),
        "kind": entry.kind,
        "item": entry.item,
        "amount": book.money.text(entry.units),
        "currency": book.currency,
        "bucket": entry.bucket,
        "category": entry.category,
        "origin": entry.origin,
    }
