"""
Retention: a room may keep its messages for some days only. They go a few at a time, the oldest first; their numbers stay taken.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from securehub.chores import LOOKED_AT, Some
from securehub.services import messages
from securehub.services.chat.records import Charter, Room
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
