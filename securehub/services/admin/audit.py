"""
The audit: as an admin reads it, and what of it is a member's own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import asdict, replace

from securehub.audit import ALL, Audit
from securehub.members import OPERATOR, Member
from securehub.refusals import NotFound
from securehub.remembering import Kept
from securehub.reply import Listing, Row
from securehub.store.records import behind, further, number_key
from securehub.store.transaction import ReadTransaction, Transaction

AT_ONCE = 150
"""Entries that are looked at in one step of an erasure; a transaction may put 256 records."""


class AuditRow(Row, frozen=True):
    """
    What somebody did with the power that a role gives.

    @ivar by: a username, or C{operator}.
    @ivar target: to whom: a username; null if to nobody.
    @ivar arguments: what was asked for, without passwords and the like.
    """

    entry: int
    at: datetime
    by: str
    command: str
    target: str | None
    arguments: dict[str, Any]


def entries(tx: ReadTransaction, member: str | None = None, *, limit: int, before: int | None) -> Listing[AuditRow]:
    """
    The entries, newest first.

    @param member: only what this one did, or what was done to them: somebody who is or was a member, or the operator.
    @param before: only those with a smaller number.

    @raise NotFound: nobody has ever had that name.
    """
    if member is not None and member != OPERATOR and tx.get(Member, member) is None:
        raise NotFound(f"there is no member {member}")
    end = None if before is None else number_key(before)
    return Listing.up_to(limit, (_row(int(key), entry) for key, entry in tx.beneath(Audit, member or ALL, end=end, reverse=True)))


def _row(number: int, entry: Audit) -> AuditRow:
    return AuditRow(number, entry.at, entry.by, entry.command, entry.target or None, entry.arguments)


def remembered(tx: ReadTransaction, username: str, after: str, limit: int) -> list[Kept]:
    """What a member did, and what was done to them, from the oldest on."""
    return [
        Kept("act", key, {"entry": int(key)} | asdict(entry))
        for key, entry in tx.beneath(Audit, username, start=behind(after), limit=limit)
    ]


def refuse_nothing(tx: ReadTransaction, username: str) -> None:
    """Nothing has to be settled before the arguments of what was done to a member are forgotten."""


def forget(tx: Transaction, username: str, after: str) -> str | None:
    """
    Blank the arguments of what was done to a member: reasons and memos are among them. Who did what to whom, and when, stays.

    @param after: the entry up to which it is done.
    """
    tx.get(Member, username)
    found = list(tx.beneath(Audit, username, start=behind(after), limit=AT_ONCE))
    for key, entry in found:
        if entry.target == username and entry.arguments:
            tx.put(key, replace(entry, arguments={}))
    return further(found, AT_ONCE)
