"""
How much a member has open, of what may be open for long: holds, payment requests, schedules. There is a limit for each.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from securehub.refusals import LimitExceeded
from securehub.store.records import Record
from securehub.store.transaction import Transaction


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
