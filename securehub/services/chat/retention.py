"""
Retention: a room may keep its messages for some days only. They go a few at a time, the oldest first; their numbers stay taken. Reports
that a moderator has seen to are kept for some days, too, which a setting says: each has copies of others' messages.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile

from msgspec.structs import replace

from securehub.chores import LOOKED_AT, Some
from securehub.services import messages
from securehub.services.chat.records import ALL_REPORTS, Charter, Report, Room
from securehub.store.records import behind, further
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 80
"""Messages in one transaction, each with what it was before: below the 256 records and the 1 MiB that one may touch."""


def limited(tx: ReadTransaction, after: str) -> Some[str]:
    """
    The rooms that keep their messages for some days only, among some of all.

    @param after: the last that was looked at; empty to begin.
    """
    found = list(tx.scan(Charter, start=behind(after), limit=LOOKED_AT))
    return Some([room for room, charter in found if charter.keep_days], further(found, LOOKED_AT))


def forget(tx: Transaction, room: str, *, at: datetime) -> bool:
    """
    Delete some of the messages that a room keeps no longer.

    @return: whether there may be more.
    """
    found, charter = tx.get(Room, room), tx.get(Charter, room)
    if found is None or charter is None or not charter.keep_days:
        return False
    count = messages.forget(tx, room, found.first, found.seq, at - timedelta(days=charter.keep_days), AT_ONCE)
    if count:
        tx.put(room, replace(found, first=found.first + count))
    return count == AT_ONCE


def settled(tx: ReadTransaction, until: datetime, after: str) -> Some[str]:
    """
    The reports that were seen to before a time, among some of all.

    @param after: the last that was looked at; empty to begin.
    """
    # None was seen to before it was made, so what came later need not be looked at.
    found = list(takewhile(lambda each: each[1].at < until, tx.beneath(Report, ALL_REPORTS, start=behind(after), limit=LOOKED_AT)))
    return Some([key for key, report in found if report.settled is not None and report.settled < until], further(found, LOOKED_AT))


def forget_report(tx: Transaction, key: str) -> None:
    """Delete a report."""
    tx.delete(Report, key)
