"""
What the budget keeps about a member. It is nobody else's business, so all of it goes when the member is erased. And so do the memos of
payments from or to the member which have become the names of entries in the budgets of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from securehub.remembering import Kept, page
from securehub.services.budget.feeding import unnamed
from securehub.services.budget.goals import Goals
from securehub.services.budget.plans import percent
from securehub.services.budget.records import Book, Entry, Month, Origin, entry_key, month_key, month_of, origin_key
from securehub.services.budget.sorting import Patterns
from securehub.services.budget.statements import Imported
from securehub.services.ledger.accounts import wallet_of
from securehub.services.ledger.records import Account, Transfer, transfer_reference
from securehub.store.records import behind
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 60
"""
Entries that one transaction takes out, with the month and the origin of each, or marks of imported rows; or transfers, with the other
account, the origin and the entry of each: at most 180 records. An account without any is counted like one of these.
"""

OTHERS = "others/"
"""Before the account and the key of the transfer up to which the entries of others are done."""

BEHIND = "~"
"""Stands behind all numbers in a key, when an account is done."""


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """The book with its plans, the entries from the oldest on, goals, and rules."""
    return page(_KEPT, tx, username, after, limit)


def refuse_to_forget(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled first."""


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Take out everything; that the accounts are watched for it no more is the ledger's to see to. Then let the entries of others be called
    no more by what was written with a payment.

    @param after: of what is taken out nothing that is needed, as it is not found again; then how far the transfers are looked through.
    """
    left = AT_ONCE
    if not after.startswith(OTHERS):
        left -= _take_out(tx, username)
        if not left:
            return "more"
    return _unname(tx, username, after.removeprefix(OTHERS), left)


def _take_out(tx: Transaction, username: str) -> int:
    """
    Take out some of a member's own; the rest of it with the last.

    @return: how much that was.
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
    count = len(found) + len(rows)
    if count < AT_ONCE:
        for kind in (Book, Goals, Patterns):
            tx.delete(kind, username)
    return count


def _unname(tx: Transaction, username: str, place: str, left: int) -> str | None:
    """
    @param place: the account and the key up to which it is done.
    @param left: how many transfers, and accounts, may be looked at.

    @return: where to go on; None if nothing is left.
    """
    begun, _, known = place.partition("/")
    numbers = [number for number, _ in wallet_of(tx, username).accounts]
    for number in numbers[numbers.index(begun) if begun in numbers else 0 :]:
        tx.get(Account, number)
        found = list(tx.beneath(Transfer, number, start=behind(known) if number == begun else "", limit=left))
        for key, transfer in found:
            _unname_entry(tx, username, int(key), transfer)
        if len(found) == left:
            return f"{OTHERS}{number}/{found[-1][0]}"
        left -= len(found) + 1
        if not left:
            return f"{OTHERS}{number}/{BEHIND}"
    return None


def _unname_entry(tx: Transaction, username: str, number: int, transfer: Transfer) -> None:
    """What a transfer has become in the budget of the other one, if it has become anything there."""
    owners = [tx.fetch(Account, entry.account).owner for entry in transfer.entries]
    for owner in owners:
        origin = tx.get(Origin, origin_key(owner, transfer_reference(number))) if owner != username else None
        entry = tx.get(Entry, entry_key(owner, origin.entry)) if origin is not None else None
        if origin is not None and entry is not None:
            tx.put(entry_key(owner, origin.entry), replace(entry, item=unnamed(entry.kind, username)))


def _book(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    book = tx.get(Book, username)
    if book is not None and not after:
        plans = [f"{percent(each.needs)}/{percent(each.wants)}/{percent(each.savings)} from {each.month} on" for each in book.plans]
        yield "all", {"currency": book.currency, "entries": book.entries, "plans": plans}


def _entries(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    book = tx.get(Book, username)
    if book is not None:
        for key, entry in tx.beneath(Entry, username, start=f"{username}/{behind(after)}"):
            yield key.rpartition("/")[2], _entry(book, entry)


def _goals(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    book = tx.get(Book, username)
    if book is None:
        return
    money = book.money
    for goal in (tx.get(Goals, username) or Goals()).goals:
        key = f"{goal.number:012d}"
        if key > after:
            yield key, {"name": goal.name, "amount": money.text(goal.units), "saved": money.text(goal.saved), "due": goal.due}


def _rules(tx: ReadTransaction, username: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for rule in (tx.get(Patterns, username) or Patterns()).rules:
        key = f"{rule.number:012d}"
        if key > after:
            yield key, {"bucket": rule.bucket, "payee": rule.payee, "text": rule.text, "category": rule.category}


_KEPT = {"book": _book, "entry": _entries, "goal": _goals, "rule": _rules}
"""How to get each kind of what is kept, from a key on."""


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
