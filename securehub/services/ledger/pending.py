"""
What may be open for long: holds, payment requests, schedules. How many of each a member has open, for which there is a limit, and how those
that are open and those that have ended are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from msgspec.structs import replace

from securehub.refusals import LimitExceeded
from securehub.store.records import R, Record, number_key
from securehub.store.transaction import ReadTransaction, Transaction


class Pending(Record, frozen=True):
    """
    How many of each a member has open, by username.

    @ivar holds: that the member made.
    @ivar requests: in which the member asks.
    """

    collection: ClassVar[str] = "pending"
    scanned: ClassVar[bool] = False

    holds: int = 0
    requests: int = 0
    schedules: int = 0


def open_one(tx: Transaction, owner: str, kind: str, limit: int) -> None:
    """
    Count one more.

    @param kind: the name of a field of L{Pending}.

    @raise LimitExceeded: the member has as many as are allowed.
    """
    pending = tx.get(Pending, owner) or Pending()
    count: int = getattr(pending, kind)
    if count >= limit:
        raise LimitExceeded(f"you have {count} {kind} open; {limit} are allowed")
    tx.put(owner, replace(pending, **{kind: count + 1}))


def end_one(tx: Transaction, owner: str, kind: str) -> None:
    """Count one less."""
    pending = tx.fetch(Pending, owner)
    tx.put(owner, replace(pending, **{kind: getattr(pending, kind) - 1}))


def place(parent: str, is_open: bool) -> str:
    """
    Beneath what a record lies.

    @param parent: a username, or the number of an account.
    """
    return parent if is_open else f"ended {parent}"


def newest(tx: ReadTransaction, record: type[R], parents: Iterable[str], *, ended: bool, before: int | None) -> Iterator[tuple[int, R]]:
    """
    What lies beneath some parents, each once, newest first.

    @param ended: whether what has ended is among it.
    @param before: only what has a smaller number.
    """
    end = None if before is None else number_key(before)
    places = [place(parent, is_open) for parent in parents for is_open in ((True, False) if ended else (True,))]
    # Beneath each no more is looked at than is asked for: there may be a hundred accounts, with thousands of holds each.
    merged = merge(*(tx.beneath(record, each, end=end, reverse=True) for each in places), key=itemgetter(0), reverse=True)
    # What is between two of them is found beneath both.
    return ((int(key), next(same)[1]) for key, same in groupby(merged, itemgetter(0)))
